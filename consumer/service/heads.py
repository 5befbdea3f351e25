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

    def look(self, now: float, found: Sequence[Block], ours: Collection[Assignment]) -> None:
        """`ours` are the partitions of this instance: one that is gone is not told of again."""
        heads = {block.assignment: block for block in found if block.since >= 0}
        for one, (offset, since) in list(self._told.items()):
            if one in heads and heads[one].offset == offset:
                continue
            del self._told[one]
            if one in ours:
                fields = {"record": f"{one}@{offset}", "seconds": round(now - since, 1)}
                log.info("the record that blocked its partition is through", extra=fields)
        for one, block in heads.items():
            if one not in self._told and now - block.since >= AFTER:
                self._told[one] = (block.offset, block.since)
                fields = {
                    "record": f"{one}@{block.offset}",
                    "cause": block.cause,
                    "project": block.project,
                    "detail": block.detail,
                    "seconds": round(now - block.since, 1),
                }
                log.warning("one record blocks its partition: nothing past it is committed", extra=fields)
