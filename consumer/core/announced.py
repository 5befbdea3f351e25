"""Which `$add`s were announced before they were sent: what a new owner of their partition has to know of.

    announce   its request is about to go          applied    Mixpanel has taken it
    withdrawn  it was surely not applied           passed     its record is committed: nobody reads it again

An announcement that is none of the last three is in doubt. Each has a name of its own, so that what one owner writes
never takes back what another wrote.
"""

from collections import deque
from typing import Final, final

from consumer.core.model import Assignment, Record

# Where nothing is known of what the journal held before.
START: Final = -1
# What a commit has passed stays so long, in seconds: one that was sent before it may still arrive after it.
GRACE: Final = 10.0


@final
class Mark:
    """What the journal says of one announcement: of the `$add` that `rule` made of the record at topic and offset.

    `timestamp` is the record's own, so that another record at its offset is not taken for it; `name` is the
    announcement's; `position` is the offset in the journal; `applied` where Mixpanel has taken the `$add`.
    """

    __slots__ = ("applied", "name", "offset", "partition", "position", "rule", "timestamp", "topic", "topic_id")

    def __init__(
        self,
        topic: str,
        topic_id: str,
        partition: int,
        offset: int,
        rule: str,
        name: str,
        timestamp: int,
        position: int = START,
        applied: bool = False,
    ) -> None:
        self.topic = topic
        self.topic_id = topic_id
        self.partition = partition
        self.offset = offset
        self.rule = rule
        self.name = name
        self.timestamp = timestamp
        self.position = position
        self.applied = applied

    def about(self, assignment: Assignment) -> bool:
        """Whether it is of this partition. A topic's id that is not known may be any."""
        if self.partition != assignment.partition or self.topic != assignment.topic:
            return False
        return not self.topic_id or not assignment.topic_id or self.topic_id == assignment.topic_id


@final
class Epoch:
    """What one assignment has in the journal."""

    __slots__ = ("marks", "name", "over", "read", "start")

    def __init__(self, name: str, start: int) -> None:
        self.name = name
        self.start = start
        self.read = False  # from the start up to its end
        self.marks: dict[str, Mark] = {}  # by name, in the order of the journal
        self.over: deque[tuple[float, Mark]] = deque()  # committed, and when


@final
class Announced:
    """The announcements of this instance, and those that it found, until their records are committed."""

    __slots__ = ("_count", "_epochs", "end")

    def __init__(self) -> None:
        self._epochs: dict[Assignment, Epoch] = {}
        self._count = 0
        self.end = 0  # the journal is known to reach up to here

    def begin(self, assignment: Assignment, name: str, start: int) -> None:
        """A new epoch, whose `name` no other has; the journal is to be read from `start`, START for all of it."""
        self._epochs[assignment] = Epoch(name, start)

    def found(self, assignment: Assignment, marks: list[Mark], end: int) -> None:
        """The journal was read up to `end`: it has these of the partition."""
        self.end = max(self.end, end)
        epoch = self._epochs.get(assignment)
        if epoch is not None:
            epoch.read = True
            epoch.marks = {mark.name: mark for mark in marks} | epoch.marks

    def forget(self, assignments: list[Assignment]) -> None:
        """These epochs are over: their announcements are the next owner's to read."""
        for assignment in assignments:
            self._epochs.pop(assignment, None)

    def announce(self, record: Record, rule: str) -> Mark | None:
        """A new announcement, to be written; None where the epoch is over."""
        place = record.assignment
        epoch = self._epochs.get(place)
        if epoch is None:
            return None
        self._count += 1
        name = f"{epoch.name}.{self._count}"
        mark = Mark(
            place.topic, place.topic_id, place.partition, record.offset, rule, name, record.timestamp, self.end
        )
        epoch.marks[name] = mark
        return mark

    def written(self, mark: Mark, position: int) -> None:
        """The broker confirmed the announcement, at this offset of the journal."""
        mark.position = position
        self.end = max(self.end, position + 1)

    def holds(self, assignment: Assignment, mark: Mark) -> bool:
        """Whether the epoch is not over, and a new owner would still have to know of it."""
        epoch = self._epochs.get(assignment)
        return epoch is not None and mark.name in epoch.marks

    def withdrawn(self, assignment: Assignment, mark: Mark) -> bool:
        """The `$add` was not applied, or never sent; whether that may be written: the epoch is not over."""
        epoch = self._epochs.get(assignment)
        return epoch is not None and epoch.marks.pop(mark.name, None) is not None

    def passed(self, assignment: Assignment, committed: int, now: float) -> None:
        """What is below the committed offset is over."""
        epoch = self._epochs.get(assignment)
        if epoch is None or not epoch.marks:
            return
        over = [mark for mark in epoch.marks.values() if mark.offset < committed]
        for mark in over:
            del epoch.marks[mark.name]
            epoch.over.append((now, mark))

    def outdated(self, now: float) -> list[Mark]:
        """What may be taken out of the journal now, each once."""
        found: list[Mark] = []
        for epoch in self._epochs.values():
            while epoch.over and epoch.over[0][0] <= now - GRACE:
                found.append(epoch.over.popleft()[1])
        return found

    def floor(self, assignment: Assignment) -> int:
        """From which offset of the journal the next owner has to read; START for all of it."""
        epoch = self._epochs.get(assignment)
        if epoch is None:
            return START
        if not epoch.read:
            return epoch.start
        lowest = self.end
        if epoch.over:
            lowest = min(lowest, epoch.over[0][1].position)
        for mark in epoch.marks.values():
            return min(lowest, mark.position)
        return lowest


@final
class Gathered:
    """What a stretch of the journal comes to, read in its order."""

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        self._marks: dict[str, Mark] = {}

    def put(self, mark: Mark) -> None:
        """The journal has this mark; a later one of the same name says what became of it."""
        before = self._marks.get(mark.name)
        if before is None:
            self._marks[mark.name] = mark
        else:
            before.applied = mark.applied

    def gone(self, name: str) -> None:
        """The announcement of this name was taken out."""
        self._marks.pop(name, None)

    def about(self, assignment: Assignment) -> list[Mark]:
        """The marks of this partition, in the order of the journal."""
        return [mark for mark in self._marks.values() if mark.about(assignment)]
