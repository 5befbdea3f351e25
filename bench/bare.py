"""What the service is made of, without what it promises: `python -m bench.bare`, with the service's settings.

Its client settings, decoder, updates, requests at once and collector, compiled where the core is; but nothing is
ordered, folded, sent again, kept of a refusal, or waited for before it is committed. What the service costs beyond
it is what its promises cost, and nothing that reads Avro with this decoder is cheaper.
"""

import gc
import json
import os
import threading
import urllib.request
from queue import SimpleQueue
from typing import Final

import requests
from confluent_kafka import Consumer

from bench.loops import url
from consumer.app import GC_THRESHOLDS
from consumer.event.convert import convert
from consumer.event.decode import Decoder, resolve
from consumer.event.encode import opening_of, request_json, update_tail
from consumer.kafka.config import CONSUMER

FULL: Final = 2_000
AT_ONCE: Final = 8


def decoder_of(schema_id: int) -> Decoder:
    """That of a schema."""
    with urllib.request.urlopen(f"{os.environ['SCHEMA_REGISTRY_URL']}/schemas/ids/{schema_id}") as answer:
        schema = json.loads(json.load(answer)["schema"])
    return resolve(schema, schema)


def post(batches: "SimpleQueue[list[bytes]]", free: threading.Semaphore) -> None:
    """Send one batch after the other."""
    session, opening = requests.Session(), opening_of(os.environ["MIXPANEL_TOKEN"])
    while True:
        body = request_json(opening, batches.get())
        headers = {"Content-Type": "application/json"}
        session.post(url(), data=body, headers=headers, timeout=30).raise_for_status()
        free.release()


def main() -> None:
    """Run until killed."""
    gc.set_threshold(*GC_THRESHOLDS)
    batches: SimpleQueue[list[bytes]] = SimpleQueue()
    free = threading.Semaphore(AT_ONCE)
    for _ in range(AT_ONCE):
        threading.Thread(target=post, args=(batches, free), daemon=True).start()
    consumer = Consumer(
        {
            **CONSUMER,
            "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
            "group.id": os.environ["KAFKA_GROUP_ID"],
            "auto.offset.reset": "earliest",
            "enable.auto.offset.store": True,
        }
    )
    consumer.subscribe([os.environ["KAFKA_TOPICS"]])
    decoders: dict[int, Decoder] = {}
    batch: list[bytes] = []
    while True:
        messages = consumer.consume(FULL, 0.2)
        for message in messages:
            value = message.value() or b""
            number = int.from_bytes(value[1:5], "big")
            if number not in decoders:
                decoders[number] = decoder_of(number)
            batch.append(update_tail(convert(decoders[number].decode(value, 5))))
        if batch and (len(batch) >= FULL or not messages):
            free.acquire()
            batches.put(batch)
            batch = []
        if messages:
            consumer.commit()


if __name__ == "__main__":
    main()
