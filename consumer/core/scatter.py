"""Groups that were seen in two partitions of one topic: their changes have no order, whatever the event's schema.

A sample of one update in four is looked at, and no more than `MOST` groups are remembered at a time, so it costs a
hundredth of a record at most, and less than 2 MiB.
"""

from typing import Final, final

from consumer.core.model import Assignment, Group

# About 100 bytes each.
MOST: Final = 16_384
# One update in so many is looked at: a mask of its number.
SAMPLE: Final = 3
TOLD: Final = -1


@final
class Scatter:
    """Counts each group once, by topic, as long as it is remembered."""

    __slots__ = ("_counts", "_seen")

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}  # by the group's hash, the partition that it was first seen in
        self._counts: dict[str, int] = {}

    def saw(self, group: Group, assignment: Assignment) -> None:
        """The group has a change in this partition."""
        seen = self._seen
        name = hash((assignment.topic, group))
        partition = assignment.partition
        first = seen.get(name)
        if first is None:
            if len(seen) >= MOST:
                seen.clear()
            seen[name] = partition
        elif first != partition and first != TOLD:
            seen[name] = TOLD
            self._counts[assignment.topic] = self._counts.get(assignment.topic, 0) + 1

    def take(self) -> dict[str, int]:
        """How many were found in each topic since the last call."""
        counts, self._counts = self._counts, {}
        return counts
