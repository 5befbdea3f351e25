"""Records that are taken in: each waits in its group's lane, becomes a dead letter, or holds its partition."""

from typing import final

from consumer.core.breaker import ACCEPTED, ADMITTED, UNREADABLE, Breaker
from consumer.core.causes import PROJECT
from consumer.core.destinations import Destinations
from consumer.core.entry import Entry
from consumer.core.intake import Intake
from consumer.core.model import Record
from consumer.core.partition import Partition
from consumer.core.partitions import Partitions
from consumer.core.scatter import SAMPLE, Scatter
from consumer.core.schemas import Need
from consumer.core.settling import UNCOUNTED
from consumer.core.taken import HELD, IGNORED, PARTED, TAKEN, Taken
from consumer.core.unconfirmed import Unconfirmed
from consumer.core.whole import Whole
from consumer.event.encode import group_part


@final
class Admission:
    """Passes on what `intake` makes of a record. `waits`: a partition may be held for want of room for a project."""

    __slots__ = (
        "_breaker",
        "_destinations",
        "_ignored",
        "_intake",
        "_order",
        "_partitions",
        "_scatter",
        "_unconfirmed",
        "waits",
    )

    def __init__(
        self,
        intake: Intake,
        destinations: Destinations,
        partitions: Partitions,
        breaker: Breaker,
        unconfirmed: Unconfirmed,
        scatter: Scatter,
        keeps_ignored: bool,
    ) -> None:
        """`keeps_ignored`: records that nothing comes of are for `take_ignored`."""
        self._intake = intake
        self._destinations = destinations
        self._partitions = partitions
        self._breaker = breaker
        self._unconfirmed = unconfirmed
        self._scatter = scatter
        self._ignored: list[Record] | None = [] if keeps_ignored else None
        self._order = 0
        self.waits = False

    def take_ignored(self) -> list[Record]:
        """The records that nothing came of, since the last call; they are settled."""
        ignored = self._ignored or []
        if ignored:
            self._ignored = []
        return ignored

    def admit(self, partition: Partition, record: Record, now: float) -> bool:
        """Take in one record, or make a dead letter of it; False where its partition is held at it."""
        taken = self._intake.take(record, now)
        if taken.outcome == HELD:
            partition.hold(record, taken.needs, taken.cause, taken.words, taken.detail)
            return False
        project = self._full_project(taken)
        if project:
            partition.hold(record, None, PROJECT, f"project {project} has its share of what may be open", {})
            partition.project = project
            self.waits = True
            return False
        if taken.mapped is not None:
            self._intake.count(record, taken.mapped)
        if taken.outcome == IGNORED:
            self._breaker.count(ADMITTED, 1, now)
            self._breaker.count(ACCEPTED, 1, now)
            partition.ledger.settle(record.offset)
            if self._ignored is not None:
                self._ignored.append(record)
            return True
        partition.begin(record)
        if taken.dead_letter is not None:
            self._unconfirmed.add(taken.dead_letter)
            if taken.dead_letter.reason not in UNCOUNTED:
                self._breaker.count(UNREADABLE, 1, now)
            return True
        if taken.outcome == PARTED:
            self._queue_parts(partition, record, taken, now)
            return True
        self._breaker.count(ADMITTED, 1, now)
        self._queue(record, taken, None)
        return True

    def _full_project(self, taken: Taken) -> str:
        """The project, or one of those of its parts, that has no room; empty where there is none."""
        if taken.outcome == TAKEN:
            return taken.project if self._destinations.full(taken.project) else ""
        if taken.parts is not None:
            for part in taken.parts:
                if part.outcome == TAKEN and self._destinations.full(part.project):
                    return part.project
        return ""

    def _queue(self, record: Record, taken: Taken, whole: Whole | None) -> None:
        """Let what the record asks for wait behind its group's others."""
        self._order += 1
        operation = taken.operation
        assert operation is not None
        group = group_part(taken.tail, operation.verb)
        if not hash(group) & SAMPLE:
            self._scatter.saw(group, record.assignment)
        lanes = self._destinations.by_name[taken.project].dispatch.lanes
        lanes.push(group, Entry(record, operation.verb, taken.tail, self._order, taken.rule, whole))

    def _queue_parts(self, partition: Partition, record: Record, taken: Taken, now: float) -> None:
        """The same, of each part that is not refused; the record settles with the last of them."""
        whole = Whole()
        parts = taken.parts
        assert parts is not None
        for part in parts:
            if part.dead_letter is not None:
                self._order += 1
                whole.refuse(self._order, part.dead_letter)
                whole.counted = whole.counted or part.dead_letter.reason not in UNCOUNTED
            else:
                whole.add(len(part.tail))
                self._queue(record, part, whole)
        partition.join(whole)
        self._breaker.count(UNREADABLE if whole.counted else ADMITTED, 1, now)

    def release_held(self, need: Need, now: float) -> None:
        """Admit what waited for this schema, up to the next that cannot be taken in."""
        for partition in self._partitions.by_assignment.values():
            if partition.needs == need:
                self.release(partition, now)

    def release_waiting(self, now: float) -> None:
        """The same, of what waited for room for a project that has it again."""
        self.waits = False
        for partition in self._partitions.by_assignment.values():
            if partition.project and self._destinations.full(partition.project):
                self.waits = True
            elif partition.project:
                self.release(partition, now)

    def release(self, partition: Partition, now: float) -> None:
        """Admit what it held, up to the next that cannot be taken in."""
        partition.release()
        while partition.held and not self._breaker.open:
            if not self.admit(partition, partition.held.popleft(), now):
                break
