"""The decoder by its bytes: what it reads, what it refuses and in which words, and what bombs cost."""

import json
import struct
import tracemalloc

import pytest

from consumer.event.decode import resolve
from consumer.event.errors import CORRUPT, INVALID_CHANGE, TRANSFORMATION, VALUE_CONVERTER, Reject
from consumer.event.model import Change
from consumer.schemas import versions
from tests.avro.written import EVENT, SCHEMA, avro, datum, head, text, varint, with_field


def fields(change: Change) -> dict[str, object]:
    """The change as a mapping."""
    return {name: getattr(change, name) for name in EVENT}


def whole(properties: bytes) -> bytes:
    """An event with these properties, and nothing after them: no names, no company."""
    return head() + properties + varint(0) + varint(0)


DECODER = resolve(SCHEMA, SCHEMA)


def refused(data: bytes, writer: object = SCHEMA) -> Reject:
    """The reject that the bytes are."""
    with pytest.raises(Reject) as caught:
        resolve(writer, SCHEMA).decode(data, 0)
    return caught.value


def test_reads_every_field_of_the_event():
    """An event comes out as it went in: 64-bit integers exact, a timestamp a number, values of every kind."""
    assert fields(DECODER.decode(avro(SCHEMA, EVENT), 0)) == EVENT


def test_reads_every_version_of_the_event():
    """What was written with an earlier version has no company; every other field is read."""
    for number, version in versions().items():
        change = resolve(json.loads(version), SCHEMA).decode(avro(json.loads(version), EVENT), 0)
        assert fields(change) == (EVENT if number > 1 else EVENT | {"company_id": None})


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
        (head() + varint(0) + varint(0) + varint(2), "field company_id: a union branch"),
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
    reject = refused(whole(value))
    assert (reject.reason, reject.stage) == (INVALID_CHANGE, TRANSFORMATION)
    assert reject.detail == "field properties: a number that is not finite (NaN or infinity)"


@pytest.mark.parametrize(("kind", "form"), [("double", "<d"), ("float", "<f")])
def test_what_is_skipped_is_held_to_the_same(kind: str, form: str):
    """A field that the reader has no use for is refused for NaN and bad UTF-8 all the same."""
    event = avro(SCHEMA, EVENT)
    assert refused(struct.pack(form, float("nan")) + event, with_field(kind)).reason == INVALID_CHANGE
    assert refused(varint(1) + b"\xff" + event, with_field("string")).detail == "field extra: text that is not UTF-8"


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 2**63 - 1])
def test_an_int_has_32_bits(number: int):
    """A writer's int beyond 32 bits is corrupt, also where the reader's type would hold it."""
    event = avro(SCHEMA, EVENT)
    assert refused(varint(number) + event, with_field("int")).detail == "field extra: an int of more than 32 bits"
    assert datum("int", "long", varint(-(2**31))) == -(2**31)
    assert datum("int", "double", varint(2**31 - 1)) == 2.0**31 - 1


def test_negative_block_counts_are_read():
    """A block may give its size in bytes: the count is then negative, and the size must be right."""
    entry = text("p") + varint(4) + text("v")
    block = varint(-1) + varint(len(entry)) + entry
    change = DECODER.decode(whole(block + block.replace(b"p", b"q") + varint(0)), 0)
    assert change.properties == {"p": "v", "q": "v"}
    wrong = varint(-1) + varint(len(entry) - 1) + entry
    assert refused(whole(wrong + varint(0))).detail.endswith("a block of another size than it says")


def test_a_key_that_comes_twice_is_corrupt():
    """A map that gives one key two values is refused, since which was meant would be a guess."""
    entry = text("p") + varint(0)
    assert (
        refused(whole(varint(2) + entry + entry + varint(0))).detail
        == "field properties: a map with the same key twice"
    )


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


# Values in the properties that mean something else than their kind says.

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}
DATE = {"type": "int", "logicalType": "date"}
CONNECT = "org.apache.kafka.connect.data.Timestamp"


def with_values(kind: object) -> dict[str, object]:
    """The event schema with one more kind of property value, the last of the union."""
    values = [*SCHEMA["fields"][6]["type"]["values"], kind]
    properties = {"name": "properties", "type": {"type": "map", "values": values}, "default": {}}
    return {**SCHEMA, "fields": [*SCHEMA["fields"][:6], properties, *SCHEMA["fields"][7:]]}


def with_value(value: bytes) -> bytes:
    """An event that has one property, of the kind that `with_values` adds."""
    return whole(varint(1) + text("p") + varint(7) + value + varint(0))


