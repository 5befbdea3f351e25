"""Commits: what the broker confirmed is not sent again, what failed is, and what a stranger sent is told.

send(committable)              without waiting; the broker's word comes to `on_commit`, inside a poll
send_and_wait(committable)     for the end of a drain
send_and_look(committable)     the same from inside a callback of the client
verify(offsets)                whether the group still knows us
prove(offsets), look(places)   the same without waiting: `Owned.proven` is the stamp of the last commit that it took
fenced                         partitions whose commit the group refused as that of a stranger
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumer.core.model import Assignment
from consumer.kafka.assignments import Assignments, Owned
from consumer.kafka.commit_places import CommitPlaces, Due, JournalFloors, name_of, now_ms

log = logging.getLogger("consumer.source")

# The group does not know this member, or not any more.
FENCED = frozenset(
    (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.FENCED_INSTANCE_ID, KafkaError.FENCED_MEMBER_EPOCH, KafkaError._FENCED)
)
# Said to a member while the group rebalances: a commit waits behind the join, and is of an older generation after it.
OF_A_REBALANCE = frozenset(
    (KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS, KafkaError.STALE_MEMBER_EPOCH)
)

# How long a refused commit rests before it is sent again, in seconds.
SEND_EVERY = 0.05
# Inside a callback a refusal is not heard, so it is not waited for longer than this, in seconds.
LOOK_FOR = 3.0
LOOK_EVERY = 0.02
LOOK_WITHIN = 0.5
SEND_AGAIN_EVERY = 0.5

NOT_CONFIRMED = "commit not confirmed in time: the next owner repeats what it covered"


class Commits:
    """The commits of one consumer. One thread calls."""

    def __init__(self, owned: Assignments, journal: JournalFloors, failed: Callable[[], None] = lambda: None) -> None:
        """`failed` is called for each commit that was refused, and for a last one not confirmed in time."""
        self._owned = owned
        self._journal = journal
        self._places = CommitPlaces(journal)
        self._failed = failed
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
            consumer.commit(offsets=self._places.of(due), asynchronous=True)
        except KafkaException as failure:
            self._refused([one for one, _ in due], failure.args[0])

    def prove(self, consumer: Consumer, offsets: Mapping[Assignment, int]) -> int:
        """Commit these, be they committed or not; the stamp by which the group's word on it is known."""
        due = self._mine(offsets)
        for one, offset in due:
            one.asked = offset
        places = self._places.of(due)
        try:
            consumer.commit(offsets=places, asynchronous=True)
        except KafkaException as failure:
            self._refused([one for one, _ in due], failure.args[0])
        return self._places.stamp

    def look(self, consumer: Consumer, mine: Iterable[Owned]) -> None:
        """See which of our commits the group has: where the client brings no word on them."""
        self._look(consumer, [(one, one.asked) for one in mine], LOOK_WITHIN)

    def send_and_wait(self, consumer: Consumer, offsets: Mapping[Assignment, int], timeout: float) -> bool:
        """Commit until the broker confirms it, no longer than `timeout` seconds; whether all is committed.

        During a rebalance a commit waits behind the join, and is refused as one of the older generation: only another
        one, with the generation that came of the join, is taken.
        """
        end = time.monotonic() + timeout
        due = self._uncommitted(offsets)
        while due:
            self._ask(consumer, due, end - time.monotonic())
            due = self._uncommitted(offsets)
            if due and (self.fenced or time.monotonic() + SEND_EVERY > end):
                self._failed()
                log.warning(NOT_CONFIRMED)
                return False
            if due:
                time.sleep(SEND_EVERY)
        return True

    def send_and_look(self, consumer: Consumer, offsets: Mapping[Assignment, int], timeout: float) -> bool:
        """Commit from inside a rebalance callback, and see what the group has then; whether all is committed.

        There the client brings no word on a commit: what waits for one on another thread waits until the callback
        is over, and what waits on this thread cannot be given up. So it is sent again while the group has another.
        """
        now = time.monotonic()
        end, send_at = now + min(timeout, LOOK_FOR), now
        due = self._uncommitted(offsets)
        while due:
            now = time.monotonic()
            if now >= send_at:
                send_at = now + SEND_AGAIN_EVERY
                for one, _ in due:
                    one.asked = one.committed
                self.send(consumer, offsets)
            self._look(consumer, due, max(0.1, end - now))
            due = self._uncommitted(offsets)
            if due and time.monotonic() > end:
                self._failed()
                log.warning(NOT_CONFIRMED)
                return False
            if due:
                time.sleep(LOOK_EVERY)
        return True

    def verify(self, consumer: Consumer, offsets: Mapping[Assignment, int], timeout: float) -> bool:
        """Ask the group, by one commit, whether it still knows us; `fenced` has what it calls a stranger's."""
        due = self._mine(offsets)
        return not due or self._ask(consumer, due, timeout)

    def on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """The broker's word on a commit that was sent; called inside a poll."""
        for place in partitions:
            one = self._owned.get(place)
            failed = place.error or error
            if one is not None and failed is None:
                self._places.prove(one, place)
            if one is None or one.asked != place.offset:
                continue  # of an assignment that is over, or followed by a later commit
            if failed is None:
                self._confirmed(one, place.offset)
            else:
                self._refused([one], failed)

    def _ask(self, consumer: Consumer, due: Due, timeout: float) -> bool:
        """One commit, and the broker's word on it; whether it took all of it."""
        answer = _ask(consumer, self._places.of(due), timeout)
        if answer is None:
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

    def _look(self, consumer: Consumer, due: Due, timeout: float) -> None:
        """See which of these the group has."""
        try:
            found = consumer.committed([TopicPartition(*name_of(one)) for one, _ in due], timeout=timeout)
        except KafkaException:
            return
        has = {(place.topic, place.partition): place for place in found if place.error is None}
        for one, offset in due:
            place = has.get(name_of(one))
            if place is not None:
                self._places.prove(one, place)
                if place.offset == offset:
                    self._confirmed(one, offset)

    def _mine(self, offsets: Mapping[Assignment, int]) -> Due:
        found = [(self._owned.of(assignment), offset) for assignment, offset in offsets.items()]
        return [(one, offset) for one, offset in found if one is not None]

    def _uncommitted(self, offsets: Mapping[Assignment, int]) -> Due:
        return [(one, offset) for one, offset in self._mine(offsets) if one.committed != offset]

    def _confirmed(self, one: Owned, offset: int) -> None:
        one.committed = offset
        one.committed_at = now_ms()
        one.settled(offset)
        self._journal.committed(one.assignment, offset)
        if self._failing:
            self._failing = False
            log.info("commits are confirmed again")

    def _refused(self, owned: list[Owned], error: KafkaError) -> None:
        """Tried again at the next call; a stranger's commit means that the partitions are lost."""
        code = error.code()
        for one in owned:
            one.asked = one.committed
            if code in FENCED:
                self.fenced.append(one)
        if code in OF_A_REBALANCE:
            log.debug("commit waits for the end of a rebalance", extra={"cause": error.name()})
            return
        self._failed()
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
