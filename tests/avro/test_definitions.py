"""Named types that are defined more than once, and what a schema may cost."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from consumer.avro.definitions import MAX_TYPES
from consumer.avro.errors import IncompatibleSchema
from consumer.avro.parsing import parse
from consumer.avro.resolution import plan
from consumer.avro.rewriting import tags_of
from consumer.event.decode import resolve

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "group_change.avsc").read_text())
AUDIT = {"type": "record", "name": "Audit", "namespace": "acme", "fields": [{"name": "by", "type": "string"}]}
LATER = {**AUDIT, "fields": [*AUDIT["fields"], {"name": "at", "type": "long", "default": 0}]}


def record(name: str, *kinds: object) -> dict[str, Any]:
    """A record with fields of these types."""
    fields = [{"name": f"f{number}", "type": kind} for number, kind in enumerate(kinds)]
    return {"type": "record", "name": name, "namespace": "acme", "fields": fields}


def change(*kinds: object) -> dict[str, object]:
    """The event schema with more fields, which the reader does not know."""
    return {**SCHEMA, "fields": [*SCHEMA["fields"], *record("R", *kinds)["fields"]]}


@pytest.mark.parametrize(
    "again",
    [
        AUDIT,
        {**AUDIT, "doc": "Another text of the same.", "aliases": ["Was"]},
        {**AUDIT, "name": "acme.Audit", "namespace": "other"},
        {**AUDIT, "fields": [{"name": "by", "type": {"type": "string"}, "default": "", "doc": "Who."}]},
    ],
)
def test_the_same_definition_twice_is_one_type(again: dict[str, object]):
    """Imports and generators write a shared type out where they use it: what reads the same data is the same."""
    found = parse(record("R", AUDIT, ["null", again], "Audit"))
    first = found.fields[0].type
    assert found.fields[1].type.items[1] is first
    assert found.fields[2].type is first
    assert resolve(change(AUDIT, again), SCHEMA)


@pytest.mark.parametrize("tagged_first", [True, False])
def test_the_tags_of_either_definition_hold(tagged_first: bool):
    """A field that one of them marks may be encrypted in both."""
    marked = {**AUDIT, "fields": [{"name": "by", "type": "string", "confluent:tags": ["PII"]}]}
    kinds = (marked, AUDIT) if tagged_first else (AUDIT, marked)
    assert tags_of(parse(record("R", *kinds)))["acme.Audit.by"] == ["PII"]


@pytest.mark.parametrize(
    "kind",
    [
        {"type": "fixed", "name": "F", "size": 2, "logicalType": "decimal", "precision": 3},
        {"type": "enum", "name": "E", "symbols": ["A", "B"]},
        record("Outer", {"type": "array", "items": record("Inner", ["null", "Outer", "long"])}),
        record("Pair", {"type": "map", "values": AUDIT}, AUDIT),
    ],
)
def test_equal_is_equal_all_the_way_down(kind: dict[str, object]):
    """Types within types, recursive ones too, are compared by what they read."""
    found = parse(record("R", kind, record("S", json.loads(json.dumps(kind)))))
    assert found.fields[1].type.fields[0].type is found.fields[0].type


def test_references_may_each_bring_the_same_type():
    """Two imports that both contain a type define it once."""
    created, changed = record("Created", AUDIT), record("Changed", AUDIT)
    writer = change("acme.Created", "acme.Changed")
    assert resolve(writer, SCHEMA, [created, changed])
    assert resolve(change(created, "acme.Changed"), SCHEMA, [AUDIT, changed])


@pytest.mark.parametrize(
    "again",
    [
        LATER,
        {**AUDIT, "fields": []},
        {**AUDIT, "fields": [{"name": "who", "type": "string"}]},
        {**AUDIT, "fields": [{"name": "by", "type": "bytes"}]},
        {**AUDIT, "fields": [{"name": "by", "type": "string", "logicalType": "uuid"}]},
        {"type": "enum", "name": "acme.Audit", "symbols": ["A"]},
        {"type": "fixed", "name": "acme.Audit", "size": 1},
    ],
)
def test_two_that_differ_are_told_with_both_places(again: dict[str, object]):
    """Which was meant is not guessed: the message says where both stand."""
    with pytest.raises(IncompatibleSchema) as caught:
        parse(record("R", record("Created", AUDIT), ["null", record("Changed", again)]))
    words = "the type acme.Audit is defined twice and not the same, in field f0.f0 and in field f1.f0"
    assert str(caught.value) == words


def test_places_in_references_are_told():
    """Places are those of the reference that they are in."""
    with pytest.raises(IncompatibleSchema) as caught:
        parse(record("R", LATER), [record("Created", AUDIT)])
    assert str(caught.value).endswith("in field f0 of reference 1 and in field f0")
    with pytest.raises(IncompatibleSchema) as caught:
        parse(LATER, ["int", AUDIT])
    assert str(caught.value).endswith("in reference 2 and in the schema itself")


@pytest.mark.parametrize("inner", [AUDIT, {**AUDIT, "fields": []}])
def test_a_type_is_not_defined_again_within_itself(inner: dict[str, object]):
    """A definition that has not ended cannot be compared with another."""
    outer = {**AUDIT, "fields": [*AUDIT["fields"], {"name": "more", "type": inner}]}
    with pytest.raises(IncompatibleSchema, match=r"acme\.Audit is defined again within itself"):
        parse(outer)


# What a schema may cost.


def many(count: int) -> list[object]:
    """A union of as many fixed types."""
    return [{"type": "fixed", "name": f"F{number}", "size": 1} for number in range(count)]


def test_more_types_than_a_schema_may_have():
    """All types count, those of references too."""
    half = MAX_TYPES // 2
    references = [record("R", *["int"] * half), record("S", *["int"] * half)]
    for schema, referred in ((record("R", *["int"] * MAX_TYPES), ()), ("int", references)):
        with pytest.raises(IncompatibleSchema, match=r"the schema has more than \d+ types"):
            parse(schema, referred)
    assert parse("int", references[:1])


@pytest.mark.parametrize(
    "kind",
    [
        many(15_000),
        {"type": "enum", "name": "E", "symbols": [f"S{number}" for number in range(50_000)]},
        ["null", *(record(f"R{number}", ["null", "R0"]) for number in range(4_000))],
        record("R", *[AUDIT] * 6_000),
    ],
    ids=["branches", "symbols", "records", "again"],
)
def test_a_large_schema_costs_in_proportion(kind: object):
    """Resolution is not quadratic in what a writer may have many of."""
    began = time.process_time()
    root = plan(parse(kind), parse(kind))
    assert root.possible
    assert resolve(change(kind), SCHEMA)
    assert time.process_time() - began < 4.0


def test_kinds_without_parts_share_a_node():
    """What is kept of a schema grows with its records and unions, not with every place that has a string."""
    root = plan(
        parse(record("R", "string", "long", ["null", "string"])), parse(record("R", "string", "double", "string"))
    )
    text, number, union = root.items
    assert union.items[1] is text
    assert number is not text
