"""Writes the sandbox's traffic to a topic, fast and in order per group."""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from threading import Event
from typing import Any, Final

from confluent_kafka import KafkaException, Producer

from consumer.sandbox.traffic.event import Expected, TrafficEvent

CONFIG: Final[dict[str, Any]] = {
    "linger.ms": 20,
    "compression.type": "lz4",
    "enable.idempotence": True,  # so that a resend changes no order
    "partitioner": "murmur2_random",  # where Java's producers put the same key
    "log_level": 2,
}
PATIENCE: Final = 120.0


def produce(
    bootstrap: str,
    topic: str,
    events: Iterable[TrafficEvent],
    *,
    expected: Expected | None = None,
    progress: Callable[[int], None] = lambda _: None,
    stopping: Event | None = None,
    config: dict[str, Any] | None = None,
) -> int:
    """Write all events and wait until the broker has them; says how many. Raises KafkaException where it has not.

    What is written is noted in `expected`. `progress` is told how many were handed over so far. `stopping` ends it.
    """
    producer = Producer({"bootstrap.servers": bootstrap, **CONFIG, **(config or {})})
    failures: list[Any] = []
    delivered = partial(_note, failures)
    count = 0
    for event in events:
        while not failures and not _handed_over(producer, topic, event, delivered):
            producer.poll(0.1)
        if failures or (stopping is not None and stopping.is_set()):
            break
        if expected is not None:
            expected.note(event)
        count += 1
        if not count % 1000:
            producer.poll(0)
            progress(count)
    left = _flush(producer, stopping)
    progress(count)
    if failures:
        raise KafkaException(failures[0])
    if left:
        raise TimeoutError(f"{left} of {count} events are not in {topic} after {PATIENCE:.0f} s")
    return count


def _note(failures: list[Any], error: Any, _: Any) -> None:
    """What came of an event: its error, None where the broker has it."""
    if error is not None:
        failures.append(error)


def _handed_over(producer: Producer, topic: str, event: TrafficEvent, delivered: Callable[[Any, Any], None]) -> bool:
    """Whether the client has taken the event; False while its queue is full."""
    try:
        producer.produce(topic, event.value, event.key, headers=event.headers, on_delivery=delivered)
    except BufferError:
        return False
    return True


def _flush(producer: Producer, stopping: Event | None) -> int:
    """Wait until the broker has everything; says how many records it has not."""
    deadline = time.monotonic() + PATIENCE
    while left := producer.flush(0.2):
        if stopping is not None and stopping.is_set():
            producer.purge()
            producer.flush(1)
            return 0
        if time.monotonic() > deadline:
            break
    return left


def paced(events: Iterable[TrafficEvent], rate: Callable[[], float], stopping: Event) -> Iterator[TrafficEvent]:
    """The events at so many a second, asked for again as it goes; ends when it is to stop."""
    due = time.monotonic()
    for event in events:
        now = time.monotonic()
        due = max(due, now - 1) + 1 / max(rate(), 0.001)
        if due > now and stopping.wait(due - now):
            return
        yield event
