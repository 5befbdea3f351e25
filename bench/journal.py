"""What it costs to announce each `$add`: the same events, 8 % of them `$add`s, with the journal and without."""

from typing import Final

from bench.rig import Contestant, Rig
from bench.turns import Row, best_ratio, in_turns

ROUNDS: Final = 4
WITHOUT, ANNOUNCED = "`ADD_JOURNAL=off`", "announced"


def run(built: Rig, events: int) -> dict[str, Row]:
    """In turns, on the same events."""
    load = built.load("mixed", events)
    contestants = {
        label: Contestant(load, settings={"AMBIGUOUS_ADD": "dead-letter", "ADD_JOURNAL": way})
        for label, way in ((WITHOUT, "off"), (ANNOUNCED, "on"))
    }
    return in_turns(built, contestants, ROUNDS)


def ratios(found: dict[str, Row]) -> dict[str, float]:
    """With it over without."""
    with_it, without = found[ANNOUNCED], found[WITHOUT]
    return {
        "CPU, $adds announced / not": best_ratio(with_it, without),
        "events/s, $adds announced / not": max(with_it["most_rates"]) / max(without["most_rates"]),
    }
