"""Schema resolution: what a reader makes of a writer's data, and what no record can avoid."""

import pytest

from consumer.avro.cursor import Cursor
from consumer.avro.datum import read
from consumer.avro.errors import IncompatibleSchema
from consumer.avro.parsing import parse
from consumer.avro.resolution import plan
from consumer.event.decode import resolve
from consumer.event.errors import CORRUPT, Reject
from consumer.event.model import Change
from tests.avro import written
from tests.avro.written import SCHEMA, avro, datum, head, text, varint, with_field

EVENT = {name: value for name, value in written.EVENT.items() if name != "company_id"}
LINKED = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}


def fields(change: Change) -> dict[str, object]:
    """The change as a mapping."""
    return {name: getattr(change, name) for name in EVENT}


def changed(name: str, kind: object) -> dict[str, object]:
    """The event schema with another type for one field."""
    return {**SCHEMA, "fields": [{**f, "type": kind} if f["name"] == name else f for f in SCHEMA["fields"]]}


def refused(data: bytes, writer: object = SCHEMA) -> Reject:
    """The reject that the bytes are."""
    with pytest.raises(Reject) as caught:
        resolve(writer, SCHEMA).decode(data, 0)
    return caught.value


@pytest.mark.parametrize(
    ("writer", "reader", "value", "read_as"),
    [
        ("int", "long", 7, 7),
        ("int", "float", 7, 7.0),
        ("int", "double", 7, 7.0),
        ("long", "float", 7, 7.0),
        ("long", "double", 7, 7.0),
        ("float", "double", 0.5, 0.5),
        ("string", "bytes", "ä", "ä".encode()),
        ("bytes", "string", "ä".encode(), "ä"),
        ("int", ["null", "long"], 7, 7),
        ("long", ["double", "long"], 2**63 - 1, 2**63 - 1),
        (["null", "int"], "double", 7, 7.0),
        (["null", "string"], ["string", "null"], None, None),
        ({"type": "long", "logicalType": "timestamp-millis"}, "long", 7, 7),
        ({"type": "array", "items": "int"}, {"type": "array", "items": "double"}, [1], [1.0]),
        ({"type": "map", "values": "int"}, {"type": "map", "values": ["null", "long"]}, {"a": 1}, {"a": 1}),
        ({"type": "fixed", "name": "a.F", "size": 2}, {"type": "fixed", "name": "b.F", "size": 2}, b"xy", b"xy"),
    ],
)
def test_promotions(writer: object, reader: object, value: object, read_as: object):
    """A value comes out as the reader's type, as the specification promotes it; integers stay exact if they can."""
    found = datum(writer, reader, avro(writer, value))
    assert (found, type(found)) == (read_as, type(read_as))


@pytest.mark.parametrize(
    ("writer", "reader", "words"),
    [
        ("string", "long", "string cannot be read as long"),
        ("long", "int", "long cannot be read as int"),
        ("string", ["null", "long"], "the reader's union has no branch for string"),
        (["null", "string"], "long", "string cannot be read as long"),
        ([], "long", "the writer's union has no branch"),
        (
            {"type": "fixed", "name": "F", "size": 2},
            {"type": "fixed", "name": "F", "size": 3},
            "fixed F has 2 bytes, the reader's 3",
        ),
        (
            {"type": "enum", "name": "E", "symbols": ["A"]},
            {"type": "enum", "name": "E", "symbols": ["B"]},
            "the reader has none of the writer's symbols",
        ),
        (
            {"type": "record", "name": "R", "fields": []},
            {"type": "record", "name": "S", "fields": []},
            "record R cannot be read as record S: the names differ",
        ),
        (
            {"type": "record", "name": "R", "fields": []},
            {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]},
            "record R has no field a, which has no default",
        ),
        (
            {"type": "record", "name": "R", "fields": []},
            {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "default": "x"}]},
            "the reader's default does not fit its type, int",
        ),
    ],
)
def test_what_no_record_can_resolve_is_incompatible(writer: object, reader: object, words: str):
    """A schema of which nothing can be read is refused as a whole, with what is wrong."""
    with pytest.raises(IncompatibleSchema) as caught:
        plan(parse(writer), parse(reader))
    assert str(caught.value) == words


def test_the_message_of_an_incompatible_schema_names_the_field():
    """An operator learns which field of the writer's schema it is."""
    with pytest.raises(IncompatibleSchema, match=r"^field occurred_at: string cannot be read as long$"):
        resolve(changed("occurred_at", "string"), SCHEMA)


