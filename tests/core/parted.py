"""A topic whose records make several updates: what `machine.py` reads, under a mapping of three rules.

order(first="a", second="b", third="c", n=1) sets `n` of the groups a and b of the default project, and of c in emea,
where it adds 1 to `count`, too. A part whose group is None is ignored, one that has a NaN is refused.
"""

import io
from typing import Any

import fastavro

from consumer.avro.parsing import parse
from consumer.core.model import Assignment
from consumer.core.quarantine import Quarantine
from consumer.mapping.mapper import Mapper, TopicMap
from consumer.mapping.reading import read
from tests.core.machine import Machine

TOPIC = "orders"
SCHEMA_ID = 5
NAN = float("nan")


def rule(name: str) -> str:
    """A rule of the file: it sets `n` of the group that the field of its name has."""
    return f"""
[[rule]]
name = "{name}"
topics = ["orders"]
record = ["Order"]
where = [{{ path = "value.{name}", exists = true }}]
group = {{ key = "company", id = "value.{name}" }}
"""


RATIO = """[rule.set]
n = "value.n"
ratio = "value.%s_ratio"
"""
THIRD = """project = { from = "value.project", values = { emea = "emea", none = "none", "*" = "default" } }
[rule.set]
n = "value.n"
[rule.add]
count = { value = 1 }
"""
RULES = "version = 1\n" + rule("first") + RATIO % "first" + rule("second") + RATIO % "second" + rule("third") + THIRD
OPTIONAL: list[Any] = ["null", "string"]
ORDER = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "first", "type": OPTIONAL},
        {"name": "second", "type": OPTIONAL},
        {"name": "third", "type": OPTIONAL},
        {"name": "project", "type": "string"},
        {"name": "n", "type": "long"},
        {"name": "first_ratio", "type": "double"},
        {"name": "second_ratio", "type": "double"},
    ],
}
OTHER = {"type": "record", "name": "Other", "fields": [{"name": "n", "type": "long"}]}
WRITER: list[Any] = [ORDER, OTHER]
PARSED = fastavro.parse_schema(WRITER)


def rules(text: str = RULES) -> TopicMap:
    """The rules of the topic. The file knows a project that the service does not have."""
    found = Mapper(read(text, [TOPIC], ["emea", "none", "default"], False), b"", ()).topic(TOPIC)
    assert found is not None
    return found


def framed(datum: object, schema: int = SCHEMA_ID) -> bytes:
    """The datum in Confluent's frame."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, PARSED, datum)
    return b"\0" + schema.to_bytes(4, "big") + out.getvalue()


def order(
    first: str | None = None,
    second: str | None = None,
    third: str | None = None,
    n: int = 0,
    project: str = "emea",
    ratios: tuple[float, float] = (0.0, 0.0),
) -> bytes:
    """One record."""
    datum = {"first": first, "second": second, "third": third, "project": project, "n": n}
    return framed(("Order", datum | {"first_ratio": ratios[0], "second_ratio": ratios[1]}))


def other() -> bytes:
    """A record that no rule takes."""
    return framed(("Other", {"n": 1}))


class Parted(Machine):
    """A machine that reads the topic of the mapping, too; updates go to two projects."""

    def __init__(self, quarantine: Quarantine | None = None, **limits: Any) -> None:
        self.rules = rules()
        super().__init__(quarantine, ("default", "emea"), {TOPIC: self.rules}, **limits)
        self.pipeline.schema_known((TOPIC, SCHEMA_ID, False), self.rules.value_plan(parse(WRITER)), 0.0)

    def orders(self, number: int = 0) -> Assignment:
        """One partition of the mapped topic."""
        return self.assign(number, TOPIC)
