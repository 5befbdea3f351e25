"""How many queries an hour this process takes of those that Mixpanel gives a project, and how long it waits for more.

All tools of a customer share the 60 an hour: Mixpanel's own count decides, and a 429 says so.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

HOUR: Final = 3600.0
PER_HOUR: Final = 60


class BudgetSpent(Exception):
    """No query is left, and the next one comes too late. `seconds` is how long it would take."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"60 queries were asked within an hour; the next one is free in {seconds:.0f} s")
        self.seconds = seconds


class Budget:
    """Takes no more than `PER_HOUR` queries in any hour, and waits at most `patience` seconds for one."""

    def __init__(
        self,
        patience: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.patience = patience
        self._clock = clock
        self.sleep = sleep
        self._taken: deque[float] = deque(maxlen=PER_HOUR)

    def take(self) -> None:
        """Count one query, after waiting for it no longer than the patience. Raises `BudgetSpent`."""
        now = self._clock()
        if len(self._taken) == PER_HOUR:
            wait = self._taken[0] + HOUR - now
            if wait > self.patience:
                raise BudgetSpent(wait)
            if wait > 0:
                self.sleep(wait)
        self._taken.append(self._clock())
