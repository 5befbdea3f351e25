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
    """Trims once after a burst; a steady load is none, and small ones that follow each other are trimmed at times.

    Python gives memory back in pieces of a MiB, and one small object keeps such a piece. Connections that were made
    while much was open are scattered over all of them: they are closed, and the next requests make their own.
    """

    def __init__(self, hang_up: Callable[[], bool], trim: Callable[[], None] = trim) -> None:
        """`hang_up` closes the connections, and says that it did: not while a request is under way."""
        self._hang_up = hang_up
        self._trim = trim
        self._most = 0
        self._connected = False  # since a burst
        self._due = 0.0

    def look(self, open_bytes: int, now: float) -> None:
        """So many bytes are open now. What is left of a burst may be under way for long: it is trimmed after, too."""
        self._most = max(self._most, open_bytes)
        over = self._most >= BURST and open_bytes * LEFT <= self._most and now >= self._due
        if over:
            self._most = open_bytes
            self._due = now + PAUSE
            self._connected = True
        closed = self._connected and self._hang_up()
        if closed:
            self._connected = False
        if over or closed:
            self._trim()
