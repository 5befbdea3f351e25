"""The journal: a compacted topic in which each `$add` is announced before it is sent.

    announce   notes, to be written            begin       what earlier owners of a partition wrote is to be read
    written    whether the broker has one      floor       from where the next owner has to read
    answered   what became of its `$add`s      committed   what is below needs nobody to know of it
                                               turn        hear of the broker, and of what was read

All of it is in one partition, so that it is in order. Nothing but an announcement is waited for: a word that is lost
in a crash leaves an `$add` in doubt that was applied.
"""

import secrets
from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol

from consumer.core.announced import START, Add, Announced, Gathered, Note
from consumer.core.model import Assignment
from consumer.core.past import Past
from consumer.kafka.journal_format import key_of, value_of

# The one partition that is written and read.
PARTITION: Final = 0
# `$add`s of one note: a record of Kafka may have 1 MB.
MOST: Final = 1_000
# Seconds from one look at what may be taken out to the next.
OUTDATED_EVERY: Final = 0.1


class Stretch:
    """What was read of the journal, up to `end`, for these partitions."""

    def __init__(self, assignments: Sequence[Assignment], gathered: Gathered, end: int) -> None:
        self.assignments = assignments
        self.gathered = gathered
        self.end = end


class Reading(Protocol):
    """Reads the journal; see journal_reading.py."""

    def ask(self, assignment: Assignment, start: int) -> None: ...
    def poll(self) -> list[Stretch]: ...
    def exists(self) -> bool: ...
    def look(self) -> None: ...
    def rotate(self, config: dict[str, object], files: Collection[str]) -> None: ...
    def close(self) -> None: ...


class Writing(Protocol):
    """Writes the journal; see journal_writing.py."""

    def write(self, key: bytes, value: bytes | None, *, confirm: bool) -> None: ...
    def poll(self) -> list[tuple[bytes, int]]: ...
    def failing(self) -> bool: ...
    def give_up(self, keys: Collection[bytes]) -> None: ...
    def rotate(self, config: dict[str, object], files: Collection[str]) -> None: ...
    def close(self) -> None: ...


class NoJournal:
    """What the source asks of a journal, where there is none."""

    def floor(self, assignment: Assignment) -> int:  # noqa: ARG002  # as the other one has it
        """Nothing is to be read."""
        return START

    def redone(self, assignment: Assignment, began: int, committed: int) -> int:  # noqa: ARG002  # as the other one has it
        """Nothing is known to be applied."""
        return START

    def committed(self, assignment: Assignment, offset: int) -> None:
        """Nothing is over."""


