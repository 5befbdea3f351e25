"""What people see of the service: each fact is counted, each change of state is one line in the log.

A batch is a line at debug. Nothing here decides anything, and no line holds a payload or a secret.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from consumer.core.batch import Batch
from consumer.core.clock import NEVER
from consumer.core.destinations import Suspect
from consumer.core.model import Assignment, DeadLetter, Record
from consumer.core.partitions import BREAKER, DEAD_LETTER, FAULT, JOURNAL, LIMIT, MAPPING, PROJECT, RULES, SCHEMA
from consumer.core.pipeline import Pipeline
from consumer.core.schemas import Need
from consumer.core.settlement import Delivered
from consumer.core.waiting import Block, blocks
from consumer.event.model import DEFAULT
from consumer.http.environment import environment
from consumer.kafka.client_status import ClientStatus
from consumer.kafka.records import count_by_topic
from consumer.mixpanel.pool import Response
from consumer.registry.facts import SchemaFact, SchemaHeld, SchemaKnown, SchemaRefused, SchemaUnfitting
from consumer.service.foreign import Foreign
from consumer.service.heads import Heads
from consumer.service.health import Health
from consumer.service.memory import Memory
from consumer.service.metrics import Gauges, Metrics
from consumer.service.status import status
from consumer.service.transactions import Transactions

log = logging.getLogger("consumer")

# A flood of dead letters is one line in so many seconds.
LETTERS_EVERY = 10.0
ADVICE = {
    "400": "the answer is not Mixpanel's: check {url}, or the proxy before it",
    "401": "Mixpanel refuses the credentials: check {token}",
    "403": "Mixpanel refuses this project or this network: check {token} and the egress address",
    "404": "there is no /groups there: check {url} and {region}",
}
SCATTERED = (
    "a group has changes in two partitions of the topic: they have no order between them; have the record key "
    "determine the group"
)
NO_MEANING = "the answer has no known meaning: check {url} and {region}"
# Faults of a connection that somebody must mend, and what to look at.
UNTRUSTED = {
    "tls": "its certificate is not trusted here: check {url} and REQUESTS_CA_BUNDLE",
    "ca_bundle": "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names no file of certificates",
    "socks": "SOCKS is not supported: have ALL_PROXY or HTTPS_PROXY name an HTTP proxy",
}


class Kafka(Protocol):
    """What is told of the consumer; see kafka/source.py."""

    client_status: ClientStatus

    def withheld(self) -> dict[Assignment, tuple[int, int]]: ...
    def lag(self) -> dict[Assignment, int]: ...
    def committed(self) -> dict[Assignment, int]: ...
    def foreign(self) -> list[str]: ...


class Letters(Protocol):
    """What is told of the dead-letter producer; see kafka/dead_letters.py."""

    def blocked(self) -> int: ...
    def oldest(self) -> float: ...


class Observer:
    """Metrics, health and log of one loop; all methods are for the loop's thread."""

    def __init__(
        self,
        pipeline: Pipeline,
        kafka: Kafka,
        letters: Letters,
        metrics: Metrics,
        health: Health,
        cache_bytes: Callable[[], int],
    ) -> None:
        """`cache_bytes` says what the schema cache holds."""
        self._cache_bytes = cache_bytes
        self._pipeline = pipeline
        self._letters = letters
        self._metrics = metrics
        self._health = health
        self._kafka = kafka
        self._memory = Memory()
        self._transactions = Transactions()
        self._heads = Heads()
        self._foreign = Foreign()
        self._halted: dict[str, str] = {}
        self._suspects: dict[str, Suspect] = {}
        self._scattered: set[str] = set()  # topics that were told of
        self._failing: dict[str, str] = {}  # the fault of each project
        self._slowed = False
        self._breaker = False
        self._paused: dict[str, list[str]] = {}
        self._rejects: dict[str, int] = {}  # dead letters since the last line about them
        self._last_letter = ""
        self._letters_at = 0.0

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
        self._tell_failing(batch, response, delivered)

    def dead_lettered(self, letter: DeadLetter) -> None:
        """The broker confirmed a dead letter."""
        self._metrics.dead_letters.labels(letter.project, letter.reason).inc()
        self._rejects[letter.reason] = self._rejects.get(letter.reason, 0) + 1
        self._last_letter = f"{letter.record!r}: {letter.detail}"

    def schema(self, fact: SchemaFact) -> None:
        """The registry said something, or nothing, of a schema."""
        if isinstance(fact, SchemaKnown):
            self._metrics.fetches.labels("known").inc()
            log.info("schema known", extra=schema_fields(fact.ref))
            self._tell_changes(fact)
        elif isinstance(fact, SchemaRefused):
            self._metrics.fetches.labels("refused").inc()
            fields = schema_fields(fact.ref) | {"reason": fact.reason, "detail": fact.detail}
            log.warning("schema refused: its records are dead letters", extra=fields)
        elif isinstance(fact, SchemaHeld | SchemaUnfitting):
            self._metrics.fetches.labels("held").inc()
        else:
            self._metrics.fetches.labels("failing").inc()

    def _tell_changes(self, fact: SchemaKnown) -> None:
        """What the schema that a record of a mapped topic was written with means to the rules."""
        changes = fact.changes.as_fields() if fact.changes is not None else {}
        if changes and isinstance(fact.ref, tuple):
            self._metrics.schema_changes.labels(fact.ref[0]).inc()
            level = logging.WARNING if changes.keys() - {"unmapped"} else logging.INFO
            log.log(
                level, "a writer's schema means something new to the mapping", extra=schema_fields(fact.ref) | changes
            )

    def rebalanced(self, kind: str, assignments: Sequence[Assignment]) -> None:
        """Partitions were `assigned`, `revoked` or `lost`."""
        self._metrics.rebalances.labels(kind).inc()
        level = logging.WARNING if kind == "lost" and assignments else logging.INFO
        log.log(level, "partitions %s", kind, extra={"partitions": names(assignments)})

    def drained(self, assignments: Sequence[Assignment], seconds: float, given_up: int, clean: bool) -> None:
        """Partitions are gone; `given_up` requests were still under way, and `clean` says that nothing was left."""
        self._tell_letters(NEVER)
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
        self._memory.look(self._pipeline.partitions.open_bytes())
        self._transactions.look(now, self._kafka.withheld())
        pipeline = self._pipeline
        blocked = blocks(pipeline.partitions, pipeline.destinations, pipeline.breaker_open, now)
        self._gauge(now, paused, blocked)
        self._health.unready = self._unready(paused)
        self._health.stuck = self._kafka.client_status.stuck()
        gauges = self._metrics.gauges
        self._health.status = status(pipeline, blocked, gauges.committed, gauges.lag, self._health.unready, now)
        self._heads.look(now, blocked, pipeline.partitions.by_assignment)
        self._tell_breaker()
        self._tell_slowed(now)
        self._tell_suspects(now)
        self._tell_paused(paused)
        self._tell_letters(now)
        self._count_mapped()
        self._count_scattered()

    def _count_scattered(self) -> None:
        """Groups that were seen in two partitions: told once for each topic."""
        for topic, count in self._pipeline.scatter.take().items():
            self._metrics.scattered.labels(topic).inc(count)
            if topic not in self._scattered:
                self._scattered.add(topic)
                log.warning(SCATTERED, extra={"topic": topic})

    def _count_mapped(self) -> None:
        """What rules of a mapping made, ignored and left out since the last look."""
        metrics = self._metrics
        for topic in self._pipeline.mapped_topics():
            counted = topic.take_counts()
            for rule, count in counted.mapped.items():
                metrics.mapped.labels(rule).inc(count)
            for (rule, why), count in counted.ignored.items():
                metrics.ignored.labels(rule, why).inc(count)
            if counted.left_out:
                metrics.left_out.labels(topic.name).inc(counted.left_out)

    def _gauge(self, now: float, paused: Mapping[Assignment, str], blocked: list[Block]) -> None:
        pipeline = self._pipeline
        counts: dict[str, int] = {}
        for cause in paused.values():
            counts[cause] = counts.get(cause, 0) + 1
        oldest = pipeline.partitions.oldest_open()
        halted = pipeline.destinations.halted()
        self._metrics.gauges = Gauges(
            open_records=pipeline.partitions.open_records(),
            open_bytes=pipeline.partitions.open_bytes(),
            in_flight=pipeline.destinations.in_flight(),
            oldest_open_seconds=now - oldest if oldest >= 0 else 0.0,
            halted={name: halted.get(name, "") for name in pipeline.destinations.by_name},
            oldest_letter_seconds=self._letters.oldest(),
            schemas_known=pipeline.schemas_known(),
            schema_cache_bytes=self._cache_bytes(),
            foreign_members=self._foreign.look(self._kafka.foreign()),
            suspects=len(pipeline.destinations.suspects()),
            breaker_open=pipeline.breaker_open,
            dead_letters_blocked=self._letters.blocked(),
            paused=counts,
            blocked={block.assignment: (block.cause, now - block.since) for block in blocked if block.since >= 0},
            behind_transactions=self._transactions.behind,
            lag=self._kafka.lag(),
            committed=self._kafka.committed(),
        )

    def _unready(self, paused: Mapping[Assignment, str]) -> tuple[str, ...]:
        """Why the work cannot be done. No assignment is no reason, nor is a fault of Mixpanel that passes."""
        reasons: list[str] = []
        if not self._kafka.client_status.broker:
            reasons.append("no broker is connected")
        elif not self._kafka.client_status.joined:
            reasons.append("not yet joined the consumer group")
        reasons += self._stuck()
        if self._pipeline.breaker_open:
            reasons.append("the dead-letter breaker is open")
        held = [cause for cause in paused.values() if cause in (FAULT, SCHEMA, RULES, MAPPING, DEAD_LETTER, JOURNAL)]
        if held and len(held) == len(self._pipeline.partitions.assignments()):
            reasons.append(f"every partition is held: {', '.join(sorted(set(held)))}")
        return tuple(reasons)

    def _stuck(self) -> list[str]:
        """Why nothing can be sent, where that is so for every project with open records."""
        halted = self._pipeline.destinations.halted()
        untrusted = {
            name: cause for name, cause in self._failing.items() if cause in UNTRUSTED and name not in halted
        }
        busy = self._pipeline.destinations.busy()
        if not busy or any(name not in halted and name not in untrusted for name in busy):
            return []
        found = [(halted, "sending is halted: Mixpanel answered"), (untrusted, "nothing can be sent to Mixpanel:")]
        return [f"{words} {self._by_project(causes)}" for causes, words in found if causes]

    def _by_project(self, causes: Mapping[str, str]) -> str:
        """The causes; with the names of their projects where there are several."""
        several = len(self._pipeline.destinations.by_name) > 1
        return ", ".join(sorted(f"{cause} for {name}" if several else cause for name, cause in causes.items()))

    # One line for each change.

    def _tell_failing(self, batch: Batch, response: Response, delivered: Delivered) -> None:
        project = batch.destination
        self._tell_halted(project)
        failing = self._failing.get(project, "")
        if delivered.outcome in ("retry", "split"):
            if delivered.cause != failing:
                fields = {"project": project, "cause": delivered.cause, "batch": batch.number}
                fields["wait"] = round(delivered.wait, 1)
                words = advice(UNTRUSTED, delivered.cause, project, "requests are sent again until they succeed")
                said = environment(delivered.cause)
                log.warning("Mixpanel fails: %s", words, extra=fields | ({"environment": said} if said else {}))
                self._failing[project] = delivered.cause
            if delivered.outcome == "split":
                fields = {"batch": batch.number, "status": response.answer.status, "records": places(batch)}
                log.warning("a fault that this request alone meets: it is sent in parts", extra=fields)
        elif delivered.outcome not in ("halt", "withheld") and failing:
            log.info("Mixpanel answers again", extra={"project": project, "was": failing})
            del self._failing[project]

    def _tell_halted(self, project: str) -> None:
        halted = self._pipeline.destinations.by_name[project].dispatch.halt.cause
        before = self._halted.get(project, "")
        if halted == before:
            return
        if halted:
            words = advice(ADVICE, halted, project, NO_MEANING)
            fields = {"status": halted, "project": project}
            log.error("sending is halted: %s; asked again every 5 to 10 s", words, extra=fields)
        else:
            log.info("sending goes on: Mixpanel answers again", extra={"was": before, "project": project})
        self._halted[project] = halted

    def _tell_suspects(self, now: float) -> None:
        """A record that alone brings its fault about is one line when it is found, and one when it is through."""
        found = {repr(suspect.record): suspect for suspect in self._pipeline.destinations.suspects()}
        for place, suspect in found.items():
            if place not in self._suspects:
                fields = {
                    "record": place,
                    "quarantine": entry_of(suspect.record),
                    "project": suspect.project,
                    "answered": suspect.answered,
                    "seconds": round(now - suspect.since, 1),
                }
                log.error(
                    "one record alone is answered so, again and again: its group and the commits of its partition"
                    " wait, all else goes on; it is tried again every 5 to 120 s",
                    extra=fields,
                )
        for place in self._suspects.keys() - found.keys():
            log.info("the record that was answered by a fault of its own waits no more", extra={"record": place})
        self._suspects = found

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

    def _tell_paused(self, paused: Mapping[Assignment, str]) -> None:
        found: dict[str, list[str]] = {}
        for assignment, cause in paused.items():
            if cause != PROJECT or self._stands(assignment):  # one that answers waits for its turn, as at a limit
                found.setdefault(cause, []).append(repr(assignment))
        for cause in sorted({*found, *self._paused}):
            now, before = found.get(cause, []), self._paused.get(cause, [])
            if now != before:
                level = logging.DEBUG if cause in (LIMIT, BREAKER) else logging.INFO
                if cause in (FAULT, MAPPING) and now:
                    level = logging.ERROR
                log.log(
                    level, "partitions paused" if now else "no partition paused any more", extra=self._why(cause, now)
                )
        self._paused = found

    def _stands(self, assignment: Assignment) -> bool:
        """Whether the project that this partition waits for does not answer well."""
        partition = self._pipeline.partitions.by_assignment.get(assignment)
        delivery = self._pipeline.destinations.by_name.get(partition.project) if partition is not None else None
        return delivery is not None and delivery.dispatch.share.stands

    def _why(self, cause: str, partitions: list[str]) -> dict[str, object]:
        fields: dict[str, object] = {"cause": cause, "partitions": partitions}
        if cause in (FAULT, MAPPING):
            held = [one for one in self._pipeline.partitions.by_assignment.values() if one.held_for == cause]
            records = [f"{one.held[0]!r}: {one.why_held}" for one in held if one.held]
            fields |= {"records": records} if records else {}  # none where a batch cannot be read
        if cause == PROJECT:
            waiting = [one.project for one in self._pipeline.partitions.by_assignment.values() if one.project]
            fields["projects"] = sorted(set(waiting))
        if cause in (SCHEMA, RULES):
            fields["schemas"] = sorted({str(ref) for ref in self._pipeline.partitions.held_schemas().values()})
        return fields

    def _tell_letters(self, now: float) -> None:
        if not self._rejects or now < self._letters_at:
            return
        self._letters_at = now + LETTERS_EVERY if now < NEVER else self._letters_at
        fields = {"reasons": self._rejects, "last": self._last_letter}
        log.warning("dead letters written", extra=fields)
        self._rejects = {}


def schema_fields(need: Need) -> dict[str, object]:
    """The schema, and the topic whose mapping reads it."""
    return {"schema": need[1], "topic": need[0]} if isinstance(need, tuple) else {"schema": need}


def names(assignments: Sequence[Assignment]) -> list[str]:
    """The partitions, by name."""
    return [repr(assignment) for assignment in assignments]


def entry_of(record: Record) -> str:
    """The record as an entry of QUARANTINE."""
    return f"{record.assignment.topic}:{record.assignment.partition}:{record.offset}"


def places(batch: Batch) -> str:
    """Where the records of the batch stand: from the first to the last."""
    records = [entry.record for update in batch.updates for entry in update.run.entries]
    if not records:
        return "none"
    return f"{records[0]!r} to {records[-1]!r}"


def advice(known: Mapping[str, str], cause: str, project: str, other: str) -> str:
    """What to do about a cause, `other` where it is not known, with the names that the project's settings have."""
    names = {"token": "MIXPANEL_TOKEN", "url": "MIXPANEL_URL", "region": "MIXPANEL_REGION"}
    if project != DEFAULT:
        names = {name: f"{name} of [{project}] in MIXPANEL_PROJECTS_FILE" for name in names}
    return known.get(cause, other).format_map(names)
