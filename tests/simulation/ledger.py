"""What the oracle keeps of one epoch: every record that was read, how it went out, and what became of it.

Written apart from the core: it knows records by what they were meant to be, and requests by the properties that
they carry.
"""

from typing import Any

from consumer.core.model import Assignment

from .traffic import Meant, Partition

# Records that are sent, unless a late schema is too late.
SENT = ("good", "bad", "late")


class Item:
    """One record of one epoch."""

    __slots__ = (
        "accepted",
        "again",
        "confirmed",
        "decided",
        "epoch",
        "index",
        "lettered",
        "meant",
        "read_at",
        "request",
        "run",
        "steps",
    )

    def __init__(self, epoch: "Epoch", meant: Meant, index: int, read_at: float) -> None:
        self.epoch = epoch
        self.meant = meant
        self.read_at = read_at
        self.index = index  # in its group
        self.run: Any = None  # the first request that carried it
        self.request: Any = None  # the last one
        self.accepted = False
        self.lettered = ""  # the reason of its dead letter, once that was produced
        self.confirmed = False
        self.decided = False  # accepted, or its dead letter produced
        self.again = False  # a folded update with it was refused: it goes again
        self.steps: set[Any] = set()  # requests of several updates that told nothing of each, so that they may part

    def __repr__(self) -> str:
        return f"record {self.meant.number} ({self.meant.group} {self.meant.verb} @{self.meant.offset})"


class Epoch:
    """One assignment of one partition at one instance."""

    def __init__(self, number: int, instance: Any, assignment: Assignment, partition: Partition, start: int) -> None:
        self.number = number
        self.instance = instance
        self.assignment = assignment
        self.partition = partition
        self.start = start
        self.live = True
        self.stale = False  # lost in a sleep of the instance, which it could know
        self.bound: int | None = None  # in a drain: only records up to this offset are still sent
        self.lost = False  # it ended without a drain
        self.items: dict[int, Item] = {}  # by the record's number
        self.groups: dict[str, list[Item]] = {}
        self.first_open: dict[str, int] = {}  # by group: the index before which everything is decided
        self.order: list[Item] = []
        self.end = -1  # no record is before it but those read
        self.settled = 0  # so many of `order`, from the first on, are settled
        self.open = 0
        self.open_bytes = 0
        self.committable = start
        self.committable_since = 0.0
        self.committed = -1
        self.unknown_adds: set[str] = set()  # groups of which an $add may have been applied, or not
        self.adds: dict[int, int] = {}  # how often each record's $add was applied

    def __repr__(self) -> str:
        return f"{self.partition[0]}[{self.partition[1]}] epoch {self.number}"

    def read(self, meant: Meant, now: float) -> Item:
        """The record was handed to the loop."""
        group = self.groups.setdefault(meant.group, []) if meant.verdict in SENT else []
        item = Item(self, meant, len(group), now)
        group.append(item)
        self.items[meant.number] = item
        self.order.append(item)
        self.open += 1
        self.open_bytes += size_of(meant)
        return item

    def undecided(self, group: str) -> list[Item]:
        """The records of the group that have no verdict yet, in order."""
        items = self.groups.get(group, [])
        first = self.first_open.get(group, 0)
        while first < len(items) and items[first].decided:
            first += 1
        self.first_open[group] = first
        return [item for item in items[first:] if not item.decided]

    def settle(self, item: Item, now: float) -> None:
        """The record is accepted, or its dead letter confirmed."""
        self.open -= 1
        self.open_bytes -= size_of(item.meant)
        before = self.settled
        while self.settled < len(self.order):
            first = self.order[self.settled]
            if not (first.confirmed if first.lettered else first.accepted):
                break
            self.settled += 1
            self.committable = first.meant.offset + 1
        self._pass_end()
        if self.settled != before:
            self.committable_since = now

    def reach(self, end: int, now: float) -> None:
        """The partition was read to its end."""
        self.end = end
        before = self.committable
        self._pass_end()
        if self.committable != before:
            self.committable_since = now

    def _pass_end(self) -> None:
        if self.settled == len(self.order):
            self.committable = max(self.committable, self.end)


def size_of(meant: Meant) -> int:
    """The bytes of key, value and headers."""
    size = len(meant.key or b"") + len(meant.value or b"")
    return size + sum(len(name) + len(value or b"") for name, value in meant.headers or [])
