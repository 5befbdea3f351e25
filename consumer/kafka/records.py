"""From polled messages to records: the busiest loop outside the core, and compiled with it.

Messages are `Any`, since a build knows nothing of the client's types.
"""

import logging
from typing import Any

from consumer.core.model import Record
from consumer.kafka.assignments import Assignments
from consumer.kafka.headers import headers_of

log = logging.getLogger("consumer.source")


def records_of(messages: list[Any], owned: Assignments, now: float) -> tuple[list[Record], list[Any]]:
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
        one.next = one.read = offset + 1
        leader_epoch: int | None = message.leader_epoch()
        if leader_epoch is not None and leader_epoch > one.leader_epoch:
            one.goes_on(offset, leader_epoch)
        headers, lost = headers_of(message)
        if lost:
            words = "headers lost: their names are not UTF-8; a dead letter of the record will say how many"
            log.warning(words, extra={"record": f"{one.assignment}@{offset}", "lost": lost})
        kind, timestamp = message.timestamp()
        if not kind:
            timestamp = -1
        records.append(Record(one.assignment, offset, message.key(), message.value(), headers, timestamp, now, lost))
    return records, errors


def count_by_topic(records: list[Record]) -> dict[str, int]:
    """How many there are of each topic."""
    counts: dict[str, int] = {}
    for record in records:
        topic = record.assignment.topic
        counts[topic] = counts.get(topic, 0) + 1
    return counts
