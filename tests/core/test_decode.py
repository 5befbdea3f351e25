"""The decoder, by hand-made schemas and bytes: what it reads, what it refuses, and in which words."""

import io
import json
import struct
import tracemalloc
from pathlib import Path

import fastavro
import pytest

from consumer.core.cursor import Cursor
from consumer.core.datum import read
from consumer.core.decode import frame, resolve
from consumer.core.errors import (
    CORRUPT,
    INVALID_CHANGE,
    NOT_FRAMED,
    TOMBSTONE,
    TRANSFORMATION,
    UNKNOWN_SCHEMA,
    VALUE_CONVERTER,
    IncompatibleSchema,
    Reject,
)
from consumer.core.model import Change
from consumer.core.resolution import plan
from consumer.core.schema import parse

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "group_change.avsc").read_text())
EVENT = {
    "event_id": "e-1",
    "occurred_at": 1_763_971_200_000,
    "project": None,
    "group_key": "company",
    "group_id": "acme",
    "operation": "SET",
    "properties": {
        "plan": "pro",
        "seats": 2**63 - 1,
        "mrr": 12.5,
        "active": True,
        "gone": None,
        "tags": ["ä", 1, None, {"deep": False}],
        "address": {"city": "Köln", "zip": -(2**63)},
    },
    "property_names": [],
}


def varint(number: int) -> bytes:
    """The number as Avro writes a long."""
    zigzag = (number << 1) ^ (number >> 63)
    found = bytearray()
    while zigzag > 0x7F:
        found.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    found.append(zigzag)
    return bytes(found)


def text(value: str) -> bytes:
    """The string as Avro writes it."""
    return varint(len(value.encode())) + value.encode()


def avro(schema: object, datum: object) -> bytes:
    """The datum as fastavro writes it."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), datum)
    return out.getvalue()


def datum(writer: object, reader: object, data: bytes) -> object:
    """The datum that the bytes are, read as the reader's type."""
    return read(plan(parse(writer), parse(reader)), Cursor(data, 0), 0)


def fields(change: Change) -> dict[str, object]:
    """The change as a mapping."""
    return {name: getattr(change, name) for name in EVENT}


def with_field(kind: object, **more: object) -> dict[str, object]:
    """The event schema with one more field in front, which the reader does not know."""
    extra = {"name": "extra", "type": kind, **more}
    return {**SCHEMA, "fields": [extra, *SCHEMA["fields"]]}


def changed(name: str, kind: object) -> dict[str, object]:
    """The event schema with another type for one field."""
    return {**SCHEMA, "fields": [{**f, "type": kind} if f["name"] == name else f for f in SCHEMA["fields"]]}


def head(operation: int = 0) -> bytes:
    """An event up to its properties."""
    return text("e") + varint(0) + varint(0) + text("company") + text("acme") + varint(operation)


DECODER = resolve(SCHEMA, SCHEMA)


def refused(data: bytes, writer: object = SCHEMA) -> Reject:
    """The reject that the bytes are."""
    with pytest.raises(Reject) as caught:
        resolve(writer, SCHEMA).decode(data, 0)
    return caught.value


# The event schema itself.


def test_reads_every_field_of_the_event():
    """An event comes out as it went in: 64-bit integers exact, a timestamp a number, values of every kind."""
    assert fields(DECODER.decode(avro(SCHEMA, EVENT), 0)) == EVENT


def test_starts_where_it_is_told():
    """What comes before the start is the frame's, and not looked at."""
    assert DECODER.decode(b"\xff\xff\xff\xff\xff" + avro(SCHEMA, EVENT), 5).group_id == "acme"


def test_left_over_bytes_are_corrupt():
    """A value is exactly one datum."""
    reject = refused(avro(SCHEMA, EVENT) + b"\0\0")
    assert (reject.reason, reject.stage, reject.detail) == (CORRUPT, VALUE_CONVERTER, "2 bytes are left over")


