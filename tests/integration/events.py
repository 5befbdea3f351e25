"""Change events as producers write them: a dictionary, Avro, a frame."""

import io
import json
from pathlib import Path
from typing import Any

import fastavro

SCHEMA: dict[str, Any] = json.loads((Path(__file__).parents[2] / "schemas" / "group_change.avsc").read_text())
_PARSED = fastavro.parse_schema(SCHEMA)


def change(group: str, operation: str = "SET", **more: Any) -> dict[str, Any]:
    """An event. Of `more`, what is no field of an event is a property."""
    found: dict[str, Any] = {
        "event_id": "event",
        "occurred_at": 1_700_000_000_000,
        "project": None,
        "group_key": "company",
        "group_id": group,
        "operation": operation,
        "properties": {},
        "property_names": [],
        "company_id": None,
    }
    found |= {name: more.pop(name) for name in list(more) if name in found}
    found["properties"] = {**found["properties"], **more}
    return found


def framed(event: dict[str, Any], schema: Any = _PARSED, number: int = 1) -> bytes:
    """The event behind Confluent's magic byte and the schema's id."""
    return b"\0" + number.to_bytes(4, "big") + bare(event, schema)


def bare(event: dict[str, Any], schema: Any = _PARSED) -> bytes:
    """The event as Avro and nothing else."""
    written = io.BytesIO()
    fastavro.schemaless_writer(written, schema, event)
    return written.getvalue()


def changed(group: str, operation: Any = "SET", **more: Any) -> bytes:
    """The framed event of the registry's first schema."""
    return framed(change(group, operation, **more))
