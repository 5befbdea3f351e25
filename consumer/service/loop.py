"""The loop: one thread turns it, and owns the pipeline, the Kafka consumer and the dead-letter producer.

A turn reads, hands the facts to the pipeline, does the work that it names (through the exchange), and commits:

    read -> collect -> start -> pause -> commit -> observe

Requests and schema fetches run on other threads; what comes back waits in one queue (service/exchange.py). While
requests are under way the loop waits on that queue, else on Kafka: where the next fact will come from.

Each turn renews the lease. Once it has run out, because the process stood still, no thread posts and nothing is
started until the group has answered a commit: it refuses those of a member that it has forgotten.
"""

import logging
from collections.abc import Callable

from consumer.core.model import Assignment
from consumer.core.pipeline import Pipeline
from consumer.mixpanel.lease import Lease
from consumer.service.exchange import Exchange
from consumer.service.ports import LoopObserver, RecordSource

log = logging.getLogger("consumer.loop")

READ_AT_ONCE = 500
# How long one wait may last, in seconds: on answers while requests are under way, else on Kafka.
WAIT_FOR_ANSWERS = 0.02
WAIT_FOR_RECORDS = 0.05
# The same while requests wait for the journal: neither its broker nor the group wakes the loop.
WAIT_FOR_JOURNAL = 0.005
COMMIT_EVERY = 0.5
OBSERVE_EVERY = 1.0
# The end of a drain that belongs to dead letters and the commit; a drain of less than 10 s gives a fifth.
RESERVED = 2.0
# How long the group may take to say whether it still knows us; then it is asked again.
VERIFY_TIMEOUT = 2.0


