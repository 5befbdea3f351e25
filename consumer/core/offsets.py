"""The offset ledger of one assignment: which records were seen, which are settled, what may be committed.

Only offsets that were really seen are waited for: compaction and transaction markers leave gaps, and a record that
does not exist never settles. Where the partition was read to its end, what holds no record is passed, too. A step
costs the same however much is open, and a tracked offset takes one byte.
"""

from collections import deque
from typing import Final, final

# One byte for each offset of a stretch.
OPEN: Final = 0
SETTLED: Final = 1
ABSENT: Final = 2
FIRST_OPEN: Final = b"\0"
IS_SETTLED: Final = b"\1"
# A wider gap begins a new stretch, which costs about as much as so many bytes.
WIDEST_GAP: Final = 128
# So much that is passed is kept before its memory is given back.
KEPT: Final = 1024


@final
class OffsetStretch:
    """Offsets from `start` on without a wide gap. `done` counts those at its front that are passed."""

    __slots__ = ("done", "start", "states")

    def __init__(self, start: int) -> None:
        self.start = start
        self.states = bytearray()
        self.done = 0


@final
class Ledger:
    """Seen and settled offsets of one assignment of one partition, in the order of the partition.

    `committable` is the next offset to read: one past the last record before which, itself included,
    everything is settled, or the end of the partition where all of it is; -1 until there is one.
    """

    __slots__ = ("_ahead", "_end", "_first", "_polled_at", "_polls", "_stretches", "_tracked", "_turn", "committable")

    def __init__(self) -> None:
        self.committable = -1
        self._stretches: list[OffsetStretch] = []
        self._first = 0  # the index of the first stretch that is not passed
        self._polls: deque[tuple[int, float]] = deque()  # the first offset of each poll, and its time
        self._polled_at = -1.0  # of the last poll; -1 where there is none
        self._turn = -1  # the first offset of the second poll; -1 where there is none
        self._tracked = 0
        self._ahead = 0
        self._end = -1  # there is no record before it but those seen

    def __len__(self) -> int:
        """How many offsets are tracked: open ones, and settled ones that wait behind an open one."""
        return self._tracked

    def seen(self, offset: int, polled_at: float) -> None:
        """Track the record at `offset`; offsets come in rising order."""
        if polled_at != self._polled_at:
            self._began(offset, polled_at)
        stretch = self._last(offset)
        states = stretch.states
        gap = offset - stretch.start - len(states)
        if gap:
            states.extend(b"\2" * gap)
        states.append(OPEN)
        self._tracked += 1

    def settle(self, offset: int) -> None:
        """The record at `offset` is accepted, or its dead letter confirmed. Once for each offset seen."""
        stretch = self._of(offset)
        states = stretch.states
        place = offset - stretch.start
        states[place] = SETTLED
        if place != stretch.done or stretch is not self._stretches[self._first]:
            self._ahead += 1
        elif place + 1 < len(states) and states[place + 1] == OPEN:
            self._step(stretch, offset)
        else:
            self._ahead += 1
            self._pass()

    def ended(self, end: int) -> None:
        """There is no record before the offset `end` but those seen: the partition was read up to it."""
        self._end = end
        if not self._tracked:
            self._pass_end()

    def settled_ahead(self) -> int:
        """How many settled records wait behind an open one: what a crash now would repeat."""
        return self._ahead

    def oldest(self) -> float:
        """When the oldest open record was polled; -1 where nothing is open."""
        if not self._polls:
            return -1.0
        return self._polls[0][1]

    def first_open(self) -> int:
        """The offset that pins the commit; -1 where nothing is open."""
        if not self._tracked:
            return -1
        first = self._stretches[self._first]
        return first.start + first.done

    def next_offset(self) -> int:
        """The next offset to be read, as far as is known; -1 before the first record."""
        if not self._tracked:
            return self.committable
        last = self._stretches[-1]
        return last.start + len(last.states)

    def _began(self, offset: int, polled_at: float) -> None:
        """The record at `offset` is the first of its poll."""
        self._polls.append((offset, polled_at))
        self._polled_at = polled_at
        if len(self._polls) == 2:
            self._turn = offset

    def _last(self, offset: int) -> OffsetStretch:
        """The stretch that the offset belongs to."""
        if self._tracked:
            last = self._stretches[-1]
            if offset - last.start - len(last.states) <= WIDEST_GAP:
                return last
        fresh = OffsetStretch(offset)
        self._stretches.append(fresh)
        return fresh

    def _of(self, offset: int) -> OffsetStretch:
        """The stretch that has the offset, which was seen."""
        stretches = self._stretches
        low = self._first
        high = len(stretches)
        while high - low > 1:
            middle = (low + high) // 2
            if stretches[middle].start <= offset:
                low = middle
            else:
                high = middle
        return stretches[low]

    def _step(self, first: OffsetStretch, offset: int) -> None:
        """Go past the first open record alone: the next is open, too, so there is nothing to look for."""
        first.done += 1
        self._tracked -= 1
        self.committable = offset + 1
        self._forget(first)

    def _pass(self) -> None:
        """Go past what is settled now, up to the first open record, and forget it."""
        while self._first < len(self._stretches):
            first = self._stretches[self._first]
            found = first.states.find(FIRST_OPEN, first.done)
            end = found if found >= 0 else len(first.states)
            passed = first.states.count(IS_SETTLED, first.done, end)
            if passed:
                self._tracked -= passed
                self._ahead -= passed
                self.committable = first.start + first.states.rfind(IS_SETTLED, first.done, end) + 1
            if found >= 0:
                first.done = end
                self._forget(first)
                return
            self._first += 1
        self._stretches.clear()
        self._first = 0
        self._polls.clear()
        self._polled_at = -1.0
        self._turn = -1
        self._pass_end()

    def _pass_end(self) -> None:
        """Nothing is tracked: go past what holds no record."""
        if self._end > self.committable:
            self.committable = self._end

    def _forget(self, first: OffsetStretch) -> None:
        """Give back the memory of what is passed, once it is much, and the times of polls that are."""
        if first.done > KEPT and first.done * 2 > len(first.states):
            del first.states[: first.done]
            first.start += first.done
            first.done = 0
        if self._first > KEPT and self._first * 2 > len(self._stretches):
            del self._stretches[: self._first]
            self._first = 0
        while 0 <= self._turn <= first.start + first.done:
            self._polls.popleft()
            self._turn = self._polls[1][0] if len(self._polls) > 1 else -1
