"""Produce group changes: python produce.py BOOTSTRAP_SERVERS SCHEMA_REGISTRY_URL TOPIC"""

import sys
import time
import uuid

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

# Group key, group id, and the company that it belongs to in a project with hierarchical groups.
ACME = ("company", "acme", None)
OLD_CO = ("company", "old-co", None)
ANN = ("$user_id", "ann", "acme")

CHANGES = [
    (ACME, "SET", {
        "name": "Acme", "seats": 250, "balance": 1299.5, "trial": True, "closed": None,
        "renewed_at": "2026-03-01T00:00:00",   # a date is text, in UTC
        "account": "3928097563762691601",      # so is a number beyond 2^53
        "tags": ["beta", "eu"], "address": {"city": "Oslo"},
    }),
    (ACME, "SET_ONCE", {"first_seen": "2024-05-17T09:30:00"}),
    (ACME, "ADD", {"seats": 5, "balance": 0.5}),
    (ACME, "UNION", {"tags": ["priority"]}),
    (ACME, "REMOVE", {"tags": "beta"}),
    (ACME, "UNSET", ["trial"]),
    (OLD_CO, "DELETE", None),
    (ANN, "SET", {"role": "admin"}),
]  # fmt: skip


def change(group, operation, values):
    """One event. UNSET has names, DELETE has nothing, every other operation has properties."""
    group_key, group_id, company_id = group
    return {
        "event_id": str(uuid.uuid4()),
        "occurred_at": int(time.time() * 1000),
        "project": None,
        "group_key": group_key,
        "group_id": group_id,
        "operation": operation,
        "properties": values if isinstance(values, dict) else {},
        "property_names": values if isinstance(values, list) else [],
        "company_id": company_id,
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
    for group, operation, values in CHANGES:
        producer.produce(
            topic,
            key=f"{group[0]}:{group[1]}",
            value=serialize(change(group, operation, values), SerializationContext(topic, MessageField.VALUE)),
            on_delivery=delivered,
        )
    producer.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
