"""How an assignment begins: at the committed offset, with its leader's epoch, if the topic is still the same."""

import logging
from collections.abc import Iterable, Sequence
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, OFFSET_INVALID, Consumer, KafkaException, TopicPartition

from consumer.kafka.assignments import Assignments, Owned, Place
from consumer.kafka.commit_metadata import parsed
from consumer.kafka.lookups import Lookups

log = logging.getLogger("consumer.source")

# Both are answered in milliseconds, by brokers that have just answered; a rebalance waits meanwhile.
COMMITTED_WITHIN: Final = 3.0
IDS_WITHIN: Final = 1.0


def begin(
    consumer: Consumer, lookups: Lookups, owned: Assignments, partitions: Sequence[TopicPartition]
) -> list[TopicPartition]:
    """New epochs of these partitions begin; returned is where each is to be assigned.

    One whose commit has the epoch of its leader is assigned at its beginning, and is to be sought where it goes on:
    only then does the client ask whether the log was cut since. What it reads meanwhile is left out.
    Where the brokers do not say in time what is committed, the client asks again by itself.
    """
    ids = lookups.topic_ids({place.topic for place in partitions}, IDS_WITHIN) if partitions else {}
    committed = committed_of(consumer, partitions)
    return [begun(owned, place, ids.get(place.topic, ""), committed) for place in partitions]


def committed_of(consumer: Consumer, partitions: Sequence[TopicPartition]) -> dict[Place, TopicPartition] | None:
    """What is committed of these partitions; None where it was not to be known in time."""
    if not partitions:
        return {}
    places = [TopicPartition(place.topic, place.partition) for place in partitions]
    try:
        answered: Iterable[TopicPartition] = consumer.committed(places, timeout=COMMITTED_WITHIN)
    except KafkaException as failure:
        log.debug("committed offsets are not known", extra={"cause": failure.args[0].name()})
        return None
    return {(place.topic, place.partition): place for place in answered if place.error is None}


def begun(
    owned: Assignments, named: TopicPartition, topic_id: str, committed: dict[Place, TopicPartition] | None
) -> TopicPartition:
    """A new epoch of the partition, whose topic has this id; returned is the offset to read from."""
    place = TopicPartition(named.topic, named.partition)
    found = committed.get((named.topic, named.partition)) if committed is not None else None
    if found is None or found.offset < 0:
        owned.add(place, topic_id)
        place.offset = OFFSET_INVALID if found is None else OFFSET_BEGINNING
        return place
    metadata = parsed(found.metadata)
    if metadata.topic_id and topic_id and metadata.topic_id != topic_id:
        name = owned.add(place, topic_id).assignment
        fields = {"partition": repr(name), "committed": found.offset}
        log.error("the topic was recreated since the last commit: it is read from its start", extra=fields)
        place.offset = OFFSET_BEGINNING
        return place
    one = owned.add(place, topic_id, max(0, metadata.doubtful))
    one.next = one.committed = one.asked = one.began = found.offset
    one.read = metadata.read if 0 <= metadata.read <= found.offset else found.offset
    one.committed_at = metadata.at
    one.journal = metadata.journal
    one.redone = metadata.redone
    if found.leader_epoch is not None and found.leader_epoch >= 0:
        one.goes_on(found.offset - 1, found.leader_epoch)
        place.offset = OFFSET_BEGINNING
        return place
    return at(one)


def at(owned: Owned) -> TopicPartition:
    """The partition, with the offset to go on at and the epoch that it is checked by."""
    name, offset = owned.assignment, owned.next if owned.next >= 0 else OFFSET_INVALID
    leader_epoch = owned.epoch_before(owned.next)
    if leader_epoch < 0 or owned.next <= 0:
        return TopicPartition(name.topic, name.partition, offset)
    return TopicPartition(name.topic, name.partition, offset, "", leader_epoch)
