"""Memory that a burst leaves behind: the C library keeps what was freed, and is asked to give it back."""

import ctypes
import gc
from collections.abc import Callable
from typing import Final

# The number of an option of glibc's `mallopt`: how many arenas there may be.
M_ARENA_MAX: Final = -8
# A burst was so large, in bytes of open records, and is over when a part of it is left.
BURST: Final = 1024 * 1024
LEFT: Final = 64
# To give it back takes some hundredths of a second: not more often than this, in seconds.
PAUSE: Final = 10.0


def share_one_arena() -> None:
    """Let all threads take memory from one place (glibc): what one has freed serves the others, or is given back.

    To be called before there are others: each would have a place of its own, with what a burst left there.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(M_ARENA_MAX, 1)


def trim() -> None:
    """Give free memory back to the system, where the C library can (glibc)."""
    gc.collect()
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give_back is not None:
        give_back(0)


class Memory:
    """Trims once after a burst; a steady load is none, and small ones that follow each other are trimmed at times."""

    def __init__(self, trim: Callable[[], None] = trim) -> None:
        self._trim = trim
        self._most = 0
        self._due = 0.0

    def look(self, open_bytes: int, now: float) -> None:
        """So many bytes are open now."""
        self._most = max(self._most, open_bytes)
        if self._most >= BURST and open_bytes * LEFT <= self._most and now >= self._due:
            self._most = open_bytes
            self._due = now + PAUSE
            self._trim()
