"""What teams write themselves, to compare with: `python -m bench.loops popular|tuned`, with the service's settings.

Both poll, decode, batch 2,000 updates, post one batch at a time, and commit after it. Neither keeps a refused update,
folds, or has more than one request in flight; both lose or repeat at the first fault.

    popular   AvroDeserializer of confluent-kafka, dictionaries, requests with json=
    tuned     fastavro with a parsed schema, orjson
"""

import io
import json
import os
import sys
import urllib.request
from collections.abc import Callable
from typing import Any

import fastavro
import orjson
import requests
from confluent_kafka import Consumer

VERBS = {
    "SET": "$set",
    "SET_ONCE": "$set_once",
    "ADD": "$add",
    "UNION": "$union",
    "REMOVE": "$remove",
    "UNSET": "$unset",
    "DELETE": "$delete",
}


def update(event: dict[str, Any], token: str) -> dict[str, Any]:
    """The event as Mixpanel wants it."""
    operation = event["operation"]
    values: Any = event["properties"]
    if operation == "UNSET":
        values = event["property_names"]
    elif operation == "DELETE":
        values = ""
    return {
        "$token": token,
        "$group_key": event["group_key"],
        "$group_id": event["group_id"],
        VERBS[operation]: values,
    }


def popular_decoder(registry: str, topic: str) -> Callable[[bytes], Any]:
    """The decoder of the client's own package."""
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.avro import AvroDeserializer
    from confluent_kafka.serialization import MessageField, SerializationContext

    deserializer = AvroDeserializer(SchemaRegistryClient({"url": registry}))
    context = SerializationContext(topic, MessageField.VALUE)
    return lambda value: deserializer(value, context)


def tuned_decoder(registry: str, _topic: str) -> Callable[[bytes], Any]:
    """fastavro, with the schema parsed once for each id."""
    schemas: dict[int, Any] = {}

    def decode(value: bytes) -> Any:
        number = int.from_bytes(value[1:5], "big")
        if number not in schemas:
            with urllib.request.urlopen(f"{registry}/schemas/ids/{number}") as answer:
                schemas[number] = fastavro.parse_schema(json.loads(json.load(answer)["schema"]))
        data = io.BytesIO(value)
        data.seek(5)
        return fastavro.schemaless_reader(data, schemas[number], None)

    return decode


def main(kind: str) -> None:
    """Run until killed."""
    environ = os.environ
    topic, token = environ["KAFKA_TOPICS"], environ["MIXPANEL_TOKEN"]
    decoder = popular_decoder if kind == "popular" else tuned_decoder
    decode = decoder(environ["SCHEMA_REGISTRY_URL"], topic)
    session = requests.Session()
    url = environ["MIXPANEL_URL"] + "/groups?ip=0&strict=1&verbose=1"
    consumer = Consumer(
        {
            "bootstrap.servers": environ["KAFKA_BOOTSTRAP_SERVERS"],
            "group.id": environ["KAFKA_GROUP_ID"],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    batch: list[dict[str, Any]] = []
    while True:
        messages = consumer.consume(500, 0.2)
        batch.extend(update(decode(message.value()), token) for message in messages if message.error() is None)
        if batch and (len(batch) >= 2_000 or not messages):
            if kind == "popular":
                answer = session.post(url, json=batch, timeout=30)
            else:
                answer = session.post(
                    url, data=orjson.dumps(batch), headers={"Content-Type": "application/json"}, timeout=30
                )
            answer.raise_for_status()
            consumer.commit(asynchronous=False)
            batch = []


if __name__ == "__main__":
    main(sys.argv[1])
