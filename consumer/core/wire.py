"""The requests at once that all destinations share.

Healthy destinations always have at least half of them: one alone holds at most half, since it may have fallen silent,
which is known only after a time-out; those that stand (the last answer was a fault) hold together at most half, and
suspects of all destinations one at a time. Where several that do not stand have something open, one takes another
place only while more than half as many are free as it has: neither two that fall silent together nor slow
ones take all.
"""

from typing import Final, final

# A batch that is not full goes before its linger is over only so long after the last fresh one, in seconds.
PACE: Final = 0.125


@final
class Wire:
    """How many requests are under way: in all, of destinations that stand, and of suspects."""

    __slots__ = ("_flying", "_max_in_flight", "_standing", "_suspects", "contended", "paced_at", "shared")

    def __init__(self, max_in_flight: int, shared: bool) -> None:
        """`shared` says that there are several destinations."""
        self._max_in_flight = max_in_flight
        self.shared = shared
        self.contended = False  # several destinations that do not stand have something open
        self._flying = 0
        self._standing = 0
        self._suspects = 0
        self.paced_at = 0.0  # when a batch may go that is neither full nor has waited for the linger

    def fresh(self, now: float) -> None:
        """A fresh batch starts."""
        self.paced_at = now + PACE

    def free(self, stands: bool, own: int) -> bool:
        """Whether one more may start, of a destination that stands or does not, and has `own` under way."""
        left = self._max_in_flight - self._flying
        if left <= 0 or not self.shared:
            return left > 0
        half = max(1, self._max_in_flight // 2)
        if own >= half or (stands and self._standing >= half):
            return False
        return stands or own < 2 * left or not self.contended

    def free_for_suspect(self, stands: bool, own: int) -> bool:
        """Whether a suspect may start."""
        return self._suspects == 0 and self.free(stands, own)

    def started(self, stands: bool, suspect: bool) -> None:
        """A request starts, of a destination that stands or does not."""
        self._flying += 1
        self._standing += stands
        self._suspects += suspect

    def ended(self, stands: bool, suspect: bool) -> None:
        """It came back, of a destination that stands or does not."""
        self._flying -= 1
        self._standing -= stands
        self._suspects -= suspect

    def turned(self, flying: int, stands: bool) -> None:
        """A destination with so many requests under way stands from now on, or goes on."""
        self._standing += flying if stands else -flying
