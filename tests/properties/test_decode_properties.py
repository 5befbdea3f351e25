"""The decoder against fastavro, over random schemas and data; and against bytes that mean nothing."""

import io
import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from consumer.avro.cursor import Cursor
from consumer.avro.datum import read
from consumer.avro.errors import IncompatibleSchema, InvalidDatum
from consumer.avro.parsing import parse
from consumer.avro.resolution import plan
from consumer.event.convert import convert
from consumer.event.decode import Decoder, frame, resolve
from consumer.event.encode import update_tail
from consumer.event.errors import CORRUPT, INVALID_CHANGE, Reject
from consumer.event.model import Change
from tests.avro.written import varint

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "group_change.avsc").read_text())
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
PROMOTED = {
    "int": ["long", "float", "double"],
    "long": ["float", "double"],
    "float": ["double"],
    "string": ["bytes"],
    "bytes": ["string"],
}
DATA = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "string": TEXT,
    "bytes": st.binary(max_size=8),
}
DEFAULTS = {
    "null": None,
    "boolean": True,
    "int": 7,
    "long": 2**40,
    "double": 0.5,
    "string": "d",
}


class Names:
    """Names that are new each time."""

    def __init__(self) -> None:
        self.count = 0

    def new(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"


def schema(draw: st.DrawFn, names: Names, around: list[str], depth: int, *, unions: bool = True) -> Any:
    """A writer's schema; `around` are the records that it may refer to."""
    kinds = ["primitive"] * 4 + ["fixed", "enum", "array", "map", "record"]
    if unions:
        kinds += ["union", "union"]
        kinds += ["again"] * bool(around)
    kind = draw(st.sampled_from(kinds if depth else ["primitive"]))
    if kind == "primitive":
        return draw(st.sampled_from([*DATA, {"type": "long", "logicalType": "unheard-of"}]))
    if kind == "fixed":
        return {"type": "fixed", "name": names.new("a.F"), "size": draw(st.integers(0, 4))}
    if kind == "enum":
        return {"type": "enum", "name": names.new("a.E"), "symbols": list("ABCD")[: draw(st.integers(1, 4))]}
    if kind == "array":
        return {"type": "array", "items": schema(draw, names, around, depth - 1)}
    if kind == "map":
        return {"type": "map", "values": schema(draw, names, around, depth - 1)}
    if kind == "again":
        return ["null", draw(st.sampled_from(around))]
    if kind == "union":
        found: dict[str, Any] = {}
        for _ in range(draw(st.integers(1, 4))):
            branch = schema(draw, names, around, depth - 1, unions=False)
            found.setdefault(shape(branch), branch)
        return sorted(found.values(), key=width)
    name = draw(st.sampled_from(["a.", "a.b."])) + names.new("R")
    fields = [
        {"name": f"f{number}", "type": schema(draw, names, [*around, name], depth - 1)}
        for number in range(draw(st.integers(0, 4)))
    ]
    return {"type": "record", "name": name, "fields": fields}


def shape(branch: Any) -> str:
    """What a union may have once; string and bytes are read as each other, and fastavro takes the first."""
    kind = branch["type"] if isinstance(branch, dict) else branch
    if kind == "bytes":
        return "string"
    return branch["name"] if kind in ("fixed", "enum", "record") else kind


def evolved(draw: st.DrawFn, writer: Any, names: Names) -> Any:
    """A reader's schema for the writer's: mostly the same, in places another."""
    change = draw(st.sampled_from(["same"] * 5 + ["promote", "wrap"]))
    if isinstance(writer, list):
        branches = [evolved(draw, branch, names) for branch in writer]
        if any(isinstance(branch, list) for branch in branches):
            return writer
        if draw(st.booleans()):
            branches = draw(st.permutations(branches))
        elif len(branches) > 1 and draw(st.booleans()):
            branches = branches[1:]
        elif len(branches) == 1 and draw(st.booleans()):
            return branches[0]
        branches = sorted(branches, key=width)
        return branches if len({shape(branch) for branch in branches}) == len(branches) else writer
    if change == "wrap" and writer != "null":
        return ["null", writer]
    if isinstance(writer, str):
        return draw(st.sampled_from(PROMOTED[writer])) if change == "promote" and writer in PROMOTED else writer
    kind = writer["type"]
    if kind == "array":
        return {**writer, "items": evolved(draw, writer["items"], names)}
    if kind == "map":
        return {**writer, "values": evolved(draw, writer["values"], names)}
    if kind == "enum" and change == "promote":
        default = {"default": "A"} if draw(st.booleans()) else {}
        return {**writer, "symbols": ["A", "Z"], **default}
    if kind == "record":
        return evolved_record(draw, writer, names)
    return writer


def width(branch: Any) -> int:
    """Numbers in the order in which they are promoted: we take the very type first, fastavro the first that fits."""
    return ["int", "long", "float", "double"].index(branch) if branch in ("int", "long", "float", "double") else 0


def evolved_record(draw: st.DrawFn, writer: dict[str, Any], names: Names) -> dict[str, Any]:
    """A record with fields dropped, renamed, moved and added."""
    fields = []
    for field in writer["fields"]:
        change = draw(st.sampled_from(["same"] * 4 + ["drop", "rename"]))
        if change == "drop":
            continue
        own = {**field, "type": evolved(draw, field["type"], names)}
        if change == "rename":
            own.update(name=names.new("g"), aliases=["no", field["name"]])
        fields.append(own)
    if draw(st.booleans()):
        kind = draw(st.sampled_from(sorted(DEFAULTS)))
        fields.append({"name": names.new("g"), "type": kind, "default": DEFAULTS[kind]})
    return {**writer, "fields": draw(st.permutations(fields))}


def datum(draw: st.DrawFn, kind: Any, records: dict[str, dict[str, Any]], depth: int) -> bytes:
    """Some data of the writer's schema, as bytes."""
    if isinstance(kind, list):
        index = draw(st.integers(0, len(kind) - 1)) if depth > 0 else 0
        return varint(index) + datum(draw, kind[index], records, depth - 1)
    if isinstance(kind, str):
        return primitive(kind, draw(DATA[kind])) if kind in DATA else datum(draw, records[kind], records, depth - 1)
    form = kind["type"]
    if form == "fixed":
        return draw(st.binary(min_size=kind["size"], max_size=kind["size"]))
    if form == "enum":
        return varint(draw(st.integers(0, len(kind["symbols"]) - 1)))
    if form == "record":
        inner = {**records, kind["name"]: kind}
        return b"".join(datum(draw, field["type"], inner, depth - 1) for field in kind["fields"])
    most = 3 if depth > 0 else 0
    if form == "array":
        return blocks(
            draw, [datum(draw, kind["items"], records, depth - 1) for _ in range(draw(st.integers(0, most)))]
        )
    if form == "map":
        keys = draw(st.lists(TEXT, max_size=most, unique=True))
        return blocks(draw, [primitive("string", k) + datum(draw, kind["values"], records, depth - 1) for k in keys])
    return primitive(form, draw(DATA[form]))


def primitive(kind: str, value: Any) -> bytes:
    """The value as Avro writes it."""
    if kind == "null":
        return b""
    if kind == "boolean":
        return bytes([value])
    if kind in ("int", "long"):
        return varint(value)
    if kind in ("float", "double"):
        return struct.pack("<f" if kind == "float" else "<d", value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(len(raw)) + raw


def blocks(draw: st.DrawFn, items: list[bytes]) -> bytes:
    """The items in one or two blocks, with or without their sizes."""
    cut = draw(st.integers(0, len(items)))
    found = b""
    for block in (items[:cut], items[cut:]):
        joined = b"".join(block)
        sized: bool = draw(st.booleans()) if block else False
        if sized:
            found += varint(-len(block)) + varint(len(joined)) + joined
        elif block:
            found += varint(len(block)) + joined
    return found + varint(0)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, Any, bytes]:
    """A writer's schema, a reader's, and data of the writer's."""
    names = Names()
    kind = schema(draw, names, [], 4)
    other = evolved(draw, kind, names)
    return kind, other, datum(draw, kind, {}, 8)


def same(left: Any, right: Any) -> bool:
    """Equal, and of the same types all through."""
    if type(left) is not type(right):
        return False
    if isinstance(left, type):
        return left is right
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def ours(writer: Any, reader: Any, data: bytes) -> Any:
    """What our decoder makes of the data; a word for what it refuses."""
    try:
        node = plan(parse(writer), parse(reader))
    except IncompatibleSchema:
        return IncompatibleSchema
    cursor = Cursor(data, 0)
    try:
        found = read(node, cursor, 0)
    except (InvalidDatum, IndexError, UnicodeDecodeError):
        return InvalidDatum
    assert cursor.pos == len(data)
    return found


def theirs(writer: Any, reader: Any, data: bytes) -> object:
    """What fastavro makes of the data; a word for what it refuses."""
    try:
        return fastavro.schemaless_reader(io.BytesIO(data), writer, reader)
    except Exception:  # noqa: BLE001  # fastavro raises whatever it stumbles over
        return InvalidDatum


@SLOW
@given(cases())
def test_reads_what_fastavro_reads(case: tuple[object, object, bytes]):
    """Over random schemas and their evolution, data comes out as fastavro reads it, types and all."""
    writer, reader, data = case
    assert same(ours(writer, writer, data), theirs(writer, None, data))
    expected = theirs(writer, reader, data)
    found = ours(writer, reader, data)
    if expected is InvalidDatum:
        assert found in (InvalidDatum, IncompatibleSchema)
    else:
        assert same(found, expected)


@SLOW
@given(cases(), st.data())
def test_random_bytes_are_read_or_refused(case: tuple[object, object, bytes], data: st.DataObject):
    """Bytes that were changed, cut or made up are read or refused, whatever the schema: never a crash or a hang."""
    writer, reader, valid = case
    try:
        node = plan(parse(writer), parse(reader))
    except IncompatibleSchema:
        assume(False)
    mutated = data.draw(mutations(valid) | st.binary(max_size=64))
    refused = caught(lambda: read(node, Cursor(mutated, 0), 0), InvalidDatum, IndexError, UnicodeDecodeError)
    assert not isinstance(refused, InvalidDatum) or refused.detail


def caught(call: Callable[[], Any], *others: type[Exception]) -> Any:
    """What the call returns, or the reject that it raises (or one of the others)."""
    try:
        return call()
    except (Reject, *others) as failure:
        return failure


@st.composite
def mutations(draw: st.DrawFn, valid: bytes) -> bytes:
    """The bytes with a few changed, inserted or removed."""
    found = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(found)))
        piece = draw(st.binary(max_size=3) | st.just(b"\xff" * 10))
        found[at : at + draw(st.integers(0, 3))] = piece
    return bytes(found)


