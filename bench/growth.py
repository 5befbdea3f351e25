"""What an event costs while partitions, groups and backlog grow, and where the producer's batches are small."""

from typing import Final

from bench.rig import Contestant, Rig
from bench.turns import Row, best_ratio, in_turns

ROUNDS: Final = 3
SMALL: Final = 5  # events to a batch of a producer that does not wait for more
USUAL: Final = "4 partitions"


def run(built: Rig, events: int) -> dict[str, Row]:
    """All in turns: differences of a tenth are to be seen."""
    loads = {
        "1 partition": built.load("mixed", events, 1),
        USUAL: built.load("mixed", events),
        **{f"{count} partitions": built.load("mixed", events, count) for count in (16, 64)},
        **{f"{count:,} groups": built.load("mixed", events, 4, count) for count in (1_000, 10_000, 1_000_000)},
        "2.5 times the backlog": built.load("mixed", 5 * events // 2),
        "batches of five": built.load("mixed", events, to_a_batch=SMALL),
        "64 partitions, batches of five": built.load("mixed", events, 64, to_a_batch=SMALL),
    }
    return in_turns(built, {label: Contestant(load) for label, load in loads.items()}, ROUNDS)


def ratios(found: dict[str, Row]) -> dict[str, float]:
    """Each over the usual one."""
    return {
        f"CPU, {label} / {USUAL}": best_ratio(row, found[USUAL]) for label, row in found.items() if label != USUAL
    }
