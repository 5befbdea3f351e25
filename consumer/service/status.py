"""What `/status` answers: the state of one instance at one moment. It holds no payload and no secret.

Its fields are fixed. What is unknown is None.
"""

import socket
import time
from collections.abc import Mapping, Sequence

from consumer.core.dispatch import Dispatch
from consumer.core.model import Assignment
from consumer.core.partition import Partition
from consumer.core.pipeline import Pipeline
from consumer.core.waiting import Block

INSTANCE = socket.gethostname()


def starting() -> dict[str, object]:
    """Before the loop has turned for the first time."""
    return {
        "instance": INSTANCE,
        "ready": False,
        "reasons": ["starting"],
        "requests": [],
        "projects": [],
        "partitions": [],
    }


def status(
    pipeline: Pipeline,
    blocks: Sequence[Block],
    committed: Mapping[Assignment, int],
    lag: Mapping[Assignment, int],
    unready: Sequence[str],
    now: float,
) -> dict[str, object]:
    """The state as of `now`, in seconds of the loop's clock; `blocks` is what blocks the partitions."""
    dispatches = [delivery.dispatch for delivery in pipeline.destinations.by_name.values()]
    blocked = {block.assignment: block for block in blocks}
    flying = [(dispatch.name, batch) for dispatch in dispatches for batch in dispatch.under_way.batches]
    return {
        "instance": INSTANCE,
        "ready": not unready,
        "reasons": list(unready),
        "requests": [
            {"project": name, "age_seconds": rounded(now - batch.sent_at), "updates": len(batch.updates)}
            for name, batch in sorted(flying, key=lambda item: item[1].sent_at)
        ],
        "projects": [project(dispatch, now) for dispatch in dispatches],
        "partitions": [
            row(partition, blocked.get(assignment), committed.get(assignment), lag.get(assignment), now)
            for assignment, partition in pipeline.partitions.by_assignment.items()
        ],
    }


def project(dispatch: Dispatch, now: float) -> dict[str, object]:
    """One project: what it refuses, and what is under way to it."""
    return {
        "name": dispatch.name,
        "halted": dispatch.halt.cause or None,
        "throttled_seconds": rounded(max(0.0, dispatch.throttle.resume_at - now)),
        "suspects": len(dispatch.suspects()),
        "in_flight": len(dispatch.under_way.batches),
        "body_cap_bytes": dispatch.body.cap,
    }


def row(
    partition: Partition, block: Block | None, committed: int | None, lag: int | None, now: float
) -> dict[str, object]:
    """One partition. `read` is the next offset to be read."""
    read = partition.ledger.next_offset()
    after = read if read >= 0 else committed
    return {
        "topic": partition.assignment.topic,
        "partition": partition.assignment.partition,
        "committed": committed,
        "read": after,
        "open": partition.open + len(partition.held),
        "lag_records": lag,
        "lag_seconds": lag_seconds(block, lag),
        "blocked": None if block is None else blocked_by(block, after, now),
    }


def blocked_by(block: Block, read: int | None, now: float) -> dict[str, object]:
    """The record that blocks its partition; with nothing open the next to be read."""
    detail = {name: rounded(value) if isinstance(value, float) else value for name, value in block.detail.items()}
    return {
        "offset": block.offset if block.offset >= 0 else read,
        "seconds": rounded(now - block.since) if block.since >= 0 else None,
        "cause": block.cause,
        "detail": detail,
    }


def lag_seconds(block: Block | None, lag: int | None) -> float | None:
    """How old the first open record is, by its timestamp; 0 where nothing is behind."""
    if lag == 0:
        return 0.0
    if block is None or block.record is None or block.record.timestamp < 0:
        return None
    return rounded(max(0.0, time.time() - block.record.timestamp / 1000))


def rounded(seconds: float) -> float:
    """To the millisecond."""
    return round(seconds, 3)