SCALAR = st.none() | st.booleans() | DATA["long"] | DATA["double"] | TEXT
VALUE = SCALAR | st.lists(SCALAR | st.dictionaries(TEXT, SCALAR, max_size=3), max_size=3)
EVENTS = st.fixed_dictionaries(
    {
        "event_id": TEXT,
        "occurred_at": DATA["long"],
        "project": st.none() | TEXT,
        "group_key": TEXT,
        "group_id": TEXT,
        "operation": st.sampled_from(SCHEMA["fields"][5]["type"]["symbols"]),
        "properties": st.dictionaries(TEXT, VALUE | st.dictionaries(TEXT, SCALAR, max_size=3), max_size=5),
        "property_names": st.lists(TEXT, max_size=3),
        "company_id": st.none() | TEXT,
    }
)
# Another writer: fields in another order, more of them, narrower types, none of those with defaults.
OTHER = {
    "type": "record",
    "name": "GroupChange",
    "fields": [
        {"name": "properties", "type": {"type": "map", "values": ["int", "float", "bytes"]}},
        {"name": "nulls", "type": {"type": "array", "items": "null"}},
        {"name": "operation", "type": {"type": "enum", "name": "Operation", "symbols": ["NONE", "SET", "ADD"]}},
        {"name": "links", "type": {"type": "record", "name": "L", "fields": [{"name": "l", "type": ["null", "L"]}]}},
        {"name": "group_id", "type": "bytes"},
        {"name": "group_key", "type": "string"},
        {"name": "occurred_at", "type": "int"},
        {"name": "event_id", "type": ["string", "null"]},
    ],
}
DECODER = resolve(SCHEMA, SCHEMA)


