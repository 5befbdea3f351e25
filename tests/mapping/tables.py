"""A table as Debezium writes it, and a mapper over one file: what most tests of the mapping need."""

import io
import json
from typing import Any

import fastavro

from consumer.avro.parsing import parse
from consumer.event.encode import update_tail
from consumer.mapping.bodies import KeyPlan, ValuePlan
from consumer.mapping.mapper import Mapper, TopicMap
from consumer.mapping.outcome import Mapped
from consumer.mapping.reading import read
from consumer.mapping.seen import Incoming

TOPIC = "crm.public.companies"
PLACEHOLDER = "__debezium_unavailable_value"
SECRET = b"marked-secret"


def connect(kind: str, name: str, **more: object) -> dict[str, object]:
    """A type as Connect's Avro converter annotates it."""
    return {"type": kind, "connect.version": 1, "connect.name": name, **more}


DECIMAL = connect(
    "bytes",
    "org.apache.kafka.connect.data.Decimal",
    scale=2,
    precision=12,
    logicalType="decimal",
    **{"connect.parameters": {"scale": "2", "connect.decimal.precision": "12"}},
)
COLUMNS: list[dict[str, Any]] = [
    {"name": "id", "type": "int"},
    {"name": "kind", "type": ["null", "string"], "default": None},
    {"name": "name", "type": ["null", "string"], "default": None},
    {"name": "mrr", "type": ["null", DECIMAL], "default": None},
    {"name": "renewal_date", "type": ["null", connect("int", "io.debezium.time.Date")], "default": None},
    {"name": "labels", "type": ["null", connect("string", "io.debezium.data.Json")], "default": None},
    {"name": "seats", "type": [{"type": "int", "connect.default": 7}, "null"], "default": 7},
    {"name": "attrs", "type": ["null", {"type": "map", "values": ["null", "string"]}], "default": None},
    {"name": "tags", "type": ["null", {"type": "array", "items": ["null", "string"]}], "default": None},
    {"name": "created_at", "type": connect("long", "io.debezium.time.MicroTimestamp")},
]
ROW: dict[str, Any] = {
    "id": 7,
    "kind": "customer",
    "name": "ACME",
    "mrr": None,
    "renewal_date": 20513,
    "labels": '["a"]',
    "seats": 3,
    "attrs": {"tier": "gold"},
    "tags": ["x", None],
    "created_at": 1772357400123456,
}
KEY = {"type": "record", "name": "Key", "namespace": TOPIC, "fields": [{"name": "id", "type": "int"}]}


def envelope(columns: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """The schema of a table's changes."""
    row = {"type": "record", "name": "Value", "fields": columns or COLUMNS}
    source = {"type": "record", "name": "Source", "fields": [{"name": "table", "type": "string"}]}
    return {
        "type": "record",
        "name": "Envelope",
        "namespace": TOPIC,
        "fields": [
            {"name": "before", "type": ["null", row], "default": None},
            {"name": "after", "type": ["null", "Value"], "default": None},
            {"name": "source", "type": source},
            {"name": "op", "type": "string"},
            {"name": "ts_ms", "type": ["null", "long"], "default": None},
        ],
    }


def encode(schema: object, datum: object) -> bytes:
    """Avro bytes, as fastavro writes them."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), datum)
    return out.getvalue()


class Table:
    """One topic under one file."""

    def __init__(
        self, text: str, schema: object = None, key: object = KEY, topic: str = TOPIC, compacted: bool = False
    ) -> None:
        self.topic = topic
        self.schema = schema or envelope()
        self.key = key
        mapping = read("version = 1\n" + text, [topic], ["emea", "us"], True)
        found = Mapper(mapping, SECRET, [topic] if compacted else []).topic(topic)
        assert found is not None
        self.map: TopicMap = found
        self.plan: ValuePlan | None = None

    def value_plan(self, earlier: Any = (), later: Any = ()) -> ValuePlan:
        """The plan of the table's schema."""
        return self.map.value_plan(parse(self.schema), [*map(parse, earlier)], [*map(parse, later)])

    def send(
        self, value: bytes | None, key: object = None, headers: Any = None, raw_key: bytes | None = None
    ) -> Mapped:
        """What the record comes to; `value` is Avro without a frame."""
        key_bytes = raw_key
        plan: KeyPlan | None = None
        if raw_key is None and self.map.schema_key:
            key_bytes = encode(self.key, key or {"id": 7})
            plan = self.map.key_plan(parse(self.key))
        record = Incoming(self.topic, 1, 2, 1772357400000, key_bytes, value, headers)
        if self.plan is None and value is not None:
            self.plan = self.value_plan()
        return self.map.apply(record, None if value is None else self.plan, 0, plan, 0)

    def change(
        self, op: str, after: Any = None, before: Any = None, headers: Any = None, key: object = None
    ) -> list[object]:
        """What a change of the table comes to, in words."""
        datum = {"before": before, "after": after, "source": {"table": "companies"}, "op": op, "ts_ms": 5}
        return words(self.send(encode(self.schema, datum), key, headers))

    def event(self, datum: object, headers: Any = None, key: object = None) -> list[object]:
        """What a value comes to, in words."""
        return words(self.send(encode(self.schema, datum), key, headers))


def words(mapped: Mapped) -> list[object]:
    """Updates as Mixpanel reads them, then refusals and what was ignored, as texts."""
    found: list[object] = []
    for part in mapped.parts:
        for operation in part.operations:
            update = json.loads(b"{" + update_tail(operation))
            if part.project is not None:
                update["project"] = part.project
            if part.company_id is not None:
                update["$company_id"] = part.company_id
            found.append(update)
    found += [f"{refusal.reason}: {refusal.detail}" for refusal in mapped.refusals]
    found += [f"ignored: {ignored.why}" for ignored in mapped.ignored]
    return [*found, *["unmapped"] * mapped.unmapped]
