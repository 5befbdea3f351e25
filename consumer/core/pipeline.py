"""The machine: facts go in, work comes out.

    polled -> intake: decode, convert, encode -> lane -> fold, batch -> delivered -> settled -> committable
                   \\-> dead letter -> dead_lettered -> settled

A record is encoded when it is taken in, by itself; what waits in a lane is folded only when a batch takes it.

Methods named after facts (`assigned`, `polled`, `schema_known`, `delivered`, `dead_lettered`, `revoked`, ...)
change the state; `work` says what is to be done now; `paused` and `partitions` say what holds. The caller
owns the clock: `now` is in seconds and never goes back. One thread calls, so there are no locks.
"""

from collections.abc import Collection, Mapping
from typing import final

from consumer.core.admission import Admission
from consumer.core.batch import Batch
from consumer.core.breaker import Breaker
from consumer.core.causes import JOURNAL, MAPPING, RULES
from consumer.core.clock import NEVER
from consumer.core.destinations import Destinations
from consumer.core.intake import Intake
from consumer.core.limits import Limits
from consumer.core.mapped import MappedTopic
from consumer.core.model import Answer, Assignment, DeadLetter, Record
from consumer.core.partitions import Partitions
from consumer.core.past import Past
from consumer.core.quarantine import Quarantine
from consumer.core.scatter import Scatter
from consumer.core.schemas import Need, Reader, Unfitting, schema_of_need
from consumer.core.sealed import Seal
from consumer.core.settlement import Delivered
from consumer.core.settling import Settling
from consumer.core.unconfirmed import Unconfirmed
from consumer.core.work import Work
from consumer.mapping.mapper import TopicMap


