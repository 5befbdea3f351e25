"""Waiting for what must come to hold: a condition asked again and again, with an end."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 40.0
# After a broker was stopped in order: the member that a new client replaces, since it knows of no broker any more,
# keeps its place for a session time-out.
BACK_WITHIN = 120.0

Found = TypeVar("Found")


def until(condition: Callable[[], Found], what: str, seconds: float = PATIENCE) -> Found:
    """The condition's value, once it is true. Fails, with its last value, when it does not become so."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not in {seconds:.0f} s: {what}; last seen: {found!r}"
        time.sleep(0.03)
