"""Schemas of a table's changes, as Debezium makes them for PostgreSQL and Kafka Connect's Avro converter writes them.

    envelope_schema("crm.public.companies", columns)      # of the value: before, after, source, op
    key_schema("crm.public.companies", columns)           # of the key: its columns alone

Annotations stand where the converter puts them; `null` is a union's second branch where the column has a default.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

Json = dict[str, Any]
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DATA: Final = "io.debezium.data."
TIME: Final = "io.debezium.time."


@dataclass(frozen=True)
class ColumnType:
    """A column's type: its Avro, what of it a value is written as, and what stands for a value that is not known."""

    schema: Any
    written: Callable[[Any], Any]
    unknown: Any


@dataclass(frozen=True)
class Column:
    """A column of a table. `default` is the database's; None where there is none."""

    name: str
    kind: ColumnType
    nullable: bool = True
    default: Any = None


def annotated(kind: str, name: str, **more: Any) -> Json:
    """An Avro type with the name that Connect gives its meaning."""
    return {"type": kind, "connect.version": 1, **more, "connect.name": name}


def decimal(precision: int, scale: int) -> ColumnType:
    """`numeric(precision, scale)`."""
    sizes: Json = {"scale": scale, "precision": precision, "connect.version": 1}
    parameters = {"scale": str(scale), "connect.decimal.precision": str(precision)}
    name = "org.apache.kafka.connect.data.Decimal"
    schema = {"type": "bytes", **sizes, "connect.parameters": parameters, "connect.name": name}
    return ColumnType(
        {**schema, "logicalType": "decimal"}, lambda value: value.quantize(Decimal(1).scaleb(-scale)), Decimal(0)
    )


def enum(*allowed: str) -> ColumnType:
    """An enum of the database, which is text in Avro."""
    parameters = {"connect.parameters": {"allowed": ",".join(allowed)}}
    return ColumnType(annotated("string", DATA + "Enum", **parameters), str, allowed[0])


def _days(value: date) -> int:
    return value.toordinal() - EPOCH.toordinal()


def _micros(value: datetime) -> int:
    since = value.replace(tzinfo=UTC) - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _zoned(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


TEXT: Final = ColumnType("string", str, "")
INTEGER: Final = ColumnType("int", int, 0)
LONG: Final = ColumnType("long", int, 0)
DOUBLE: Final = ColumnType("double", float, 0.0)
BOOLEAN: Final = ColumnType("boolean", bool, False)
TEXTS: Final = ColumnType({"type": "array", "items": ["null", "string"]}, list, [])
DATE: Final = ColumnType(annotated("int", TIME + "Date"), _days, EPOCH.date())
TIMESTAMP: Final = ColumnType(annotated("long", TIME + "MicroTimestamp"), _micros, EPOCH)
ZONED_TIMESTAMP: Final = ColumnType(annotated("string", TIME + "ZonedTimestamp"), _zoned, EPOCH)
JSON: Final = ColumnType(annotated("string", DATA + "Json"), json.dumps, {})
UUID: Final = ColumnType(annotated("string", DATA + "Uuid"), str, "")


def key_schema(topic: str, columns: Sequence[Column]) -> Json:
    """The schema of the topic's keys."""
    fields = [_field(column) for column in columns]
    return {"type": "record", "name": "Key", "namespace": topic, "fields": fields, "connect.name": f"{topic}.Key"}


def envelope_schema(topic: str, columns: Sequence[Column]) -> Json:
    """The schema of the topic's values."""
    row = {"type": "record", "name": "Value", "fields": [_field(column) for column in columns]}
    fields = [
        _optional("before", {**row, "connect.name": f"{topic}.Value"}),
        _optional("after", "Value"),
        {"name": "source", "type": SOURCE},
        _optional("transaction", TRANSACTION),
        {"name": "op", "type": "string"},
        *(_optional(name, "long") for name in ("ts_ms", "ts_us", "ts_ns")),
    ]
    named = {"connect.version": 2, "connect.name": f"{topic}.Envelope"}
    return {"type": "record", "name": "Envelope", "namespace": topic, "fields": fields, **named}


def _field(column: Column) -> Json:
    """A column as a field of a row or a key."""
    schema = column.kind.schema
    if column.default is None:
        return _optional(column.name, schema) if column.nullable else {"name": column.name, "type": schema}
    default = column.kind.written(column.default)
    plain = {"type": schema} if isinstance(schema, str) else dict(schema)
    name = {"connect.name": plain.pop("connect.name")} if "connect.name" in plain else {}
    defaulted = {**plain, "connect.default": default, **name}
    return {"name": column.name, "type": [defaulted, "null"] if column.nullable else defaulted, "default": default}


def _optional(name: str, schema: Any) -> Json:
    return {"name": name, "type": ["null", schema], "default": None}


def _required(name: str, schema: Any = "string") -> Json:
    return {"name": name, "type": schema}


SNAPSHOT: Final = Column(
    "snapshot",
    enum("true", "first", "first_in_data_collection", "last_in_data_collection", "last", "false", "incremental"),
    default="false",
)
SOURCE: Final[Json] = {
    "type": "record",
    "name": "Source",
    "namespace": "io.debezium.connector.postgresql",
    "fields": [
        *(_required(name) for name in ("version", "connector", "name")),
        _required("ts_ms", "long"),
        _field(SNAPSHOT),
        _required("db"),
        _optional("sequence", "string"),
        _optional("ts_us", "long"),
        _optional("ts_ns", "long"),
        *(_required(name) for name in ("schema", "table")),
        *(_optional(name, "long") for name in ("txId", "lsn", "xmin")),
        _optional("origin", "string"),
        _optional("origin_lsn", "long"),
    ],
    "connect.version": 1,
    "connect.name": "io.debezium.connector.postgresql.Source",
}
TRANSACTION: Final[Json] = {
    "type": "record",
    "name": "block",
    "namespace": "event",
    "fields": [_required("id"), _required("total_order", "long"), _required("data_collection_order", "long")],
    "connect.version": 1,
    "connect.name": "event.block",
}
