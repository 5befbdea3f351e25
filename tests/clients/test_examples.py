"""The producers of docs/events.md, run against a real Kafka and the sandbox's registry."""

import json
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from consumer.event.convert import convert
from consumer.event.decode import frame, resolve

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("clients"), pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "group_change.avsc").read_text())
ACME = {
    "name": "Acme",
    "seats": 250,
    "balance": 1299.5,
    "trial": True,
    "closed": None,
    "renewed_at": "2026-03-01T00:00:00",
    "account": "3928097563762691601",
    "tags": ["beta", "eu"],
    "address": {"city": "Oslo"},
}
EXPECTED = [
    ("acme", None, "SET", ACME, []),
    ("acme", None, "SET_ONCE", {"first_seen": "2024-05-17T09:30:00"}, []),
    ("acme", None, "ADD", {"seats": 5, "balance": 0.5}, []),
    ("acme", None, "UNION", {"tags": ["priority"]}, []),
    ("acme", None, "REMOVE", {"tags": "beta"}, []),
    ("acme", None, "UNSET", {}, ["trial"]),
    ("ann", "acme", "SET", {"role": "admin"}, []),
    ("old-co", None, "DELETE", {}, []),
]
PARTITIONS = 12
# Where Java's default partitioner puts these keys, of so many partitions.
PLACES = {b"company:acme": 6, b"company:old-co": 0, b"$user_id:ann": 0}


def consumed(broker, topic):
    """Every record of the topic, by partition and offset."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "nobody", "enable.auto.commit": False})
    partitions = [TopicPartition(topic, number, 0) for number in range(PARTITIONS)]
    wanted = sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in partitions)
    consumer.assign(partitions)
    records, deadline = [], time.monotonic() + 30
    while len(records) < wanted:
        assert time.monotonic() < deadline, f"{len(records)} of {wanted} records arrived"
        records += consumer.consume(wanted, 0.2)
    consumer.close()
    return sorted(records, key=lambda record: (record.partition(), record.offset()))


@pytest.mark.parametrize("language", ["python", "java", "go", "node"])
def test_an_example_works(broker, new_topic, registry, program, language):
    """Its events decode to what it means, in order, each group in the partition that Java would choose."""
    topic = new_topic(PARTITIONS)
    schema_id = registry.register(f"{topic}-value", json.dumps(SCHEMA))
    produce = program(ROOT / "docs" / "examples" / language)
    started = int(time.time() * 1000)

    produce(broker.bootstrap, registry.url, topic)

    decoder, found = resolve(SCHEMA, SCHEMA), []
    for record in consumed(broker, topic):
        written, start = frame(record.value(), record.headers())
        change = decoder.decode(record.value(), start)
        convert(change)  # raises a Reject where the service would refuse it
        assert written == schema_id
        assert record.key() == f"{change.group_key}:{change.group_id}".encode()
        assert record.partition() == PLACES[record.key()]
        assert change.event_id
        assert started <= change.occurred_at <= time.time() * 1000
        named = (change.group_id, change.company_id)
        found.append((*named, change.operation, change.properties, change.property_names))
    assert sorted(found, key=lambda change: change[0]) == EXPECTED
