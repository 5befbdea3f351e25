"""The machine: facts go in, work comes out.

    polled -> decode -> convert -> encode -> lane -> batch -> delivered -> settle -> committable
                   \\-> dead letter -> dead_lettered -> settle

Methods named after facts (`assigned`, `polled`, `schema_known`, `delivered`, `dead_lettered`, `revoked`, ...)
change the state; `work` says what is to be done now; `paused` and `partitions` say what holds. The caller
owns the clock: `now` is in seconds and never goes back. One thread calls, so there are no locks.
"""

from typing import final

from consumer.core.batch import AMBIGUOUS, NEVER, Batch, Decision, Report
from consumer.core.breaker import ACCEPTED, ADMITTED, REFUSED, UNREADABLE, Breaker
from consumer.core.delivery import Delivery
from consumer.core.fold import creates
from consumer.core.lanes import Lanes
from consumer.core.limits import Limits
from consumer.core.model import Answer, Assignment, DeadLetter, Record
from consumer.core.partitions import Partition, Partitions
from consumer.core.runs import Entry, Run, Update
from consumer.core.schemas import Schemas
from consumer.event.convert import convert
from consumer.event.decode import Decoder, frame
from consumer.event.errors import AMBIGUOUS_ADD, TASK_PUT, Reject
from consumer.event.model import VERB_NAMES, SchemaRef


@final
class Work:
    """What is to be done now, each once: requests to send, dead letters to produce, schemas to fetch."""

    __slots__ = ("batches", "dead_letters", "schemas")

    def __init__(self, batches: list[Batch], dead_letters: list[DeadLetter], schemas: list[SchemaRef]) -> None:
        self.batches = batches
        self.dead_letters = dead_letters
        self.schemas = schemas


@final
class Delivered:
    """What one answer came to: the records that it settled, and updates accepted by operation."""

    __slots__ = ("accepted", "ambiguous", "cause", "counts", "outcome", "records", "settled", "updates", "wait")

    def __init__(self, report: Report) -> None:
        self.outcome = report.outcome
        self.cause = report.cause
        self.wait = report.wait
        self.accepted: dict[str, int] = {}
        self.updates = 0
        self.settled = 0
        self.records: list[Record] = []
        self.ambiguous = 0
        self.counts = [0] * len(VERB_NAMES)  # accepted updates by verb

    def sum_up(self) -> None:
        """Every verdict is counted: `accepted` and `updates` can be read."""
        for verb, count in enumerate(self.counts):
            if count:
                self.accepted[VERB_NAMES[verb]] = count
                self.updates += count


