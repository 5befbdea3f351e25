"""What the mapping costs: a Debezium envelope of 75 columns, 8 of them mapped, beside fastavro on the same bytes."""

import io
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import fastavro

from bench.micro import best
from consumer.avro.parsing import parse
from consumer.event.encode import update_json, update_tail
from consumer.mapping.bodies import passed
from consumer.mapping.mapper import Mapper
from consumer.mapping.reading import read
from consumer.mapping.seen import Incoming

TOPIC = "crm.public.companies"
COLUMNS = 75
DECIMAL = "org.apache.kafka.connect.data.Decimal"
FILE = f"""version = 1
[[rule]]
name = "companies"
topics = ["{TOPIC}"]
format = "debezium"
group = {{ key = "company", id = "key.id" }}
null = "unset"
where = [{{ path = "row.kind", in = ["customer", "trial"] }}]
[rule.set]
"$name" = "row.name"
Plan = {{ from = "row.plan_code", values = {{ p = "Pro", e = "Enterprise", "*" = "Free" }} }}
MRR = "row.mrr"
"Renews at" = "row.renewal_date"
Labels = {{ from = "row.labels", as = "json" }}
"Account id" = {{ from = "row.external_id", as = "text" }}
[rule.set_once]
"Customer since" = "row.created_at"
"""


def connect(kind: str, name: str, **more: object) -> dict[str, object]:
    """A type as Connect's Avro converter annotates it."""
    return {"type": kind, "connect.version": 1, "connect.name": name, **more}


MAPPED: list[tuple[str, object, Callable[[random.Random], object]]] = [
    ("kind", ["null", "string"], lambda _: "customer"),
    ("name", ["null", "string"], lambda chance: f"Company {chance.randrange(10**6)}"),
    ("plan_code", ["null", "string"], lambda chance: chance.choice("pe")),
    (
        "mrr",
        [
            "null",
            connect("bytes", "org.apache.kafka.connect.data.Decimal", scale=2, precision=12, logicalType="decimal"),
        ],
        lambda chance: Decimal(chance.randrange(10**7)) / 100,
    ),
    (
        "renewal_date",
        ["null", connect("int", "io.debezium.time.Date")],
        lambda chance: chance.randrange(20_000, 21_000),
    ),
    ("labels", ["null", connect("string", "io.debezium.data.Json")], lambda _: '["a","b"]'),
    ("external_id", ["null", "long"], lambda chance: chance.randrange(2**50)),
    ("created_at", connect("long", "io.debezium.time.MicroTimestamp"), lambda _: 1_772_357_400_000_000),
]
OTHERS: list[tuple[object, Callable[[random.Random], object]]] = [
    (["null", "string"], lambda _: "some text of a column"),
    (["null", "string"], lambda _: None),
    ("int", lambda chance: chance.randrange(10**6)),
    (["null", "long"], lambda chance: chance.randrange(2**40)),
    (connect("boolean", "b"), lambda _: True),
    (["null", "double"], lambda chance: chance.random()),
    (["null", connect("long", "io.debezium.time.MicroTimestamp")], lambda _: 1_772_357_400_000_000),
    (connect("string", "io.debezium.time.ZonedTimestamp"), lambda _: "2026-05-07T17:00:00.069000Z"),
]
SOURCE = ("version", "connector", "name", "snapshot", "db", "sequence", "schema", "table")


def workload(events: int) -> tuple[dict[str, Any], list[bytes], list[bytes]]:
    """The schema of the envelope, values and keys, both without a frame."""
    chance = random.Random(7)
    columns: list[tuple[str, object, Callable[[random.Random], object]]] = [("id", "int", lambda _: 7)]
    for number in range(COLUMNS - len(MAPPED) - 1):
        kind, make = OTHERS[number % len(OTHERS)]
        columns.append((f"column_{number}", kind, make))
        if number % 8 == 0 and number // 8 < len(MAPPED):
            columns.append(MAPPED[number // 8])
    row = {"type": "record", "name": "Value", "fields": [{"name": name, "type": kind} for name, kind, _ in columns]}
    source = {"type": "record", "name": "Source", "fields": [{"name": name, "type": "string"} for name in SOURCE]}
    fields = [
        {"name": "before", "type": ["null", row]},
        {"name": "after", "type": ["null", "Value"]},
        {"name": "source", "type": source},
        {"name": "op", "type": "string"},
        *({"name": name, "type": ["null", "long"]} for name in ("ts_ms", "ts_us", "ts_ns")),
    ]
    schema = {"type": "record", "name": "Envelope", "namespace": TOPIC, "fields": fields}
    parsed = fastavro.parse_schema(schema)
    values, keys = [], []
    for number in range(events):
        after = {name: make(chance) for name, _, make in columns}
        datum = {"before": None, "after": after, "source": dict.fromkeys(SOURCE, "text"), "op": "u"}
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, datum | dict.fromkeys(("ts_ms", "ts_us", "ts_ns"), 1_772_357_400_000))
        values.append(out.getvalue())
        out = io.BytesIO()
        fastavro.schemaless_writer(out, fastavro.parse_schema(KEY), {"id": number})
        keys.append(out.getvalue())
    return schema, values, keys


KEY: dict[str, Any] = {
    "type": "record",
    "name": "Key",
    "namespace": TOPIC,
    "fields": [{"name": "id", "type": "int"}],
}


def run(events: int = 10_000) -> dict[str, dict[str, float]]:
    """Microseconds of CPU for one record: `us` of each step."""
    schema, values, keys = workload(events)
    topic = Mapper(read(FILE, [TOPIC], [], False), b"", []).topic(TOPIC)
    assert topic is not None
    plan = topic.value_plan(parse(schema))
    key_plan = topic.key_plan(parse(KEY))
    layout = plan.layouts[0]
    assert layout is not None
    records = [
        Incoming(TOPIC, 0, at, 0, key, value, None) for at, (key, value) in enumerate(zip(keys, values, strict=True))
    ]
    parsed = fastavro.parse_schema(schema)
    steps: dict[str, Callable[[], Any]] = {
        "75 columns, fastavro": lambda: [fastavro.schemaless_reader(io.BytesIO(value), parsed) for value in values],
        "75 columns, places found": lambda: [passed(value, 0, layout) for value in values],
        "75 columns, 8 mapped": lambda: [topic.apply(record, plan, 0, key_plan, 0) for record in records],
        "75 columns, to updates": lambda: [
            update_json(update_tail(operation))
            for record in records
            for part in topic.apply(record, plan, 0, key_plan, 0).parts
            for operation in part.operations
        ],
    }
    return {label: {"us": cost} for label, cost in best(steps, events).items()}
