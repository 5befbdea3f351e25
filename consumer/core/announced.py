"""Which `$add`s were announced before they were sent: what a new owner of their partition has to know of.

    announce   their request is about to go        answered   what became of them
    withdrawn  none of them was applied            passed     their records are committed: nobody reads them again

What was announced is in doubt until it is one of the last three. Each note has a name of its own, so that what one
owner writes never takes back what another wrote.
"""

from collections import deque
from collections.abc import Collection
from typing import Final, final

from consumer.core.model import Assignment

# Where nothing is known of what the journal held before.
START: Final = -1
# Beyond every offset.
ALL: Final = 2**63 - 1
# What a commit has passed stays so long, in seconds: one that was sent before it may still arrive after it.
GRACE: Final = 10.0

# An `$add` of a partition: the offset of its record, the rule that made it, and the record's timestamp, so that
# another record at its offset is not taken for it.
Add = tuple[int, str, int]


@final
class Note:
    """What one record of the journal says of `$add`s that went in one request, all of one partition.

    `last` is the highest offset of them. `name` is the note's, `position` its offset in the journal. `text` is all of
    them as they are written, while that is known. The lists may be another's: they are replaced, and not changed.
    """

    __slots__ = ("applied", "in_doubt", "last", "name", "partition", "position", "text", "topic", "topic_id")

    def __init__(
        self,
        topic: str,
        topic_id: str,
        partition: int,
        name: str,
        in_doubt: list[Add],
        applied: list[Add],
        position: int = START,
    ) -> None:
        self.topic = topic
        self.topic_id = topic_id
        self.partition = partition
        self.name = name
        self.in_doubt = in_doubt
        self.applied = applied
        self.position = position
        self.text = b""
        self.last = max(last_of(in_doubt), last_of(applied))

    def about(self, assignment: Assignment) -> bool:
        """Whether it is of this partition. A topic's id that is not known may be any."""
        if self.partition != assignment.partition or self.topic != assignment.topic:
            return False
        return not self.topic_id or not assignment.topic_id or self.topic_id == assignment.topic_id

    def taken(self) -> None:
        """Mixpanel has taken all that was in doubt."""
        if self.applied:
            self.applied = self.applied + self.in_doubt
            self.text = b""
        else:
            self.applied = self.in_doubt  # none of them is looked at
        self.in_doubt = []

    def committed(self) -> None:
        """All of it is: what is left of it is its place in the journal, to be taken out."""
        self.in_doubt = []
        self.applied = []
        self.text = b""

    def answered(self, applied: Collection[Add], gone: Collection[Add]) -> bool:
        """Mixpanel has taken some, and some were surely not applied; whether that says more than was known."""
        taken = [add for add in self.in_doubt if add in applied]
        left = [add for add in self.in_doubt if add not in applied and add not in gone]
        if len(left) == len(self.in_doubt):
            return False
        self.applied = self.applied + taken
        self.in_doubt = left
        self.text = b""
        return True

    def says_nothing(self) -> bool:
        """Whether none of it is in doubt or applied."""
        return not self.in_doubt and not self.applied


@final
class Epoch:
    """What one assignment has in the journal.

    `redone` is what the last owner has committed: below it another owner's `$add` may be undone. `applied` is past
    the last that earlier owners had applied.
    """

    __slots__ = ("applied", "name", "notes", "over", "read", "redone", "start")

    def __init__(self, name: str, start: int, redone: int) -> None:
        self.name = name
        self.start = start
        self.redone = redone
        self.applied = ALL  # until it is read
        self.read = False  # from the start up to its end
        self.notes: dict[str, Note] = {}  # by name, in the order of the journal
        self.over: deque[tuple[float, Note]] = deque()  # committed, and when


