"""What trouble costs: a Mixpanel of which 28 % of the requests fail, and one that refuses changes of a busy group.

Both are times to settle the same records, so their ratios hold on any machine. The loop beside `faults` sends one
request at a time and tries again soon; it needs as many requests as the service, since nothing there folds.
"""

import operator
import statistics
from typing import Any

from bench.rig import Result, Rig

EVENTS = 20_000
ROUNDS = 3
LATENCY = 0.08
QUICKER = {"MIXPANEL_TIMEOUT": "2s"}  # what hangs is not what is measured
LOOP = "retrying loop"


def faults(built: Rig, events: int) -> dict[str, Any]:
    """Seconds of the service and of the loop to settle all, in turns."""
    load = built.load("chained", events, 1)
    return _rounds(
        "28 % of the requests fail",
        {
            "service": lambda: built.drain("service", load, LATENCY, QUICKER, "faults"),
            LOOP: lambda: built.drain(LOOP, load, LATENCY, QUICKER, "faults"),
        },
    )


def refusals(built: Rig, events: int) -> dict[str, Any]:
    """Seconds of the service to settle all where 1 % of a busy group's changes are refused, and where none is."""
    load = built.load("refusals", events)
    return _rounds(
        "1 % of a busy group refused",
        {
            "refused": lambda: built.drain("service", load, LATENCY, mood="refusals"),
            "taken": lambda: built.drain("service", load, LATENCY),
        },
    )


def ratios(figures: dict[str, Any]) -> dict[str, float]:
    """The middle ratio of the rounds."""
    found: dict[str, float] = {}
    for what, name, ours, theirs in (
        ("faults", f"time, 28 % of requests fail / {LOOP}", "service", LOOP),
        ("refusals", "time, 1 % of a hot group refused / none", "refused", "taken"),
    ):
        if what in figures:
            found[name] = statistics.median(map(operator.truediv, figures[what][ours], figures[what][theirs]))
    return found


def _rounds(title: str, contestants: dict[str, Any]) -> dict[str, Any]:
    """Seconds of each contestant in each round, printed as they come."""
    print(f"\n{title:<36}{'seconds':>10}{'requests':>10}{'failed':>8}{'refused':>9}{'peak MiB':>10}", flush=True)
    found: dict[str, list[float]] = {label: [] for label in contestants}
    for _ in range(ROUNDS):
        for label, run in contestants.items():
            result: Result = run()
            found[label].append(result.seconds)
            print(
                f"{label:<36}{result.seconds:>10.1f}{result.requests:>10,}{result.failed:>8}"
                f"{result.refused:>9}{result.peak_mib:>10.0f}",
                flush=True,
            )
    return found
