"""What trouble costs: a Mixpanel of which 28 % of the requests fail, and one that refuses changes of a busy group.

Both are times to settle the same records, so their ratios hold on any machine. The loop beside `faults` sends one
request at a time and tries again soon; it needs as many requests as the service, since nothing there folds.
"""

from typing import Final

from bench.rig import Contestant, Rig
from bench.turns import Row, in_turns, middle_ratio, side_by_side

ROUNDS: Final = 3
QUICKER: Final = {"MIXPANEL_TIMEOUT": "2s"}  # what hangs is not what is measured
FAULTS, LOOP = "28 % of the requests fail", "the same, retrying loop"
REFUSED, TAKEN = "1 % of a busy group refused", "the same, none refused"


def faults(built: Rig, events: int) -> dict[str, Row]:
    """The service and the loop; all at once, since they wait for answers nearly all of the time."""
    load = built.load("chained", events, 1)
    service = Contestant(load, settings=QUICKER, mood="faults")
    loop = Contestant(load, settings=QUICKER, mood="faults", command="retrying")
    return side_by_side(built, {FAULTS: service, LOOP: loop}, ROUNDS)


def refusals(built: Rig, events: int) -> dict[str, Row]:
    """The service, in turns with itself where none is refused."""
    load = built.load("refusals", events)
    return in_turns(built, {REFUSED: Contestant(load, mood="refusals"), TAKEN: Contestant(load)}, ROUNDS)


def faults_ratios(found: dict[str, Row]) -> dict[str, float]:
    """The time of the loop that is needed."""
    return {"time, 28 % of requests fail / retrying loop": middle_ratio(found[FAULTS], found[LOOP], "seconds")}


def refusals_ratios(found: dict[str, Row]) -> dict[str, float]:
    """How many times as long it takes, and the requests that each record more costs."""
    refused, taken = found[REFUSED], found[TAKEN]
    return {
        "time, 1 % of a hot group refused / none": middle_ratio(refused, taken, "seconds"),
        "requests for a record that is refused": (refused["requests"] - taken["requests"]) / refused["dead_letters"],
    }