@final
class Announced:
    """The notes of this instance, and those that it found, until their records are committed."""

    __slots__ = ("_count", "_epochs", "end")

    def __init__(self) -> None:
        self._epochs: dict[Assignment, Epoch] = {}
        self._count = 0
        self.end = 0  # the journal is known to reach up to here

    def begin(self, assignment: Assignment, name: str, start: int, redone: int) -> None:
        """A new epoch, whose `name` no other has; the journal is to be read from `start`, START for all of it.

        `redone` is what the last owner committed of it.
        """
        self._epochs[assignment] = Epoch(name, start, redone)

    def found(self, assignment: Assignment, notes: list[Note], end: int) -> None:
        """The journal was read up to `end`: it has these of the partition."""
        self.end = max(self.end, end)
        epoch = self._epochs.get(assignment)
        if epoch is not None:
            epoch.read = True
            epoch.applied = max([last_of(note.applied) + 1 for note in notes if note.applied], default=START)
            epoch.notes = {note.name: note for note in notes} | epoch.notes

    def forget(self, assignments: list[Assignment]) -> None:
        """These epochs are over: their notes are the next owner's to read."""
        for assignment in assignments:
            self._epochs.pop(assignment, None)

    def announce(self, place: Assignment, adds: list[Add]) -> Note | None:
        """A new note, to be written; None where the epoch is over."""
        epoch = self._epochs.get(place)
        if epoch is None:
            return None
        self._count += 1
        name = f"{epoch.name}.{self._count}"
        note = Note(place.topic, place.topic_id, place.partition, name, adds, [], self.end)
        epoch.notes[name] = note
        return note

    def written(self, note: Note, position: int) -> None:
        """The broker confirmed the note, at this offset of the journal."""
        note.position = position
        self.end = max(self.end, position + 1)

    def holds(self, assignment: Assignment, note: Note) -> bool:
        """Whether the epoch is not over, and a new owner would still have to know of it."""
        epoch = self._epochs.get(assignment)
        return epoch is not None and note.name in epoch.notes

    def withdrawn(self, assignment: Assignment, note: Note) -> None:
        """None of it was applied, or ever sent."""
        del self._epochs[assignment].notes[note.name]

    def passed(self, assignment: Assignment, committed: int, now: float) -> None:
        """What is below the committed offset is over."""
        epoch = self._epochs.get(assignment)
        if epoch is None or not epoch.notes:
            return
        over = [note for note in epoch.notes.values() if note.last < committed]
        for note in over:
            del epoch.notes[note.name]
            note.committed()
            epoch.over.append((now, note))

    def outdated(self, now: float) -> list[Note]:
        """What may be taken out of the journal now, each once."""
        found: list[Note] = []
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
        for note in epoch.notes.values():
            return min(lowest, note.position)
        return lowest

    def redone(self, assignment: Assignment, began: int, committed: int) -> int:
        """Below which offset an `$add` that is applied may be undone, for an owner that starts at `committed`.

        What this owner, which `began` at an offset, has sent again below `committed` the next one does not see. START
        where nothing may be.
        """
        epoch = self._epochs.get(assignment)
        if epoch is None:
            return START
        bound = epoch.redone if committed == began else epoch.applied
        return bound if committed < bound else START


@final
class Gathered:
    """What a stretch of the journal comes to, read in its order."""

    __slots__ = ("_notes",)

    def __init__(self) -> None:
        self._notes: dict[str, Note] = {}

    def put(self, note: Note) -> None:
        """The journal has this note; a later one of the same name says what became of it."""
        before = self._notes.get(note.name)
        if before is not None:
            note.position = before.position
        self._notes[note.name] = note

    def gone(self, name: str) -> None:
        """The note of this name was taken out."""
        self._notes.pop(name, None)

    def about(self, assignment: Assignment) -> list[Note]:
        """The notes of this partition, in the order of the journal."""
        return [note for note in self._notes.values() if note.about(assignment)]


def last_of(adds: list[Add]) -> int:
    """The highest offset of them; -1 where there is none."""
    last = -1
    for offset, _, _ in adds:
        if offset > last:
            last = offset
    return last
