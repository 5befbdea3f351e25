"""What a burst leaves behind is given back once."""

import ctypes
import subprocess
import sys

import pytest

from consumer.service.memory import BURST, LEFT, PAUSE, Memory, trim


def test_a_burst_is_trimmed_after_once_and_a_steady_load_never():
    """Once what is open is a small part of the most; and again after the next burst."""
    trims: list[int] = []
    memory = Memory(lambda: True, lambda: trims.append(1))
    for open_bytes in (0, BURST - 1, 0, BURST - 1):
        memory.look(open_bytes, 0.0)
    assert trims == []
    for open_bytes in (BURST, BURST // 2, BURST // LEFT, 0, 10, 0):
        memory.look(open_bytes, 0.0)
    assert trims == [1]
    memory.look(BURST, PAUSE)
    memory.look(0, PAUSE)
    assert trims == [1, 1]


def test_bursts_that_follow_each_other_are_trimmed_after_a_pause():
    """Once it is over, if nothing is open then."""
    trims: list[float] = []
    memory = Memory(lambda: True, lambda: trims.append(now))
    for now in (0.0, 1.0, PAUSE - 1.0, PAUSE + 0.5, PAUSE + 1.0, PAUSE + 2.0):
        memory.look(0 if now == PAUSE + 1.0 else BURST, now)
        if now < PAUSE:
            memory.look(0, now)
    assert trims == [0.0, PAUSE + 1.0]


def test_connections_are_closed_once_after_a_burst_when_nothing_is_under_way():
    """What is left of it may be under way for long: memory is given back before, and again once they are closed."""
    told: list[str] = []
    under_way = True

    def hang_up() -> bool:
        told.append("busy" if under_way else "closed")
        return not under_way

    memory = Memory(hang_up, lambda: told.append("trim"))
    memory.look(0, 0.0)
    memory.look(BURST, 1.0)
    assert told == []
    memory.look(0, 2.0)
    memory.look(10, 3.0)
    assert told == ["busy", "trim", "busy"]
    under_way = False
    for now in range(4, 30):
        memory.look(0, float(now))
    assert told[3:] == ["closed", "trim"]


def test_the_c_library_is_asked_where_it_can():
    """And nothing is raised where it cannot."""
    trim()


THREADS = """
import ctypes, sys, threading
from consumer.service.memory import share_one_arena
if sys.argv[1] == "one":
    share_one_arena()
libc = ctypes.CDLL(None)
thread = threading.Thread(target=libc.malloc, args=(100_000,))
thread.start()
thread.join()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="not glibc")
def test_threads_take_memory_from_one_place() -> None:
    """Of two threads each would have an arena, which the C library lists by number."""
    found = {}
    for arenas in ("one", "many"):
        command = [sys.executable, "-c", THREADS, arenas]
        found[arenas] = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert '<heap nr="1">' in found["many"]
    assert '<heap nr="0">' in found["one"]
    assert '<heap nr="1">' not in found["one"]
