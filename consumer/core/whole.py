"""A record that makes several updates, or is refused in part: it is settled with the last of its parts.

What was refused becomes one dead letter of the record, in the file's order.
"""

from typing import Final, final

from consumer.core.model import DeadLetter
from consumer.core.taken import IGNORED, PARTED, Taken, rejected
from consumer.event.errors import (
    AMBIGUOUS_ADD,
    INVALID_CHANGE,
    QUARANTINED,
    REJECTED,
    TOO_LARGE,
    UNKNOWN_PROJECT,
)

# Of several reasons the first that one of the parts has.
PRECEDENCE: Final = (REJECTED, TOO_LARGE, AMBIGUOUS_ADD, INVALID_CHANGE, UNKNOWN_PROJECT, QUARANTINED)


@final
class Whole:
    """What the parts of one record share. `undecided` counts those in lanes and runs.

    `beside` are the bytes of all updates but the first, which stands for the record's own size; `counted` says that
    the breaker knows of it as a reject already.
    """

    __slots__ = ("_refused", "beside", "counted", "undecided")

    def __init__(self) -> None:
        self.undecided = 0
        self.beside = 0
        self.counted = False
        self._refused: list[tuple[int, DeadLetter]] = []

    def add(self, size: int) -> None:
        """One more part, whose update has so many bytes."""
        if self.undecided:
            self.beside += size
        self.undecided += 1

    def refuse(self, order: int, dead_letter: DeadLetter) -> None:
        """The part at this place of the file's order would be this dead letter, if it were alone."""
        self._refused.append((order, dead_letter))

    def dead_letter(self) -> DeadLetter | None:
        """The one of the record; None where nothing of it was refused."""
        if not self._refused:
            return None
        return joined([dead_letter for _, dead_letter in sorted(self._refused, key=by_order)])


def several(parts: list[Taken]) -> Taken:
    """The record, from its parts: ignored without any, one dead letter where all of them are refused."""
    if not parts:
        return Taken(IGNORED)
    dead_letters = [part.dead_letter for part in parts if part.dead_letter is not None]
    if len(dead_letters) == len(parts):
        return rejected(dead_letters[0] if len(dead_letters) == 1 else joined(dead_letters))
    taken = Taken(PARTED)
    taken.parts = parts
    return taken


def by_order(item: tuple[int, DeadLetter]) -> int:
    """The place of a refused part."""
    return item[0]


def joined(parts: list[DeadLetter]) -> DeadLetter:
    """One dead letter of what was refused of a record that makes several updates, or has several rules."""
    first = parts[0]
    for part in parts:
        if PRECEDENCE.index(part.reason) < PRECEDENCE.index(first.reason):
            first = part
    rules = dict.fromkeys([part.rule for part in parts])
    details = dict.fromkeys([part.detail for part in parts])
    updates = [part.update for part in parts if part.update]
    dead_letter = DeadLetter(
        first.record,
        first.reason,
        first.stage,
        "; ".join(details),
        first.schema,
        first.status,
        first.error,
        b"[" + b",".join(updates) + b"]" if updates else b"",
        first.project if same_project(parts) else "",
        first.company_id if same_company(parts) else None,
        ",".join(rules),
    )
    dead_letter.parts = parts
    return dead_letter


def same_project(parts: list[DeadLetter]) -> bool:
    """Whether all of them are of one project."""
    for part in parts:
        if part.project != parts[0].project:
            return False
    return True


def same_company(parts: list[DeadLetter]) -> bool:
    """Whether all of them are of one company."""
    for part in parts:
        if part.company_id != parts[0].company_id:
            return False
    return True
