"""What of one destination is to be sent again, and is not under way: it waits, goes at once, or goes by itself.

wait     a batch that failed             requeue    a part of one that was refused as a whole
suspect  updates whose own the fault is  replay     the next step of a run
"""

from collections import deque
from typing import Final, final

from consumer.core.batch import Batch, pieces
from consumer.core.entry import Update
from consumer.core.history import History
from consumer.core.lanes import Lanes
from consumer.core.queues import Pieces, Waiting
from consumer.core.retry import CAPACITY, HALTING
from consumer.core.runs import OVER, Run

# A suspect is cut in so many pieces: fewer time-outs one after the other than with halves.
PIECES: Final = 8
# So few updates of a batch ask for all of them.
PROBED_UPDATES: Final = 8


@final
class Backlog:
    """Its three queues are for `Dispatch` to take from; see `queues` for who goes next in each."""

    __slots__ = ("_lanes", "_name", "pieces", "suspects", "waiting")

    def __init__(self, name: str, lanes: Lanes) -> None:
        self._name = name
        self._lanes = lanes
        self.waiting = Waiting()
        self.pieces = Pieces()
        self.suspects = Waiting()

    def batches(self) -> list[Batch]:
        """All of them."""
        return self.waiting.batches + list(self.pieces.batches) + self.suspects.batches

    def wait(self, batch: Batch, updates: list[Update], kind: int, due: float) -> None:
        """The batch waits, less what is decided or revoked; an empty one gives its place back."""
        living = self.living(updates)
        if not living:
            return
        batch.updates = living
        batch.waits_for = kind
        batch.due = due
        queue = self.suspects if batch.suspect else self.waiting
        queue.batches.append(batch)

    def requeue(self, updates: list[Update], history: History, named: bool = False) -> None:
        """A part of what was refused as a whole goes at once; `named`: the answer named it, without a count."""
        living = self.living(updates)
        if living:
            part = self._part(living, history)
            part.history.named = named
            self.pieces.batches.append(part)

    def replay(self, run: Run) -> None:
        """The next step of the run is to be sent: with one of the next batches, or alone."""
        blame = run.blame
        assert blame is not None
        if not blame.travels_alone:
            self._lanes.replay(run)
            return
        updates = self._lanes.step(run)
        if blame.suspected is None:
            self.pieces.batches.append(Batch(0, self._name, updates))
        else:
            self.suspect(updates, blame.suspected.of_part(), 0.0)

    def suspect(self, updates: list[Update], history: History, due: float) -> None:
        """The fault is these updates' own: they go when they are due, by themselves."""
        batch = Batch(0, self._name, updates)
        batch.history = history
        batch.suspect = True
        batch.due = max(due, history.asked_until)
        self.suspects.batches.append(batch)

    def cut_suspect(self, updates: list[Update], history: History, now: float) -> None:
        """The same, in pieces."""
        for part in pieces(updates, PIECES):
            self.suspect(part, history.of_part(), now)

    def parts_of(self, batch: Batch) -> list[Batch]:
        """A few of it in one batch; of a small one each by itself, but for the last."""
        if len(batch.updates) > PROBED_UPDATES:
            return [self.few_of(batch)]
        parts = []
        while len(batch.updates) > 1:
            parts.append(self._part([batch.updates.pop()], batch.history))
        return parts

    def few_of(self, batch: Batch) -> Batch:
        """A few updates out of the batch, in a batch of their own."""
        few = self._part(batch.updates[: min(PROBED_UPDATES, len(batch.updates) // 2)], batch.history)
        batch.updates = batch.updates[len(few.updates) :]
        return few

    def _part(self, updates: list[Update], history: History) -> Batch:
        """A batch of these alone, with what the whole has behind it."""
        part = Batch(0, self._name, updates)
        part.history = history.of_part()
        return part

    def hurry(self, batch: Batch, over: bool, now: float) -> None:
        """This one got through: what waits goes now, what a halt held only if that is `over`.

        A batch whose wait was ended so and that failed again keeps to its own times: it is what fails.
        """
        for waiting in self.waiting.batches:
            ends = over if waiting.waits_for == HALTING else waiting.waits_for != CAPACITY and not waiting.released
            if ends:
                waiting.due = min(waiting.due, now)
                waiting.released = True
        if batch.suspect:  # what met the same fault may get through now, too
            for other in self.suspects.batches:
                if other.history.cause == batch.history.cause:
                    other.due = min(other.due, max(now, other.history.asked_until))

    def living(self, updates: list[Update]) -> list[Update]:
        """The one place where old epochs are ignored: what was revoked only frees its lane."""
        living: list[Update] = []
        for update in updates:
            if update.run.live:
                living.append(update)
            elif update.run.dropped() == OVER:
                self._lanes.release(update.run)
        return living

    def strip(self) -> None:
        """Take what was revoked out of every batch that is not in flight."""
        for queue in (self.waiting, self.suspects):
            batches = queue.batches
            queue.batches = []
            for batch in batches:
                batch.updates = self.living(batch.updates)
                if batch.updates:
                    queue.batches.append(batch)
        kept: deque[Batch] = deque()
        for batch in self.pieces.batches:
            batch.updates = self.living(batch.updates)
            if batch.updates:
                kept.append(batch)
        self.pieces.batches = kept
