"""The requests at once that all destinations share.

Healthy destinations always have at least half of them: those whose last answer failed hold together at most half,
and suspects of all destinations one at a time.
"""

from typing import Final, final

# A batch that is not full goes before its linger is over only so long after the last fresh one, in seconds.
PACE: Final = 0.125


@final
class Wire:
    """How many requests are under way: in all, of destinations that fail, and of suspects."""

    __slots__ = ("_failing", "_flying", "_max_in_flight", "_suspects", "paced_at", "shared")

    def __init__(self, max_in_flight: int, shared: bool) -> None:
        """`shared` says that there are several destinations."""
        self._max_in_flight = max_in_flight
        self.shared = shared
        self._flying = 0
        self._failing = 0
        self._suspects = 0
        self.paced_at = 0.0  # when a batch may go that is neither full nor has waited for the linger

    def fresh(self, now: float) -> None:
        """A fresh batch starts."""
        self.paced_at = now + PACE

    def free(self, failing: bool) -> bool:
        """Whether one more request may start, of a destination whose last answer failed or did not."""
        if self._flying >= self._max_in_flight:
            return False
        return not failing or not self.shared or self._failing < max(1, self._max_in_flight // 2)

    def free_for_suspect(self) -> bool:
        """Whether a suspect may start."""
        return self._flying < self._max_in_flight and self._suspects == 0

    def started(self, failing: bool, suspect: bool) -> None:
        """A request starts."""
        self._flying += 1
        self._failing += failing
        self._suspects += suspect

    def ended(self, failing: bool, suspect: bool) -> None:
        """It came back; the words are those that it started with."""
        self._flying -= 1
        self._failing -= failing
        self._suspects -= suspect