def written(event: object) -> bytes:
    """The event as fastavro writes it."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(SCHEMA), event)
    return out.getvalue()


@SLOW
@given(EVENTS)
def test_events_round_trip(event: dict[str, object]):
    """Every event that the schema can say comes out of the decoder as it was, values and types."""
    change = DECODER.decode(written(event), 0)
    assert all(same(getattr(change, name), value) for name, value in event.items())


@SLOW
@given(EVENTS, st.data(), st.sampled_from([SCHEMA, OTHER, ["null", OTHER, SCHEMA]]))
def test_mutated_events_are_changes_or_rejects(event: dict[str, object], data: st.DataObject, writer: object):
    """Any bytes under any writer's schema end as a change or as a reject with a reason and words, nothing else."""
    valid = written(event)
    value = data.draw(st.just(valid) | mutations(valid) | st.binary(max_size=128))
    decoder: Decoder = resolve(writer, SCHEMA)
    change = caught(lambda: decoder.decode(value, 0))
    if isinstance(change, Reject):
        assert change.reason in (CORRUPT, INVALID_CHANGE)
        assert change.detail
        return
    assert isinstance(change, Change)
    operation = caught(lambda: convert(change))
    if isinstance(operation, Reject):
        return
    sent = json.loads(b"{" + update_tail(operation))
    assert not any(isinstance(number, float) and not math.isfinite(number) for number in sent.values())


@given(st.none() | st.binary(max_size=24), st.none() | st.lists(st.tuples(TEXT, st.none() | st.binary(max_size=20))))
def test_any_frame_is_read_or_refused(value: bytes | None, headers: list[tuple[str, bytes | None]] | None):
    """Whatever a record's value and headers are, they name a schema or are a reject."""
    found = caught(lambda: frame(value, headers))
    if isinstance(found, Reject):
        assert found.detail
        return
    ref, start = found
    assert start in (0, 5)
    assert isinstance(ref, (int, str))