@final
class Pipeline:
    """All open work of this instance. Its promises are in docs/guarantees.md, by number."""

    __slots__ = (
        "_breaker",
        "_delivery",
        "_failed",
        "_lanes",
        "_letters",
        "_order",
        "_schemas",
        "_token_size",
        "partitions",
    )

    def __init__(self, token: str, limits: Limits) -> None:
        self._token_size = len(token)
        self._lanes = Lanes(token, limits.batch_updates, limits.fold)
        self._delivery = Delivery(
            self._lanes,
            limits.batch_updates,
            limits.batch_bytes,
            limits.linger,
            limits.max_in_flight,
            limits.resend_adds,
        )
        self._breaker = Breaker(limits.breaker)
        self.partitions = Partitions(limits)
        self._schemas = Schemas()
        self._letters: list[DeadLetter] = []  # to produce
        self._failed: set[DeadLetter] = set()  # could not be written so far
        self._order = 0

    # Facts of the broker.

    def assigned(self, assignments: list[Assignment]) -> None:
        """These partitions are ours from now on."""
        for assignment in assignments:
            self.partitions.by_assignment[assignment] = Partition(assignment)

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
            else:
                self._admit(partition, record, now)
        self.partitions.changed()

    def drain(self, assignments: list[Assignment], deadline: float) -> None:
        """These partitions are about to go: take no new records of them, send only what closes gaps.

        What was sent, or is below something that was sent, still goes: it would be repeated by the next owner.
        Nothing is started that cannot finish by `deadline`.
        """
        bounds: dict[Assignment, int] = {}
        for assignment in assignments:
            partition = self.partitions.by_assignment.get(assignment)
            if partition is not None:
                partition.drain()
                bounds[assignment] = partition.reached + 1
        for entry in self._lanes.strip(bounds):
            self.partitions.by_assignment[entry.record.assignment].end(entry.record)
        self._delivery.draining = True
        self._delivery.deadline = deadline

    def drained(self, assignments: list[Assignment]) -> bool:
        """Whether nothing of these partitions is on its way any more."""
        for assignment in assignments:
            partition = self.partitions.by_assignment.get(assignment)
            if partition is not None and partition.open:
                return False
        return True

    def revoked(self, assignments: list[Assignment]) -> int:
        """These partitions are gone, drained or lost. Returns how many requests in flight were given up.

        Nothing of them is sent, dead-lettered or committed after; a late answer only frees its groups.
        """
        gone: dict[Assignment, int] = {}
        for assignment in assignments:
            if self.partitions.by_assignment.pop(assignment, None) is not None:
                gone[assignment] = -1
        for run in self._lanes.runs():
            if run.assignment in gone:
                run.live = False
        self._letters = [letter for letter in self._letters if letter.record.assignment not in gone]
        self._failed = {letter for letter in self._failed if letter.record.assignment not in gone}
        self._delivery.strip()
        self._lanes.strip(gone)
        self._delivery.draining = False
        self._delivery.deadline = NEVER
        self.partitions.changed()
        return sum(any(u.run.assignment in gone for u in batch.updates) for batch in self._delivery.flying)

    # Facts of the registry.

    def schema_known(self, ref: SchemaRef, decoder: Decoder, now: float) -> None:
        """Records of this schema can be decoded."""
        self.partitions.ruled.discard(ref)
        self._schemas.known(ref, decoder)
        self._release_held(ref, now)

    def schema_held(self, ref: SchemaRef) -> None:
        """Records of this schema must wait: it has rules that are not run here."""
        self.partitions.ruled.add(ref)

    def schema_refused(self, ref: SchemaRef, reason: str, detail: str, now: float) -> None:
        """Records of this schema are rejects: unknown to every registry, or never to be resolved."""
        self.partitions.ruled.discard(ref)
        self._schemas.refused(ref, reason, detail, now)
        self._release_held(ref, now)

    # Facts of Mixpanel.

    def delivered(self, batch: Batch, answer: Answer, now: float, jitter: float) -> Delivered:
        """The request came back with this answer. `jitter` is a random number in [0, 1)."""
        report = self._delivery.answered(batch, answer, now, jitter)
        delivered = Delivered(report)
        for update in report.accepted:
            self._accept(update, delivered)
        for decision in report.decisions:
            self._refuse(decision, delivered, now)
        delivered.sum_up()
        self._breaker.count(ACCEPTED, delivered.settled, now)
        self.partitions.changed()
        return delivered

    # Facts of the dead-letter topic.

    def dead_lettered(self, letter: DeadLetter) -> None:
        """The broker confirmed the dead letter: its record is settled."""
        failed_before = letter in self._failed
        self._failed.discard(letter)
        partition = self.partitions.by_assignment.get(letter.record.assignment)
        if partition is None:
            return
        if failed_before:
            partition.unblock(letter.record)
        partition.end(letter.record)
        partition.ledger.settle(letter.record.offset)
        self.partitions.changed()

    def dead_letter_failed(self, letter: DeadLetter) -> None:
        """The dead letter could not be written yet: its partition takes no new records until it is."""
        partition = self.partitions.by_assignment.get(letter.record.assignment)
        if partition is not None and letter not in self._failed:
            self._failed.add(letter)
            partition.block(letter.record)
            self.partitions.changed()

    # Work.

    def work(self, now: float) -> Work:
        """What is to be done now. What it returns counts as under way."""
        batches: list[Batch] = []
        if not self._breaker.open:
            batch = self._delivery.start(now)
            while batch is not None:
                self._began(batch)
                batches.append(batch)
                batch = self._delivery.start(now)
        letters, self._letters = self._letters, []
        return Work(batches, letters, self._schemas.take_wanted())

    def wake_at(self, now: float) -> float:
        """When `work` may have something without a new fact."""
        if self._letters or self._schemas.wanted:
            return now
        return NEVER if self._breaker.open else self._delivery.wake_at(now)

    def paused(self) -> dict[Assignment, str]:
        """The partitions to read nothing from now, each with the cause."""
        return self.partitions.paused(self._breaker.open)

    # What holds now, for readiness, metrics and logs.

    @property
    def halted(self) -> str:
        """The answer that halted sending; empty while it goes on."""
        return self._delivery.halted

    @property
    def breaker_open(self) -> bool:
        """Whether a flood of rejects has paused the service."""
        return self._breaker.open

    def slowed(self, now: float) -> bool:
        """Whether Mixpanel asked for fewer requests."""
        return self._delivery.slowed(now)

    def in_flight(self) -> int:
        """Requests under way."""
        return len(self._delivery.flying)

    # One record.

    def _admit(self, partition: Partition, record: Record, now: float) -> bool:
        """Decode, convert and queue one record, or make a dead letter of it; False where its partition is held."""
        schema: SchemaRef | None = None
        try:
            schema, start = frame(record.value, record.headers)
            decoder = self._schemas.decoder(schema, now)
            if decoder is None:
                self._hold(partition, record, schema)
                return False
            assert record.value is not None
            operation = convert(decoder.decode(record.value, start), len(record.value), self._token_size)
        except Reject as reject:
            partition.begin(record)
            self._letters.append(DeadLetter(record, reject.reason, reject.stage, reject.detail, schema))
            self._breaker.count(UNREADABLE, 1, now)
            return True
        partition.begin(record)
        self._breaker.count(ADMITTED, 1, now)
        self._order += 1
        self._lanes.push(record, operation, self._order)
        return True

    def _hold(self, partition: Partition, record: Record, schema: SchemaRef) -> None:
        """The partition waits for the schema: its next records may be of any group."""
        partition.held.appendleft(record)
        partition.needs = schema
        self._schemas.want(schema)

    def _release_held(self, ref: SchemaRef, now: float) -> None:
        """Admit what waited for this schema, up to the next that is not known."""
        for partition in self.partitions.by_assignment.values():
            if partition.needs != ref:
                continue
            partition.needs = None
            while partition.held and not self._breaker.open:
                if not self._admit(partition, partition.held.popleft(), now):
                    break
        self.partitions.changed()

    # One batch.

    def _began(self, batch: Batch) -> None:
        """Note how far each partition was sent: a drain closes the gaps below."""
        ours = self.partitions.by_assignment
        for update in batch.updates:
            run = update.run
            partition = ours[run.assignment]
            offset = run.entries[-1].record.offset
            if offset > partition.reached:
                partition.reached = offset

    def _accept(self, update: Update, delivered: Delivered) -> None:
        """One update is accepted."""
        verb = update.verb
        delivered.counts[verb] += 1
        run = update.run
        if creates(verb):
            run.created = True
        self._decided(run, delivered)

    def _refuse(self, decision: Decision, delivered: Delivered, now: float) -> None:
        """One update is refused or ambiguous: blame its record, or find out which of several it is."""
        update = decision.update
        run = update.run
        if decision.kind == AMBIGUOUS:
            for entry in run.adders(update):
                delivered.ambiguous += 1
                detail = "the outcome of the request is unknown, and an $add cannot be repeated safely"
                self._dead_letter(run, entry, AMBIGUOUS_ADD, detail, 0, "")
        else:
            blamed = run.blamed(update)
            if blamed is not None:
                detail = "Mixpanel refused this record's update"
                self._dead_letter(run, blamed, decision.reason, detail, update.status, update.error)
                self._breaker.count(REFUSED, 1, now)
            else:
                run.refused().updates.append(update)
        self._decided(run, delivered)

    def _decided(self, run: Run, delivered: Delivered) -> None:
        """An update has its verdict; when it is the last of its run, the run settles or is replayed."""
        run.undecided -= 1
        refusals = run.refusals
        if refusals is not None and refusals.replay:
            refusals.replay.popleft()
        if run.undecided:
            return
        if run.plan():
            self._lanes.replay(run)
        else:
            self._settle(run, delivered)

    def _dead_letter(self, run: Run, entry: Entry, reason: str, detail: str, status: int, error: str) -> None:
        """One record of the run becomes a dead letter, once; it stays open while the breaker is open."""
        record = entry.record
        rejected = run.refused().rejected
        if record.offset in rejected:
            return
        rejected.add(record.offset)
        if self._breaker.open:
            return
        schema, _ = frame(record.value, record.headers)
        self._letters.append(DeadLetter(record, reason, TASK_PUT, detail, schema, status, error, entry.json))

    def _settle(self, run: Run, delivered: Delivered) -> None:
        """The run is over: what was not dead-lettered is settled, and the group goes on."""
        partition = self.partitions.by_assignment[run.assignment]
        ledger = partition.ledger
        refusals = run.refusals
        for entry in run.entries:
            record = entry.record
            if refusals is not None and record.offset in refusals.rejected:
                continue
            partition.end(record)
            ledger.settle(record.offset)
            delivered.settled += 1
            delivered.records.append(record)
        self._lanes.release(run)
