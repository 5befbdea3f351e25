"""`python -m tests.chaos.soak [--minutes N]`: one instance at load with faults; memory, threads and files stay flat.

The instance is never ended, so whatever it does not give back shows. The ledger must balance at the end, too.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.faults import Faults
from tests.chaos.ledger import balance
from tests.chaos.observers import Commits, Letters
from tests.chaos.producing import Producing
from tests.chaos.rows import PARTITIONS, Rows, register
from tests.chaos.run import GROUPS, PLACES, built, settle
from tests.chaos.story import Story
from tests.integration.world import PROTOCOLS

INSTANCE = "instance"  # what is in the name of every fault that would end or freeze it
EVERY = 5.0  # seconds between two samples
# What the median of the last third may have more than that of the second: allocators and caches are not exact.
SLACK = 1.10


@dataclass(frozen=True)
class Sample:
    """What the instance has at one moment."""

    minute: float
    mib: float
    threads: int
    files: int


def sample(pid: int, began: float) -> Sample:
    """Look at a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return Sample(
        (time.monotonic() - began) / 60,
        int(status["VmRSS"].split()[0]) / 1024,
        int(status["Threads"]),
        len(list(Path(f"/proc/{pid}/fd").iterdir())),
    )


def main() -> int:
    """Soak for so long; 0 where everything stayed flat and the ledger balances."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as temporary,
        built(Path(temporary), asked.seed, "cooperative", fold=True) as (world, requests, fleet),
    ):
        world.settings["LOG_LEVEL"] = "info"
        fleet.wanted = 1
        fleet.fill()
        table = Rows(asked.seed, register(world.registry))
        producing = Producing(world.broker.internal_bootstrap, Story(asked.seed, GROUPS), table, asked.seed)
        letters = Letters(world.broker.internal_bootstrap, world.letters_topic, PARTITIONS)
        commits = Commits(world.broker.internal_bootstrap, world.group, PLACES, producing.placed, requests, letters)
        faults = Faults(world, fleet, asked.seed, producing.poison, PROTOCOLS["cooperative"])
        faults.keep(lambda name: INSTANCE not in name)
        producing.start()
        samples = soak(faults, fleet.running[0].process.pid, asked.minutes * 60, rng)
        producing.finish()
        settled = settle(producing.placed(), commits, fleet, print)
        fleet.end()
        for _ in range(20):
            letters.read(0.3)
        letters.close()
        found = balance(producing.placed(), requests, letters.found)
        found.wrong = table.differences(world.mixpanel.profiles)
    flat = show(samples)
    print(f"events {found.events}, applied {found.applied}, dead letters {found.dead}, settled {settled}")
    print(f"lost {len(found.lost)}, out of order {len(found.reordered)}, not owed {len(found.unexpected)}")
    print(f"columns that differ {len(found.wrong)}")
    print(f"faults {sum(faults.struck.values())}, exit statuses {fleet.exits}")
    return 0 if flat and settled and found.balances else 1


def soak(faults: Faults, pid: int, seconds: float, rng: random.Random) -> list[Sample]:
    """One thing after another goes wrong; a sample between."""
    began = time.monotonic()
    samples: list[Sample] = []
    while time.monotonic() - began < seconds:
        _, repair = faults.next()
        time.sleep(rng.uniform(0.5, 3.0))  # the fault lasts
        if repair is not None:
            repair()
        time.sleep(EVERY)
        samples.append(sample(pid, began))
    return samples


def show(samples: list[Sample]) -> bool:
    """A table of medians for each sixth of the time; whether the end is as flat as the middle."""
    size = max(1, len(samples) // 6)
    print(f"{'minutes':>12}{'RSS MiB':>10}{'threads':>10}{'files':>8}")
    medians: list[tuple[float, float, float]] = []
    for start in range(0, size * 6, size):
        part = samples[start : start + size]
        medians.append(
            (
                statistics.median(one.mib for one in part),
                statistics.median(one.threads for one in part),
                statistics.median(one.files for one in part),
            )
        )
        mib, threads, files = medians[-1]
        print(f"{part[0].minute:5.1f}-{part[-1].minute:5.1f} {mib:>10.1f}{threads:>10.0f}{files:>8.0f}")
    middle = [max(one) for one in zip(*medians[2:4], strict=True)]
    last = [max(one) for one in zip(*medians[4:6], strict=True)]
    flat = all(now <= before * SLACK + 2 for now, before in zip(last, middle, strict=True))
    print("flat" if flat else "NOT FLAT")
    return flat


if __name__ == "__main__":
    sys.exit(main())
