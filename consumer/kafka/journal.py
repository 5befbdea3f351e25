"""The journal: a compacted topic in which each `$add` is announced before it is sent.

    announce   a mark, to be written           begin       what earlier owners of a partition wrote is to be read
    written    whether the broker has it       floor       from where the next owner has to read it
    applied    Mixpanel has taken it           committed   what is below needs nobody to know of it
    withdraw   it was surely not applied       turn        hear of the broker, and of what was read

All of it is in one partition, so that it is in order. Nothing but an announcement is waited for: a word that it was
applied, and is lost in a crash, leaves the `$add` in doubt.
"""

import secrets
from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol

from consumer.core.announced import START, Announced, Gathered, Mark
from consumer.core.model import Assignment, Record
from consumer.core.past import Past
from consumer.kafka.journal_format import key_of, value_of

# The one partition that is written and read.
PARTITION: Final = 0


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
        self._open: dict[bytes, tuple[Assignment, Mark]] = {}  # announced, and not confirmed
        self._unwritten: set[str] = set()  # their names
        self._unread: set[Assignment] = set()

    # Of partitions.

    def begin(self, assignment: Assignment, start: int) -> None:
        """A new epoch: the journal is to be read from `start` on, START for all of it."""
        self._announced.begin(assignment, secrets.token_hex(8), start)
        self._past.begin(assignment)
        self._unread.add(assignment)
        self._reading.ask(assignment, start)

    def floor(self, assignment: Assignment) -> int:
        """From which offset of the journal a new owner has to read; START where that is not known."""
        return self._announced.floor(assignment)

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
        self._writing.give_up(keys)
        for key in keys:
            self._unwritten.discard(self._open.pop(key)[1].name)

    # Of `$add`s.

    def announce(self, record: Record, rule: str) -> Mark | None:
        """Have it written that this is about to be sent; None where the epoch is over."""
        mark = self._announced.announce(record, rule)
        if mark is not None:
            key = key_of(mark)
            self._open[key] = (record.assignment, mark)
            self._unwritten.add(mark.name)
            self._writing.write(key, value_of(mark), confirm=True)
        return mark

    def written(self, mark: Mark) -> bool:
        """Whether the broker has confirmed it."""
        return mark.name not in self._unwritten

    def applied(self, assignment: Assignment, mark: Mark) -> None:
        """Mixpanel has taken it."""
        mark.applied = True
        if self._announced.holds(assignment, mark):
            self._writing.write(key_of(mark), value_of(mark), confirm=False)

    def withdraw(self, assignment: Assignment, mark: Mark) -> None:
        """It was surely not applied, and is announced anew before it is sent again."""
        if self._announced.withdrawn(assignment, mark):
            key = key_of(mark)
            if self._open.pop(key, None) is not None:
                self._unwritten.discard(mark.name)
                self._writing.give_up([key])
            self._writing.write(key, None, confirm=False)

    # Each turn.

    def turn(self) -> bool:
        """Hear what came; whether `$add`s that were held may go now."""
        for key, position in self._writing.poll():
            found = self._open.pop(key, None)
            if found is not None:
                self._unwritten.discard(found[1].name)
                self._announced.written(found[1], position)
        changed = self._hear()
        failing = self._writing.failing()
        if failing:
            self._reading.look()  # the topic may be gone
        writable = self._reading.exists() and not failing
        changed = changed or (writable and not self._past.writable)
        self._past.writable = writable
        for mark in self._announced.outdated(self._clock()):
            self._writing.write(key_of(mark), None, confirm=False)
        return changed

    def rotate(self, reading: dict[str, object], writing: dict[str, object], files: Collection[str]) -> None:
        """Sign in as these configurations and changed files say. Any thread."""
        self._reading.rotate(reading, files)
        self._writing.rotate(writing, files)

    def close(self) -> None:
        """Write and read nothing more."""
        self._reading.close()
        self._writing.close()

    def _hear(self) -> bool:
        """Take what was read; whether there was something."""
        heard = False
        for stretch in self._reading.poll():
            for assignment in stretch.assignments:
                if assignment in self._unread:
                    self._unread.discard(assignment)
                    marks = stretch.gathered.about(assignment)
                    self._announced.found(assignment, marks, stretch.end)
                    self._past.known(assignment, marks)
                    heard = True
        return heard
