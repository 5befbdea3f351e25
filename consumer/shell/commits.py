"""Commits: what the broker confirmed is not sent again, what failed is, and what a stranger sent is told.

send(committable)              without waiting; the broker's word comes to `confirmed_or_not`, inside a poll
send_and_wait(committable)     for the end of a drain
send_and_look(committable)     the same from inside a callback of the client
fenced                         partitions whose commit the group refused as that of a stranger
"""

import logging
import threading
import time
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumer.core.model import Assignment
from consumer.shell.ownership import Owned, Ownership

log = logging.getLogger("consumer.source")

# The group does not know this member, or not any more.
FENCED = frozenset(
    (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.FENCED_INSTANCE_ID, KafkaError.FENCED_MEMBER_EPOCH, KafkaError._FENCED)
)
# Said of a commit that was under way during a rebalance, too: believed when it is said twice in a row.
DOUBTFUL = frozenset((KafkaError.ILLEGAL_GENERATION,))

# Inside a callback a refusal is not heard, so it is not waited for longer than this, in seconds.
LOOK_FOR = 3.0
LOOK_EVERY = 0.02

Due = list[tuple[Owned, int]]


class Commits:
    """The commits of one consumer. One thread calls."""

    def __init__(self, owned: Ownership) -> None:
        self._owned = owned
        self._failing = False
        self.fenced: list[Owned] = []

    def send(self, consumer: Consumer, offsets: Mapping[Assignment, int]) -> None:
        """Commit what is not committed yet; failures are tried again at the next call."""
        due = [(one, offset) for one, offset in self._mine(offsets) if one.asked != offset]
        if not due:
            return
        for one, offset in due:
            one.asked = offset
        try:
            consumer.commit(offsets=_places(due), asynchronous=True)
        except KafkaException as failure:
            self._refused([one for one, _ in due], failure.args[0])

    def send_and_wait(self, consumer: Consumer, offsets: Mapping[Assignment, int], timeout: float) -> bool:
        """Commit and wait for the broker's word, no longer than `timeout` seconds; whether all is committed."""
        due = self._mine(offsets)
        if not due:
            return True
        answer = _ask(consumer, _places(due), timeout)
        if answer is None:
            log.warning("commit not confirmed in time: the next owner repeats what it covered")
            return False
        if isinstance(answer, KafkaError):
            self._refused([one for one, _ in due], answer)
            return False
        errors = {(place.topic, place.partition): place.error for place in answer if place.error is not None}
        for one, offset in due:
            error = errors.get((one.assignment.topic, one.assignment.partition))
            if error is None:
                one.asked = offset
                self._confirmed(one, offset)
            else:
                self._refused([one], error)
        return not errors

    def send_and_look(self, consumer: Consumer, offsets: Mapping[Assignment, int], timeout: float) -> bool:
        """Commit from inside a rebalance callback, and see what the group has then; whether all is committed.

        There the client brings no word on a commit: what waits for one on another thread waits until the callback
        is over, and what waits on this thread cannot be given up.
        """
        self.send(consumer, offsets)
        end = time.monotonic() + min(timeout, LOOK_FOR)
        due = self._uncommitted(offsets)
        while due:
            try:
                found = consumer.committed(_places(due), timeout=max(0.1, end - time.monotonic()))
            except KafkaException:
                found = []
            has = {(place.topic, place.partition): place.offset for place in found}
            for one, offset in due:
                if has.get((one.assignment.topic, one.assignment.partition)) == offset:
                    self._confirmed(one, offset)
            due = self._uncommitted(offsets)
            if due and time.monotonic() > end:
                log.warning("commit not confirmed in time: the next owner repeats what it covered")
                return False
            if due:
                time.sleep(LOOK_EVERY)
        return True

    def confirmed_or_not(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """The broker's word on a commit that was sent; called inside a poll."""
        for place in partitions:
            one = self._owned.get(place)
            failed = place.error or error
            if one is None or one.asked != place.offset:  # of an assignment that is over
                if failed is not None:
                    log.warning("last commit of a partition failed: its next owner repeats what it covered")
                continue
            if failed is None:
                self._confirmed(one, place.offset)
            else:
                self._refused([one], failed)

    def _mine(self, offsets: Mapping[Assignment, int]) -> Due:
        found = [(self._owned.of(assignment), offset) for assignment, offset in offsets.items()]
        return [(one, offset) for one, offset in found if one is not None]

    def _uncommitted(self, offsets: Mapping[Assignment, int]) -> Due:
        return [(one, offset) for one, offset in self._mine(offsets) if one.committed != offset]

    def _confirmed(self, one: Owned, offset: int) -> None:
        one.committed = offset
        one.doubts = 0
        if self._failing:
            self._failing = False
            log.info("commits are confirmed again")

    def _refused(self, owned: list[Owned], error: KafkaError) -> None:
        """Tried again at the next call; a stranger's commit means that the partitions are lost."""
        code = error.code()
        for one in owned:
            one.asked = one.committed
            one.doubts = one.doubts + 1 if code in DOUBTFUL else 0
            if code in FENCED or one.doubts > 1:
                self.fenced.append(one)
        if not self._failing:
            self._failing = True
            log.warning("commit failed: it is tried again", extra={"cause": error.name()})


def _ask(
    consumer: Consumer, places: list[TopicPartition], timeout: float
) -> list[TopicPartition] | KafkaError | None:
    """The broker's word, or None for none in time: the call has no time-out, and a frozen broker holds it long."""
    answers: list[list[TopicPartition] | KafkaError] = []

    def ask() -> None:
        try:
            answers.append(consumer.commit(offsets=places, asynchronous=False) or [])
        except KafkaException as failure:
            answers.append(failure.args[0])

    thread = threading.Thread(target=ask, name="commit", daemon=True)
    thread.start()
    thread.join(timeout)
    return answers[0] if answers else None


def _places(due: Due) -> list[TopicPartition]:
    return [TopicPartition(one.assignment.topic, one.assignment.partition, offset) for one, offset in due]
