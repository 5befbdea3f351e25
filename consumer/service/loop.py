"""The loop: one thread turns it, and owns the pipeline, the Kafka consumer and the dead-letter producer.

A turn reads, hands the facts to the pipeline, does the work that the pipeline names, and commits:

    read -> collect -> do -> pause -> commit -> observe

Requests and schema fetches run on other threads; what comes back waits in one queue. While requests are
under way the loop waits on that queue, else on Kafka: where the next fact will come from.
"""

import logging
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import assert_never

from consumer.core.model import Assignment
from consumer.core.pipeline import Pipeline
from consumer.kafka.compaction import Compaction
from consumer.mixpanel.lease import Lease
from consumer.mixpanel.pool import Response, TokenChanged
from consumer.registry.fetcher import SchemaFailing, SchemaHeld, SchemaKnown, SchemaRefused, SchemaUnfitting
from consumer.service.adds import Adds, Unannounced
from consumer.service.ports import DeadLetterProducer, LoopObserver, RecordSource, RequestPool, Result, SchemaFetcher

log = logging.getLogger("consumer.loop")

READ_AT_ONCE = 500
# How long one wait may last, in seconds: on answers while requests are under way, else on Kafka.
WAIT_FOR_ANSWERS = 0.02
WAIT_FOR_RECORDS = 0.05
# The same while requests wait for the journal: neither its broker nor the group wakes the loop.
WAIT_FOR_JOURNAL = 0.005
COMMIT_EVERY = 0.5
OBSERVE_EVERY = 1.0
# The end of a drain that belongs to dead letters and the commit; a short drain gives a fifth of itself.
RESERVED = 2.0
# How long the group may take to say whether it still knows us.
VERIFY_TIMEOUT = 2.0


