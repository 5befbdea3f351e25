"""What each step of the core costs for one record: microseconds of CPU, the best of several passes, and memory.

Memory is what stays once a step is done and its results are kept: the blocks that Python's allocator gave, and bytes.
"""

import gc
import io
import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import fastavro

from bench import workload as workloads
from bench.projects import FULL
from consumer.app import GC_THRESHOLDS
from consumer.core.entry import Entry
from consumer.core.fold import Fold
from consumer.core.lanes import Lanes
from consumer.core.limits import Limits
from consumer.core.model import Answer, Assignment, Record
from consumer.core.offsets import Ledger
from consumer.core.pipeline import Pipeline
from consumer.core.room import Share
from consumer.event.convert import convert
from consumer.event.decode import resolve
from consumer.event.encode import group_part, opening_of, operation_of, update_tail
from consumer.event.model import DEFAULT, DELETE, Operation

ACCEPTED = b'{"error":null,"errors":{},"status":1}'
TOKEN = "0" * 32
PASSES = 7
RUN = 4  # changes of one group that are folded, where folding is measured alone


def best(steps: dict[str, Callable[[], Any]], count: int) -> dict[str, float]:
    """Microseconds of CPU for one of `count`; all steps in turns, so that a slow minute is everybody's."""
    found = dict.fromkeys(steps, float("inf"))
    for _ in range(PASSES):
        for label, step in steps.items():
            began = time.process_time()
            kept = step()
            found[label] = min(found[label], (time.process_time() - began) / count * 1e6)
            let_go(kept)
    return found


def run(events: int = 20_000) -> dict[str, dict[str, float]]:
    """Every step, and the whole core: `us` for each of them, `blocks` and `bytes` of what a record keeps of some."""
    gc.set_threshold(*GC_THRESHOLDS)
    schema = json.loads(workloads.SCHEMA_TEXT)
    decoder = resolve(schema, schema)
    values, new, hot = [
        [value for _, value in workloads.events(workload, events, 1)] for workload in ("mixed", "new", "hot")
    ]
    ten, hundred = [[value for _, value in workloads.events("new", events, 1, projects=count)] for count in (10, 100)]
    changes = [decoder.decode(value, 5) for value in values]
    operations = [convert(change) for change in changes]
    alone = [convert(decoder.decode(value, 5)) for value in new]
    updates = [update_tail(operation) for operation in operations]
    keeping: dict[str, Callable[[], Any]] = {
        "fastavro, to compare": lambda: [_by_fastavro(value) for value in values],
        "decode": lambda: [decoder.decode(value, 5) for value in values],
        "convert": lambda: [convert(c) for c in changes],
        "encode": lambda: [update_tail(operation) for operation in operations],
        "read back": lambda: [operation_of(update) for update in updates],
        "lane, encoding included": lambda: _lanes(alone),
        "offsets": lambda: _offsets(events),
    }
    steps = {
        "fold": lambda: _fold(operations),
        "core, mixed": lambda: _core(values, decoder),
        "core, new": lambda: _core(new, decoder),
        "core, hot": lambda: _core(hot, decoder),
        "core, batches of 200": lambda: _core(new, decoder, full=FULL),
        "the same, 10 projects": lambda: _core(ten, decoder, 10, FULL),
        "the same, 100 projects": lambda: _core(hundred, decoder, 100, FULL),
    }
    found = {label: {"us": cost} for label, cost in best({**keeping, **steps}, events).items()}
    for label, step in keeping.items():
        found[label] |= memory(step, events)
    return found


def ratios(found: dict[str, dict[str, float]]) -> dict[str, float]:
    """Steps of the core over fastavro on the same bytes, which decodes and does no more."""
    cost = {label: row["us"] for label, row in found.items()}
    return {
        "75 columns, 8 mapped / fastavro": cost["75 columns, 8 mapped"] / cost["75 columns, fastavro"],
        **{
            f"{step} / fastavro": cost[step] / cost["fastavro, to compare"]
            for step in ("decode", "core, mixed", "core, new")
        },
    }


def memory(step: Callable[[], Any], count: int) -> dict[str, float]:
    """What the results of the step keep, for one of `count`."""
    before = sys.getallocatedblocks()
    kept = step()
    blocks = sys.getallocatedblocks() - before
    let_go(kept)
    del kept
    tracemalloc.start()
    kept = step()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    let_go(kept)
    return {"blocks": blocks / count, "bytes": size / count}


def let_go(kept: object) -> None:
    """Lanes whose runs are not over are known by their updates: no collector undoes that."""
    for run in kept.runs() if isinstance(kept, Lanes) else ():
        run.over()


def _lanes(operations: list[Operation]) -> Lanes:
    """Every operation in a lane of its own; then all of them taken, as if their batches were not kept."""
    lanes = Lanes(len(opening_of(TOKEN)), 2000, fold=True, share=Share(Limits(), None))
    place = Assignment("bench", 0)
    for offset, operation in enumerate(operations):
        record = Record(place, offset, None, None, None, 0, 0.0)
        tail = update_tail(operation)
        lanes.push(group_part(tail, operation.verb), Entry(record, operation.verb, tail, offset))
    while lanes.ready:
        lanes.take(2000, 2 * 1024 * 1024, 0.0)
    return lanes


def _fold(operations: list[Operation]) -> None:
    """Runs of a few changes each, as if they were of one group; a barrier ends a run."""
    fold = Fold(2000)
    for place, operation in enumerate(operations):
        if operation.verb == DELETE:
            continue
        if place % RUN == 0 or not fold.add(operation.verb, operation.values, 200):
            fold.updates()
            fold = Fold(2000)
            fold.add(operation.verb, operation.values, 200)
    fold.updates()


def _by_fastavro(value: bytes) -> Any:
    data = io.BytesIO(value)
    data.seek(5)
    return fastavro.schemaless_reader(data, workloads.SCHEMA, None)


def _offsets(count: int) -> Ledger:
    ledger = Ledger()
    for offset in range(count):
        ledger.seen(offset, 0.0)
    for offset in range(0, count, 2):
        ledger.settle(offset)
    for offset in range(1, count, 2):
        ledger.settle(offset)
    return ledger


def _core(values: list[bytes], decoder: Any, projects: int = 1, full: int = 2000) -> None:
    """Records in, everything settled, as the loop would do it with four requests of `full` updates in flight."""
    names = [workloads.project_of(number, projects) or DEFAULT for number in range(projects)]
    pipeline = Pipeline(dict.fromkeys(names, len(opening_of(TOKEN))), Limits(batch_updates=full))
    partitions = [Assignment("bench", number) for number in range(4)]
    pipeline.assigned(partitions)
    pipeline.schema_known(1, decoder, 0.0)
    now, flying = 0.0, []
    for start in range(0, len(values) + 500, 500):
        chunk = values[start : start + 500]
        pipeline.polled(
            [
                Record(partitions[place % 4], (start + place) // 4, None, value, None, 0, now)
                for place, value in enumerate(chunk)
            ],
            now,
        )
        now += 0.01 if chunk else 1.1
        flying.extend(pipeline.work(now).batches)
        while len(flying) > 4 or (flying and not chunk):
            pipeline.delivered(flying.pop(0), Answer(200, ACCEPTED, seconds=0.08), now, 0.5)
            flying.extend(pipeline.work(now).batches)
        pipeline.partitions.committable()
        pipeline.paused()
    assert pipeline.partitions.open_records() == 0