@final
class Pipeline:
    """All open work of this instance. Its promises are in docs/guarantees.md, by number."""

    __slots__ = (
        "_admission",
        "_breaker",
        "_intake",
        "_settling",
        "destinations",
        "partitions",
        "scatter",
        "unconfirmed",
    )

    def __init__(
        self,
        openings: Mapping[str, int],
        limits: Limits,
        quarantine: Quarantine | None = None,
        mapped: Mapping[str, TopicMap] | None = None,
        only: Mapping[Record, Collection[str]] | None = None,
        past: Past | None = None,
    ) -> None:
        """`openings` names the projects, with the length of what each of their updates begins with, in bytes.

        `mapped` are the topics that a mapping file names; all others carry the built-in event. `only` has records of
        which some rules alone apply; where it is given, those that nothing comes of are kept for `take_ignored`, and
        an answer names those that it settled.
        `past` is what earlier owners of the partitions did with their `$add`s, where `$add`s are announced.
        """
        self.destinations = Destinations(openings, limits)
        self.partitions = Partitions(limits, self.destinations.standing)
        self._intake = Intake(openings, quarantine, mapped, only, past)
        self._breaker = Breaker(limits.breaker)
        self.unconfirmed = Unconfirmed(self.partitions)
        self._settling = Settling(self.partitions, self._breaker, self.unconfirmed, only is not None)
        self.scatter = Scatter()
        self._admission = Admission(
            self._intake,
            self.destinations,
            self.partitions,
            self._breaker,
            self.unconfirmed,
            self.scatter,
            only is not None,
        )

    # Facts of the broker.

    def assigned(self, assignments: list[Assignment]) -> None:
        """These partitions are ours from now on."""
        for assignment in assignments:
            self.partitions.add(assignment)

    def polled(self, records: list[Record], now: float) -> None:
        """These records were read, in the order of each partition."""
        ours = self.partitions.by_assignment
        for record in records:
            partition = ours.get(record.assignment)
            if partition is None or partition.draining:
                continue
            partition.ledger.seen(record.offset, now)
            if partition.held or self._breaker.open:
                partition.held.append(record)
                self._intake.look_ahead(record, now)
            else:
                self._admission.admit(partition, record, now)

    def drain(self, assignments: list[Assignment], deadline: float) -> None:
        """These partitions are about to go: take no new records of them, send only what closes gaps.

        What is under way is finished, and so is all below it: else the commit stays below what was sent, and the next
        owner repeats that. All lanes are hurried, those of partitions that stay too: no batch waits for the linger,
        and none is started that cannot finish by `deadline`.
        """
        bounds: dict[Assignment, int] = {}
        for assignment in assignments:
            partition = self.partitions.by_assignment.get(assignment)
            if partition is not None:
                partition.drain()
                bounds[assignment] = partition.reached + 1
        for entry in self.destinations.drain(bounds, deadline):
            partition = self.partitions.by_assignment[entry.record.assignment]
            if entry.whole is None or partition.decided(entry.whole):
                partition.end(entry.record)

    def drained(self, assignments: list[Assignment]) -> bool:
        """Whether nothing of these partitions is on its way any more, but for what a suspect holds up."""
        stuck = self.destinations.behind_suspects()
        for assignment in assignments:
            partition = self.partitions.by_assignment.get(assignment)
            if partition is not None and partition.parts > stuck.get(assignment, 0):
                return False
        return True

    def revoked(self, assignments: list[Assignment]) -> int:
        """These partitions are gone, drained or lost. Returns how many requests in flight were given up.

        Nothing of them is sent, dead-lettered or committed after. A late answer comes through `delivered` like any
        other, and only frees its groups for other partitions: what was revoked is left out in one place,
        `core/backlog.py`, `living`.
        """
        gone = {assignment for assignment in assignments if self.partitions.remove(assignment)}
        self.unconfirmed.forget(gone)
        return self.destinations.forget(gone)

    def schemas_known(self) -> int:
        """How many schemas records can be read with."""
        return len(self._intake.schemas)

    # Facts of the registry.

    def schema_known(self, need: Need, reader: Reader, now: float, seal: Seal | None = None) -> None:
        """Records of this schema can be read, with encrypted fields once their `seal` opened them."""
        self._intake.schemas.known(need, reader, seal)
        self._admission.release_held(need, now)

    def schema_held(self, need: Need) -> None:
        """Records of this schema must wait: it has rules that are not run here."""
        self._intake.schemas.ruled.add(need)
        self.partitions.holds_for(need, RULES, "", {"id": schema_of_need(need)})

    def schema_unfitting(self, need: Need, unfitting: Unfitting) -> None:
        """Records of this schema must wait: the mapping of their topic does not fit it."""
        self._intake.schemas.unfitting[need] = unfitting
        self.partitions.holds_for(need, MAPPING, unfitting.words(), unfitting.detail(need))

    def schema_refused(self, need: Need, reason: str, detail: str, now: float) -> None:
        """Records of this schema are rejects: it can never be resolved, or it is unknown.

        Unknown: for 5 s each registry was asked and had it not, while the partitions waited; one that does not answer
        is no such word. That is believed for a minute, and the next record of the schema has it asked for again.
        """
        self._intake.schemas.refused(need, reason, detail, now)
        self._admission.release_held(need, now)

    def compaction_known(self, topic: str, compacted: bool) -> None:
        """Whether Kafka compacts the topic of a mapping, which was taken for compacted so far."""
        for mapped in self._intake.mapped_topics():
            if mapped.name == topic:
                mapped.compaction_known(compacted)

    # Facts of the journal.

    def journal_known(self, now: float) -> None:
        """More is known of it: what was held for it may go on."""
        for partition in self.partitions.by_assignment.values():
            if partition.held_for == JOURNAL:
                self._admission.release(partition, now)

    # Facts of Mixpanel.

    def delivered(self, batch: Batch, answer: Answer, now: float, jitter: float) -> Delivered:
        """The request came back with this answer. `jitter` is a random number in [0, 1).

        A batch that met a 5xx, a 429 or no answer keeps its lanes and goes again; its `$add`s that may have been
        applied go the way that `AMBIGUOUS_ADD` says. Only 429, and 503 with Retry-After, lower how many go at the
        same time.
        """
        delivery = self.destinations.by_name[batch.destination]
        report = delivery.answered(batch, answer, now, jitter)
        return self._settling.answered(delivery, report, now)

    def token_changed(self, project: str, opening: int, now: float) -> None:
        """Requests to this project have another token: each update begins with so many bytes, a halt may be over."""
        self._intake.token_changed(project, opening)
        self.destinations.by_name[project].dispatch.token_changed(opening, now)

    # Facts of the dead-letter topic.

    def dead_lettered(self, dead_letter: DeadLetter) -> None:
        """The broker confirmed the dead letter: its record is settled."""
        self.unconfirmed.confirmed(dead_letter)

    def dead_letter_failed(self, dead_letter: DeadLetter) -> None:
        """The dead letter could not be written yet: its partition takes no new records until it is."""
        self.unconfirmed.failed(dead_letter)

    # Work.

    def work(self, now: float) -> Work:
        """What is to be done now. What it returns counts as under way."""
        if self._admission.waits:
            self._admission.release_waiting(now)
        batches: list[Batch] = [] if self._breaker.open else self.destinations.start(now)
        return Work(batches, self.unconfirmed.take(), self._intake.schemas.take_wanted())

    def wake_at(self, now: float) -> float:
        """When `work` may have something without a new fact."""
        if len(self.unconfirmed) or self._intake.schemas.wanted:
            return now
        return NEVER if self._breaker.open else self.destinations.wake_at(now)

    def paused(self) -> dict[Assignment, str]:
        """The partitions to read nothing from now, each with the cause."""
        return self.partitions.paused(self._breaker.open)

    def mapped_topics(self) -> list[MappedTopic]:
        """The topics that a mapping names, with what was counted of each."""
        return self._intake.mapped_topics()

    def take_ignored(self) -> list[Record]:
        """The records that nothing came of, since the last call; they are settled."""
        return self._admission.take_ignored()

    @property
    def breaker_open(self) -> bool:
        """Whether a flood of rejects has stopped reading and sending: for good, only a restart closes it."""
        return self._breaker.open
