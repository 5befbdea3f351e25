"""From polled messages to records: the busiest loop outside the core, and compiled with it.

Messages are `Any`, since a build knows nothing of the client's types.
"""

import logging
from operator import methodcaller
from typing import Any

from consumer.core.model import Record
from consumer.event.model import Headers
from consumer.kafka.assignments import Ownership

log = logging.getLogger("consumer.source")

# Called so, since a call that the interpreter has specialized does not see the client's error, and the next one does.
read_headers = methodcaller("headers")


def records_of(messages: list[Any], owned: Ownership, now: float) -> tuple[list[Record], list[Any]]:
    """The records of what is ours and was not read before, polled at `now`; and the messages that are errors."""
    records: list[Record] = []
    errors: list[Any] = []
    by_topic = owned.by_topic
    for message in messages:
        if message.error() is not None:
            errors.append(message)
            continue
        topic: str = message.topic()
        mine = by_topic.get(topic)
        partition: int = message.partition()
        one = mine.get(partition) if mine is not None else None
        offset: int = message.offset()
        if one is None or offset < one.next:
            continue
        one.next = offset + 1
        headers: Headers | None = None
        try:
            headers = read_headers(message)
        except SystemError:
            words = "headers not read: the name of one is not UTF-8; a dead letter of the record will lack them"
            log.warning(words, extra={"record": f"{one.assignment}@{offset}"})
        kind, timestamp = message.timestamp()
        if not kind:
            timestamp = -1
        records.append(Record(one.assignment, offset, message.key(), message.value(), headers, timestamp, now))
    return records, errors


def count_by_topic(records: list[Record]) -> dict[str, int]:
    """How many there are of each topic."""
    counts: dict[str, int] = {}
    for record in records:
        topic = record.assignment.topic
        counts[topic] = counts.get(topic, 0) + 1
    return counts
