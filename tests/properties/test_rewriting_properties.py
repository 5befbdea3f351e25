"""Avro bytes written again: what is not marked stays as it is, what is marked becomes what is said."""

import io
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.avro.cursor import Cursor
from consumer.avro.errors import InvalidDatum
from consumer.avro.parsing import parse
from consumer.avro.rewriting import UNMARKED, MarkedType, parts, rewritten, tags_of

SCALARS = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "string": st.text("aé€🙂", max_size=80),
    "bytes": st.binary(max_size=80),
}


@st.composite
def typed(draw, depth: int = 0) -> tuple[Any, Any]:
    """A type, and a strategy of data of it."""
    kinds = [*SCALARS, "fixed", "enum"] + (["array", "map", "union", "record"] * 2 if depth < 3 else [])
    kind = draw(st.sampled_from(kinds))
    if kind in SCALARS:
        return kind, SCALARS[kind]
    name = f"n{draw(st.uuids()).hex}"
    if kind == "fixed":
        return {"type": "fixed", "name": name, "size": 3}, st.binary(min_size=3, max_size=3)
    if kind == "enum":
        return {"type": "enum", "name": name, "symbols": ["A", "B"]}, st.sampled_from(["A", "B"])
    if kind == "record":
        return draw(record(depth + 1))
    inner, data = draw(typed(depth + 1))
    if kind == "array":
        return {"type": "array", "items": inner}, st.lists(data, max_size=3)
    if kind == "map":
        return {"type": "map", "values": inner}, st.dictionaries(st.text("aé", max_size=5), data, max_size=3)
    if inner == "null" or isinstance(inner, list):
        return inner, data
    return ["null", inner], st.none() | data


@st.composite
def record(draw, depth: int = 0) -> tuple[Any, Any]:
    """A record, of which some fields are tagged."""
    fields, data = [], {}
    for number in range(draw(st.integers(1, 4))):
        kind, strategy = draw(typed(depth))
        tags = {"confluent:tags": ["PII"]} if draw(st.booleans()) else {}
        fields.append({"name": f"f{number}", "type": kind, **tags})
        data[f"f{number}"] = strategy
    name = f"r{draw(st.uuids()).hex}"
    return {"type": "record", "name": name, "fields": fields}, st.fixed_dictionaries(data)


@st.composite
def case(draw) -> tuple[Any, Any]:
    """A record's schema, and one datum of it."""
    schema, data = draw(record())
    return schema, draw(data)


def written(schema: Any, datum: Any) -> bytes:
    """The datum as fastavro writes it."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), datum)
    return stream.getvalue()


def marked(schema: Any) -> Any:
    """The part that marks every tagged field."""
    kind = parse(schema)
    return parts(kind, {field: 0 for field, tags in tags_of(kind).items() if tags})


def changed(schema: Any, datum: Any, within: bool = False) -> Any:
    """What is to become of the datum: every marked text and all marked bytes twice as long."""
    if isinstance(schema, list):
        return None if datum is None else changed(schema[1], datum, within)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        return {
            field["name"]: changed(field["type"], datum[field["name"]], "confluent:tags" in field)
            for field in schema["fields"]
        }
    if kind == "array":
        return [changed(schema["items"], item, within) for item in datum]
    if kind == "map":
        return {key: changed(schema["values"], item, within) for key, item in datum.items()}
    return datum * 2 if within and kind in ("string", "bytes") else datum


@given(case())
def test_what_is_changed_to_itself_is_the_same_bytes(case):
    """Whatever is marked."""
    schema, datum = case
    data = b"\0\0\0\0\7" + written(schema, datum)
    assert rewritten(marked(schema), Cursor(data, 5), lambda _mark, found, _text: found) == data


@given(case())
def test_what_is_marked_is_changed_and_nothing_else(case):
    """As another reader reads it."""
    schema, datum = case
    data = rewritten(marked(schema), Cursor(written(schema, datum), 0), lambda _mark, found, _text: found * 2)
    found = fastavro.schemaless_reader(io.BytesIO(data), fastavro.parse_schema(schema))
    assert found == changed(schema, fastavro.schemaless_reader(io.BytesIO(written(schema, datum)), schema))


@given(case(), st.data())
def test_bytes_that_are_no_datum_are_refused_or_passed(case, data):
    """No other exception than those that a decoder has, and no end that is not in the bytes."""
    schema, datum = case
    whole = bytearray(written(schema, datum))
    if whole:
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    cursor = Cursor(cut, 0)
    try:
        rewritten(marked(schema), cursor, lambda _mark, found, _text: found)
    except (InvalidDatum, IndexError):
        return
    assert cursor.pos <= len(cut)


def test_blocks_that_say_their_size_may_grow():
    """They are written without it."""
    schema = {
        "type": "record",
        "name": "r",
        "fields": [{"name": "f", "type": {"type": "array", "items": "string"}, "confluent:tags": ["PII"]}],
    }
    data = bytes([3, 8, 2, ord("a"), 2, ord("b"), 0])
    assert rewritten(marked(schema), Cursor(data, 0), lambda _mark, found, _text: found * 2) == bytes(
        [4, 4, ord("a"), ord("a"), 4, ord("b"), ord("b"), 0]
    )


def has_marks(root: MarkedType) -> bool:
    """Whether any leaf is changed."""
    seen: set[MarkedType] = set()
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.mark != UNMARKED:
            return True
        if part not in seen:
            seen.add(part)
            waiting += part.items
    return False


def test_a_record_within_has_tags_of_its_own():
    """The tag of the field around it does not hold for it; a type that contains itself ends."""
    schema = {
        "type": "record",
        "name": "r",
        "fields": [
            {"name": "next", "type": ["null", "r"], "confluent:tags": ["PII"]},
            {"name": "f", "type": "string"},
        ],
    }
    root = marked(schema)
    assert not has_marks(root)
    data = written(schema, {"next": {"next": None, "f": "a"}, "f": "b"})
    assert rewritten(root, Cursor(data, 0), lambda *_: b"never") == data


def test_the_trail_leads_to_the_field():
    """From the innermost name outwards."""
    inner = {"type": "record", "name": "i", "fields": [{"name": "name", "type": "string", "confluent:tags": ["PII"]}]}
    schema = {"type": "record", "name": "r", "fields": [{"name": "owner", "type": inner}]}
    cursor = Cursor(written(schema, {"owner": {"name": "a"}}), 0)

    def fail(_mark: int, _found: bytes, text: bool) -> bytes:
        assert text
        raise InvalidDatum("no")

    with pytest.raises(InvalidDatum):
        rewritten(marked(schema), cursor, fail)
    assert cursor.trail == ("name", "owner")
