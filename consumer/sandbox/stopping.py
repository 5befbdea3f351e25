"""SIGTERM and SIGINT end what runs until it is stopped.

with until_stopped():
    ...
    wait()
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

import click

# Seconds. Python hears of a signal between two steps: one that came just before a wait without end is never heard.
HEARD_WITHIN: Final = 0.5


class _Stopped(BaseException):
    """SIGTERM or SIGINT: not an error, and nothing that catches errors is to catch it."""


@contextmanager
def until_stopped() -> Iterator[None]:
    """Let SIGTERM and SIGINT end the block in order, wherever it is, once: what follows is not interrupted."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        raise _Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except _Stopped:
        click.echo("\nstopped", err=True)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait() -> NoReturn:
    """Wait for one of them, in the main thread."""
    while True:
        time.sleep(HEARD_WITHIN)
