"""What is committed of each partition: the offset with what stands beside it; and whose commit the group has."""

import secrets
import time
from typing import Protocol, TypeAlias

from confluent_kafka import TopicPartition

from consumer.core.model import Assignment
from consumer.kafka.assignments import Owned
from consumer.kafka.commit_metadata import Metadata, parsed, written

Due: TypeAlias = list[tuple[Owned, int]]


class JournalFloors(Protocol):
    """What is committed beside an offset; see journal.py."""

    def floor(self, assignment: Assignment) -> int: ...
    def redone(self, assignment: Assignment, began: int, committed: int) -> int: ...
    def committed(self, assignment: Assignment, offset: int) -> None: ...


class CommitPlaces:
    """The commits of one member. `stamp` is that of the last: each has a later one."""

    def __init__(self, journal: JournalFloors) -> None:
        self.stamp = 0
        self._journal = journal
        self._member = secrets.token_hex(4)

    def of(self, due: Due) -> list[TopicPartition]:
        """What is committed, with the leader's epoch, by which the brokers see that a log was cut."""
        self.stamp = max(now_ms(), self.stamp + 1)
        return [self._place(owned, offset) for owned, offset in due]

    def prove(self, owned: Owned, place: TopicPartition) -> None:
        """The group has this commit, whoever made it."""
        metadata = parsed(place.metadata)
        if metadata.by == self._member:
            owned.proven = max(owned.proven, metadata.at)

    def _place(self, owned: Owned, offset: int) -> TopicPartition:
        place = owned.assignment
        read = min(offset, owned.read) if owned.read >= 0 else -1
        doubtful = place.doubtful if offset < place.doubtful else -1
        floor = self._journal.floor(place)
        redone = self._journal.redone(place, owned.began, offset)
        metadata = written(Metadata(place.topic_id, read, self.stamp, self._member, floor, doubtful, redone))
        leader_epoch = owned.epoch_before(offset)
        if leader_epoch < 0:
            return TopicPartition(place.topic, place.partition, offset, metadata)
        return TopicPartition(place.topic, place.partition, offset, metadata, leader_epoch)


def name_of(owned: Owned) -> tuple[str, int]:
    """Topic and partition."""
    return owned.assignment.topic, owned.assignment.partition


def now_ms() -> int:
    """The wall clock, as records have it."""
    return int(time.time() * 1000)