@pytest.mark.parametrize("value", [text("A"), text("09"), text(""), varint(3) + b"\xff\xfe\xfd"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("bytes", "bytes: JSON has no bytes, write a string or a number"),
        (DECIMAL, "bytes with logicalType decimal: JSON has no bytes, write a string or a number"),
        ({"type": "bytes", "connect.name": CONNECT}, f"bytes with connect.name {CONNECT}: JSON has no bytes"),
        (
            {"type": "fixed", "name": "acme.F", "size": 3, "logicalType": "decimal"},
            "fixed acme.F with logicalType decimal: JSON has no bytes",
        ),
        ({"type": "fixed", "name": "acme.F", "size": 0}, "fixed acme.F: JSON has no bytes"),
    ],
)
def test_bytes_are_refused_in_properties_whatever_they_hold(kind: object, words: str, value: bytes):
    """Read as text a decimal would be garbage that Mixpanel takes: refused, the same for every value."""
    reject = refused(with_value(value), with_values(kind))
    assert (reject.reason, reject.stage) == (INVALID_CHANGE, TRANSFORMATION)
    assert reject.detail.startswith(f"field properties: a value of type {words}")


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("int", "date"),
        ("int", "time-millis"),
        ("long", "time-micros"),
        ("long", "timestamp-millis"),
        ("long", "timestamp-micros"),
        ("long", "timestamp-nanos"),
        ("long", "local-timestamp-millis"),
        ("long", "date"),
    ],
)
@pytest.mark.parametrize("number", [0, 20513, -1])
def test_a_number_that_is_a_time_is_refused_in_properties(base: str, name: str, number: int):
    """A date that arrives as 20513 is none to Mixpanel: refused, with what the schema calls it."""
    reject = refused(with_value(varint(number)), with_values({"type": base, "logicalType": name}))
    assert (reject.reason, reject.stage) == (INVALID_CHANGE, TRANSFORMATION)
    words = f"field properties: a value of type {base} with logicalType {name}: it would arrive as a bare number"
    assert reject.detail.startswith(words)


@pytest.mark.parametrize("name", [CONNECT, "io.debezium.time.Date", "io.debezium.time.MicroTimestamp"])
def test_connects_names_count_like_avros(name: str):
    """Debezium says only by `connect.name` that a number is a time."""
    reject = refused(with_value(varint(1)), with_values({"type": "long", "connect.name": name}))
    assert (reject.reason, name in reject.detail) == (INVALID_CHANGE, True)


@pytest.mark.parametrize("kind", [{"type": "array", "items": ["null", DECIMAL]}, {"type": "map", "values": DATE}])
def test_values_inside_a_property_are_refused_as_well(kind: dict[str, object]):
    """An item of a list or of a map is a value, too."""
    item = varint(1) + text("A") if kind["type"] == "array" else text("k") + varint(1)
    writer = with_field("null")
    writer["fields"][7] = {"name": "properties", "type": {"type": "map", "values": ["null", kind]}}
    data = whole(varint(1) + text("p") + varint(1) + varint(1) + item + varint(0) + varint(0))
    assert refused(data, writer).reason == INVALID_CHANGE


@pytest.mark.parametrize(
    ("kind", "value", "read_as"),
    [
        ({"type": "string", "logicalType": "decimal"}, text("0.65"), "0.65"),
        ({"type": "string", "connect.name": "io.debezium.time.ZonedTimestamp"}, text("2026"), "2026"),
        ({"type": "string", "logicalType": "uuid"}, text("u"), "u"),
        ({"type": "long", "logicalType": "unheard-of"}, varint(7), 7),
        ({"type": "int", "connect.name": "io.debezium.time.Year"}, varint(2026), 2026),
    ],
)
def test_what_means_what_its_kind_says_is_taken(kind: object, value: bytes, read_as: object):
    """Text is text, and a number is one unless it is called a time."""
    assert resolve(with_values(kind), SCHEMA).decode(with_value(value), 0).properties == {"p": read_as}


def test_annotated_values_refuse_only_the_records_that_have_them():
    """Other records of the schema are read, and outside the properties annotations change nothing."""
    writer = with_values(DECIMAL)
    writer["fields"][3] = {"name": "group_key", "type": "bytes"}
    data = whole(varint(1) + text("p") + varint(4) + text("pro") + varint(0))
    change = resolve(writer, SCHEMA).decode(data, 0)
    assert (change.group_key, change.properties) == ("company", {"p": "pro"})
    extra = with_field(DECIMAL)
    assert resolve(extra, SCHEMA).decode(text("A") + avro(SCHEMA, EVENT), 0).group_id == "acme"
