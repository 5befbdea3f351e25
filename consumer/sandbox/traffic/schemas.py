"""The schemas that the producers of the sandbox's traffic write with: the event schema, and what teams make of it.

current    the event schema as the service has it
newer      a field and an operation more, which the service does not know yet
older      a few fields less, in another order, written before there were projects and companies
orders     another team's records, in the wrong topic
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final
from uuid import UUID

from fastavro import parse_schema, schemaless_writer

from consumer.schemas import newest

SUBJECT: Final = "group-changes-value"
GUID_HEADER: Final = "__value_schema_id"
UNKNOWN_ID: Final = 1_999_999_999
"""No registry gives this id."""
FUTURE_OPERATION: Final = "APPEND"


@dataclass(frozen=True)
class WriterSchema:
    """One writer's schema, as the registry knows it. `guid` is None where the registry has none."""

    schema: Any
    schema_id: int
    guid: str | None

    def encode(self, change: dict[str, Any]) -> bytes:
        """The bare Avro of one change."""
        out = BytesIO()
        properties = change.get("properties")
        if properties:
            change = change | {"properties": {name: _branch(value) for name, value in properties.items()}}
        schemaless_writer(out, self.schema, change)
        return out.getvalue()

    def frame(self, data: bytes) -> bytes:
        """The data behind Confluent's frame."""
        return b"\0" + self.schema_id.to_bytes(4, "big") + data

    def header(self) -> tuple[str, str | bytes | None]:
        """The header that names the schema in the place of a frame."""
        assert self.guid is not None
        return GUID_HEADER, b"\x01" + UUID(self.guid).bytes


@dataclass(frozen=True)
class Writers:
    """All of them, registered."""

    current: WriterSchema
    newer: WriterSchema
    older: WriterSchema
    orders: WriterSchema


def register(registered: Callable[[str, str], int], guid_of: Callable[[int], str | None] = lambda _: None) -> Writers:
    """Register every schema: `registered(subject, text)` says its id. The event schema goes to its own subject."""

    def writer(subject: str, schema: dict[str, Any]) -> WriterSchema:
        schema_id = registered(subject, newest() if subject == SUBJECT else json.dumps(schema))
        return WriterSchema(parse_schema(schema), schema_id, guid_of(schema_id))

    return Writers(
        current=writer(SUBJECT, json.loads(newest())),
        newer=writer("crm-group-changes-value", _newer()),
        older=writer("legacy-group-changes-value", _older()),
        orders=writer("orders-value", ORDERS),
    )


_BRANCHES: Final = {bool: "boolean", int: "long", float: "double", str: "string"}


def _branch(value: Any) -> Any:
    """A value with its branch of the union, so that fastavro need not try one after the other."""
    name = _BRANCHES.get(type(value))
    return value if name is None else (name, value)


ORDERS: Final[dict[str, Any]] = {
    "type": "record",
    "name": "OrderPlaced",
    "namespace": "shop.orders",
    "fields": [{"name": "order_id", "type": "string"}, {"name": "amount", "type": "double"}],
}


def _newer() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(newest())
    _field(schema, "operation")["type"]["symbols"].append(FUTURE_OPERATION)
    schema["fields"].insert(2, {"name": "source", "type": "string", "default": ""})
    return schema


_LATER: Final = ("project", "property_names", "company_id")


def _older() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(newest())
    schema["fields"] = [field for field in reversed(schema["fields"]) if field["name"] not in _LATER]
    _field(schema, "properties")["type"]["values"].sort(key=lambda branch: branch != "string")
    return schema


def _field(schema: dict[str, Any], name: str) -> dict[str, Any]:
    named: dict[str, Any] = next(field for field in schema["fields"] if field["name"] == name)
    return named