class Journal:
    """The journal of one instance. One thread calls, but for `rotate`."""

    def __init__(self, past: Past, reading: Reading, writing: Writing, clock: Callable[[], float]) -> None:
        """`past` is told what was read, and whether `$add`s can be announced."""
        self._past = past
        self._reading = reading
        self._writing = writing
        self._clock = clock
        self._announced = Announced()
        self._open: dict[bytes, tuple[Assignment, Note]] = {}  # announced, and not confirmed
        self._unwritten: set[str] = set()  # their names
        self._unread: set[Assignment] = set()
        self._outdated_at = 0.0

    # Of partitions.

    def begin(self, assignment: Assignment, start: int, redone: int) -> None:
        """A new epoch: the journal is to be read from `start` on, START for all of it.

        Below `redone` the last owner may have undone what was applied.
        """
        self._announced.begin(assignment, secrets.token_hex(8), start, redone)
        self._past.begin(assignment, redone)
        self._unread.add(assignment)
        self._reading.ask(assignment, start)

    def floor(self, assignment: Assignment) -> int:
        """From which offset of the journal a new owner has to read; START where that is not known."""
        return self._announced.floor(assignment)

    def redone(self, assignment: Assignment, began: int, committed: int) -> int:
        """Below which offset a new owner may find undone what was applied; START where nothing is."""
        return self._announced.redone(assignment, began, committed)

    def committed(self, assignment: Assignment, offset: int) -> None:
        """The broker confirmed the commit."""
        self._announced.passed(assignment, offset, self._clock())

    def forget(self, assignments: list[Assignment]) -> None:
        """These epochs are over: nothing more is written of them."""
        gone = set(assignments)
        self._announced.forget(assignments)
        self._past.forget(assignments)
        self._unread -= gone
        keys = [key for key, (assignment, _) in self._open.items() if assignment in gone]
        self._give_up(keys)

    # Of `$add`s.

    def announce(self, assignment: Assignment, adds: list[Add]) -> list[Note]:
        """Have it written that these are about to be sent, in so many notes; none of an old epoch."""
        found: list[Note] = []
        for part in parts_of(adds):
            note = self._announced.announce(assignment, part)
            if note is not None:
                key = key_of(note)
                self._open[key] = (assignment, note)
                self._unwritten.add(note.name)
                self._writing.write(key, value_of(note), confirm=True)
                found.append(note)
        return found

    def written(self, note: Note) -> bool:
        """Whether the broker has confirmed it."""
        return note.name not in self._unwritten

    def taken(self, assignment: Assignment, note: Note) -> None:
        """Mixpanel has taken all of it."""
        if self._announced.holds(assignment, note):
            note.taken()
            self._writing.write(key_of(note), value_of(note), confirm=False)

    def answered(self, assignment: Assignment, note: Note, applied: Collection[Add], gone: Collection[Add]) -> None:
        """Mixpanel has taken some; those that were surely not applied are announced anew before another try."""
        if not self._announced.holds(assignment, note) or not note.answered(applied, gone):
            return
        key = key_of(note)
        if note.says_nothing():
            self._announced.withdrawn(assignment, note)
            self._give_up([key])
            self._writing.write(key, None, confirm=False)
        else:
            self._writing.write(key, value_of(note), confirm=False)

    # Each turn.

    def turn(self) -> bool:
        """Hear what came; whether `$add`s that were held may go now."""
        for key, position in self._writing.poll():
            found = self._open.pop(key, None)
            if found is not None:
                self._unwritten.discard(found[1].name)
                self._announced.written(found[1], position)
        changed = bool(self._unread) and self._hear()
        failing = self._writing.failing()
        if failing:
            self._reading.look()  # the topic may be gone
        writable = self._reading.exists() and not failing
        changed = changed or (writable and not self._past.writable)
        self._past.writable = writable
        now = self._clock()
        if now >= self._outdated_at:
            self._outdated_at = now + OUTDATED_EVERY
            for note in self._announced.outdated(now):
                self._writing.write(key_of(note), None, confirm=False)
        return changed

    def rotate(self, reading: dict[str, object], writing: dict[str, object], files: Collection[str]) -> None:
        """Sign in as these configurations and changed files say. Any thread."""
        self._reading.rotate(reading, files)
        self._writing.rotate(writing, files)

    def close(self) -> None:
        """Write and read nothing more."""
        self._reading.close()
        self._writing.close()

    def _give_up(self, keys: list[bytes]) -> None:
        """Wait no more for the broker's word on these."""
        self._writing.give_up(keys)
        for key in keys:
            found = self._open.pop(key, None)
            if found is not None:
                self._unwritten.discard(found[1].name)

    def _hear(self) -> bool:
        """Take what was read; whether there was something."""
        heard = False
        for stretch in self._reading.poll():
            for assignment in stretch.assignments:
                if assignment in self._unread:
                    self._unread.discard(assignment)
                    notes = stretch.gathered.about(assignment)
                    self._announced.found(assignment, notes, stretch.end)
                    self._past.known(assignment, notes)
                    heard = True
        return heard


def parts_of(adds: list[Add]) -> list[list[Add]]:
    """As many as one note may have in each."""
    if len(adds) <= MOST:
        return [adds]
    return [adds[start : start + MOST] for start in range(0, len(adds), MOST)]
