"""What the pipeline keeps of each assignment, and the limits that all of them share."""

from collections import deque
from collections.abc import Collection
from typing import Final, final

from consumer.core.limits import Limits
from consumer.core.model import Assignment, Record
from consumer.core.offsets import Ledger
from consumer.core.room import Open
from consumer.core.schemas import Need, schema_of_need
from consumer.core.whole import Whole
from consumer.event.model import SchemaRef

# Settled offsets that wait behind an open one are tracked up to this multiple of the open limit, in all.
TRACKED: Final = 4

# Why a partition is paused.
LIMIT: Final = "limit"
FAULT: Final = "fault"
SCHEMA: Final = "schema"
RULES: Final = "rules"
MAPPING: Final = "mapping"
DEAD_LETTER: Final = "dead_letter"
PROJECT: Final = "project"  # the next record is for a project that has its share of what may be open
BREAKER: Final = "breaker"
JOURNAL: Final = "journal"


@final
class Partition:
    """What the pipeline keeps of one assignment."""

    __slots__ = (
        "_all",
        "assignment",
        "blocked",
        "blocked_bytes",
        "bytes",
        "detail",
        "draining",
        "held",
        "held_for",
        "ledger",
        "needs",
        "open",
        "parts",
        "project",
        "reached",
        "why_held",
    )

    def __init__(self, assignment: Assignment, all_open: Open) -> None:
        self.assignment = assignment
        self.ledger = Ledger()
        self.open = 0  # records in lanes, in runs, or awaiting their dead letter
        self.parts = 0  # of them, each by itself
        self.bytes = 0
        self.reached = -1  # the highest offset that was ever part of a run
        self.held: deque[Record] = deque()  # the head cannot be taken in now
        self.held_for = ""  # why, one of HELD
        self.why_held = ""  # in words, for a person
        self.detail: dict[str, object] = {}  # as /status has it
        self.needs: Need | None = None
        self.project = ""  # or the project that is to have room again
        self.blocked = 0  # dead letters that could not be written so far
        self.blocked_bytes = 0
        self.draining = False
        self._all = all_open

    def begin(self, record: Record) -> None:
        """The record is open."""
        self.open += 1
        self.parts += 1
        self.bytes += record.size
        self._all.add(1, record.size)

    def end(self, record: Record) -> None:
        """The record is open no more."""
        self.open -= 1
        self.parts -= 1
        self.bytes -= record.size
        self._all.add(-1, -record.size)

    def join(self, whole: Whole) -> None:
        """The record that is open has several parts."""
        self.parts += whole.undecided - 1
        self.bytes += whole.beside
        self._all.add(0, whole.beside)

    def decided(self, whole: Whole) -> bool:
        """One of its parts is over; whether it was the last: then the record counts by itself again."""
        whole.undecided -= 1
        if whole.undecided:
            self.parts -= 1
            return False
        self.bytes -= whole.beside
        self._all.add(0, -whole.beside)
        return True

    def block(self, record: Record) -> None:
        """The record's dead letter could not be written: it counts against no limit, its partition has stopped."""
        self.blocked += 1
        self.blocked_bytes += record.size
        self._all.add(-1, -record.size)

    def unblock(self, record: Record) -> None:
        """It was written after all."""
        self.blocked -= 1
        self.blocked_bytes -= record.size
        self._all.add(1, record.size)

    def hold(self, record: Record, needs: Need | None, cause: str, words: str, detail: dict[str, object]) -> None:
        """Take in nothing from this record on, until it is released: the next records may be of any group."""
        self.held.appendleft(record)
        self.needs = needs
        self.holds_for(cause, words, detail)

    def holds_for(self, cause: str, words: str, detail: dict[str, object]) -> None:
        """Why it is held, as far as that is known now."""
        self.held_for = cause
        self.why_held = words
        self.detail = detail

    def release(self) -> None:
        """What it was held for is over."""
        self.holds_for("", "", {})
        self.needs = None
        self.project = ""

    def forget(self) -> None:
        """The epoch is over: nothing of it counts any more."""
        self._all.add(self.blocked - self.open, self.blocked_bytes - self.bytes)

    def drain(self) -> None:
        """Take nothing new, and forget what is held."""
        self.draining = True
        self.held.clear()
        self.release()


