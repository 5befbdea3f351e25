"""Records that have blocked their partitions for a while: told once, and when the partition moves on."""

import logging
from collections.abc import Collection, Sequence
from typing import Final

from consumer.core.model import Assignment
from consumer.core.waiting import Block

log = logging.getLogger("consumer")

# A record waits for its batch and its answer all the time; one that has waited so long is told.
AFTER: Final = 60.0


class Heads:
    """`look` is given what blocks each partition; what was told is remembered by its offset."""

    def __init__(self) -> None:
        self._told: dict[Assignment, tuple[int, float]] = {}  # the offset, and when it was polled

    def look(self, now: float, blocks: Sequence[Block], ours: Collection[Assignment]) -> None:
        """`ours` are the partitions of this instance: one that is gone is not told of again."""
        heads = {block.assignment: block for block in blocks if block.since >= 0}
        for assignment, (offset, since) in list(self._told.items()):
            if assignment in heads and heads[assignment].offset == offset:
                continue
            del self._told[assignment]
            if assignment in ours:
                fields = {"record": f"{assignment}@{offset}", "seconds": round(now - since, 1)}
                log.info("the record that blocked its partition is through", extra=fields)
        for assignment, block in heads.items():
            if assignment not in self._told and now - block.since >= AFTER:
                self._told[assignment] = (block.offset, block.since)
                fields = {
                    "record": f"{assignment}@{block.offset}",
                    "cause": block.cause,
                    "project": block.project,
                    "detail": block.detail,
                    "seconds": round(now - block.since, 1),
                }
                log.warning("one record blocks its partition: nothing past it is committed", extra=fields)
