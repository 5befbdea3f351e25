"""The journal of `$add`s: the real `consumer.kafka.journal` and `consumer.service.adds` on a simulated topic.

What an instance wrote lands in order, after a while, also when it is dead by then, or never.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from consumer.core.announced import Gathered
from consumer.core.batch import Batch
from consumer.core.model import Assignment
from consumer.core.past import Past
from consumer.core.pipeline import Pipeline
from consumer.kafka.journal import Journal, Stretch
from consumer.kafka.journal_format import parsed
from consumer.mixpanel.lease import Lease
from consumer.mixpanel.pool import Response
from consumer.service.adds import Announcing

from .mixpanel import Pool, Results
from .source import Source
from .world import Process, World

SUSPECT_AFTER = 5.0


@dataclass
class JournalTopic:
    """What all instances write to, and read."""

    slow: float = 0.02
    missing: bool = False
    records: list[tuple[bytes, bytes | None]] = field(default_factory=list)


class Writing:
    """The producer of one instance."""

    def __init__(self, world: World, topic: JournalTopic, process: Process) -> None:
        self._world = world
        self._topic = topic
        self._process = process
        self._lands_at = 0.0
        self._open: dict[bytes, float] = {}
        self._confirmed: list[tuple[bytes, int]] = []

    def write(self, key: bytes, value: bytes | None, *, confirm: bool) -> None:
        if confirm:
            self._open[key] = self._world.now
        self._send(key, value, confirm)

    def poll(self) -> list[tuple[bytes, int]]:
        confirmed, self._confirmed = self._confirmed, []
        for key, _ in confirmed:
            self._open.pop(key, None)
        return confirmed

    def failing(self) -> bool:
        return any(self._world.now - since > SUSPECT_AFTER for since in self._open.values())

    def give_up(self, keys: Collection[bytes]) -> None:
        for key in keys:
            self._open.pop(key, None)

    def rotate(self, config: dict[str, object], files: Collection[str]) -> None:
        pass

    def close(self) -> None:
        pass

    def _send(self, key: bytes, value: bytes | None, confirm: bool) -> None:
        self._lands_at = max(self._lands_at, self._world.now + self._world.between(0.0, self._topic.slow))
        self._world.at(self._lands_at, lambda: self._land(key, value, confirm))

    def _land(self, key: bytes, value: bytes | None, confirm: bool) -> None:
        if self._process.dead and self._world.chance(0.5):
            return
        if self._topic.missing:
            if confirm:
                self._world.after(1.0, lambda: self._send(key, value, confirm))
            return
        self._topic.records.append((key, value))
        if confirm and not self._process.dead:
            self._confirmed.append((key, len(self._topic.records) - 1))
            self._process.poke("records")


class Reading:
    """The reader of one instance."""

    def __init__(self, world: World, topic: JournalTopic, process: Process) -> None:
        self._world = world
        self._topic = topic
        self._process = process
        self._found: list[Stretch] = []

    def ask(self, assignment: Assignment, start: int) -> None:
        self._world.after(self._world.between(0.0, 0.3), lambda: self._read(assignment, start))

    def poll(self) -> list[Stretch]:
        found, self._found = self._found, []
        return found

    def exists(self) -> bool:
        return not self._topic.missing

    def look(self) -> None:
        pass

    def rotate(self, config: dict[str, object], files: Collection[str]) -> None:
        pass

    def close(self) -> None:
        pass

    def _read(self, assignment: Assignment, start: int) -> None:
        if self._topic.missing:
            self._world.after(1.0, lambda: self._read(assignment, start))
            return
        gathered = Gathered()
        for position in range(max(0, start), len(self._topic.records)):
            note, gone = parsed(*self._topic.records[position], position)
            if gone:
                gathered.gone(note.name)
            else:
                gathered.put(note)
        self._found.append(Stretch([assignment], gathered, len(self._topic.records)))
        self._process.poke("records")


class Back:
    """Where what is not sent, after it waited for the journal, comes back: into the loop's queue."""

    def __init__(self, results: Results, withheld: dict[Assignment, int]) -> None:
        """`withheld` has the highest offset of each assignment in any of it."""
        self._results = results
        self._withheld = withheld

    def put(self, item: Response) -> None:
        for assignment, offset in reached(item.batch).items():
            self._withheld[assignment] = max(offset, self._withheld.get(assignment, -1))
        self._results.put(item)


def reached(batch: Batch) -> dict[Assignment, int]:
    """How far the request reaches in each assignment."""
    found: dict[Assignment, int] = {}
    for update in batch.updates:
        run = update.run
        found[run.assignment] = max(run.entries[-1].record.offset, found.get(run.assignment, -1))
    return found


class Adds:
    """What one instance announces with, where it does."""

    def __init__(self, world: World, topic: JournalTopic, process: Process) -> None:
        self.past = Past()
        writing, reading = Writing(world, topic, process), Reading(world, topic, process)
        self._clock: Callable[[], float] = lambda: world.now
        self.journal = Journal(self.past, reading, writing, self._clock)

    def before(self, pool: Pool, source: Source, pipeline: Pipeline, results: Back, lease: Lease) -> Announcing:
        """What stands before the pool."""
        return Announcing(
            pool,
            self.journal,
            source,
            pipeline,
            results,  # type: ignore[arg-type]
            lease=lease,
            clock=self._clock,
            waited=lambda seconds: None,
        )