def test_a_symbol_that_the_reader_lacks_refuses_only_its_records():
    """A writer with one more operation goes on being read, but for the records that use it."""
    symbols = ["APPEND", *SCHEMA["fields"][5]["type"]["symbols"]]
    writer = changed("operation", {"type": "enum", "name": "Operation", "symbols": symbols})
    assert resolve(writer, SCHEMA).decode(avro(writer, EVENT), 0).operation == "SET"
    reject = refused(avro(writer, {**EVENT, "operation": "APPEND"}), writer)
    assert reject.reason == CORRUPT
    assert reject.detail == "field operation: an enum symbol that the reader's schema does not have"


def test_a_readers_enum_default_stands_for_unknown_symbols():
    """Where the reader's enum has a default, a symbol that it lacks is read as that."""
    writer = {"type": "enum", "name": "E", "symbols": ["A", "NEW"]}
    reader = {"type": "enum", "name": "E", "symbols": ["A", "OTHER"], "default": "OTHER"}
    assert datum(writer, reader, varint(1)) == "OTHER"


def test_a_branch_that_the_reader_lacks_refuses_only_its_records():
    """A property of a kind that the reader does not know is corrupt; the writer's other records are read."""
    kinds = [*SCHEMA["fields"][6]["type"]["values"], {"type": "enum", "name": "Colour", "symbols": ["RED"]}]
    writer = changed("properties", {"type": "map", "values": kinds})
    assert fields(resolve(writer, SCHEMA).decode(avro(writer, EVENT), 0)) == EVENT
    data = head() + varint(1) + text("p") + varint(len(kinds) - 1) + varint(0) + varint(0) + varint(0)
    words = "field properties: the reader's union has no branch for enum mixpanel.groups.Colour"
    assert refused(data, writer).detail == words


def test_fields_match_by_name_then_alias_and_defaults_fill_in():
    """Order does not matter, an alias of the reader's finds the old name, and what is missing has its default."""
    writer = {
        "type": "record",
        "name": "old.R",
        "fields": [
            {"name": "b", "type": "int"},
            {"name": "gone", "type": "string"},
            {"name": "was", "type": "string"},
        ],
    }
    reader = {
        "type": "record",
        "name": "S",
        "namespace": "new",
        "aliases": ["R"],
        "fields": [
            {"name": "now", "type": "string", "aliases": ["never", "was"]},
            {"name": "b", "type": ["null", "double"]},
            {"name": "list", "type": {"type": "array", "items": "int"}, "default": [1]},
            {"name": "maybe", "type": ["null", "int"], "default": 3},
            {"name": "raw", "type": "bytes", "default": "ÿ"},
            {"name": "deep", "type": {"type": "map", "values": "double"}, "default": {"x": 1}},
        ],
    }
    data = avro(writer, {"b": 2, "gone": "-", "was": "w"})
    expected = {"now": "w", "b": 2.0, "list": [1], "maybe": 3, "raw": b"\xff", "deep": {"x": 1.0}}
    node = plan(parse(writer), parse(reader))
    first = read(node, Cursor(data, 0), 0)
    assert first == expected
    first["list"].append(2)
    assert read(node, Cursor(data, 0), 0) == expected


def test_a_field_of_the_name_goes_before_an_alias():
    """A writer's field feeds one field of the reader's, its namesake first."""
    writer = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}
    fields = [{"name": "z", "type": "int", "aliases": ["a"], "default": 9}, {"name": "a", "type": "int"}]
    assert datum(writer, {"type": "record", "name": "R", "fields": fields}, varint(5)) == {"z": 9, "a": 5}


def test_the_writers_schema_may_be_a_union():
    """A topic of several types is read where the record is a change; the others are corrupt."""
    writer = ["null", {"type": "record", "name": "Other", "fields": []}, SCHEMA]
    assert fields(resolve(writer, SCHEMA).decode(varint(2) + avro(SCHEMA, EVENT), 0)) == EVENT
    assert refused(varint(1), writer).detail.startswith("record Other cannot be read as record mixpanel.groups.Group")


