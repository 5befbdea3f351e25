"""The records of a mapped topic: each makes up to three updates of two groups, by four rules.

A part of `near` and `other` sets a property of its own, `#` with the record's number and the rule, and `last`; one of
`far` and `sum` adds a bit of the record's own to the property that has the rule's name. So the oracle reads from a
request which parts it carries, however they were folded.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import fastavro

from consumer.avro.parsing import parse
from consumer.mapping.bodies import ValuePlan
from consumer.mapping.mapper import Mapper, TopicMap
from consumer.mapping.reading import read

from .traffic import POISON, Partition, project_of

TOPIC = "orders"
SCHEMA_ID = 5
SETS, ADDS = ("near", "other"), ("far", "sum")
RULES = SETS + ADDS  # in the file's order
GOOD = "good"
MOST = 48  # records, so that a sum of their bits is exact as a double
BAD = "rejected"  # by Mixpanel
NAN = "invalid_change"  # refused by the rule
PART: dict[str, Any] = {
    "type": "record",
    "name": "Part",
    "fields": [
        {"name": "group", "type": "string"},
        {"name": "project", "type": "string"},
        {"name": "number", "type": "double"},
        {"name": "values", "type": {"type": "map", "values": "string"}},
    ],
}
FIELDS = [{"name": RULES[0], "type": ["null", PART]}, *[{"name": n, "type": ["null", "Part"]} for n in RULES[1:]]]
SCHEMA = {"type": "record", "name": "Order", "fields": FIELDS}
RULE = """
[[rule]]
name = "{name}"
topics = ["orders"]
where = [{{ path = "value.{name}", exists = true }}]
group = {{ key = "company", id = "value.{name}.group" }}
project = {{ from = "value.{name}.project", values = {{ emea = "emea", "*" = "default" }} }}
null = "skip"
"""
SET = '[rule.set]\nlast = "value.{name}.number"\n[rule.copy]\nfrom = "value.{name}.values"\n'
ADD = '[rule.add]\n{name} = "value.{name}.number"\n'


@cache
def parsed_schema() -> Any:
    """The schema as fastavro keeps it."""
    return fastavro.parse_schema(SCHEMA)


def rules() -> TopicMap:
    """The rules of the topic."""
    text = "".join((RULE + (SET if name in SETS else ADD)).format(name=name) for name in RULES)
    found = Mapper(read("version = 1\n" + text, [TOPIC], ["default", "emea"], False), b"", ()).topic(TOPIC)
    assert found is not None
    return found


def plan_of(topic: TopicMap) -> ValuePlan:
    """How the rules read the schema."""
    return topic.value_plan(parse(SCHEMA))


@dataclass(frozen=True)
class Part:
    """What one rule is to make of a record: of which group, and what becomes of it."""

    rule: str
    group: str
    kind: str


@dataclass(slots=True)
class Order:
    """One record, with its parts in the file's order."""

    number: int
    partition: Partition
    parts: dict[str, Part]
    key: bytes | None = None
    value: bytes | None = None
    headers: list[tuple[str, bytes | None]] | None = None
    offset: int = -1

    def __str__(self) -> str:
        parts = ", ".join(f"{part.rule} {part.group} {part.kind}" for part in self.parts.values())
        return f"record {self.number} (@{self.offset}: {parts})"


def made(random: Random, number: int, partition: Partition, groups: Sequence[str], refused: float) -> Order:
    """The next record: one to three parts of at most two of the groups."""
    two = random.sample(list(groups), min(2, len(groups)))
    chosen = random.sample(RULES, random.choice((1, 2, 3, 3)))
    parts = {}
    for rule in RULES:
        if rule in chosen:
            kinds = (BAD, NAN) if rule in SETS else (NAN,)
            kind = random.choice(kinds) if random.random() < refused else GOOD
            parts[rule] = Part(rule, random.choice(two), kind)
    return Order(number, partition, parts, value=framed(number, parts))


def framed(number: int, parts: dict[str, Part]) -> bytes:
    """The record in Confluent's frame."""
    datum: dict[str, Any] = dict.fromkeys(RULES)
    for rule, part in parts.items():
        datum[rule] = {
            "group": part.group,
            "project": project_of(part.group),
            "number": float("nan") if part.kind == NAN else float(number if rule in SETS else 1 << number),
            "values": {own(number, rule): POISON if part.kind == BAD else "1"} if rule in SETS else {},
        }
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parsed_schema(), datum)
    return b"\0" + SCHEMA_ID.to_bytes(4, "big") + out.getvalue()


def own(number: int, rule: str) -> str:
    """The property that only this part sets."""
    return f"#{number} {rule}"


def carried(update: dict[str, Any]) -> list[tuple[int, str]]:
    """The parts that the update carries, each as its record's number and its rule."""
    if "$add" in update:
        added = update["$add"].items()
        return [(bit, name) for name, value in added for bit in range(MOST + 1) if int(value) >> bit & 1]
    found = []
    for name in update.get("$set", {}):
        if name.startswith("#"):
            number, _, rule = name[1:].partition(" ")
            found.append((int(number), rule))
    return found