def test_every_truncation_is_corrupt():
    """Cut anywhere, a value is a reject that says so, and nothing else."""
    data = avro(SCHEMA, EVENT)
    for length in range(len(data)):
        assert refused(data[:length]).reason == CORRUPT


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (varint(-1), "field event_id: a negative length"),
        (varint(2**62), "field event_id: a length beyond the end"),
        (varint(2) + b"\xc3\x28", "field event_id: text that is not UTF-8"),
        (varint(3) + b"\xed\xa0\x80", "field event_id: text that is not UTF-8"),
        (b"\xff" * 10 + b"\0", "field event_id: a number of more than ten bytes"),
        (text("") + b"\x80" * 9 + b"\x02", "field occurred_at: a number of more than 64 bits"),
        (text("") + b"\x80" * 9, "field occurred_at: the value ends early"),
        (text("") + varint(0) + varint(2), "field project: a union branch"),
        (text("") + varint(0) + varint(-1), "field project: a union branch"),
        (head(7), "field operation: an enum symbol"),
        (head(-1), "field operation: an enum symbol"),
        (head() + varint(10**12), "field properties: a block of more items than the value has bytes"),
        (head() + varint(-1) + varint(-1), "field properties: a block beyond the end"),
        (head() + varint(-1) + varint(10**12), "field properties: a block beyond the end"),
        (head() + varint(-(2**63)) + varint(0), "field properties: a block of more items"),
        (head() + varint(1) + text("p") + varint(1) + b"\x02", "field properties: a boolean that is neither"),
        (head() + varint(1) + text("p") + varint(3) + b"\0\0", "field properties: the value ends early"),
        (head() + varint(0) + varint(1) + varint(-3), "field property_names: a negative length"),
    ],
)
def test_malformed_bytes_are_corrupt(data: bytes, words: str):
    """Each malformation is refused with the path to the field, and no value of the record."""
    reject = refused(data)
    assert (reject.reason, reject.stage) == (CORRUPT, VALUE_CONVERTER)
    assert reject.detail.startswith(words)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_an_invalid_change(number: float):
    """NaN and infinity cannot be said in JSON: the change is invalid, wherever the number stands."""
    value = varint(1) + text("p") + varint(3) + struct.pack("<d", number) + varint(0)
    reject = refused(head() + value + varint(0))
    assert (reject.reason, reject.stage) == (INVALID_CHANGE, TRANSFORMATION)
    assert reject.detail == "field properties: a number that is not finite (NaN or infinity)"


@pytest.mark.parametrize(("kind", "form"), [("double", "<d"), ("float", "<f")])
def test_what_is_skipped_is_held_to_the_same(kind: str, form: str):
    """A field that the reader has no use for is refused for NaN and bad UTF-8 all the same."""
    event = avro(SCHEMA, EVENT)
    assert refused(struct.pack(form, float("nan")) + event, with_field(kind)).reason == INVALID_CHANGE
    assert refused(varint(1) + b"\xff" + event, with_field("string")).detail == "field extra: text that is not UTF-8"


def test_negative_block_counts_are_read():
    """A block may give its size in bytes: the count is then negative, and the size must be right."""
    entry = text("p") + varint(4) + text("v")
    block = varint(-1) + varint(len(entry)) + entry
    change = DECODER.decode(head() + block + block.replace(b"p", b"q") + varint(0) + varint(0), 0)
    assert change.properties == {"p": "v", "q": "v"}
    wrong = varint(-1) + varint(len(entry) - 1) + entry
    assert refused(head() + wrong + varint(0) + varint(0)).detail.endswith("a block of another size than it says")


def test_a_key_that_comes_twice_is_corrupt():
    """A map that gives one key two values is refused, since which was meant would be a guess."""
    entry = text("p") + varint(0)
    data = head() + varint(2) + entry + entry + varint(0) + varint(0)
    assert refused(data).detail == "field properties: a map with the same key twice"


def test_the_path_leads_through_records():
    """The path of a detail names the fields down to the fault."""
    inner = {"type": "record", "name": "Inner", "fields": [{"name": "flag", "type": "boolean"}]}
    outer = {"type": "record", "name": "Outer", "fields": [{"name": "inner", "type": inner}]}
    assert refused(b"\x05", with_field(outer)).detail.startswith("field extra.inner.flag: a boolean")


# Bombs: a few bytes that claim to be much.


BOMBS = {
    "nulls": ({"type": "array", "items": "null"}, varint(10**12) + varint(0)),
    "nulls_by_size": ({"type": "array", "items": "null"}, varint(-(10**12)) + varint(0) + varint(0)),
    "many_blocks_of_nulls": ({"type": "array", "items": "null"}, varint(4000) * 2000 + varint(0)),
    "empty_records": (
        {"type": "array", "items": {"type": "record", "name": "Empty", "fields": []}},
        varint(2**40) + varint(0),
    ),
    "fixed_of_nothing": (
        {"type": "array", "items": {"type": "fixed", "name": "Nothing", "size": 0}},
        varint(2**40) + varint(0),
    ),
    "strings": ({"type": "array", "items": "string"}, varint(10**12)),
    "huge_fixed": ({"type": "fixed", "name": "Huge", "size": 2**50}, b""),
    "huge_bytes": ("bytes", varint(2**62)),
}


def doubling(levels: int) -> dict[str, object]:
    """Records that take no bytes, each with two of the one before: 2^levels of them in no data at all."""
    kind: dict[str, object] = {"type": "record", "name": "R0", "fields": []}
    for level in range(1, levels):
        both = [{"name": "a", "type": kind}, {"name": "b", "type": f"R{level - 1}"}]
        kind = {"type": "record", "name": f"R{level}", "fields": both}
    return kind


