"""Why each partition's first open record waits: looked up when somebody asks, and kept nowhere.

Of the causes the first that holds is told, in the order of `CAUSES`. A record that is open and in no lane is a dead
letter that the broker has not confirmed.
"""

from typing import Final, TypeAlias, final

from consumer.core.batch import Batch
from consumer.core.clock import NEVER
from consumer.core.destinations import Destinations
from consumer.core.dispatch import Dispatch
from consumer.core.lane import Lane
from consumer.core.model import Assignment, Record
from consumer.core.partitions import (
    BREAKER,
    DEAD_LETTER,
    FAULT,
    JOURNAL,
    LIMIT,
    MAPPING,
    PROJECT,
    RULES,
    SCHEMA,
    Partition,
    Partitions,
)
from consumer.core.runs import Entry, Run
from consumer.core.whole import Whole

SUSPECT: Final = "suspect"  # its request alone is answered so
IN_FLIGHT: Final = "in_flight"
HALTED: Final = "halted"  # Mixpanel refuses everything of its project
THROTTLED: Final = "throttled"  # Mixpanel asked for a pause
RETRY: Final = "retry"
LANE: Final = "lane"  # behind another partition's change of the same group
LINGER: Final = "linger"  # a batch is being filled

CAUSES: Final = (
    BREAKER,
    FAULT,
    SCHEMA,
    RULES,
    MAPPING,
    DEAD_LETTER,
    SUSPECT,
    IN_FLIGHT,
    HALTED,
    THROTTLED,
    RETRY,
    JOURNAL,
    PROJECT,
    LIMIT,
    LANE,
    LINGER,
)

Detail: TypeAlias = dict[str, object]


@final
class Block:
    """What blocks a partition: the record at `offset`, polled at `since`, and one of `CAUSES` with its `detail`.

    With nothing open and reading paused `offset` is the next to be read. `offset` and `since` are -1, and `record` is
    None, where they are unknown. `project` is the one that it waits for, empty where it waits for none.
    """

    __slots__ = ("assignment", "cause", "detail", "offset", "project", "record", "since")

    def __init__(self, assignment: Assignment, offset: int, since: float, cause: str) -> None:
        self.assignment = assignment
        self.offset = offset
        self.since = since
        self.cause = cause
        self.detail: Detail = {}
        self.record: Record | None = None
        self.project = ""


@final
class Head:
    """A first open record, or a part of it, in its lane: `place` is that in the lane's run, -1 where it waits."""

    __slots__ = ("batch", "flying", "lane", "place", "rank", "record")

    def __init__(self, lane: Lane, place: int, record: Record) -> None:
        self.lane = lane
        self.place = place
        self.record = record
        self.batch: Batch | None = None  # the one that it waits for
        self.flying = False
        self.rank = -1

    def own_run(self) -> Run | None:
        """What is under way of its group, where that is of its own partition."""
        run = self.lane.run
        return run if run is not None and run.assignment is self.record.assignment else None

    def offer(self, batch: Batch, flying: bool, covers: bool) -> None:
        """The batch has an update of its run: the one that `covers` its place counts first."""
        rank = (4 if covers else 0) + (2 if batch.suspect else 0) + (1 if flying else 0)
        if rank > self.rank:
            self.rank = rank
            self.batch = batch
            self.flying = flying


def blocks(partitions: Partitions, destinations: Destinations, breaker_open: bool, now: float) -> list[Block]:
    """What blocks each partition that has an open record, or is not read."""
    paused = partitions.paused(breaker_open)
    found: list[Block] = []
    open_blocks: dict[Assignment, Block] = {}
    for assignment, partition in partitions.by_assignment.items():
        ledger = partition.ledger
        offset = ledger.first_open()
        if offset < 0:
            if assignment in paused:
                found.append(Block(assignment, ledger.next_offset(), -1.0, paused[assignment]))
            continue
        block = Block(assignment, offset, ledger.oldest(), BREAKER if breaker_open else "")
        if not breaker_open and not at_held(partition, block):
            open_blocks[assignment] = block
        else:
            found.append(block)
    if open_blocks:
        explain(destinations, open_blocks, now)
    for assignment, block in open_blocks.items():
        if not block.cause and not partitions.by_assignment[assignment].draining:
            block.cause = DEAD_LETTER
        if block.cause:  # a drain has forgotten what it does not send
            found.append(block)
    return found


