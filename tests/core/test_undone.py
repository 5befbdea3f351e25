"""A run and its updates know each other, and no collector undoes that: the core does, whatever becomes of them."""

import gc
import sys

from consumer.core.entry import Entry
from consumer.core.model import Answer, Assignment, Record
from consumer.core.runs import Run
from consumer.event.encode import group_part, update_tail
from consumer.event.model import SET, Operation
from tests.core.machine import ACCEPTED, Machine

FIRST_REFUSED = (
    b'{"code":400,"failed_records":[{"index":0,"message":"no"}],"num_good_events":1,"status":"Bad Request"}'
)
ANSWERS = (ACCEPTED, Answer(503), ACCEPTED, Answer(400, FIRST_REFUSED))
GROUPS = [str(number) for number in range(40)]
ROUNDS = 6
# Blocks of memory that six epochs may leave behind: they have some 6,000 records, with seven objects each.
FEW = 400


def epoch(machine: Machine) -> None:
    """Two partitions come and go; requests are accepted, fail and are refused, and some are under way at the end."""
    partitions = [machine.assign(0), machine.assign(1)]
    under_way = []
    for number in range(12):
        for partition in partitions:
            changes = [("SET", {"a": number}, group) for group in GROUPS]
            machine.read(partition, *changes, ("UNION", {"b": ["x"]}, "0"), ("REMOVE", {"b": "x"}, "0"))
        under_way += machine.work(0.2)
        if number % 2:
            machine.answer(under_way.pop(0), ANSWERS[number // 2 % len(ANSWERS)])
    machine.pipeline.drain(partitions[:1], machine.now + 1.0)
    under_way += machine.work(0.1)
    machine.pipeline.revoked(partitions)
    for batch in under_way:
        machine.answer(batch)
    machine.finish()


def test_nothing_waits_for_the_collector() -> None:
    """What came of an epoch is freed without it."""
    machine = Machine(max_in_flight=4, batch_updates=30, batch_bytes=2_000, breaker=False)
    gc.collect()
    gc.disable()
    try:
        epoch(machine)
        before = sys.getallocatedblocks()
        for _ in range(ROUNDS):
            epoch(machine)
        assert sys.getallocatedblocks() - before < FEW
    finally:
        gc.enable()
    assert machine.leftovers() == []


def test_a_run_that_is_over_keeps_none_that_follows_it() -> None:
    """Whoever keeps one update would keep all runs of its group, and free them one inside the other: too deep."""
    tail = update_tail(Operation("company", "acme", SET, {"a": 1}))
    place = Assignment("changes", 0)
    entries = [Entry(Record(place, offset, b"", b"", None, 0, 0.0), SET, tail, offset) for offset in range(200_000)]
    first = entries.pop(0)
    run = Run(group_part(tail, SET), first, -1)
    for entry in entries:
        run.begin(1)
        run.made(run.first())
        run.add(entry)
        follower = run.over()
        assert follower is not None
        run = follower
    assert first.run.behind() == []
    entries.clear()
    del first, entry
