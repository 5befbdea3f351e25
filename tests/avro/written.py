"""Data as Avro writes it, by hand and by fastavro; the event that tests write."""

import io
import json
from pathlib import Path
from typing import Any

import fastavro

from consumer.avro.cursor import Cursor
from consumer.avro.datum import read
from consumer.avro.parsing import parse
from consumer.avro.resolution import plan

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
    "company_id": "acme-group",
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


def avro(schema: Any, datum: object) -> bytes:
    """The datum as fastavro writes it."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), datum)
    return out.getvalue()


def datum(writer: object, reader: object, data: bytes) -> object:
    """The datum that the bytes are, read as the reader's type."""
    return read(plan(parse(writer), parse(reader)), Cursor(data, 0), 0)


def with_field(kind: object, **more: object) -> dict[str, object]:
    """The event schema with one more field in front, which the reader does not know."""
    extra = {"name": "extra", "type": kind, **more}
    return {**SCHEMA, "fields": [extra, *SCHEMA["fields"]]}


def head(operation: int = 0) -> bytes:
    """An event up to its properties."""
    return text("e") + varint(0) + varint(0) + text("company") + text("acme") + varint(operation)
