"""Members of one consumer group on a real broker: the real source, and the loop's side of it."""

import time
from collections.abc import Callable

from confluent_kafka import TopicPartition

from consumer.core.model import Assignment, Record
from consumer.kafka.config import CLASSIC
from consumer.kafka.source import Source
from tests.integration.watching import until

PROTOCOLS = {
    "cooperative": CLASSIC | {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500},
    "range": CLASSIC
    | {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500, "partition.assignment.strategy": "range"},
    "consumer": {"group.protocol": "consumer"},
}


class Member:
    """A source with the loop's side of it: what it was told and what it read. A revoke commits what was read."""

    def __init__(self, config: dict[str, object], topic: str) -> None:
        self.told: list[tuple[str, list[int]]] = []
        self.mine: dict[int, Assignment] = {}
        self.read: list[Record] = []
        self.gaps: list[tuple[int, int]] = []
        self.cut: list[int] = []
        self.settled: dict[Assignment, int] = {}
        self.committed_at_revoke: list[tuple[bool, float]] = []
        self.ahead = 0.0  # of the real clock
        self.source = Source(
            config,
            [topic],
            clock=lambda: time.monotonic() + self.ahead,
        )
        self.source.subscribe(self)

    def gap(self, _: str, partition: int, records: int) -> None:
        self.gaps.append((partition, records))

    def truncated(self, _: str, partition: int) -> None:
        self.cut.append(partition)

    def assigned(self, assignments: list[Assignment]) -> None:
        self._note("assigned", assignments)
        self.mine |= {assignment.partition: assignment for assignment in assignments}

    def revoked(self, assignments: list[Assignment]) -> None:
        self._note("revoked", assignments)
        began = time.monotonic()
        settled = {assignment: self.settled[assignment] for assignment in assignments if assignment in self.settled}
        if settled:
            self.committed_at_revoke.append(
                (self.source.commit_without_polling(settled, 10), time.monotonic() - began)
            )
        self._gone(assignments)

    def lost(self, assignments: list[Assignment]) -> None:
        self._note("lost", assignments)
        self._gone(assignments)

    def poll(self) -> list[Record]:
        """Read for a moment."""
        records = self.source.poll(0.05)
        for record in records:
            assert self.mine[record.assignment.partition] is record.assignment
            self.settled[record.assignment] = record.offset + 1
        self.read += records
        return records

    def ends(self) -> list[int]:
        """The ends that it was told since the last call."""
        return [end for _, end in self.source.ends()]

    def values(self, partition: int) -> list[int]:
        """What was read of a partition, in the order in which it came."""
        return [int(record.value or b"") for record in self.read if record.assignment.partition == partition]

    def _gone(self, assignments: list[Assignment]) -> None:
        for assignment in assignments:
            assert self.mine.pop(assignment.partition) is assignment

    def _note(self, what: str, assignments: list[Assignment]) -> None:
        self.told.append((what, sorted(assignment.partition for assignment in assignments)))


def poll_until(condition: Callable[[], object], what: str, *members: Member) -> None:
    """Let members poll until the condition holds."""

    def polled() -> object:
        for member in members:
            member.poll()
        return condition()

    until(polled, what)


def remove(broker, topic: str, partition: int, below: int) -> None:
    """What retention does: records below an offset are gone."""
    place = TopicPartition(topic, partition, below)
    next(iter(broker.admin.delete_records([place]).values())).result(20)