@final
class Partitions:
    """All assignments of this instance. `standing` is what is open of projects that stand.

    What waits for a schema or for the dead-letter topic does not count as open: its partition stopped at once, and
    the others go on.
    """

    __slots__ = ("_limit", "_open", "_standing", "_unreadable", "by_assignment")

    def __init__(self, limits: Limits, standing: Open | None = None) -> None:
        self._limit = limits.open_records
        self._open = Open(limits.open_records, limits.open_bytes)
        self._standing = standing
        self._unreadable: Collection[Assignment] = ()
        self.by_assignment: dict[Assignment, Partition] = {}

    def add(self, assignment: Assignment) -> None:
        """This partition is ours from now on."""
        self.by_assignment[assignment] = Partition(assignment, self._open)

    def remove(self, assignment: Assignment) -> bool:
        """This partition is ours no more; False where it was not."""
        partition = self.by_assignment.pop(assignment, None)
        if partition is not None:
            partition.forget()
        return partition is not None

    def assignments(self) -> list[Assignment]:
        """The partitions that are ours."""
        return list(self.by_assignment)

    def paused(self, breaker_open: bool) -> dict[Assignment, str]:
        """The partitions to read nothing from now, each with the cause."""
        if breaker_open:
            return dict.fromkeys(self.by_assignment, BREAKER)
        found: dict[Assignment, str] = {}
        share = self._tracked_share()
        full = self._open.full(self._standing)
        for assignment, partition in self.by_assignment.items():
            if partition.held:
                found[assignment] = partition.held_for
            elif partition.blocked:
                found[assignment] = DEAD_LETTER
            elif assignment in self._unreadable:
                found[assignment] = FAULT
            elif full or len(partition.ledger) > share:
                found[assignment] = LIMIT
        return found

    def room(self) -> int:
        """How many more records may be read before the limit of open records is reached."""
        return self._open.left(self._standing)

    def ended(self, assignment: Assignment, end: int) -> None:
        """Before the offset `end` this partition has no records but those that were polled."""
        partition = self.by_assignment.get(assignment)
        if partition is not None and not partition.draining:
            partition.ledger.ended(end)

    def cannot_read(self, assignments: Collection[Assignment]) -> None:
        """These, and no others, are the partitions whose next records the client cannot read."""
        self._unreadable = assignments

    # What may be committed.

    def committable(self) -> dict[Assignment, int]:
        """For each partition the next offset to read, where one may be committed: the one place that says so."""
        return {
            assignment: partition.ledger.committable
            for assignment, partition in self.by_assignment.items()
            if partition.ledger.committable >= 0
        }

    def settled_or_first(self) -> dict[Assignment, int]:
        """An offset of each partition to commit again and again: the committable, or the first unsettled.

        What is held counts: it may wait for something that only a loop without doubt asks for.
        """
        found: dict[Assignment, int] = {}
        for assignment, partition in self.by_assignment.items():
            offset = partition.ledger.committable
            if offset < 0:
                offset = partition.ledger.first_open()
            if offset < 0 and partition.held:
                offset = partition.held[0].offset
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
            partition.assignment: schema_of_need(partition.needs)
            for partition in self.by_assignment.values()
            if partition.held and partition.needs is not None
        }

    def _tracked_share(self) -> int:
        """How many offsets a partition may track: its fair share, once all of them together are too many."""
        tracked = sum(len(partition.ledger) for partition in self.by_assignment.values())
        limit = self._limit * TRACKED
        return limit // len(self.by_assignment) if tracked > limit else tracked
