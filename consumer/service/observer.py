"""What people see of the service: each fact is counted, each change of state is one line in the log.

A batch is a line at debug. Nothing here decides anything, and no line holds a payload or a secret.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from consumer.core.batch import Batch
from consumer.core.clock import NEVER
from consumer.core.model import Assignment, DeadLetter, Record
from consumer.core.pipeline import Pipeline
from consumer.core.settlement import Delivered
from consumer.core.waiting import Block, blocks
from consumer.kafka.client_status import ClientStatus
from consumer.kafka.records import count_by_topic
from consumer.mixpanel.pool import Response
from consumer.registry.facts import SchemaFact, SchemaHeld, SchemaKnown, SchemaRefused, SchemaUnfitting
from consumer.service.failures import Failures
from consumer.service.foreign import Foreign
from consumer.service.gauges import Gauges
from consumer.service.heads import Heads
from consumer.service.health import Health
from consumer.service.mapped_topics import MappedTopics, schema_fields
from consumer.service.memory import Memory
from consumer.service.metrics import Metrics
from consumer.service.paused_partitions import PausedPartitions
from consumer.service.readiness import unready
from consumer.service.rejects import Rejects
from consumer.service.status import status
from consumer.service.suspects import Suspects
from consumer.service.transactions import Transactions

log = logging.getLogger("consumer")


class Kafka(Protocol):
    """What is told of the consumer; see kafka/source.py."""

    client_status: ClientStatus

    def withheld(self) -> dict[Assignment, tuple[int, int]]: ...
    def lag(self) -> dict[Assignment, int]: ...
    def committed(self) -> dict[Assignment, int]: ...
    def foreign(self) -> list[str]: ...


class WaitingDeadLetters(Protocol):
    """What is told of the dead-letter producer; see kafka/dead_letters.py."""

    def blocked(self) -> int: ...
    def oldest(self) -> float: ...


class Observer:
    """Metrics, health and log of one loop; all methods are for the loop's thread."""

    def __init__(
        self,
        pipeline: Pipeline,
        kafka: Kafka,
        dead_letters: WaitingDeadLetters,
        metrics: Metrics,
        health: Health,
        cache_bytes: Callable[[], int],
        memory: Memory,
    ) -> None:
        """`cache_bytes` says what the schema cache holds."""
        self._cache_bytes = cache_bytes
        self._pipeline = pipeline
        self._dead_letters = dead_letters
        self._metrics = metrics
        self._health = health
        self._kafka = kafka
        self._memory = memory
        self._transactions = Transactions()
        self._heads = Heads()
        self._foreign = Foreign()
        self._failures = Failures(pipeline.destinations)
        self._suspects = Suspects()
        self._paused = PausedPartitions(pipeline)
        self._rejects = Rejects()
        self._mapped_topics = MappedTopics(pipeline, metrics)
        self._slowed = False
        self._breaker = False

    # Facts as they happen.

    def read(self, records: list[Record]) -> None:
        """These records were polled."""
        for topic, count in count_by_topic(records).items():
            self._metrics.records.labels(topic).inc(count)

    def delivered(self, batch: Batch, response: Response, delivered: Delivered) -> None:
        """A request came back."""
        metrics = self._metrics
        metrics.requests.labels(batch.destination, delivered.outcome).inc()
        if delivered.outcome != "withheld":
            metrics.seconds.observe(response.answer.seconds)
            metrics.sizes.observe(len(batch.updates))
        for operation, count in delivered.accepted.items():
            metrics.updates.labels(batch.destination, operation).inc(count)
        if delivered.outcome in ("retry", "split"):
            metrics.retries.labels(batch.destination, delivered.cause).inc()
        if log.isEnabledFor(logging.DEBUG):
            fields = {
                "batch": batch.number,
                "outcome": delivered.outcome,
                "updates": len(batch.updates),
                "status": response.answer.status,
                "seconds": round(response.answer.seconds, 3),
                "settled": delivered.settled,
            }
            log.debug("batch", extra=fields)
        self._failures.answered(batch, response, delivered)

    def dead_lettered(self, dead_letter: DeadLetter) -> None:
        """The broker confirmed a dead letter."""
        self._metrics.dead_letters.labels(dead_letter.project, dead_letter.reason).inc()
        self._rejects.add(dead_letter)

    def schema(self, fact: SchemaFact) -> None:
        """The registry said something, or nothing, of a schema."""
        if isinstance(fact, SchemaKnown):
            self._metrics.fetches.labels("known").inc()
            log.info("schema known", extra=schema_fields(fact.ref))
            self._mapped_topics.schema(fact)
        elif isinstance(fact, SchemaRefused):
            self._metrics.fetches.labels("refused").inc()
            fields = schema_fields(fact.ref) | {"reason": fact.reason, "detail": fact.detail}
            log.warning("schema refused: its records are dead letters", extra=fields)
        elif isinstance(fact, SchemaHeld | SchemaUnfitting):
            self._metrics.fetches.labels("held").inc()
        else:
            self._metrics.fetches.labels("failing").inc()

    def rebalanced(self, kind: str, assignments: Sequence[Assignment]) -> None:
        """Partitions were `assigned`, `revoked` or `lost`."""
        self._metrics.rebalances.labels(kind).inc()
        level = logging.WARNING if kind == "lost" and assignments else logging.INFO
        log.log(level, "partitions %s", kind, extra={"partitions": names(assignments)})

    def drained(self, assignments: Sequence[Assignment], seconds: float, given_up: int, clean: bool) -> None:
        """Partitions are gone; `given_up` requests were still under way, and `clean` says that nothing was left."""
        self._rejects.look(NEVER)
        self._metrics.given_up.inc(given_up)
        fields = {"partitions": len(assignments), "seconds": round(seconds, 2), "given_up": given_up, "clean": clean}
        log.log(logging.INFO if not given_up else logging.WARNING, "drained", extra=fields)

    def gap(self, _topic: str, _partition: int, records: int) -> None:
        """Retention removed so many offsets before they were read."""
        self._metrics.gaps.inc(records)

    def truncated(self, topic: str, partition: int) -> None:
        """A log lost what was read of it."""
        self._metrics.truncations.labels(topic, str(partition)).inc()

    def turned(self, now: float) -> None:
        """The loop has turned."""
        self._health.turned(now)

    # What holds, once a second.

    def observe(self, now: float, paused: Mapping[Assignment, str]) -> None:
        """Take the gauges, judge readiness, and tell what changed."""
        self._memory.look(self._pipeline.partitions.open_bytes(), now)
        self._transactions.look(now, self._kafka.withheld())
        pipeline = self._pipeline
        unwritten = pipeline.unconfirmed.unwritten()
        blocked = blocks(pipeline.partitions, pipeline.destinations, pipeline.breaker_open, now, unwritten)
        gauges = self._gauges(now, paused, blocked)
        self._metrics.take(gauges)
        client = self._kafka.client_status
        reasons = unready(pipeline, client, paused, self._failures.untrusted())
        self._health.observed(
            reasons, client.stuck(), status(pipeline, blocked, gauges.committed, gauges.lag, reasons, now)
        )
        self._heads.look(now, blocked, pipeline.partitions.by_assignment)
        self._tell_breaker()
        self._tell_slowed(now)
        self._suspects.look(now, pipeline.destinations.suspects())
        self._paused.look(paused)
        self._rejects.look(now)
        self._mapped_topics.look()

    def _gauges(self, now: float, paused: Mapping[Assignment, str], blocked: list[Block]) -> Gauges:
        pipeline = self._pipeline
        counts: dict[str, int] = {}
        for cause in paused.values():
            counts[cause] = counts.get(cause, 0) + 1
        oldest = pipeline.partitions.oldest_open()
        halted = pipeline.destinations.halted()
        return Gauges(
            open_records=pipeline.partitions.open_records(),
            open_bytes=pipeline.partitions.open_bytes(),
            in_flight=pipeline.destinations.in_flight(),
            oldest_open_seconds=now - oldest if oldest >= 0 else 0.0,
            halted={name: halted.get(name, "") for name in pipeline.destinations.by_name},
            oldest_dead_letter_seconds=self._dead_letters.oldest(),
            schemas_known=pipeline.schemas_known(),
            schema_cache_bytes=self._cache_bytes(),
            foreign_members=self._foreign.look(self._kafka.foreign()),
            suspects=len(pipeline.destinations.suspects()),
            breaker_open=pipeline.breaker_open,
            dead_letters_blocked=self._dead_letters.blocked(),
            paused=counts,
            blocked={block.assignment: (block.cause, now - block.since) for block in blocked if block.since >= 0},
            behind_transactions=self._transactions.behind,
            lag=self._kafka.lag(),
            committed=self._kafka.committed(),
        )

    # One line for each change.

    def _tell_breaker(self) -> None:
        if self._pipeline.breaker_open and not self._breaker:
            self._breaker = True
            log.error(
                "a flood of rejects: nothing is read or sent any more; find the cause (see the dead letters), then"
                " restart to try again, or set DEAD_LETTER_BREAKER=off to let them through"
            )

    def _tell_slowed(self, now: float) -> None:
        slowed = self._pipeline.destinations.slowed(now)
        if slowed != self._slowed:
            self._slowed = slowed
            log.info("Mixpanel asks for less: slowed down" if slowed else "at full speed again")


def names(assignments: Sequence[Assignment]) -> list[str]:
    """The partitions, by name."""
    return [repr(assignment) for assignment in assignments]
