"""One instance of the service: the real loop and pipeline, with simulated collaborators."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from consumer.core.causes import JOURNAL, PROJECT
from consumer.core.limits import Limits
from consumer.core.model import Assignment, DeadLetter, Record
from consumer.core.pipeline import Pipeline
from consumer.event.encode import opening_of
from consumer.mixpanel.lease import Lease
from consumer.registry.facts import SchemaKnown, SchemaRefused
from consumer.service.exchange import Exchange
from consumer.service.loop import Loop

from .caps import Body
from .heads import Heads
from .journal import Adds, Back, reached
from .ledger import Epoch
from .letters import DeadLetters
from .mixpanel import TAKEN, Pool, Request, Results
from .pace import Pace
from .parts import Observer, Registry
from .source import Source
from .traffic import Partition, token_of
from .world import Process, Violation

if TYPE_CHECKING:
    from .history import History

# So many turns without a fact and without time going by are a loop that burns its processor.
SPINS = 40
# A loop that stood still for so long asks the group first.
SILENCE = 8.0


class Instance:
    """Runs until it is stopped or killed; tells the oracle all that happens at its borders."""

    def __init__(self, history: "History", name: str, limits: Limits, drain_timeout: float, oversleep: float) -> None:
        world = self.world = history.world
        self.history = history
        self.oracle = history.oracle
        self.name = name
        self.limits = limits
        self.drain_timeout = drain_timeout
        self.oversleep = oversleep
        self.process = Process(world, oversleep)
        self.stopping = False
        self.stopped = False
        self.flying: list[Request] = []
        size = limits.batch_bytes
        self.paces = {project: Pace(Body(size, size)) for project in history.projects}
        self.heads = Heads()
        self.trouble_at = -1e9  # when one last was
        self.busy_at = 0.0
        self.polled_at = world.now
        self.barred: set[Epoch] = set()  # what may not be read, since the last pause was at the limit
        self.process.on_wake = self._woke
        self._facts = 0
        self.results = Results(world, self.process, self._taken)
        self.registry = Registry(world, history.registries, self.results)
        self.dead_letters = DeadLetters(world, history.letter_topic, self.process, self._lettering, self.lettered)
        lease = self.lease = Lease(lambda: world.now, SILENCE)
        adds = Adds(world, history.journal_topic, self.process) if history.journaling else None
        openings = {project: len(opening_of(token_of(project))) for project in history.projects}
        pipeline = Pipeline(openings, limits, None, history.mapped, past=adds.past if adds is not None else None)
        self.source = Source(world, history.broker, self, adds.journal if adds is not None else None)
        pool = Pool(world, history.mixpanel, self, self.results)
        self.withheld: dict[Assignment, int] = {}  # the highest offset in a request that waited for the journal alone
        back = Back(self.results, self.withheld)
        self.announcing = adds.before(pool, self.source, pipeline, back, lease) if adds is not None else None
        self.observer = Observer(self.note if world.tracing else None)
        exchange = Exchange(
            pipeline,
            self.announcing or pool,
            self.registry,
            self.dead_letters,
            self.results,  # type: ignore[arg-type]
            self.observer,
            clock=lambda: world.now,
            jitter=world.random.random,
            adds=self.announcing,
        )
        self.loop = Loop(
            pipeline,
            self.source,  # type: ignore[arg-type]
            exchange,
            self.observer,
            drain_timeout=drain_timeout,
            lease=lease,
            clock=lambda: world.now,
        )
        self.process.start(self._run)

    def __repr__(self) -> str:
        return self.name

    def is_halted(self, project: str) -> bool:
        """Whether the service says that Mixpanel refuses everything of the project."""
        return project in self.loop.pipeline.destinations.halted()

    def note(self, what: str) -> None:
        """A line of the trace."""
        self.world.note(self.name, what)

    def _run(self) -> None:
        spins = 0
        while not self.stopping:
            before = (self.world.now, self._facts)
            self.loop.turn()
            self.oracle.turned(self)
            self.process.was_frozen = False
            spins = spins + 1 if before == (self.world.now, self._facts) else 0
            if spins > SPINS:
                raise Violation(f"liveness: {self} turns {SPINS} times without a fact and without waiting")
        began = self.world.now
        self.draining(list(self.oracle.live))
        self.loop.stop()
        took = self.world.now - began
        if took > self.drain_timeout + 2.5 + 4 * self.oversleep:
            raise Violation(f"drain: {self} took {took:.1f} s to stop, and DRAIN_TIMEOUT is {self.drain_timeout}")
        self.stopped = True
        self.process.kill()

    # What the simulated collaborators tell.

    def _woke(self, seconds: float) -> None:
        self.busy_at = self.world.now  # what it could commit before it slept waits for its word on who owns what
        if self.world.tracing:
            self.note(f"wakes after {seconds:.3f} s")
        if seconds > SILENCE:
            self.oracle.woke(self)

    def polled(self) -> None:
        """The loop polls."""
        self.polled_at = self.world.now

    def read(self, records: list[Record]) -> None:
        """The loop gets records."""
        self._facts += len(records)
        self.oracle.read(self, records)
        if records and self.world.tracing:
            self.note(f"reads {records}")

    def ended(self, ends: list[tuple[Assignment, int]]) -> None:
        """The loop hears that partitions were read to their ends."""
        for assignment, end in ends:
            self.oracle.end_reached(assignment, end)

    def gap(self, partition: Partition, records: int) -> None:
        """The source says that retention removed records before they were read."""
        if self.world.tracing:
            self.note(f"{partition} lost {records} records to retention")

    def pausing(self) -> None:
        """The loop says what it pauses."""
        self.oracle.pausing(self)

    def sending(self, request: Request) -> None:
        """The loop sends."""
        self._facts += 1
        self.flying.append(request)
        if self.world.tracing:
            updates = [
                {key: value for key, value in update.items() if key not in ("$token", "$group_key")}
                for update in request.updates
            ]
            self.note(f"request {request.number}: {updates} -> {request.told}, unknown {request.unknown}")
        self.oracle.sending(request)

    def _taken(self, item: object) -> None:
        """The loop takes something out of its queue."""
        self._facts += 1
        if isinstance(item, Request):
            self.flying.remove(item)
            self.busy_at = self.world.now
            if item.told != TAKEN:
                self.trouble_at = self.world.now
            if self.world.tracing:
                self.note(f"answer {item.number}: {item.told} {item.accepted} {item.refused}")
            self.oracle.told(item)
        elif isinstance(item, SchemaKnown | SchemaRefused):
            self.registry.heard(item.ref)
            if self.world.tracing:
                self.note(f"schema {item.ref}: {type(item).__name__}")

    def _lettering(self, letter: DeadLetter) -> None:
        self._facts += 1
        if self.world.tracing:
            self.note(f"dead letter of {letter.record}: {letter.reason}")
        self.oracle.lettering(self, letter)

    def lettered(self, letters: list[DeadLetter]) -> None:
        """The loop hears that letters are confirmed."""
        for letter in letters:
            self._facts += 1
            self.oracle.confirmed(letter)

    def committing(self, offsets: Mapping[Assignment, int]) -> None:
        """The loop commits."""
        if self.world.tracing:
            self.note(f"commits {dict(offsets)}")
        self.oracle.committing(self, offsets)

    def assigned(self, assignment: Assignment, partition: Partition, start: int) -> None:
        """The source is about to tell of a new assignment."""
        self._facts += 1
        if self.world.tracing:
            self.note(f"is assigned {assignment} from {start}")
        self.oracle.assigned(self, assignment, partition, start)

    def draining(self, assignments: list[Assignment]) -> None:
        """A drain of these begins."""
        live = [self.oracle.live[assignment] for assignment in assignments if assignment in self.oracle.live]
        self.oracle.draining([epoch for epoch in live if epoch.instance is self])

    def revoked(self, assignments: list[Assignment], took: float) -> None:
        """The revoke callback returned."""
        self._facts += 1
        self.busy_at = self.world.now
        if self.world.tracing:
            self.note(f"gave up {assignments} in {took:.3f} s")
        self.oracle.ended(assignments, lost=False)
        if took > self.drain_timeout + 0.2 + 4 * self.oversleep and not self.process.was_frozen:
            raise Violation(f"drain: {self} took {took:.1f} s to give up {assignments}")

    def lost(self, assignments: list[Assignment]) -> None:
        """The loop was told that these are lost."""
        self._facts += 1
        if self.world.tracing:
            self.note(f"lost {assignments}")
        self.oracle.ended(assignments, lost=True)

    # What the oracle asks.

    def stands(self, epoch: Epoch) -> bool:
        """Whether the partition waits for schema, journal, dead letter or room: its records are not counted."""
        waits_for_room = self.loop.pipeline.paused().get(epoch.assignment) == PROJECT
        if waits_for_room or self.waits_for_journal(epoch.assignment):
            return True
        if any(letter.record.assignment is epoch.assignment for letter in self.dead_letters.failing()):
            return True
        needed = {item.meant.schema for item in epoch.order[epoch.settled :]}
        return any(ref is not None and self.registry.lacks(ref) for ref in needed)

    def waits(self) -> bool:
        """Whether requests are under way, or were in trouble of late, or none may be sent."""
        stopped = any(map(self.is_halted, self.paces)) or self.loop.pipeline.breaker_open
        suspected = bool(self.loop.pipeline.destinations.behind_suspects())
        if self.history.journaling and any(self.holds(assignment) for assignment in self.oracle.live):
            return True  # at an $add, perhaps, that is left out once it can be read
        return bool(self.flying) or stopped or suspected or self.world.now - self.trouble_at < 70.0

    def announcing_up_to(self, assignment: Assignment) -> int:
        """The highest offset in a request that waits for the journal, or was withheld; -1 where there is none."""
        held = self.announcing.held() if self.announcing is not None else []
        return max([self.withheld.get(assignment, -1), *(reached(batch).get(assignment, -1) for batch in held)])

    def waits_for_journal(self, assignment: Assignment) -> bool:
        """Whether the partition is held at an $add of which it is not known yet what became of it."""
        return self.holds(assignment) == JOURNAL

    def holds(self, assignment: Assignment) -> str:
        """For what the partition is held; empty where it is not."""
        partition = self.loop.pipeline.partitions.by_assignment.get(assignment)
        return partition.held_for if partition is not None else ""
