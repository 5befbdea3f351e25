"""Runs seeds: one history each; a broken promise comes with the command that shows it again."""

from dataclasses import dataclass

from .beside import PROJECT, Beside
from .history import History
from .isolated import Isolated
from .several import PARTS, Several


@dataclass(frozen=True)
class Outcome:
    """What one history came to; `broken` is empty where every promise was kept."""

    name: str
    broken: str
    trace: list[str]
    requests: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.broken}\n    python -m tests.simulation {self.name}"


def run(name: str, *, tracing: bool = False) -> Outcome:
    """One history: a seed, or a kind of isolated fault and a seed, as `stuck/17`."""
    kind, _, seed = name.rpartition("/")
    history = made(kind, int(seed), tracing)
    broken = ""
    try:
        history.run()
    except Exception as failure:  # noqa: BLE001  # whatever the loop raises breaks a promise too
        broken = f"{type(failure).__name__}: {failure}"
        if tracing:
            history.world.trace.append(broken)
    seconds = history.world.now - history.world.began
    return Outcome(name, broken, history.world.trace, history.oracle.requests, seconds)


def made(kind: str, seed: int, tracing: bool) -> History:
    """The history of the seed, of a kind or of none."""
    if kind == PROJECT:
        return Beside(seed, tracing=tracing)
    if kind == PARTS:
        return Several(seed, tracing=tracing)
    return Isolated(kind, seed, tracing=tracing) if kind else History(seed, tracing=tracing)


def names_of(seeds: str) -> list[str]:
    """`17` or `1..20000`, or either behind a kind, as `stuck/1..50`."""
    kind, slash, numbers = seeds.rpartition("/")
    first, dots, last = numbers.partition("..")
    return [f"{kind}{slash}{seed}" for seed in range(int(first), (int(last) if dots else int(first)) + 1)]
