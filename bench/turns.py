"""Contestants measured against each other, in turns or side by side, and what their rounds came to.

A row of figures, as the parts give it and files keep it: `cpus`, `rates`, `most_rates`, `seconds` and `mibs` of each
round; of the last one `events`, `updates` (for 1,000 events), `to_a_request`, `mib_sent` (for a million events),
`first_request`, `requests`, `failed` and `dead_letters`.
"""

import operator
import statistics
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.rig import Contestant, Result, Rig

Row = dict[str, Any]
STARTS = 2  # the lesser of so many is what a start takes


def in_turns(built: Rig, contestants: Mapping[str, Contestant], rounds: int) -> dict[str, Row]:
    """So many rounds, in each of which every contestant has one drain of its topic."""
    starts: dict[object, float] = {}
    for contestant in contestants.values():
        if contestant.alike() not in starts:
            starts[contestant.alike()] = min(built.start(contestant)[0] for _ in range(STARTS))
    found: dict[str, list[Result]] = {label: [] for label in contestants}
    for number in range(rounds):
        for label, contestant in contestants.items():
            result = built.drain(contestant, starts[contestant.alike()])
            found[label].append(result)
            tell(f"{number + 1}/{rounds} {label}", result)
    return {label: row(results) for label, results in found.items()}


def side_by_side(built: Rig, contestants: Mapping[str, Contestant], rounds: int) -> dict[str, Row]:
    """All rounds of all contestants at once: for what waits and does not compute."""
    with ThreadPoolExecutor(rounds * len(contestants)) as pool:
        drains = {
            label: [pool.submit(built.drain, contestant) for _ in range(rounds)]
            for label, contestant in contestants.items()
        }
        found = {label: [drain.result() for drain in each] for label, each in drains.items()}
    for label, results in found.items():
        for result in results:
            tell(label, result)
    return {label: row(results) for label, results in found.items()}


def tell(label: str, result: Result) -> None:
    """Show that it goes on; the tables come at the end."""
    print(
        f"{label:<58}{result.seconds:8.1f} s{result.rate:10,.0f} events/s"
        f"{result.cpu_a_million:8.1f} CPU s/M{result.mib:6.0f} MiB",
        file=sys.stderr,
        flush=True,
    )


def row(results: list[Result]) -> Row:
    """What the rounds came to."""
    last = results[-1]
    return {
        "cpus": [result.cpu_a_million for result in results],
        "rates": [result.rate for result in results],
        "most_rates": [result.rate_of_most for result in results],
        "seconds": [result.seconds for result in results],
        "mibs": [result.mib for result in results],
        "events": last.events,
        "updates": last.updates / last.events * 1_000,
        "to_a_request": last.updates / max(1, last.requests),
        "mib_sent": last.mib_sent / last.events * 1e6,
        "first_request": last.first_request,
        "requests": last.requests,
        "failed": last.failed,
        "dead_letters": last.dead_letters,
    }


def middle_ratio(ours: Row, theirs: Row, what: str) -> float:
    """The middle one of the ratios of the rounds: what is told of two that behave differently."""
    return float(statistics.median(map(operator.truediv, ours[what], theirs[what])))


def best_ratio(ours: Row, theirs: Row) -> float:
    """The least CPU of all rounds over the other's: what is told of the service beside itself."""
    return float(min(ours["cpus"]) / min(theirs["cpus"]))