def at_held(partition: Partition, block: Block) -> bool:
    """Whether the partition is held at this very record; then the block says why."""
    if not partition.held or partition.held[0].offset != block.offset:
        return False
    block.cause = partition.held_for
    block.record = partition.held[0]
    block.detail = partition.detail
    block.project = partition.project
    return True


def explain(destinations: Destinations, blocked: dict[Assignment, Block], now: float) -> None:
    """Give a cause to those whose record is in a lane."""
    dispatches = [delivery.dispatch for delivery in destinations.by_name.values() if len(delivery.dispatch.lanes)]
    for dispatch, heads in zip(dispatches, find(dispatches, blocked), strict=True):
        meet(dispatch, heads)
        for head in heads:
            block = blocked[head.record.assignment]
            block.record = head.record
            cause, detail = judge(dispatch, head, now)
            if not block.cause or CAUSES.index(cause) < CAUSES.index(block.cause):  # of its parts the first cause
                block.cause = cause
                block.detail = detail
                block.project = dispatch.name


def find(dispatches: list[Dispatch], blocked: dict[Assignment, Block]) -> list[list[Head]]:
    """The lanes of each destination in which the blocked records stand.

    The oldest lanes of all of them are looked at first, so it is over soon however many there are.
    """
    heads: list[list[Head]] = [[] for _ in dispatches]
    queues = [dispatch.lanes.all() for dispatch in dispatches]
    missing = len(blocked)
    wholes: set[Whole] = set()
    for depth in range(max([len(lanes) for lanes in queues], default=0)):
        for number, lanes in enumerate(queues):
            if depth >= len(lanes):
                continue
            lane = lanes[depth]
            for place, entry in stands(lane, blocked):
                heads[number].append(Head(lane, place, entry.record))
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


def stands(lane: Lane, blocked: dict[Assignment, Block]) -> list[tuple[int, Entry]]:
    """The entries of blocked records in this lane, each with its place in the run, -1 where it waits for that."""
    found: list[tuple[int, Entry]] = []
    run = lane.run
    block = blocked.get(run.assignment) if run is not None else None
    if run is not None and block is not None:
        for place in range(run.settled, len(run.entries)):
            entry = run.entries[place]
            if entry.record.offset > block.offset:
                break
            if entry.record.offset == block.offset and not rejected(run, place):
                found.append((place, entry))
    for entry in lane.waiting:
        block = blocked.get(entry.record.assignment)
        if block is not None and block.offset == entry.record.offset:
            found.append((-1, entry))
    return found


def rejected(run: Run, place: int) -> bool:
    """Whether the entry is a dead letter already."""
    return run.blame is not None and place in run.blame.rejected


def offer(batch: Batch, flying: bool, by_run: dict[Run, list[Head]]) -> None:
    """Tell each head that waits for the batch."""
    for update in batch.updates:
        for head in by_run.get(update.run, ()):
            head.offer(batch, flying, update.start <= head.place < update.end)


def judge(dispatch: Dispatch, head: Head, now: float) -> tuple[str, Detail]:
    """The first cause that holds for the head, with its detail."""
    batch = head.batch
    if batch is not None and batch.suspect:
        return SUSPECT, met(batch, head.flying, now)
    if head.flying:
        return JOURNAL if batch is not None and batch.announcing else IN_FLIGHT, {}
    if dispatch.halt.cause:
        return HALTED, {}
    if now < dispatch.throttle.resume_at:
        return THROTTLED, {}
    if batch is not None and batch.history.attempts:
        return RETRY, met(batch, False, now)
    before = ahead(head)
    if before is not None:
        place = before.assignment
        return LANE, {"topic": place.topic, "partition": place.partition, "offset": before.offset}
    return LINGER if head.own_run() is None and dispatch.lingers(now) else LIMIT, {}


def met(batch: Batch, flying: bool, now: float) -> Detail:
    """What the batch was answered last, how often, and when it goes again; 0 while it is under way."""
    wait: float | None = 0.0 if flying else round(max(0.0, batch.due - now), 1)
    if not flying and batch.due >= NEVER:
        wait = None
    return {"answered": batch.history.cause, "attempts": batch.history.attempts, "next_seconds": wait}


def ahead(head: Head) -> Record | None:
    """The record of another partition that goes before it."""
    lane = head.lane
    run = lane.run
    if run is None:
        first = lane.waiting[0].record
        return None if first is head.record else first
    if run.assignment is head.record.assignment:
        return None
    for place in range(run.settled, len(run.entries)):
        if not rejected(run, place):
            return run.entries[place].record
    return run.entries[-1].record
