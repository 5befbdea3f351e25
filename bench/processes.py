"""Processes that may use some processors alone, and what the operating system says of them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

PROCESSORS: Final = sorted(os.sched_getaffinity(0))
# What is measured has one for itself; all else shares the others.
MINE: Final = {PROCESSORS[0]}
THEIRS: Final = set(PROCESSORS[1:]) or MINE
TICKS: Final = os.sysconf("SC_CLK_TCK")
Process = subprocess.Popen[bytes]


def pinned(
    command: list[str], processors: set[int], environ: Mapping[str, str] | None = None, log: Any = subprocess.DEVNULL
) -> Process:
    """A process that may use these processors alone."""
    return subprocess.Popen(
        command,
        env={**os.environ, **(environ or {})},
        stdout=log,
        stderr=log,
        preexec_fn=lambda: os.sched_setaffinity(0, processors),
    )


@contextmanager
def awake(processors: set[int]) -> Iterator[None]:
    """Keep these processors from going to sleep: something turns on them whenever nothing else wants to."""
    idler = pinned([sys.executable, "-S", "-c", "while True: pass"], processors)
    os.sched_setscheduler(idler.pid, os.SCHED_IDLE, os.sched_param(0))
    try:
        yield
    finally:
        idler.kill()
        idler.wait(60)


def cpu_of(pid: int) -> float:
    """CPU seconds of a process so far, all threads, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_of(pid: int) -> tuple[float, float]:
    """What a process has resident now, and the most that it had, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    sizes = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return int(sizes["VmRSS"].split()[0]) / 1024, int(sizes["VmHWM"].split()[0]) / 1024


def until(condition: Callable[[], object], seconds: float = 600.0) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the contestant does not come to an end"
        time.sleep(0.02)