def test_defaults_of_the_event_schema_stand_for_fields_not_written():
    """A writer that only sets properties may leave out project and property_names."""
    writer = {**SCHEMA, "fields": [f for f in SCHEMA["fields"] if f["name"] not in ("project", "property_names")]}
    assert fields(resolve(writer, SCHEMA).decode(avro(writer, EVENT), 0)) == EVENT


def test_schema_references_are_followed():
    """Named types may be defined in schemas that the writer's refers to, dependencies first."""
    operation = {**SCHEMA["fields"][5]["type"], "namespace": "mixpanel.groups"}
    writer = changed("operation", "mixpanel.groups.Operation")
    assert fields(resolve(writer, SCHEMA, [operation]).decode(avro(SCHEMA, EVENT), 0)) == EVENT
    with pytest.raises(IncompatibleSchema, match=r"the type mixpanel\.groups\.Operation is not defined"):
        resolve(writer, SCHEMA)


def test_names_are_found_in_the_enclosing_namespace():
    """A name without a dot is looked for in the namespace around it, then without one."""
    inner = {"type": "fixed", "name": "F", "size": 1}
    fields = [{"name": "a", "type": inner}, {"name": "b", "type": "F"}, {"name": "c", "type": "x.y.F"}]
    schema = {"type": "record", "name": "x.y.R", "fields": fields}
    assert datum(schema, schema, b"123") == {"a": b"1", "b": b"2", "c": b"3"}


def test_recursive_types_are_read():
    """A type may contain itself."""
    data = varint(1) + varint(1) + varint(0)
    assert datum(LINKED, LINKED, data) == {"next": {"next": {"next": None}}}


@pytest.mark.parametrize(
    "schema",
    [
        "nonsense",
        7,
        None,
        {},
        {"type": "record", "name": "R"},
        {"type": "record", "fields": []},
        {"type": "record", "name": "R", "fields": [{"name": "a"}]},
        {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}]},
        {"type": "enum", "name": "E"},
        {"type": "enum", "name": "E", "symbols": ["A", "A"]},
        {"type": "enum", "name": "E", "symbols": ["A", 1]},
        {"type": "fixed", "name": "F"},
        {"type": "fixed", "name": "F", "size": -1},
        {"type": "fixed", "name": "F", "size": True},
        {"type": "array"},
        {"type": "map", "items": "int"},
        ["null", ["null"]],
        [{"type": "fixed", "name": "F", "size": 1}, {"type": "fixed", "name": "F", "size": 1}],
        {"type": "fixed", "name": "string", "size": 1},
        [{"type": "fixed", "name": "F", "size": 1}, "F"],
    ],
)
def test_what_is_no_schema_is_incompatible(schema: object):
    """JSON that is no Avro schema is refused with words, never a crash."""
    with pytest.raises(IncompatibleSchema, match="not an Avro schema: "):
        resolve(schema, SCHEMA)


def test_a_schema_that_nests_without_end_is_incompatible():
    """A schema deeper than anyone writes is refused, not recursed into."""
    kind: object = "int"
    for _ in range(500):
        kind = {"type": "array", "items": kind}
    with pytest.raises(IncompatibleSchema, match="nests more than 64 levels"):
        resolve(kind, SCHEMA)


def test_types_that_nest_without_end_by_name_are_incompatible():
    """A chain of a thousand named types is refused, not recursed into."""
    chain: list[object] = [{"type": "record", "name": "R0", "fields": []}]
    for level in range(1, 1000):
        field = {"name": "a", "type": f"R{level - 1}"}
        chain.append({"type": "record", "name": f"R{level}", "fields": [field]})
    writer = {**SCHEMA, "fields": [{"name": "extra", "type": "R999"}, *SCHEMA["fields"]]}
    with pytest.raises(IncompatibleSchema, match="its types nest more than 256 levels"):
        resolve(writer, SCHEMA, chain)


def test_the_readers_schema_must_make_a_change():
    """A reader's schema that lacks a field of the change is a mistake of ours, said at once."""
    with pytest.raises(ValueError, match="no field event_id"):
        resolve(SCHEMA, {**SCHEMA, "fields": SCHEMA["fields"][1:]})


def test_a_type_that_contains_itself_is_incompatible():
    """A record that needs itself has no finite data: no record of it can be read."""
    endless = {"type": "record", "name": "Endless", "fields": [{"name": "again", "type": "Endless"}]}
    with pytest.raises(IncompatibleSchema, match=r"field extra\.again: the type contains itself"):
        resolve(with_field(endless), SCHEMA)
