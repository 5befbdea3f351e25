"""A table in memory, and the records that change data capture writes of it: Debezium's, with Connect's Avro.

    table = CapturedTable("crm.public.companies", columns, ["id"], registry.register)
    table.snapshot(rows)                                  # op r
    table.insert(row), table.update(key, values), table.delete(key)
    table.alter([*columns, Column("tier", TEXT)])         # later records have another schema

As under PostgreSQL's default replica identity: an update has no `before`; that of a delete has the key alone. A large
column that an update leaves alone comes as a placeholder. A delete is followed by its tombstone.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from fastavro import parse_schema, schemaless_writer

from consumer.sandbox.traffic.connect_schemas import Column, envelope_schema, key_schema

PLACEHOLDER: Final = "__debezium_unavailable_value"
LARGE: Final = 2_000
"""Characters from which on PostgreSQL keeps a text apart from its row."""
VERSION: Final = "3.6.1.Final"
STEP: Final = 10  # milliseconds from one change to the next

Row = dict[str, Any]
Headers = list[tuple[str, str | bytes | None]]


@dataclass(frozen=True, slots=True)
class CapturedChange:
    """One record of the topic."""

    key: bytes
    value: bytes | None
    headers: Headers


class CapturedTable:
    """The table's rows by their key, and its topic's records. `registered(subject, text)` says a schema's id."""

    def __init__(
        self,
        topic: str,
        columns: Sequence[Column],
        key: Sequence[str],
        registered: Callable[[str, str], int],
        began: int = 0,
    ) -> None:
        self.topic = topic
        self.rows: dict[tuple[Any, ...], Row] = {}
        self._registered = registered
        self._now = began
        self._key_names = tuple(key)
        self._key_columns = [column for column in columns if column.name in key]
        self._key = self._writer("key", key_schema(topic, self._key_columns))
        self.alter(columns)

    def alter(self, columns: Sequence[Column]) -> None:
        """The table has these columns from now on; rows that lack a new one have its default."""
        self.columns = tuple(columns)
        self._value = self._writer("value", envelope_schema(self.topic, columns))
        for row in self.rows.values():
            for column in columns:
                row.setdefault(column.name, column.default)

    def snapshot(self, rows: Sequence[Row]) -> Iterator[CapturedChange]:
        """These rows were there before anybody looked."""
        for number, row in enumerate(rows, 1):
            self.rows[self._key_of(row)] = dict(row)
            marks = {1: "first", len(rows): "last"}
            yield self._change("r", row, None, self._written(row), marks.get(number, "true"))

    def insert(self, row: Row) -> CapturedChange:
        """A new row."""
        self.rows[self._key_of(row)] = dict(row)
        return self._change("c", row, None, self._written(row))

    def update(self, key: tuple[Any, ...], values: Mapping[str, Any]) -> CapturedChange:
        """New values for some columns, none of the key."""
        row = self.rows[key]
        row.update(values)
        written = self._written(row)
        for column in self.columns:
            value = row[column.name]
            if column.name not in values and isinstance(value, str) and len(value) >= LARGE:
                written[column.name] = PLACEHOLDER
        return self._change("u", row, None, written)

    def delete(self, key: tuple[Any, ...]) -> tuple[CapturedChange, CapturedChange]:
        """The row is gone; the second record is the tombstone."""
        row = self.rows.pop(key)
        gone = self._change("d", row, self._shadow(row), None)
        return gone, CapturedChange(gone.key, None, self._headers())

    def _change(
        self, op: str, row: Row, before: Row | None, after: Row | None, snapshot: str = "false"
    ) -> CapturedChange:
        self._now += STEP
        micros = self._now * 1_000
        times = {"ts_ms": self._now, "ts_us": micros, "ts_ns": micros * 1_000}
        prefix, schema, table = self.topic.split(".")
        source: Row = {
            "version": VERSION,
            "connector": "postgresql",
            "name": prefix,
            "snapshot": snapshot,
            "db": prefix,
        }
        source |= {"schema": schema, "table": table, **times}
        datum = {"before": before, "after": after, "source": source, "op": op, **times}
        key = {column.name: column.kind.written(row[column.name]) for column in self._key_columns}
        return CapturedChange(self._key(key), self._value(datum), self._headers())

    def _written(self, row: Row) -> Row:
        """The row as Avro takes it."""
        return {
            column.name: None if row[column.name] is None else column.kind.written(row[column.name])
            for column in self.columns
        }

    def _shadow(self, row: Row) -> Row:
        """What is known of a row that is gone: its key. Elsewhere null, the default, or what stands for nothing."""
        known: Row = {}
        for column in self.columns:
            value = row[column.name] if column.name in self._key_names else column.default
            if value is None and not column.nullable:
                value = column.kind.unknown
            known[column.name] = value
        return self._written(known)

    def _key_of(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[name] for name in self._key_names)

    def _headers(self) -> Headers:
        prefix = self.topic.split(".")[0]
        context = {"connectorLogicalName": prefix, "taskId": "0", "connectorName": "postgresql"}
        return [(f"__debezium.context.{name}", text.encode()) for name, text in context.items()]

    def _writer(self, part: str, schema: dict[str, Any]) -> Callable[[Row], bytes]:
        """What makes framed bytes of a datum, its schema registered."""
        schema_id = self._registered(f"{self.topic}-{part}", json.dumps(schema))
        parsed = parse_schema(schema)

        def write(datum: Row) -> bytes:
            out = BytesIO()
            out.write(b"\0" + schema_id.to_bytes(4, "big"))
            schemaless_writer(out, parsed, datum)
            return out.getvalue()

        return write
