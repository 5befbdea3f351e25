"""What goes out of the loop and what comes back: requests, dead letters and schema fetches, and their results.

Requests and schema fetches run on other threads; what comes back of them waits in one queue, which is emptied here.
"""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import assert_never

from consumer.core.batch import Batch
from consumer.core.model import Assignment
from consumer.core.pipeline import Pipeline
from consumer.core.settlement import Delivered
from consumer.kafka.compaction import Compaction
from consumer.mixpanel.pool import Response, TokenChanged
from consumer.registry.facts import SchemaFailing, SchemaHeld, SchemaKnown, SchemaRefused, SchemaUnfitting
from consumer.service.ports import Adds, DeadLetterProducer, LoopObserver, RequestPool, Result, SchemaFetcher


class Unannounced:
    """Where no `$add` is announced there is nothing to do."""

    def assigned(self, assignments: list[Assignment]) -> None:
        """Nothing is read."""

    def turn(self, *, draining: bool = False) -> bool:  # noqa: ARG002  # as the other one has it
        """Nothing waits."""
        return False

    def answered(self, batch: Batch, delivered: Delivered) -> None:
        """Nothing is noted."""

    def pending(self) -> bool:
        """Nothing waits."""
        return False


class Exchange:
    """Between the pipeline and those who do its work. For the loop's thread; nothing here waits but `collect`."""

    def __init__(
        self,
        pipeline: Pipeline,
        pool: RequestPool,
        registry: SchemaFetcher,
        dead_letters: DeadLetterProducer,
        results: "SimpleQueue[Result]",
        observer: LoopObserver,
        *,
        clock: Callable[[], float],
        jitter: Callable[[], float],
        adds: Adds | None = None,
    ) -> None:
        """`adds` is the pool, where it announces `$add`s before it posts; None where none is announced."""
        self._pipeline = pipeline
        self._pool = pool
        self._registry = registry
        self._dead_letters = dead_letters
        self._results = results
        self._observer = observer
        self._adds: Adds = adds if adds is not None else Unannounced()
        self._clock = clock
        self._jitter = jitter

    def start(self) -> None:
        """Start what is due: requests, dead letters, schema fetches."""
        work = self._pipeline.work(self._clock())
        for ref in work.schemas:
            self._registry.fetch(ref)
        for dead_letter in work.dead_letters:
            self._dead_letters.produce(dead_letter)
        for batch in work.batches:
            self._pool.send(batch)

    def busy(self) -> bool:
        """Whether a request or a dead letter is under way."""
        return self._pipeline.destinations.in_flight() > 0 or self._dead_letters.pending() > 0

    def collect(self, wait: float, *, draining: bool = False) -> None:
        """Hand over what came back; wait up to `wait` seconds for the first. `draining`: Kafka is not polled."""
        while True:
            try:
                result = self._results.get(timeout=wait) if wait > 0 else self._results.get_nowait()
            except Empty:
                break
            wait = 0.0
            self._hand_over(result)
        if self._adds.turn(draining=draining):
            self._pipeline.journal_known(self._clock())
        confirmed, failed = self._dead_letters.poll()
        for dead_letter in failed:
            self._pipeline.dead_letter_failed(dead_letter)
        for dead_letter in confirmed:
            self._pipeline.dead_lettered(dead_letter)
            self._observer.dead_lettered(dead_letter)

    def _hand_over(self, result: Result) -> None:
        now = self._clock()
        match result:
            case Response():
                delivered = self._pipeline.delivered(result.batch, result.answer, now, self._jitter())
                self._adds.answered(result.batch, delivered)
                self._observer.delivered(result.batch, result, delivered)
                return
            case TokenChanged():
                self._pipeline.token_changed(result.project, result.opening, now)
                return
            case Compaction():
                self._pipeline.compaction_known(result.topic, result.compacted)
                return
            case SchemaKnown():
                self._pipeline.schema_known(result.ref, result.reader, now, result.seal)
            case SchemaRefused():
                self._pipeline.schema_refused(result.ref, result.reason, result.detail, now)
            case SchemaHeld():
                self._pipeline.schema_held(result.ref)
            case SchemaUnfitting():
                self._pipeline.schema_unfitting(result.ref, result.unfitting)
            case SchemaFailing():
                pass  # the next attempt comes by itself
            case _:
                assert_never(result)
        self._observer.schema(result)

    def give_up(self, assignments: list[Assignment]) -> int:
        """Nothing of these partitions begins any more; how many requests of them had begun, and are open."""
        given_up = self._pipeline.revoked(assignments)
        self._dead_letters.forget(assignments)
        return given_up - self._pool.withdraw(set(assignments))

    def assigned(self, assignments: list[Assignment]) -> None:
        """What earlier owners announced of these partitions is to be read."""
        self._adds.assigned(assignments)

    def journal_pending(self) -> bool:
        """Whether requests wait for the journal."""
        return self._adds.pending()

    def flush(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for the dead letters that are under way."""
        self._dead_letters.flush(timeout)

    def close(self) -> None:
        """Start nothing more, and close what was opened."""
        self._pool.close(0.0)
        self._registry.close()
        self._dead_letters.close()
