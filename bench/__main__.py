"""`python -m bench [PART ...] [--quick] [--keep-baseline] [--output FILE]`: measures, and prints tables.

What is done appears on stderr meanwhile. At the end come the ratios, beside goals and baseline, then the tables of
docs/performance.md. Exit status: 0, also where goals are missed; 1 where something is worse than the baseline by more
than the noise. `python -m bench.page FILE` puts the figures of a file into the page and its plots.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, Final

from bench import (
    burst,
    envelope,
    goals,
    growth,
    journal,
    latency,
    mapped_topics,
    micro,
    processes,
    projects,
    rig,
    tables,
    troubled,
    whole,
)
from consumer.app import compiled

Step = Callable[[rig.Rig, int], dict[str, Any]]
# Each with its events.
STEPS: Final[dict[str, tuple[Step, int]]] = {
    "whole": (whole.run, 1_000_000),
    "latency": (latency.run, latency.EVENTS),
    "burst": (burst.run, 150_000),
    "growth": (growth.run, 400_000),
    "projects": (projects.run, 200_000),
    "mapped": (mapped_topics.run, 200_000),
    "journal": (journal.run, 400_000),
    "refusals": (troubled.refusals, 10_000),
    "faults": (troubled.faults, 20_000),
}
PARTS: Final = ("micro", *STEPS)
QUICK: Final = 10


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what", nargs="*", choices=(*PARTS, "all"), default="all", metavar="PART", help=", ".join(PARTS)
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the events, held against nothing")
    parser.add_argument("--output", type=Path, help="every figure, as JSON; of other parts those there stay")
    parser.add_argument("--keep-baseline", action="store_true", help="make this run's ratios the baseline")
    asked = parser.parse_args()
    if asked.quick and asked.keep_baseline:
        parser.error("--quick measures too little to be a baseline")
    parts = PARTS if "all" in asked.what else asked.what
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()},", end=" ")
    print(
        f"{len(processes.PROCESSORS)} processors, core {'compiled' if compiled() else 'NOT compiled'}\n", flush=True
    )
    if asked.output:
        asked.output.touch()  # what cannot be written is better known now
    figures: dict[str, Any] = {}
    for part, found in measured(parts, QUICK if asked.quick else 1):
        figures[part] = found
        if asked.output:
            before = json.loads(asked.output.read_text() or "{}")
            asked.output.write_text(json.dumps(before | figures, indent=2) + "\n")
    rows = goals.held(figures)
    print(tables.aligned(tables.ratios(rows, beside_baseline=True)))
    if not asked.quick:
        print(*goals.verdict(rows), "", sep="\n")
    for part, table in tables.of_parts(figures).items():
        print(f"{part}\n\n{tables.aligned(table)}")
    if asked.keep_baseline:
        goals.keep(figures)
    return int(not asked.quick and any(row.worse for row in rows))


def measured(parts: Collection[str], less: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each part when it is done; all that need the rig on the same one, which fills a topic once."""
    if "micro" in parts:
        yield "micro", micro.run(40_000 // less) | envelope.run(10_000 // less)
    if any(part in parts for part in STEPS):
        with rig.built() as built:
            for part, (step, events) in STEPS.items():
                if part in parts:
                    began = time.monotonic()
                    found = step(built, events // less)
                    print(f"{part}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
                    yield part, found


if __name__ == "__main__":
    sys.exit(main())
