"""Fill a pipeline to its limit of bytes, then refuse all: `python full_state.py SHAPE` prints both peaks in MiB.

The first is the peak of the full state, with as many requests under way as there may be; the second that of all which
follows until nothing is open. Records lie ten to a group, so that each refusal is of a run.
"""

import gc
import json
import sys
from pathlib import Path
from typing import Any

from consumer.app import GC_THRESHOLDS
from consumer.core.model import Answer
from tests.core.machine import Machine

RUN = 10
POLL = 500
# Large enough for the limit of bytes, 64 MiB, to come before that of records.
SHAPES: dict[str, dict[str, Any]] = {
    "text": {"notes": "x" * 1_500},
    "small": {f"p{number:02}": number for number in range(180)},
}


def main(shape: str) -> None:
    """Print both peaks."""
    gc.set_threshold(*GC_THRESHOLDS)
    machine = Machine(breaker=False)
    fill(machine, SHAPES[shape])
    flying = machine.work()
    full = peak()
    while flying:
        for batch in flying:
            machine.answer(batch, refused(len(batch.updates)))
        flying = machine.work()
        machine.confirm()
    assert machine.pipeline.partitions.open_records() == 0
    print(full, peak())


def fill(machine: Machine, properties: dict[str, Any]) -> None:
    """Read until a limit is reached: partitions are paused."""
    partition = machine.assign()
    first = 0
    while not machine.pipeline.paused():
        numbers = range(first, first + POLL)
        machine.read(partition, *[("SET", properties | {"n": n}, f"group-{n // RUN}") for n in numbers])
        first += POLL


def refused(count: int) -> Answer:
    """The answer that refuses so many updates by their indexes, with a count that agrees."""
    errors = {str(index): "bad" for index in range(count)}
    return Answer(
        200, json.dumps({"error": "some failed", "errors": errors, "num_good_events": 0, "status": 0}).encode()
    )


def peak() -> float:
    """The most memory that this process had so far, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not say how much memory a process had")


if __name__ == "__main__":
    main(sys.argv[1])
