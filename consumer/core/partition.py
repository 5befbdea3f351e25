"""What the pipeline keeps of one assignment."""

from collections import deque
from typing import final

from consumer.core.model import Assignment, Record
from consumer.core.offsets import Ledger
from consumer.core.room import Open
from consumer.core.schemas import Need
from consumer.core.whole import Whole


@final
class Partition:
    """What is held and open of it, and its ledger. The room for open work is shared by all of them."""

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
        self.reached = -1  # the highest offset of a run that is over
        self.held: deque[Record] = deque()  # the head cannot be taken in now
        self.held_for = ""  # why, one of causes.py
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