BOMBS["doubling_records"] = (doubling(30), b"")
LINKED = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
BOMBS["deep_list"] = (LINKED, varint(1) * 100_000 + varint(0))
NESTED = {"type": "record", "name": "Node", "fields": [{"name": "all", "type": {"type": "array", "items": "Node"}}]}
BOMBS["deep_arrays"] = (NESTED, varint(1) * 100_000 + varint(0) * 100_000)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_little_cost(name: str):
    """A record costs in proportion to its bytes: what claims more is corrupt, and takes no memory."""
    kind, data = BOMBS[name]
    decoder = resolve(with_field(kind, doc=name), SCHEMA)
    tracemalloc.start()
    with pytest.raises(Reject) as caught:
        decoder.decode(data + avro(SCHEMA, EVENT), 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.reason == CORRUPT
    assert caught.value.detail.startswith("field extra")
    assert peak < 2_000_000


def test_a_few_items_without_bytes_are_fine():
    """An array of nulls, and a record that nests a little, are legal Avro and read."""
    nulls = varint(1000) + varint(0)
    assert resolve(with_field({"type": "array", "items": "null"}), SCHEMA).decode(nulls + avro(SCHEMA, EVENT), 0)
    linked = varint(1) * 100 + varint(0)
    assert resolve(with_field(LINKED), SCHEMA).decode(linked + avro(SCHEMA, EVENT), 0)


def test_a_type_that_contains_itself_is_incompatible():
    """A record that needs itself has no finite data: no record of it can be read."""
    endless = {"type": "record", "name": "Endless", "fields": [{"name": "again", "type": "Endless"}]}
    with pytest.raises(IncompatibleSchema, match=r"field extra\.again: the type contains itself"):
        resolve(with_field(endless), SCHEMA)


# Resolution.


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


# Frames.


def test_the_frame_of_confluent():
    """Byte 0 and a 4-byte id, big-endian, then the data."""
    assert frame(b"\0\x00\x01\x02\x03rest", None) == (0x010203, 5)
    assert frame(b"\0\x7f\xff\xff\xff", [("other", b"x")]) == (2**31 - 1, 5)


GUID = bytes.fromhex("0123456789ABCDEF0123456789ABCDEF")


def test_the_header_names_a_guid():
    """Byte 1 and 16 bytes in the header: the value is bare Avro, and the GUID is written in lower case."""
    expected = ("01234567-89ab-cdef-0123-456789abcdef", 0)
    assert frame(b"\0\0\0\0\1", [("__value_schema_id", b"\1" + GUID)]) == expected
    assert frame(b"", [("__value_schema_id", b"\1" + GUID)]) == expected


def test_the_header_may_hold_an_id():
    """Byte 0 and a 4-byte id in the header are read too; the last header of the name counts, a null one does not."""
    headers = [("__value_schema_id", b"\1" + GUID), ("__value_schema_id", b"\0\0\0\0\7"), ("__value_schema_id", None)]
    assert frame(b"x", headers) == (7, 0)


@pytest.mark.parametrize("value", [b"", b"\0", b"\0\0\0\1", b"\1\0\0\0\1rest", b'{"json": true}'])
def test_what_has_no_frame_is_not_framed(value: bytes):
    """Without the magic byte and an id, and without the header, a value cannot be read."""
    with pytest.raises(Reject) as caught:
        frame(value, [("__key_schema_id", b"\1" + GUID)])
    assert (caught.value.reason, caught.value.stage) == (NOT_FRAMED, VALUE_CONVERTER)


@pytest.mark.parametrize("header", [b"", b"\1", b"\2" + GUID, b"\1" + GUID + b"\0", b"\0" + GUID, b"\1\0\0\0\1"])
def test_a_malformed_header_is_not_framed(header: bytes):
    """A schema header of another form is refused; the value's own first byte is not guessed from."""
    with pytest.raises(Reject) as caught:
        frame(b"\0\0\0\0\1", [("__value_schema_id", header)])
    assert caught.value.reason == NOT_FRAMED


def test_a_null_value_is_a_tombstone():
    """A null value is no change, even where a schema header is there."""
    for headers in (None, [("__value_schema_id", b"\1" + GUID)]):
        with pytest.raises(Reject) as caught:
            frame(None, headers)
        assert (caught.value.reason, caught.value.stage) == (TOMBSTONE, VALUE_CONVERTER)


@pytest.mark.parametrize("value", [b"\0\x80\0\0\0", b"\0\xff\xff\xff\xff"])
def test_an_id_that_no_registry_can_give_is_unknown(value: bytes):
    """An id beyond 31 bits would be an outage to ask for: it is refused as unknown without asking."""
    with pytest.raises(Reject) as caught:
        frame(value, None)
    assert caught.value.reason == UNKNOWN_SCHEMA
