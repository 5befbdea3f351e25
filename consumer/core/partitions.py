"""What the pipeline keeps of each assignment, and the limits that all of them share."""

from collections import deque
from typing import Final, final

from consumer.core.limits import Limits
from consumer.core.model import Assignment, Record
from consumer.core.offsets import Ledger
from consumer.event.model import SchemaRef

# Settled offsets that wait behind an open one are tracked up to this multiple of the open limit, in all.
TRACKED: Final = 4

# Why a partition is paused.
LIMIT: Final = "limit"
SCHEMA: Final = "schema"
RULES: Final = "rules"
DEAD_LETTER: Final = "dead_letter"
BREAKER: Final = "breaker"


@final
class Partition:
    """What the pipeline keeps of one assignment."""

    __slots__ = (
        "assignment",
        "blocked",
        "blocked_bytes",
        "bytes",
        "draining",
        "held",
        "ledger",
        "needs",
        "open",
        "reached",
    )

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.ledger = Ledger()
        self.open = 0  # records in lanes, in runs, or awaiting their dead letter
        self.bytes = 0
        self.reached = -1  # the highest offset that was ever part of a run
        self.held: deque[Record] = deque()  # the head needs a schema that is not yet known
        self.needs: SchemaRef | None = None
        self.blocked = 0  # dead letters that could not be written so far
        self.blocked_bytes = 0
        self.draining = False

    def begin(self, record: Record) -> None:
        """The record is open."""
        self.open += 1
        self.bytes += record.size

    def end(self, record: Record) -> None:
        """The record is open no more."""
        self.open -= 1
        self.bytes -= record.size

    def block(self, record: Record) -> None:
        """The record's dead letter could not be written: it counts against no limit, its partition has stopped."""
        self.blocked += 1
        self.blocked_bytes += record.size

    def unblock(self, record: Record) -> None:
        """It was written after all."""
        self.blocked -= 1
        self.blocked_bytes -= record.size

    def drain(self) -> None:
        """Take nothing new, and forget what waits for a schema."""
        self.draining = True
        self.held.clear()
        self.needs = None


@final
class Partitions:
    """All assignments of this instance.

    At a limit reading stops, at half of it it goes on: pausing throws away what was prefetched. Records that wait
    for a schema or for the dead-letter topic do not count: their partition stopped at once, and the others go on.
    """

    __slots__ = ("_bytes_limit", "_full", "_limit", "by_assignment", "ruled")

    def __init__(self, limits: Limits) -> None:
        self._limit = limits.open_records
        self._bytes_limit = limits.open_bytes
        self._full = False
        self.by_assignment: dict[Assignment, Partition] = {}
        self.ruled: set[SchemaRef] = set()  # schemas with rules that are not run here

    def assignments(self) -> list[Assignment]:
        """The partitions that are ours."""
        return list(self.by_assignment)

    # What a poll, a schema, a verdict or a dead letter changed.

    def changed(self) -> None:
        """Records were opened or closed: look whether a limit is reached, or left behind."""
        records = self._counted()
        size = sum([partition.bytes - partition.blocked_bytes for partition in self.by_assignment.values()])
        share = 2 if self._full else 1
        self._full = records * share >= self._limit or size * share >= self._bytes_limit

    def paused(self, breaker_open: bool) -> dict[Assignment, str]:
        """The partitions to read nothing from now, each with the cause."""
        if breaker_open:
            return dict.fromkeys(self.by_assignment, BREAKER)
        found: dict[Assignment, str] = {}
        share = self._tracked_share()
        for assignment, partition in self.by_assignment.items():
            if partition.held:
                found[assignment] = RULES if partition.needs in self.ruled else SCHEMA
            elif partition.blocked:
                found[assignment] = DEAD_LETTER
            elif self._full or len(partition.ledger) > share:
                found[assignment] = LIMIT
        return found

    def room(self) -> int:
        """How many more records may be read before the limit of open records is reached."""
        return max(0, self._limit - self._counted())

    def ended(self, assignment: Assignment, end: int) -> None:
        """Before the offset `end` this partition has no records but those that were polled."""
        partition = self.by_assignment.get(assignment)
        if partition is not None and not partition.draining:
            partition.ledger.ended(end)

    # What may be committed.

    def committable(self) -> dict[Assignment, int]:
        """For each partition the next offset to read, where one may be committed: the one place that says so."""
        return {
            assignment: partition.ledger.committable
            for assignment, partition in self.by_assignment.items()
            if partition.ledger.committable >= 0
        }

    def settled_or_open(self) -> dict[Assignment, int]:
        """For each partition an offset that may be committed again and again: the committable, or the first open."""
        found: dict[Assignment, int] = {}
        for assignment, partition in self.by_assignment.items():
            offset = partition.ledger.committable
            if offset < 0:
                offset = partition.ledger.first_open()
            if offset >= 0:
                found[assignment] = offset
        return found

    # What is open.

    def open_records(self) -> int:
        """Records read and not settled."""
        return sum(partition.open + len(partition.held) for partition in self.by_assignment.values())

    def open_bytes(self) -> int:
        """Their bytes."""
        return sum(
            partition.bytes + sum([record.size for record in partition.held])
            for partition in self.by_assignment.values()
        )

    def oldest_open(self) -> float:
        """When the oldest open record was polled; -1 where nothing is open."""
        times = [partition.ledger.oldest() for partition in self.by_assignment.values()]
        return min([time for time in times if time >= 0], default=-1.0)

    def first_open(self, assignment: Assignment) -> int:
        """The offset that pins this partition's commit; -1 where nothing is open."""
        return self.by_assignment[assignment].ledger.first_open()

    def held_schemas(self) -> dict[Assignment, SchemaRef]:
        """The partitions whose head needs a schema, with the schema."""
        return {
            partition.assignment: partition.needs
            for partition in self.by_assignment.values()
            if partition.held and partition.needs is not None
        }

    def _counted(self) -> int:
        """The open records that count against the limit."""
        return sum([partition.open - partition.blocked for partition in self.by_assignment.values()])

    def _tracked_share(self) -> int:
        """How many offsets a partition may track: its fair share, once all of them together are too many."""
        tracked = sum(len(partition.ledger) for partition in self.by_assignment.values())
        limit = self._limit * TRACKED
        return limit // len(self.by_assignment) if tracked > limit else tracked
