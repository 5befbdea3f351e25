"""Dead letters in the log: a flood of them is one line every few seconds."""

import logging

from consumer.core.clock import NEVER
from consumer.core.model import DeadLetter

log = logging.getLogger("consumer")

# From one line to the next, in seconds.
TELL_EVERY = 10.0


class Rejects:
    """The dead letters since the last line about them."""

    def __init__(self) -> None:
        self._by_reason: dict[str, int] = {}
        self._last = ""
        self._tell_at = 0.0

    def add(self, dead_letter: DeadLetter) -> None:
        """The broker confirmed this one."""
        self._by_reason[dead_letter.reason] = self._by_reason.get(dead_letter.reason, 0) + 1
        self._last = f"{dead_letter.record!r}: {dead_letter.detail}"

    def look(self, now: float) -> None:
        """Tell of them, if it is time; with NEVER whatever the time is."""
        if not self._by_reason or now < self._tell_at:
            return
        self._tell_at = now + TELL_EVERY if now < NEVER else self._tell_at
        log.warning("dead letters written", extra={"reasons": self._by_reason, "last": self._last})
        self._by_reason = {}
