"""The service and the loops that teams write, on the same events; then the service where something else is harder."""

from dataclasses import replace
from statistics import median
from typing import Final

from bench.rig import Contestant, Load, Rig
from bench.turns import Row, best_ratio, in_turns, middle_ratio

ROUNDS: Final = 5
SLOW_ROUNDS: Final = 2  # of the loop that nobody needs to know exactly
LOOPS: Final = 10  # the loops have the first tenth of the mixed events, which they read as slowly as all of them
MIXED, NEW = "mixed, 80 ms", "every group new, 80 ms"
SLOW, LARGE = "mixed, 300 ms", "2 KB events, 80 ms"
TUNED, POPULAR, AWAKE = "tuned loop", "popular loop", "tuned loop on a processor kept awake"
BARE: Final = "without a promise"


def run(built: Rig, events: int) -> dict[str, Row]:
    """All rows, each loop beside the service on the same workload."""
    mixed, new = built.load("mixed", events), built.load("new", 2 * events // 5)
    fewer_mixed, fewer_new = built.load("mixed", events // LOOPS), built.load("new", events // LOOPS)
    built.drain(Contestant(fewer_mixed))  # warms Kafka up
    loops = {
        f"{TUNED}, {MIXED}": Contestant(fewer_mixed, command="tuned"),
        f"{TUNED}, {NEW}": Contestant(fewer_new, command="tuned"),
        f"{AWAKE}, {NEW}": Contestant(fewer_new, command="tuned", awake=True),
    }
    bare = {
        f"{BARE}, {MIXED}": Contestant(mixed, command="bare"),
        f"{BARE}, {NEW}": Contestant(new, command="bare"),
    }
    found = in_turns(built, {MIXED: Contestant(mixed), NEW: Contestant(new)} | loops | bare, ROUNDS)
    found |= in_turns(built, {f"{POPULAR}, {NEW}": Contestant(fewer_new, command="popular")}, SLOW_ROUNDS)
    slow = replace(loops[f"{TUNED}, {MIXED}"], latency=0.3)
    found |= in_turns(built, {SLOW: Contestant(mixed, 0.3), f"{TUNED}, {SLOW}": slow}, 1)
    return found | in_turns(built, others(built, events, mixed), 1)


def others(built: Rig, events: int, mixed: Load) -> dict[str, Contestant]:
    """The service alone."""
    return {
        "mixed, 20 ms": Contestant(mixed, 0.02),
        "mixed, 64 partitions, 80 ms": Contestant(built.load("mixed", events // 5, 64)),
        LARGE: Contestant(built.load("large", events // 10)),
        "a group with 20 %, 80 ms": Contestant(built.load("hot", events // 5)),
        "mixed, `FOLD=off`, 80 ms": Contestant(built.load("mixed", events // 100), settings={"FOLD": "off"}),
    }


def ratios(found: dict[str, Row]) -> dict[str, float]:
    """Beside the loops, and memory in MiB."""
    return {
        "CPU, mixed / tuned loop": middle_ratio(found[MIXED], found[f"{TUNED}, {MIXED}"], "cpus"),
        "CPU, every group new / tuned loop": middle_ratio(found[NEW], found[f"{TUNED}, {NEW}"], "cpus"),
        "CPU, every group new / tuned loop on a processor kept awake": middle_ratio(
            found[NEW], found[f"{AWAKE}, {NEW}"], "cpus"
        ),
        "CPU, mixed, without a promise / tuned loop": middle_ratio(
            found[f"{BARE}, {MIXED}"], found[f"{TUNED}, {MIXED}"], "cpus"
        ),
        "CPU, every group new, without a promise / tuned loop": middle_ratio(
            found[f"{BARE}, {NEW}"], found[f"{TUNED}, {NEW}"], "cpus"
        ),
        "CPU, every group new / popular loop": best_ratio(found[NEW], found[f"{POPULAR}, {NEW}"]),
        "events/s, mixed, 80 ms / tuned loop": middle_ratio(found[MIXED], found[f"{TUNED}, {MIXED}"], "rates"),
        "events/s, mixed, 300 ms / tuned loop": middle_ratio(found[SLOW], found[f"{TUNED}, {SLOW}"], "rates"),
        "MiB, mixed, 80 ms": median(found[MIXED]["mibs"]),
        "MiB, mixed, 300 ms": median(found[SLOW]["mibs"]),
        "MiB, 2 KB events": median(found[LARGE]["mibs"]),
    }
