"""Where the first open records of partitions stand: in which lanes, and in which batches."""

from typing import final

from consumer.core.batch import Batch
from consumer.core.dispatch import Dispatch
from consumer.core.entry import Entry
from consumer.core.model import Assignment, Record
from consumer.core.runs import Run
from consumer.core.whole import Whole


@final
class Head:
    """A first open record, or a part of it, in its lane: `place` is that in the lane's `run`, -1 where it waits."""

    __slots__ = ("batch", "flying", "place", "rank", "record", "run")

    def __init__(self, run: Run, place: int, record: Record) -> None:
        self.run = run
        self.place = place
        self.record = record
        self.batch: Batch | None = None  # the one that it waits for
        self.flying = False
        self.rank = -1

    def own_run(self) -> Run | None:
        """What is under way of its group, where that is of its own partition."""
        run = self.run
        return run if run.begun and run.assignment is self.record.assignment else None

    def offer(self, batch: Batch, flying: bool, covers: bool) -> None:
        """The batch has an update of its run: the one that `covers` its place counts first."""
        rank = (4 if covers else 0) + (2 if batch.suspect else 0) + (1 if flying else 0)
        if rank > self.rank:
            self.rank = rank
            self.batch = batch
            self.flying = flying


def find(dispatches: list[Dispatch], first: dict[Assignment, int]) -> list[list[Head]]:
    """The lanes of each destination in which the records at these `first` offsets stand.

    The oldest lanes of all of them are looked at first, so it is over soon however many there are.
    """
    heads: list[list[Head]] = [[] for _ in dispatches]
    queues = [dispatch.lanes.all() for dispatch in dispatches]
    missing = len(first)
    wholes: set[Whole] = set()
    for depth in range(max([len(lanes) for lanes in queues], default=0)):
        for number, lanes in enumerate(queues):
            if depth >= len(lanes):
                continue
            run = lanes[depth]
            for place, entry in stands(run, first):
                heads[number].append(Head(run, place, entry.record))
                whole = entry.whole
                if whole is not None and whole not in wholes:
                    wholes.add(whole)
                    missing += whole.undecided - 1
                missing -= 1
        if missing == 0:
            break
    return heads


def meet(dispatch: Dispatch, heads: list[Head]) -> None:
    """Tell the heads of this destination which batches have their updates."""
    by_run: dict[Run, list[Head]] = {}
    for head in heads:
        run = head.own_run()
        if run is not None:
            by_run.setdefault(run, []).append(head)
    if by_run:
        for batch in dispatch.under_way.batches:
            offer(batch, True, by_run)
        for batch in dispatch.backlog.batches():
            offer(batch, False, by_run)


def stands(run: Run, first: dict[Assignment, int]) -> list[tuple[int, Entry]]:
    """The entries of those records in this lane, each with its place in the run, -1 where it waits."""
    entries: list[tuple[int, Entry]] = []
    offset = first.get(run.assignment, -1) if run.begun else -1
    if offset >= 0:
        for place, entry in enumerate(run.entries):
            if place < run.settled:
                continue
            if entry.record.offset > offset:
                break
            if entry.record.offset == offset and not rejected(run, place):
                entries.append((place, entry))
    for entry in run.behind() if run.begun else run.entries:
        offset = first.get(entry.record.assignment, -1)
        if offset == entry.record.offset:
            entries.append((-1, entry))
    return entries


def rejected(run: Run, place: int) -> bool:
    """Whether the entry is a dead letter already."""
    return run.blame is not None and place in run.blame.rejected


def offer(batch: Batch, flying: bool, by_run: dict[Run, list[Head]]) -> None:
    """Tell each head that waits for the batch."""
    for update in batch.updates:
        for head in by_run.get(update.run, ()):
            head.offer(batch, flying, update.start <= head.place < update.end)
