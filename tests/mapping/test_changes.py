"""What a new writer's schema means to the rules."""

from typing import Any

from consumer.avro.parsing import parse
from consumer.mapping.changes import changes_of
from tests.mapping.tables import COLUMNS, DECIMAL, TOPIC, Table, connect, envelope

RULE = f"""[[rule]]
name = "companies"
topics = ["{TOPIC}"]
format = "debezium"
group = {{ key = "company", id = "key.id" }}
null = "skip"
[rule.set]
Name = "row.name"
MRR = "row.mrr"
Kind = {{ from = "row.kind", values = {{ customer = "C" }} }}
"""


def changes(now: list[dict[str, Any]], before: list[dict[str, Any]] | None = None) -> dict[str, list[str]]:
    """What the rule is told of a table with these columns."""
    older = None if before is None else parse(envelope(before))
    return changes_of(Table(RULE).map.rules, parse(envelope(now)), older).as_fields()


def test_what_did_not_change_says_nothing() -> None:
    assert changes(COLUMNS, COLUMNS) == {}
    assert changes(COLUMNS) == {}


def test_a_column_that_is_new_is_unmapped() -> None:
    new = {"name": "owner", "type": ["null", "string"], "default": None}
    assert changes([*COLUMNS, new], COLUMNS) == {"unmapped": ["owner"]}


def test_a_mapped_column_that_is_gone() -> None:
    assert changes([column for column in COLUMNS if column["name"] != "mrr"], COLUMNS) == {"gone": ["row.mrr"]}


def test_a_mapped_column_of_another_type_or_meaning() -> None:
    """A decimal of another scale is another type; a column that may be null now is not."""
    other = {"name": "mrr", "type": ["null", {**DECIMAL, "scale": 3}], "default": None}
    assert changes([other if one["name"] == "mrr" else one for one in COLUMNS], COLUMNS) == {"retyped": ["row.mrr"]}
    stamp = {"name": "mrr", "type": connect("long", "io.debezium.time.Timestamp")}
    assert changes([stamp if one["name"] == "mrr" else one for one in COLUMNS], COLUMNS) == {"retyped": ["row.mrr"]}
    never = {"name": "name", "type": "string"}
    assert changes([never if one["name"] == "name" else one for one in COLUMNS], COLUMNS) == {}


def test_symbols_without_a_value() -> None:
    kind = {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["customer", "trial"]}}
    assert changes([kind if one["name"] == "kind" else one for one in COLUMNS]) == {"symbols": ["row.kind: trial"]}