class Loop:
    """Turns until it is told to stop, then drains. It is what the source calls at a rebalance."""

    def __init__(
        self,
        pipeline: Pipeline,
        source: RecordSource,
        exchange: Exchange,
        observer: LoopObserver,
        *,
        drain_timeout: float,
        lease: Lease,
        clock: Callable[[], float],
    ) -> None:
        """Nothing is started while the `lease` has run out: the group is asked first."""
        self.pipeline = pipeline
        self._source = source
        self._exchange = exchange
        self._observer = observer
        self._drain_timeout = drain_timeout
        self._clock = clock
        self._lease = lease
        self._commit_at = 0.0
        self._observe_at = 0.0
        self._doubt = False  # the lease ran out, and the group has not answered since
        self._more = False  # the last read was full: there is more at once
        self._paused: dict[Assignment, str] = {}
        source.subscribe(self)

    def run(self, stopping: Callable[[], bool]) -> None:
        """Turn until `stopping` says so, then drain, commit and leave the group."""
        while not stopping():
            self.turn()
        self.stop()

    def turn(self) -> None:
        """One turn: read, collect what came back, start what is due, pause, commit, observe."""
        self._read()
        self._exchange.collect(0.0)
        if not self._in_doubt():
            self._exchange.start()
        self._pause()
        self._commit()
        self._observe()

    def stop(self) -> None:
        """Drain every partition and commit within the time of a drain; then close what was opened."""
        self._drain(self.pipeline.partitions.assignments(), "stop")
        self._source.close(RESERVED)
        self._exchange.close()

    # The steps of a turn.

    def _read(self) -> None:
        """Wait where the next fact will come from, then read what Kafka has.

        While the next requests are full already, an answer comes first: then one record is read in a turn, since the
        client does its work inside of a poll, and what it has fetched would be thrown away by a pause.
        """
        now = self._clock()
        supplied = self._exchange.busy() and self.pipeline.destinations.supplied()
        wait = 0.0 if self._more and not supplied else max(0.0, self.pipeline.wake_at(now) - now)
        if self._doubt:
            wait = WAIT_FOR_RECORDS  # what is due is not started: no reason to turn at once
        if self._exchange.journal_pending():
            wait = min(wait, WAIT_FOR_JOURNAL)
        if self._exchange.busy():
            self._exchange.collect(min(wait, WAIT_FOR_ANSWERS))
            wait = 0.0
        limit = 1 if supplied else max(1, min(READ_AT_ONCE, self.pipeline.partitions.room()))
        records = self._source.poll(min(wait, WAIT_FOR_RECORDS), limit)
        self._more = len(records) == limit
        if records:
            self._observer.read(records)
            self.pipeline.polled(records, self._clock())
        for assignment, end in self._source.ends():
            self.pipeline.partitions.ended(assignment, end)
        self.pipeline.partitions.cannot_read(self._source.unreadable())

    def _in_doubt(self) -> bool:
        """Whether the process stood still (stopped, frozen, swapped out), and the group has not answered since."""
        if self._lease.valid():
            self._lease.renew()
            return False
        if not self._doubt:
            self._doubt = True
            log.warning("the loop stood still: the group is asked whether the partitions are still ours")
        offsets = self.pipeline.partitions.settled_or_first()  # without any there is nothing to send, either
        if not offsets or not self._source.verify(offsets, VERIFY_TIMEOUT):
            return True
        self._doubt = False
        self._lease.renew()
        return False

    def _pause(self) -> None:
        self._paused = self.pipeline.paused()
        self._source.pause(self._paused)

    def _commit(self) -> None:
        """Commit what is settled, twice a second: its age is what a crash repeats."""
        now = self._clock()
        if now < self._commit_at:
            return
        self._commit_at = now + COMMIT_EVERY
        self._source.commit(self.pipeline.partitions.committable())

    def _observe(self) -> None:
        now = self._clock()
        self._observer.turned(now)
        if now >= self._observe_at:
            self._observe_at = now + OBSERVE_EVERY
            self._observer.observe(now, self._paused)

    # What the source calls, from inside `poll` and `close`.

    def gap(self, topic: str, partition: int, records: int) -> None:
        """Retention removed so many records before they were read."""
        self._observer.gap(topic, partition, records)

    def truncated(self, topic: str, partition: int) -> None:
        """The partition's log lost what was read of it."""
        self._observer.truncated(topic, partition)

    def assigned(self, assignments: list[Assignment]) -> None:
        """These partitions are ours from now on."""
        self._exchange.assigned(assignments)
        self.pipeline.assigned(assignments)
        self._observer.rebalanced("assigned", assignments)

    def revoked(self, assignments: list[Assignment]) -> None:
        """These partitions go to another: drain, commit, forget. When this returns nothing of them is sent."""
        mine = set(self.pipeline.partitions.assignments())
        going = [assignment for assignment in assignments if assignment in mine]  # none where `stop` let go of them
        if going:
            self._observer.rebalanced("revoked", going)
            self._drain(going, "revoke")

    def lost(self, assignments: list[Assignment]) -> None:
        """These partitions are another's already: forget them without a commit."""
        self._observer.rebalanced("lost", assignments)
        given_up = self._exchange.give_up(assignments)
        self._observer.drained(assignments, 0.0, given_up, clean=False)

    def _drain(self, assignments: list[Assignment], why: str) -> None:
        """Settle what is on its way, as far as the time allows; then flush, commit and forget."""
        if not assignments:
            return
        began = self._clock()
        end = began + self._drain_timeout
        deadline = end - min(RESERVED, self._drain_timeout / 5)
        log.info("draining", extra={"why": why, "partitions": len(assignments)})
        self.pipeline.drain(assignments, deadline)
        clean = self._finish(assignments, deadline)
        self._exchange.flush(max(0.0, end - self._clock()) / 2)
        self._exchange.collect(0.0)
        offsets = self.pipeline.partitions.committable()
        mine = {assignment: offsets[assignment] for assignment in assignments if assignment in offsets}
        if mine:  # a rebalance is inside a poll, and none brings the broker's word: what the group has is read back
            self._source.commit_without_polling(mine, max(0.1, end - self._clock()))
        given_up = self._exchange.give_up(assignments)
        self._observer.drained(assignments, self._clock() - began, given_up, clean)

    def _finish(self, assignments: list[Assignment], deadline: float) -> bool:
        """Turn without reading until these partitions are drained; False where that did not come to an end."""
        while not self.pipeline.drained(assignments):
            now = self._clock()
            if not self._lease.valid():
                return False  # asleep meanwhile: another may have these partitions already
            self._lease.renew()
            self._exchange.start()
            idle = not self._exchange.busy()
            if now >= deadline or (idle and self.pipeline.wake_at(now) > deadline):
                return False
            self._exchange.collect(min(WAIT_FOR_ANSWERS, deadline - now), draining=True)
            self._observer.turned(self._clock())
        return True
