"""Whether data of one Avro schema can be read with another, as Apache Avro judges it: a judge apart from the core."""

import json
from typing import TYPE_CHECKING, Any, Final

from consumer.sandbox.registry.avro_schema import AvroType, canonical

if TYPE_CHECKING:
    from avro.schema import Schema

LEVELS: Final = (
    "NONE",
    "BACKWARD",
    "BACKWARD_TRANSITIVE",
    "FORWARD",
    "FORWARD_TRANSITIVE",
    "FULL",
    "FULL_TRANSITIVE",
)


def conflicts(new: AvroType, olds: list[AvroType], level: str) -> list[str]:
    """What a level forbids of a new schema, given the older ones, oldest first. Nothing: it may follow them."""
    against = olds if level.endswith("_TRANSITIVE") else olds[-1:]
    direction = level.removesuffix("_TRANSITIVE")
    problems: list[str] = []
    for old in reversed(against):
        if direction in ("BACKWARD", "FULL"):
            problems += incompatibilities(reader=new, writer=old)
        if direction in ("FORWARD", "FULL"):
            problems += incompatibilities(reader=old, writer=new)
    return problems


def incompatibilities(reader: AvroType, writer: AvroType) -> list[str]:
    """Why data of the writer cannot be read by the reader, in one sentence: kinds, places, and what is there."""
    from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    result = checker.get_compatibility(_apaches(reader), _apaches(writer))
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    kinds = ", ".join(dict.fromkeys(kind.name.upper() for kind in result.incompatibilities))
    # The root is among the places of whatever lies deeper.
    places = ", ".join(sorted(result.locations - {"/"})) or "/"
    return [f"{kinds} at {places}: {'; '.join(sorted(result.messages))}"]


def _apaches(schema: AvroType) -> "Schema":
    """The schema as Apache Avro has it."""
    from avro.schema import make_avsc_object

    return make_avsc_object(json.loads(canonical(schema), object_hook=_plain))


def _plain(part: dict[str, Any]) -> dict[str, Any]:
    """A part of a schema without what plays no role, and of which Apache Avro would warn; an error is a record."""
    plain = {name: value for name, value in part.items() if name != "logicalType"}
    return plain | {"type": "record"} if plain.get("type") == "error" else plain
