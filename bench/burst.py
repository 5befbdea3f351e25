"""What a burst takes of memory, and what it leaves: a backlog, and a Mixpanel that answers slowly."""

import time
from typing import Any, Final

from bench.processes import memory_of
from bench.rig import Contestant, Rig
from bench.turns import tell

LATENCY: Final = 6.0
AFTERWARDS: Final = 4.0  # seconds until it is looked at again


def run(built: Rig, events: int) -> dict[str, Any]:
    """MiB resident before, at the most, and afterwards."""
    found: dict[str, Any] = {}
    for label, workload in (("mixed", "mixed"), ("2 KB events", "large")):
        count = events if workload == "mixed" else 2 * events // 5
        contestant = Contestant(built.load(workload, count), LATENCY)
        _, before = built.start(contestant)
        with built.started(contestant) as running:
            built.settled(running, contestant.load)
            tell(f"burst, {label}", built.result(running, count, 0.0))
            time.sleep(AFTERWARDS)
            after, most = memory_of(running.process.pid)
        found[label] = {"before": before, "most": most, "after": after}
    return found


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """What is left."""
    return {"MiB, after a burst": found["mixed"]["after"]}
