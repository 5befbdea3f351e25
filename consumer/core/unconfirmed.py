"""Dead letters that the broker has not confirmed: what is to be produced, and what could not be written so far."""

from collections.abc import Collection
from typing import final

from consumer.core.model import Assignment, DeadLetter
from consumer.core.partitions import Partitions


@final
class Unconfirmed:
    """They hold the commit of their partitions; one that cannot be written stops its partition's reading, too."""

    __slots__ = ("_failed", "_partitions", "_to_produce")

    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions
        self._to_produce: list[DeadLetter] = []
        self._failed: set[DeadLetter] = set()

    def __len__(self) -> int:
        """How many are to be produced."""
        return len(self._to_produce)

    def add(self, dead_letter: DeadLetter) -> None:
        """This one is to be produced."""
        self._to_produce.append(dead_letter)

    def take(self) -> list[DeadLetter]:
        """What is to be produced now; it counts as under way."""
        taken, self._to_produce = self._to_produce, []
        return taken

    def confirmed(self, dead_letter: DeadLetter) -> None:
        """The broker has it: its record is settled."""
        failed_before = dead_letter in self._failed
        self._failed.discard(dead_letter)
        partition = self._partitions.by_assignment.get(dead_letter.record.assignment)
        if partition is None:
            return
        if failed_before:
            partition.unblock(dead_letter.record)
        partition.end(dead_letter.record)
        partition.ledger.settle(dead_letter.record.offset)

    def failed(self, dead_letter: DeadLetter) -> None:
        """It could not be written yet: its partition takes no new records until it is."""
        partition = self._partitions.by_assignment.get(dead_letter.record.assignment)
        if partition is not None and dead_letter not in self._failed:
            self._failed.add(dead_letter)
            partition.block(dead_letter.record)

    def forget(self, gone: set[Assignment]) -> None:
        """Those of these partitions are the next owner's."""
        self._to_produce = [
            dead_letter for dead_letter in self._to_produce if dead_letter.record.assignment not in gone
        ]
        self._failed = {dead_letter for dead_letter in self._failed if dead_letter.record.assignment not in gone}

    def unwritten(self) -> Collection[DeadLetter]:
        """Those that could not be written so far."""
        return self._failed
