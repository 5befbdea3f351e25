"""What teams write themselves, to compare with: `python -m bench.loops KIND`, with the service's settings.

All poll, decode, batch up to 2,000 updates, post one batch at a time, commit after it. None keeps a refused update,
folds, or has more than one request in flight. The first two lose or repeat at the first fault.

    popular   AvroDeserializer of confluent-kafka, dictionaries, requests with json=
    tuned     fastavro with a parsed schema, orjson
    retrying  as tuned; keeps order in a group, which has one update in a request, and sends a request that failed in
              any way again until it is accepted: after 100 ms, doubling to 2 s, or what Retry-After says
"""

import io
import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import fastavro
import orjson
import requests
from confluent_kafka import Consumer

FIRST_WAIT = 0.1
LONGEST_WAIT = 2.0
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


def url() -> str:
    """Where updates go."""
    return os.environ["MIXPANEL_URL"] + "/groups?ip=0&strict=1&verbose=1"


def post_popular(session: requests.Session, batch: list[dict[str, Any]]) -> None:
    """With what `requests` brings."""
    session.post(url(), json=batch, timeout=30).raise_for_status()


def post_tuned(session: requests.Session, batch: list[dict[str, Any]], seconds: float = 30) -> requests.Response:
    """With orjson."""
    headers = {"Content-Type": "application/json"}
    answer = session.post(url(), data=orjson.dumps(batch), headers=headers, timeout=seconds)
    answer.raise_for_status()
    return answer


def post_retrying(session: requests.Session, batch: list[dict[str, Any]]) -> None:
    """The first update of each group, then the second, and so on, each request until it is accepted."""
    turns: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in batch:
        turns.setdefault((one["$group_key"], one["$group_id"]), []).append(one)
    for round_of_all in zip_longest(*turns.values()):
        until_accepted(session, [one for one in round_of_all if one is not None])


def until_accepted(session: requests.Session, batch: list[dict[str, Any]]) -> None:
    """Send it again and again."""
    wait = FIRST_WAIT
    seconds = float(os.environ["MIXPANEL_TIMEOUT"].removesuffix("s"))
    while True:
        asked = None
        try:
            if post_tuned(session, batch, seconds).json()["status"] == 1:
                return
        except requests.RequestException as error:  # unreadable JSON is one, too
            asked = error.response.headers.get("Retry-After") if error.response is not None else None
        time.sleep(float(asked) if asked else wait)
        wait = min(LONGEST_WAIT, 2 * wait)


def main(kind: str) -> None:
    """Run until killed."""
    environ = os.environ
    topic, token = environ["KAFKA_TOPICS"], environ["MIXPANEL_TOKEN"]
    decoder = popular_decoder if kind == "popular" else tuned_decoder
    decode = decoder(environ["SCHEMA_REGISTRY_URL"], topic)
    posts: dict[str, Callable[[requests.Session, list[dict[str, Any]]], object]] = {
        "popular": post_popular,
        "tuned": post_tuned,
        "retrying": post_retrying,
    }
    session = requests.Session()
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
        batch.extend(update(decode(message.value() or b""), token) for message in messages if message.error() is None)
        if batch and (len(batch) >= 2_000 or not messages):
            posts[kind](session, batch)
            consumer.commit(asynchronous=False)
            batch = []


if __name__ == "__main__":
    main(sys.argv[1])
