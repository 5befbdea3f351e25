"""The offset ledger of one assignment: which records were seen, which are settled, what may be committed.

Only offsets that were really seen are tracked: compaction and transaction markers leave gaps, and a
synthetic range would wait for ever for records that do not exist. Every step costs the same however much
is open.
"""

from collections import deque
from typing import final


@final
class Ledger:
    """Seen and settled offsets of one assignment of one partition, in the order of the partition.

    `committable` is the next offset to read: one past the last record before which, itself included,
    everything is settled; -1 until there is one.
    """

    __slots__ = ("_open", "_polled", "_settled", "committable")

    def __init__(self) -> None:
        self.committable = -1
        self._open: deque[int] = deque()
        self._polled: deque[float] = deque()
        self._settled: set[int] = set()

    def __len__(self) -> int:
        """How many offsets are tracked: open ones, and settled ones that wait behind an open one."""
        return len(self._open)

    def seen(self, offset: int, polled_at: float) -> None:
        """Track the record at `offset`; offsets come in rising order."""
        self._open.append(offset)
        self._polled.append(polled_at)

    def settle(self, offset: int) -> None:
        """The record at `offset` is accepted, or its dead letter confirmed. Once for each offset seen."""
        first = self._open
        settled = self._settled
        if first[0] != offset:
            settled.add(offset)
            return
        first.popleft()
        self._polled.popleft()
        self.committable = offset + 1
        while first and first[0] in settled:
            offset = first.popleft()
            self._polled.popleft()
            settled.discard(offset)
            self.committable = offset + 1

    def settled_ahead(self) -> int:
        """How many settled records wait behind an open one: what a crash now would repeat."""
        return len(self._settled)

    def oldest(self) -> float:
        """When the oldest open record was polled; -1 where nothing is open."""
        if not self._polled:
            return -1.0
        return self._polled[0]

    def first_open(self) -> int:
        """The offset that pins the commit; -1 where nothing is open."""
        if not self._open:
            return -1
        return self._open[0]
