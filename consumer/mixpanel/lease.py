"""How long this process may believe that its partitions are its own without hearing from the group.

The loop renews the lease each turn. A process that stood still (stopped, frozen, swapped out) finds it run out when
it wakes, on whichever thread wakes first: nothing is posted until the group has said that the partitions are ours.

Each request has a permit, which is asked just before its first byte: a connection may take long to be made.
"""

import threading
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


class Permit:
    """Whether one request may begin. Once it has begun, it is under way; withdrawn before, it never begins."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._lock = threading.Lock()
        self._begun = False
        self._withdrawn = False

    def begin(self) -> bool:
        """Whether its first byte may be written now; from any thread."""
        with self._lock:
            self._begun = not self._withdrawn and self._lease.valid()
            return self._begun

    def withdraw(self) -> bool:
        """Partitions of it are gone; whether that was in time, so that nothing of it is sent."""
        with self._lock:
            self._withdrawn = True
            return not self._begun
