"""How much one destination takes: when it may be asked again, how many requests at once, and how large.

Each cap finds its way back: requests at once by one for each success, updates of a fresh batch by doubling (at
least to what was taken at once), and bytes of a body by doubling up to what was refused, which is forgotten after a
while.
"""

from typing import Final, final

SMALLEST_BODY: Final = 65_536
# So long a refused size is believed, in seconds: a proxy's limit may have been raised.
REFUSED_FOR: Final = 300.0


@final
class Throttle:
    """What 429 and time-outs leave of the limits.

    `resume_at` is when it may be asked again; `allowed` how many requests at once; `fresh_updates` how many updates
    a fresh batch may have; `in_time` the most that were answered in time since as many took too long.
    """

    __slots__ = ("_max_in_flight", "_max_updates", "allowed", "fresh_updates", "in_time", "resume_at")

    def __init__(self, max_in_flight: int, max_updates: int) -> None:
        self._max_in_flight = max_in_flight
        self._max_updates = max_updates
        self.allowed = max_in_flight
        self.fresh_updates = max_updates
        self.in_time = 0
        self.resume_at = 0.0

    def succeeded(self, updates: int) -> None:
        """A request of so many updates was answered."""
        self.in_time = max(self.in_time, updates)
        if self.allowed < self._max_in_flight:
            self.allowed += 1
        if self.fresh_updates < self._max_updates:
            self.fresh_updates = min(self._max_updates, max(self.fresh_updates, updates) * 2)

    def over_capacity(self, until: float) -> None:
        """It asked for less: nothing until then, and half as much at once."""
        self.resume_at = max(self.resume_at, until)
        self.allowed = max(1, self.allowed // 2)

    def took_too_long(self, updates: int) -> None:
        """A request of so many updates took too long."""
        self.fresh_updates = max(1, min(self.fresh_updates, updates) // 2)
        if self.in_time >= updates:
            self.in_time = self.fresh_updates

    def slowed(self, now: float) -> bool:
        """Whether Mixpanel asked for fewer requests."""
        return now < self.resume_at or self.allowed < self._max_in_flight


@final
class BodyCap:
    """How large a body may be, in bytes: below the smallest that was refused, up to `limit`."""

    __slots__ = ("_limit", "_refused", "_refused_at", "cap")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._refused = 0  # the smallest size that was refused; 0 where none is believed to be
        self._refused_at = 0.0
        self.cap = limit

    def accepted(self, size: int, now: float) -> None:
        """A body of so many bytes was read: what was refused below that was refused for another reason."""
        if self._refused and (size >= self._refused or now - self._refused_at > REFUSED_FOR):
            self._refused = 0
        if self.cap < self._limit and (size * 2 >= self.cap or not self._refused):
            self.cap = min(self._limit, self.cap * 2, self._highest())

    def refused(self, size: int, now: float) -> None:
        """A body of so many bytes, of several updates, was too large."""
        self._refused = min(self._refused, size) if self._refused else size
        self._refused_at = now
        self.cap = min(self.cap, max(size // 2, SMALLEST_BODY))

    def _highest(self) -> int:
        """The most that may be tried: an eighth below what was refused, or the limit."""
        return max(self._refused - self._refused // 8, SMALLEST_BODY) if self._refused else self._limit
