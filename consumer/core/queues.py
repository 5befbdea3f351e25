"""The batches of one destination that are not in flight, each queue with its own rule of who goes next.

Waiting   they failed, and go again when they are due; each holds a place of its destination
Pieces    parts of a request that was refused as a whole: they go at once
Suspects  their fault is their own: they hold no place, and go one at a time, parts that may hold others first
"""

from collections import deque
from typing import Final, final

from consumer.core.batch import Batch
from consumer.core.clock import NEVER

# What was begun is ended first, but no group waits for another's blame for longer, in seconds.
PATIENCE: Final = 1.0
# So many parts of suspects may go before one that is known to fail alone.
PARTS_FIRST: Final = 8


@final
class Waiting:
    """Batches that failed. `take` gives the one that is due longest, if none of its groups is in flight."""

    __slots__ = ("_parts", "batches")

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self._parts = 0  # parts of suspects that went in a row

    def __len__(self) -> int:
        return len(self.batches)

    def ready_at(self, now: float) -> float:
        """When `take` has one, without a new fact."""
        soonest = NEVER
        for batch in self.batches:
            if batch.due > now or batch.free:
                soonest = min(soonest, batch.due)
        return soonest

    def take(self, now: float) -> Batch | None:
        """The batch to send again now."""
        first: Batch | None = None
        for batch in self.batches:
            if batch.due <= now and (first is None or batch.due < first.due) and batch.free:
                first = batch
        if first is not None:
            self.batches.remove(first)
        return first

    def take_suspect(self, now: float) -> Batch | None:
        """The suspect to send now: what was cut off goes before what failed alone."""
        first: Batch | None = None
        for batch in self.batches:
            if batch.due <= now and batch.free and (first is None or self._goes_before(batch, first)):
                first = batch
        if first is not None:
            self.batches.remove(first)
            self._parts = 0 if first.history.alone else self._parts + 1
        return first

    def _goes_before(self, batch: Batch, other: Batch) -> bool:
        if (batch.history.alone > 0) == (other.history.alone > 0):
            return batch.due < other.due
        return (batch.history.alone > 0) == (self._parts >= PARTS_FIRST)

    def any_free(self) -> bool:
        """Whether `take_next` has one."""
        for batch in self.batches:
            if batch.free:
                return True
        return False

    def take_next(self) -> Batch | None:
        """The one that waits longest since it was asked last, due or not: a probe."""
        first: Batch | None = None
        for batch in self.batches:
            if (first is None or batch.started < first.started) and batch.free:
                first = batch
        if first is not None:
            self.batches.remove(first)
        return first


@final
class Pieces:
    """Parts of what was refused as a whole, first come, first served, as far as their groups are not in flight."""

    __slots__ = ("_went", "batches")

    def __init__(self) -> None:
        self.batches: deque[Batch] = deque()
        self._went = False  # one of them was taken last, and not something else since

    def __len__(self) -> int:
        return len(self.batches)

    def ready_at(self, now: float) -> float:
        """Now, if one may go; else with the next answer."""
        for batch in self.batches:
            if batch.free:
                return now
        return NEVER

    def take(self, others: float = 0.0) -> Batch | None:
        """The next that may go; None each second time where `others` have been due for too many seconds."""
        if others > PATIENCE and self._went:
            self._went = False
            return None
        for _ in range(len(self.batches)):
            batch = self.batches.popleft()
            if batch.free:
                self._went = True
                return batch
            self.batches.append(batch)
        return None
