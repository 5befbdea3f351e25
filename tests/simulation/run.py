"""Runs seeds: one history each; a broken promise comes with the command that shows it again."""

import logging
from dataclasses import dataclass

from .history import History

logging.getLogger("consumer").addHandler(logging.NullHandler())
logging.getLogger("consumer").propagate = False


@dataclass(frozen=True)
class Outcome:
    """What one seed came to; `broken` is empty where every promise was kept."""

    seed: int
    broken: str
    trace: list[str]
    requests: int
    seconds: float


def run(seed: int, *, tracing: bool = False) -> Outcome:
    """One history."""
    history = History(seed, tracing=tracing)
    broken = ""
    try:
        history.run()
    except Exception as failure:  # noqa: BLE001  # whatever the loop raises breaks a promise too
        broken = f"{type(failure).__name__}: {failure}"
        if tracing:
            history.world.trace.append(broken)
    seconds = history.world.now - history.world.began
    return Outcome(seed, broken, history.world.trace, history.oracle.requests, seconds)


def seeds_of(text: str) -> range:
    """`17` or `1..20000`."""
    first, dots, last = text.partition("..")
    return range(int(first), (int(last) if dots else int(first)) + 1)
