"""Produce group changes: python produce.py BOOTSTRAP_SERVERS SCHEMA_REGISTRY_URL TOPIC"""

import sys
import time
import uuid

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

CHANGES = [
    ("acme", "SET", {
        "name": "Acme", "seats": 250, "balance": 1299.5, "trial": True, "closed": None,
        "renewed_at": "2026-03-01T00:00:00",   # a date is text, in UTC
        "account": "3928097563762691601",      # so is a number beyond 2^53
        "tags": ["beta", "eu"], "address": {"city": "Oslo"},
    }),
    ("acme", "SET_ONCE", {"first_seen": "2024-05-17T09:30:00"}),
    ("acme", "ADD", {"seats": 5, "balance": 0.5}),
    ("acme", "UNION", {"tags": ["priority"]}),
    ("acme", "REMOVE", {"tags": "beta"}),
    ("acme", "UNSET", ["trial"]),
    ("old-co", "DELETE", None),
]  # fmt: skip


def change(group_key, group_id, operation, values):
    """One event. UNSET has names, DELETE has nothing, every other operation has properties."""
    return {
        "event_id": str(uuid.uuid4()),
        "occurred_at": int(time.time() * 1000),
        "project": None,
        "group_key": group_key,
        "group_id": group_id,
        "operation": operation,
        "properties": values if isinstance(values, dict) else {},
        "property_names": values if isinstance(values, list) else [],
    }


def delivered(error, _message):
    if error is not None:
        raise RuntimeError(f"not delivered: {error}")


def main(servers, registry, topic):
    # The schema that is registered for the topic, whatever its version: this program registers none.
    options = {"auto.register.schemas": False, "use.latest.version": True}
    serialize = AvroSerializer(SchemaRegistryClient({"url": registry}), conf=options)
    producer = Producer({
        "bootstrap.servers": servers,
        "enable.idempotence": True,         # acks=all, and no reordering by a retry
        "partitioner": "murmur2_random",    # as Java's: one group, one partition, whoever produces
    })  # fmt: skip
    for group_id, operation, values in CHANGES:
        producer.produce(
            topic,
            key=f"company:{group_id}",
            value=serialize(
                change("company", group_id, operation, values), SerializationContext(topic, MessageField.VALUE)
            ),
            on_delivery=delivered,
        )
    producer.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
