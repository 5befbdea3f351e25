"""Why each partition's first open record waits: looked up when somebody asks, and kept nowhere.

Of the causes the first that holds is told, in the order of `CAUSES`. A record that is open and in no lane is a dead
letter that the broker has not confirmed.
"""

from collections.abc import Collection
from typing import TypeAlias, final

from consumer.core.batch import Batch
from consumer.core.causes import (
    BREAKER,
    CAUSES,
    DEAD_LETTER,
    HALTED,
    IN_FLIGHT,
    JOURNAL,
    LANE,
    LIMIT,
    LINGER,
    RETRY,
    SUSPECT,
    THROTTLED,
)
from consumer.core.clock import NEVER
from consumer.core.destinations import Destinations
from consumer.core.dispatch import Dispatch
from consumer.core.first_open import Head, find, meet, rejected
from consumer.core.model import Assignment, DeadLetter, Record
from consumer.core.partition import Partition
from consumer.core.partitions import Partitions

Detail: TypeAlias = dict[str, object]


@final
class Block:
    """What blocks a partition: the record at `offset`, polled at `since`, and one of `CAUSES` with its `detail`.

    With nothing open and reading paused `offset` is the next to be read, and `since` is known where the client cannot
    read it. `offset` and `since` are -1, and `record` is None, where they are unknown. `project` is the one that it
    waits for, empty where it waits for none.
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


def blocks(
    partitions: Partitions,
    destinations: Destinations,
    breaker_open: bool,
    now: float,
    unwritten: Collection[DeadLetter] = (),
) -> list[Block]:
    """What blocks each partition that has an open record, or is not read.

    `unwritten` are the dead letters that could not be written so far.
    """
    paused = partitions.paused(breaker_open)
    told: list[Block] = []
    open_blocks: dict[Assignment, Block] = {}
    for assignment, partition in partitions.by_assignment.items():
        ledger = partition.ledger
        offset = ledger.first_open()
        if offset < 0:
            if assignment in paused:
                told.append(Block(assignment, *partitions.stands(assignment), paused[assignment]))
            continue
        block = Block(assignment, offset, ledger.oldest(), "")
        if at_held(partition, block):
            told.append(block)
        else:
            open_blocks[assignment] = block
    if open_blocks:
        explain(destinations, open_blocks, now)
        bury(unwritten, open_blocks)
    for assignment, block in open_blocks.items():
        if not block.cause and not partitions.by_assignment[assignment].draining:
            block.cause = DEAD_LETTER
        if block.cause:  # a drain has forgotten what it does not send
            told.append(block)
    if breaker_open:
        for block in told:
            block.cause, block.detail, block.project = BREAKER, {}, ""
    return told


def at_held(partition: Partition, block: Block) -> bool:
    """Whether the partition is held at this very record; then the block says why."""
    if not partition.held or partition.held[0].offset != block.offset:
        return False
    block.cause = partition.held_for
    block.record = partition.held[0]
    block.detail = partition.detail
    block.project = partition.project
    return True


def bury(unwritten: Collection[DeadLetter], blocked: dict[Assignment, Block]) -> None:
    """Give those their record whose dead letter could not be written."""
    for dead_letter in unwritten:
        block = blocked.get(dead_letter.record.assignment)
        if block is not None and block.record is None and block.offset == dead_letter.record.offset:
            block.record = dead_letter.record


def explain(destinations: Destinations, blocked: dict[Assignment, Block], now: float) -> None:
    """Give a cause to those whose record is in a lane."""
    dispatches = [delivery.dispatch for delivery in destinations.by_name.values() if len(delivery.dispatch.lanes)]
    first = {assignment: block.offset for assignment, block in blocked.items()}
    for dispatch, heads in zip(dispatches, find(dispatches, first), strict=True):
        meet(dispatch, heads)
        for head in heads:
            block = blocked[head.record.assignment]
            block.record = head.record
            cause, detail = judge(dispatch, head, now)
            if not block.cause or CAUSES.index(cause) < CAUSES.index(block.cause):  # of its parts the first cause
                block.cause = cause
                block.detail = detail
                block.project = dispatch.name


def judge(dispatch: Dispatch, head: Head, now: float) -> tuple[str, Detail]:
    """The first cause that holds for the head, with its detail."""
    batch = head.batch
    if batch is not None and batch.suspect:
        return SUSPECT, met(batch, head.flying, now)
    announcing = head.flying and batch is not None and batch.announcing
    if head.flying and not announcing:
        return IN_FLIGHT, {}
    if dispatch.halt.cause:
        return HALTED, {}
    if now < dispatch.throttle.resume_at:
        return THROTTLED, {}
    if announcing:  # what was answered before is over
        return JOURNAL, {}
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
    run = head.run
    if not run.begun:
        first = run.entries[0].record
        return None if first is head.record else first
    if run.assignment is head.record.assignment:
        return None
    for place in range(run.settled, len(run.entries)):
        if not rejected(run, place):
            return run.entries[place].record
    return run.entries[-1].record
