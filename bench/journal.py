"""What it costs to announce each `$add`: the same events, 8 % of them `$add`s, with the journal and without."""

from typing import Any, Final

from bench.rig import Rig

ROUNDS: Final = 3
WAYS: Final = {"off": "dead-letter, without", "on": "dead-letter, announced"}


def run(built: Rig, events: int) -> dict[str, Any]:
    """The best of some rounds, taken in turns."""
    load = built.load("mixed", events)
    found: dict[str, dict[str, float]] = {}
    for _ in range(ROUNDS):
        for way, label in WAYS.items():
            result = built.drain("service", load, 0.08, {"AMBIGUOUS_ADD": "dead-letter", "ADD_JOURNAL": way})
            best = found.setdefault(label, {"rate": 0.0, "cpu": result.cpu_a_million})
            best["rate"] = max(best["rate"], result.rate)
            best["cpu"] = min(best["cpu"], result.cpu_a_million)
    print(f"\n{'8 % of $adds':<24}{'events/s':>10}{'CPU s/M':>10}")
    for label, row in found.items():
        print(f"{label:<24}{row['rate']:>10.0f}{row['cpu']:>10.1f}", flush=True)
    without, announced = found.values()
    print(
        f"{'cost':<24}{1 - announced['rate'] / without['rate']:>10.1%}{announced['cpu'] / without['cpu'] - 1:>10.1%}"
    )
    return found
