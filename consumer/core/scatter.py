"""Groups that were seen in two partitions of one topic: their changes have no order, whatever the event's schema.

One group in sixteen is looked at, by its hash, and no more than `MOST` of them are remembered at a time, so it costs
a hundredth of a record at most, and 256 KiB. The memory is taken at once: small objects that outlive a burst would
each hold a block of the memory that the burst took.
"""

from array import array
from typing import Final, final

from consumer.core.model import Assignment, Group

MOST: Final = 16_384
# One group in so many is looked at: a mask of its hash.
SAMPLE: Final = 15
TOLD: Final = -1


@final
class Scatter:
    """Counts each group once, by topic, as long as it is remembered: until another comes to its place."""

    __slots__ = ("_counts", "_names", "_partitions")

    def __init__(self) -> None:
        self._names = array("q", [0]) * MOST  # the hash of the group at each place
        self._partitions = array("q", [TOLD]) * MOST  # that it was first seen in
        self._counts: dict[str, int] = {}

    def saw(self, group: Group, assignment: Assignment) -> None:
        """The group has a change in this partition."""
        name = hash((assignment.topic, group))
        partition = assignment.partition
        place = name % MOST
        first = self._partitions[place]
        if self._names[place] != name:
            self._names[place] = name
            self._partitions[place] = partition
        elif first != partition and first != TOLD:
            self._partitions[place] = TOLD
            self._counts[assignment.topic] = self._counts.get(assignment.topic, 0) + 1

    def take(self) -> dict[str, int]:
        """How many were found in each topic since the last call."""
        counts, self._counts = self._counts, {}
        return counts