class Loop:
    """Turns until it is told to stop, then drains. It is what the source calls at a rebalance."""

    def __init__(
        self,
        pipeline: Pipeline,
        source: RecordSource,
        pool: RequestPool,
        registry: SchemaFetcher,
        dead_letters: DeadLetterProducer,
        results: "SimpleQueue[Result]",
        observer: LoopObserver,
        *,
        drain_timeout: float,
        lease: Lease,
        clock: Callable[[], float],
        jitter: Callable[[], float],
        adds: Adds | None = None,
    ) -> None:
        """Nothing is started while the `lease` has run out: the group is asked first.

        `adds` is the pool, where it announces `$add`s before it posts; None where none is announced.
        """
        self.pipeline = pipeline
        self._source = source
        self._pool = pool
        self._adds: Adds = adds if adds is not None else Unannounced()
        self._registry = registry
        self._dead_letters = dead_letters
        self._results = results
        self._observer = observer
        self._drain_timeout = drain_timeout
        self._clock = clock
        self._jitter = jitter
        self._lease = lease
        self._commit_at = 0.0
        self._observe_at = 0.0
        self._doubt = False  # it stood still, and has said so
        self._more = False  # the last read was full: there is more at once
        self._draining = False  # the source is not polled
        self._paused: dict[Assignment, str] = {}
        source.subscribe(self)

    def run(self, stopping: Callable[[], bool]) -> None:
        """Turn until `stopping` says so, then drain, commit and leave the group."""
        while not stopping():
            self.turn()
        self.stop()

    def turn(self) -> None:
        """One turn: read, collect what came back, do what is due, pause, commit, observe."""
        self._read()
        self._collect(0.0)
        if not self._in_doubt():
            self._do()
        self._pause()
        self._commit()
        self._observe()

    def stop(self) -> None:
        """Drain every partition, commit, and close what was opened; never longer than the drain may take."""
        self._drain(self.pipeline.partitions.assignments(), "stop")
        self._source.close(RESERVED)
        self._pool.close(0.0)
        self._registry.close()
        self._dead_letters.close()

    # The steps of a turn.

    def _read(self) -> None:
        """Wait where the next fact will come from, then read what Kafka has."""
        now = self._clock()
        wait = 0.0 if self._more else max(0.0, self.pipeline.wake_at(now) - now)
        if self._doubt:
            wait = WAIT_FOR_RECORDS  # nothing that is due is done
        if self._adds.pending():
            wait = min(wait, WAIT_FOR_JOURNAL)
        busy = self.pipeline.destinations.in_flight() > 0 or self._dead_letters.pending() > 0
        if busy:
            self._collect(min(wait, WAIT_FOR_ANSWERS))
            wait = 0.0
        limit = max(1, min(READ_AT_ONCE, self.pipeline.partitions.room()))
        records = self._source.poll(min(wait, WAIT_FOR_RECORDS), limit)
        self._more = len(records) == limit
        if records:
            self._observer.read(records)
            self.pipeline.polled(records, self._clock())
        for assignment, end in self._source.ends():
            self.pipeline.partitions.ended(assignment, end)
        self.pipeline.partitions.unreadable = self._source.unreadable()

    def _collect(self, wait: float) -> None:
        """Hand over what came back from the pool and the dead-letter topic; wait for the first of it."""
        while True:
            try:
                result = self._results.get(timeout=wait) if wait > 0 else self._results.get_nowait()
            except Empty:
                break
            wait = 0.0
            self._hand_over(result)
        if self._adds.turn(draining=self._draining):
            self.pipeline.journal_known(self._clock())
        confirmed, failed = self._dead_letters.poll()
        for letter in failed:
            self.pipeline.dead_letter_failed(letter)
        for letter in confirmed:
            self.pipeline.dead_lettered(letter)
            self._observer.dead_lettered(letter)

    def _hand_over(self, result: Result) -> None:
        now = self._clock()
        match result:
            case Response():
                delivered = self.pipeline.delivered(result.batch, result.answer, now, self._jitter())
                self._adds.answered(result.batch, delivered)
                self._observer.delivered(result.batch, result, delivered)
                return
            case TokenChanged():
                self.pipeline.token_changed(result.project, result.opening, now)
                return
            case Compaction():
                self.pipeline.compaction_known(result.topic, result.compacted)
                return
            case SchemaKnown():
                self.pipeline.schema_known(result.ref, result.reader, now)
            case SchemaRefused():
                self.pipeline.schema_refused(result.ref, result.reason, result.detail, now)
            case SchemaHeld():
                self.pipeline.schema_held(result.ref)
            case SchemaUnfitting():
                self.pipeline.schema_unfitting(result.ref, result.unfitting)
            case SchemaFailing():
                pass  # the next attempt comes by itself
            case _:
                assert_never(result)
        self._observer.schema(result)

    def _do(self) -> None:
        """Start what is due: requests, dead letters, schema fetches."""
        work = self.pipeline.work(self._clock())
        for ref in work.schemas:
            self._registry.fetch(ref)
        for letter in work.dead_letters:
            self._dead_letters.produce(letter)
        for batch in work.batches:
            self._pool.send(batch)

    def _in_doubt(self) -> bool:
        """Whether the process stood still (stopped, frozen, swapped out), and the group has not answered since."""
        if self._lease.valid():
            self._lease.renew()
            return False
        if not self._doubt:
            self._doubt = True
            log.warning("the loop stood still: the group is asked whether the partitions are still ours")
        offsets = self.pipeline.partitions.settled_or_first()  # nothing to ask with is nothing to send
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
        self._adds.assigned(assignments)
        self.pipeline.assigned(assignments)
        self._observer.rebalanced("assigned", assignments)

    def revoked(self, assignments: list[Assignment]) -> None:
        """These partitions go to another: drain, commit, forget. When this returns nothing of them is sent."""
        mine = set(self.pipeline.partitions.assignments())
        going = [assignment for assignment in assignments if assignment in mine]  # none of them after a stop
        if going:
            self._observer.rebalanced("revoked", going)
            self._drain(going, "revoke")

    def lost(self, assignments: list[Assignment]) -> None:
        """These partitions are another's already: forget them without a commit."""
        self._observer.rebalanced("lost", assignments)
        given_up = self._give_up(assignments)
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
        self._draining = True
        clean = self._finish(assignments, deadline)
        self._draining = False
        self._dead_letters.flush(max(0.0, end - self._clock()) / 2)
        self._collect(0.0)
        offsets = self.pipeline.partitions.committable()
        mine = {assignment: offsets[assignment] for assignment in assignments if assignment in offsets}
        if mine:
            self._source.commit_now(mine, max(0.1, end - self._clock()))
        given_up = self._give_up(assignments)
        self._observer.drained(assignments, self._clock() - began, given_up, clean)

    def _give_up(self, assignments: list[Assignment]) -> int:
        """Nothing of these partitions begins any more; how many requests of them had begun, and are open."""
        given_up = self.pipeline.revoked(assignments)
        self._dead_letters.forget(assignments)
        return given_up - self._pool.withdraw(set(assignments))

    def _finish(self, assignments: list[Assignment], deadline: float) -> bool:
        """Turn without reading until these partitions are drained; False where that did not come to an end."""
        while not self.pipeline.drained(assignments):
            now = self._clock()
            if not self._lease.valid():
                return False  # asleep meanwhile: another may have these partitions already
            self._lease.renew()
            self._do()
            idle = not self.pipeline.destinations.in_flight() and not self._dead_letters.pending()
            if now >= deadline or (idle and self.pipeline.wake_at(now) > deadline):
                return False
            self._collect(min(WAIT_FOR_ANSWERS, deadline - now))
            self._observer.turned(self._clock())
        return True
