"""All assignments of this instance: what is paused and what may be committed, and the limits that they share."""

from collections.abc import Mapping
from typing import Final, final

from consumer.core.causes import BREAKER, DEAD_LETTER, FAULT, LIMIT
from consumer.core.limits import Limits
from consumer.core.model import Assignment
from consumer.core.partition import Partition
from consumer.core.room import Open
from consumer.core.schemas import Need, schema_of_need
from consumer.event.model import SchemaRef

# Settled offsets that wait behind an open one are tracked up to this multiple of the open limit, in all.
TRACKED: Final = 4


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
        self._unreadable: Mapping[Assignment, tuple[int, float]] = {}
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

    def holds_for(self, need: Need, cause: str, words: str, detail: dict[str, object]) -> None:
        """Those that are held at a record of this schema are held for this cause, as far as that is known now."""
        for partition in self.by_assignment.values():
            if partition.needs == need:
                partition.holds_for(cause, words, detail)

    def paused(self, breaker_open: bool) -> dict[Assignment, str]:
        """The partitions to read nothing from now, each with the cause."""
        if breaker_open:
            return dict.fromkeys(self.by_assignment, BREAKER)
        causes: dict[Assignment, str] = {}
        share = self._tracked_share()
        full = self._open.full(self._standing)
        for assignment, partition in self.by_assignment.items():
            if partition.held:
                causes[assignment] = partition.held_for
            elif partition.blocked:
                causes[assignment] = DEAD_LETTER
            elif assignment in self._unreadable:
                causes[assignment] = FAULT
            elif full or len(partition.ledger) > share:
                causes[assignment] = LIMIT
        return causes

    def room(self) -> int:
        """How many more records may be read before the limit of open records is reached."""
        return self._open.left(self._standing)

    def ended(self, assignment: Assignment, end: int) -> None:
        """Before the offset `end` this partition has no records but those that were polled."""
        partition = self.by_assignment.get(assignment)
        if partition is not None and not partition.draining:
            partition.ledger.ended(end)

    def cannot_read(self, places: Mapping[Assignment, tuple[int, float]]) -> None:
        """The client cannot read on in these partitions, and no others: each with the offset, and since when."""
        self._unreadable = places

    def stands(self, assignment: Assignment) -> tuple[int, float]:
        """The next offset to be read of this partition, and since when the client cannot; -1 for what is unknown."""
        offset, since = self._unreadable.get(assignment, (-1, -1.0))
        return max(offset, self.by_assignment[assignment].ledger.next_offset()), since

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
        offsets: dict[Assignment, int] = {}
        for assignment, partition in self.by_assignment.items():
            offset = partition.ledger.committable
            if offset < 0:
                offset = partition.ledger.first_open()
            if offset < 0 and partition.held:
                offset = partition.held[0].offset
            if offset >= 0:
                offsets[assignment] = offset
        return offsets

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
