"""The whole service on mapped topics: records that become the same updates as built-in events, and a Debezium table.

The built-in ones are GroupChange events, every one a SET, every group new; also with a mapping file beside them that
names another topic, which is empty. Mapped have the same groups and properties, each property a column of a domain
event, or all of them in one map that a rule copies. The table has the envelopes of bench/envelope.py.
"""

import io
import json
import random
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import fastavro

from bench import envelope
from bench import workload as workloads
from bench.rig import Contestant, Load, Rig
from bench.turns import Row, best_ratio, in_turns

ROUNDS: Final = 4
BUILT_IN: Final = "built-in"
BESIDE: Final = "built-in, a file beside that names another topic"
COLUMNS_MAPPED: Final = "ten nullable columns, each a property"
MAP_MAPPED: Final = "a map that a rule copies"
ENVELOPES: Final = "a Debezium envelope of 75 columns with its key"
SCALAR: Final = ["null", "string", "long", "double", "boolean"]
META: Final[list[dict[str, Any]]] = [
    {"name": "event_id", "type": "string"},
    {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "account", "type": "string"},
]
COLUMNS: Final[dict[str, Any]] = {
    "type": "record",
    "name": "AccountChanged",
    "fields": META + [{"name": name, "type": SCALAR, "default": None} for name in workloads.NAMES],
}
MAP: Final[dict[str, Any]] = {
    "type": "record",
    "name": "AccountChanged",
    "fields": [*META, {"name": "properties", "type": {"type": "map", "values": SCALAR}}],
}
RULE: Final = """version = 1
[[rule]]
name = "accounts"
topics = ["crm.public.companies"]
group = { key = "company", id = "value.account" }
null = "skip"
"""
SET_COLUMNS: Final = "[rule.set]\n" + "".join(f'{name} = "value.{name}"\n' for name in workloads.NAMES)
COPY: Final = '[rule.copy]\nfrom = "value.properties"\n'


def run(built: Rig, events: int) -> dict[str, Row]:
    """In turns."""
    return in_turns(built, contestants(built, events), ROUNDS)


def ratios(found: dict[str, Row]) -> dict[str, float]:
    """What each costs over the built-in event of the same run."""
    return {
        f"CPU, {label} / {BUILT_IN}": best_ratio(row, found[BUILT_IN])
        for label, row in found.items()
        if label != BUILT_IN
    }


def contestants(built: Rig, events: int) -> dict[str, Contestant]:
    """Each topic, filled, and the settings of the service that reads it."""
    plain = built.filled("sets", encoded(workloads.SCHEMA, built.schema_id, map(event, changes(events))))
    columns = mapped_load(built, "columns", COLUMNS, (change.meta | change.properties for change in changes(events)))
    rows = (change.meta | {"properties": change.properties} for change in changes(events))
    copied = mapped_load(built, "map", MAP, rows)
    envelopes = table(built, events // 4)
    beside = built.filled("empty", ())
    named = mapping(built, beside.name, RULE + SET_COLUMNS) | {"KAFKA_TOPICS": f"{plain.name},{beside.name}"}
    return {
        BUILT_IN: Contestant(plain),
        BESIDE: Contestant(plain, settings=named),
        COLUMNS_MAPPED: Contestant(columns, settings=mapping(built, columns.name, RULE + SET_COLUMNS)),
        MAP_MAPPED: Contestant(copied, settings=mapping(built, copied.name, RULE + COPY)),
        ENVELOPES: Contestant(envelopes, settings=mapping(built, envelopes.name, envelope.FILE)),
    }


@dataclass(frozen=True)
class Change:
    """What all of them say in their own ways."""

    meta: dict[str, Any]
    properties: dict[str, Any]


def changes(count: int) -> Iterator[Change]:
    """So many changes, every one of a group of its own."""
    rng = random.Random(3)
    for number in range(count):
        properties = {name: workloads.value(rng) for name in rng.sample(workloads.NAMES, rng.randint(3, 8))}
        account = f"account-{uuid.UUID(int=number * workloads.SPREAD % 2**128)}"
        event_id = str(uuid.UUID(int=rng.getrandbits(128)))
        yield Change({"event_id": event_id, "occurred_at": 1_767_225_600_000, "account": account}, properties)


def event(change: Change) -> dict[str, Any]:
    """The change as a built-in event."""
    meta = {name: change.meta[name] for name in ("event_id", "occurred_at")}
    return meta | {
        "project": None,
        "group_key": "company",
        "group_id": change.meta["account"],
        "operation": "SET",
        "properties": change.properties,
        "property_names": [],
    }


def mapped_load(built: Rig, name: str, schema: dict[str, Any], rows: Iterable[dict[str, Any]]) -> Load:
    """A topic of these rows, their schema registered under a subject that is the record's name."""
    schema = schema | {"namespace": f"bench.{name}"}
    number = built.registry.register(f"bench.{name}.AccountChanged", json.dumps(schema))
    return built.filled(name, encoded(fastavro.parse_schema(schema), number, rows))


def table(built: Rig, events: int) -> Load:
    """A topic of envelopes, with keys as Connect's converter writes them."""
    schema, values, keys = envelope.workload(events)
    value_id = built.registry.register("bench.envelopes-value", json.dumps(schema))
    key_id = built.registry.register("bench.envelopes-key", json.dumps(envelope.KEY))
    return built.filled(
        "envelopes", ((head(key_id) + key, head(value_id) + value) for key, value in zip(keys, values, strict=True))
    )


def encoded(schema: Any, number: int, rows: Iterable[dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
    """Key and framed value of each."""
    for row in rows:
        written = io.BytesIO()
        written.write(head(number))
        fastavro.schemaless_writer(written, schema, row)
        yield f"company:{row.get('account') or row['group_id']}", written.getvalue()


def head(number: int) -> bytes:
    """Confluent's frame."""
    return b"\0" + number.to_bytes(4, "big")


def mapping(built: Rig, topic: str, text: str) -> dict[str, str]:
    """The setting that names this file, about this topic."""
    file = built.folder / f"{topic}.toml"
    file.write_text(text.replace(envelope.TOPIC, topic))
    return {"MAPPING_FILE": str(file)}
