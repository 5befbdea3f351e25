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
        self._question: tuple[int, float] | None = None  # the stamp of the commit that verifies, and when it was sent
        self.fenced: list[Owned] = []

    def send(self, consumer: Consumer, offsets: Mapping[Assignment, int]) -> None:
        """Commit what is not committed yet; failures are tried again at the next call."""
        due = [(owned, offset) for owned, offset in self._mine(offsets) if owned.asked != offset]
        if not due:
            return
        for owned, offset in due:
            owned.asked = offset
        try:
            consumer.commit(offsets=self._places.of(due), asynchronous=True)
        except KafkaException as failure:
            self._refused([owned for owned, _ in due], failure.args[0])

    def prove(self, consumer: Consumer, offsets: Mapping[Assignment, int]) -> int:
        """Commit these, be they committed or not; the stamp by which the group's word on it is known."""
        due = self._mine(offsets)
        for owned, offset in due:
            owned.asked = offset
        places = self._places.of(due)
        try:
            consumer.commit(offsets=places, asynchronous=True)
        except KafkaException as failure:
            self._refused([owned for owned, _ in due], failure.args[0])
        return self._places.stamp

    def look(self, consumer: Consumer, mine: Iterable[Owned]) -> None:
        """See which of our commits the group has: where the client brings no word on them."""
        self._look(consumer, [(owned, owned.asked) for owned in mine], LOOK_WITHIN)

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
                return self._given_up()
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
                for owned, _ in due:
                    owned.asked = owned.committed
                self.send(consumer, offsets)
            self._look(consumer, due, max(0.1, end - now))
            due = self._uncommitted(offsets)
            if due and time.monotonic() > end:
                return self._given_up()
            if due:
                time.sleep(LOOK_EVERY)
        return True

    def _given_up(self) -> bool:
        """A last commit was not confirmed in time."""
        self._failed()
        log.warning(NOT_CONFIRMED)
        return False

    def verify(self, consumer: Consumer, offsets: Mapping[Assignment, int], timeout: float) -> bool:
        """Whether the group has said that it still knows us, to a commit of the last `timeout` seconds.

        Waits for nothing: the first call asks, and a poll brings the word. `fenced` has what it calls a stranger's.
        """
        due = self._mine(offsets)
        if not due:
            return True
        now = time.monotonic()
        if self._question is None or now - self._question[1] > timeout:
            self._question = (self.prove(consumer, offsets), now)
            return False
        stamp, _ = self._question
        if all(one.proven < stamp for one, _ in due):
            return False
        self._question = None
        return True

    def on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """The broker's word on a commit that was sent; called inside a poll."""
        for place in partitions:
            owned = self._owned.get(place)
            failed = place.error or error
            if owned is not None and failed is None:
                self._places.prove(owned, place)
            if owned is None or owned.asked != place.offset:
                continue  # of an assignment that is over, or followed by a later commit
            if failed is None:
                self._confirmed(owned, place.offset)
            else:
                self._refused([owned], failed)

    def _ask(self, consumer: Consumer, due: Due, timeout: float) -> bool:
        """One commit, and the broker's word on it; whether it took all of it."""
        answer = _ask(consumer, self._places.of(due), timeout)
        if answer is None:
            return False
        if isinstance(answer, KafkaError):
            self._refused([owned for owned, _ in due], answer)
            return False
        errors = {(place.topic, place.partition): place.error for place in answer if place.error is not None}
        for owned, offset in due:
            error = errors.get((owned.assignment.topic, owned.assignment.partition))
            if error is None:
                owned.asked = offset
                self._confirmed(owned, offset)
            else:
                self._refused([owned], error)
        return not errors

    def _look(self, consumer: Consumer, due: Due, timeout: float) -> None:
        """See which of these the group has."""
        try:
            places = consumer.committed([TopicPartition(*name_of(owned)) for owned, _ in due], timeout=timeout)
        except KafkaException:
            return
        has = {(place.topic, place.partition): place for place in places if place.error is None}
        for owned, offset in due:
            place = has.get(name_of(owned))
            if place is not None:
                self._places.prove(owned, place)
                if place.offset == offset:
                    self._confirmed(owned, offset)

    def _mine(self, offsets: Mapping[Assignment, int]) -> Due:
        mine = [(self._owned.of(assignment), offset) for assignment, offset in offsets.items()]
        return [(owned, offset) for owned, offset in mine if owned is not None]

    def _uncommitted(self, offsets: Mapping[Assignment, int]) -> Due:
        return [(owned, offset) for owned, offset in self._mine(offsets) if owned.committed != offset]

    def _confirmed(self, owned: Owned, offset: int) -> None:
        owned.committed = offset
        owned.committed_at = now_ms()
        owned.settled(offset)
        self._journal.committed(owned.assignment, offset)
        if self._failing:
            self._failing = False
            log.info("commits are confirmed again")

    def _refused(self, refused: list[Owned], error: KafkaError) -> None:
        """Tried again at the next call; a stranger's commit means that the partitions are lost."""
        code = error.code()
        for owned in refused:
            owned.asked = owned.committed
            if code in FENCED:
                self.fenced.append(owned)
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
    """The broker's word, or None for none in time: the call has no time-out, and a frozen broker holds it long.

    Until it has ended any other call of this consumer waits, on whichever thread: it is for the end alone.
    """
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
