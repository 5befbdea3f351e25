"""Partitions that stand before an open transaction: told once it has held them for a while, and when that is over.

Nothing behind it may be read before it ends; the client is idle meanwhile, and everything else looks well.
"""

import logging
from collections.abc import Mapping
from typing import Final

from consumer.core.model import Assignment

log = logging.getLogger("consumer")

# Transactions are open all the time where producers are busy; one that holds a partition for so long is told.
AFTER: Final = 30.0


class Transactions:
    """What holds which partition. `look` is given what is read up to its last stable offset, and not to its end."""

    def __init__(self) -> None:
        self._since: dict[Assignment, tuple[int, float]] = {}  # the last stable offset, and since when it is that
        self.behind: dict[Assignment, int] = {}  # so many offsets wait behind one that was told

    def look(self, now: float, withheld: Mapping[Assignment, tuple[int, int]]) -> None:
        """`withheld` has the last stable offset of each partition that waits, and how many offsets wait behind it."""
        since = {
            assignment: (
                stable,
                before[1] if (before := self._since.get(assignment)) and before[0] == stable else now,
            )
            for assignment, (stable, _) in withheld.items()
        }
        behind = {
            assignment: waiting
            for assignment, (_, waiting) in withheld.items()
            if now - since[assignment][1] >= AFTER
        }
        for assignment in behind.keys() - self.behind.keys():
            log.warning(
                "an open transaction: what is behind it cannot be read before its producer ends it",
                extra={
                    "partition": repr(assignment),
                    "last_stable_offset": withheld[assignment][0],
                    "waiting": behind[assignment],
                },
            )
        for assignment in self.behind.keys() - behind.keys():
            log.info("the transaction is over: its partition is read on", extra={"partition": repr(assignment)})
        self._since, self.behind = since, behind
