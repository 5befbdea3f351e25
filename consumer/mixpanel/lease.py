"""How long this process may believe that its partitions are its own without hearing from the group.

The loop renews the lease each turn. A process that stood still (stopped, frozen, swapped out) finds it run out when
it wakes, on whichever thread wakes first: nothing is posted until the group has said that the partitions are ours.
"""

from collections.abc import Callable


class Lease:
    """Runs out `seconds` after it was renewed last. Renewed by the loop; read by every sender."""

    def __init__(self, clock: Callable[[], float], seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._until = clock() + seconds

    def renew(self) -> None:
        """The loop turns, and is a member of the group as far as it knows."""
        self._until = self._clock() + self._seconds

    def valid(self) -> bool:
        """Whether it was renewed in time."""
        return self._clock() <= self._until
