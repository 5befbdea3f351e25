"""Reading waits while the next requests are full: only for what could go at once, and only while all is well."""

from typing import Any

from consumer.core.destinations import AHEAD
from consumer.core.model import Answer

from .machine import Machine

FULL = 2


def busy(**limits: Any) -> Machine:
    """One request is under way, and there may be no other."""
    machine = Machine(**({"batch_updates": FULL, "max_in_flight": 1} | limits))
    partition = machine.assign()
    machine.read(partition, *[("SET", {"a": 1}, f"first-{number}") for number in range(FULL)])
    assert not machine.pipeline.destinations.supplied()
    machine.one()
    return machine


def read(machine: Machine, count: int, group: str = "", size: int = 1) -> None:
    """More changes, of a group each or all of one."""
    [partition] = machine.pipeline.partitions.assignments()
    machine.read(partition, *[("SET", {"a": "x" * size}, group or f"next-{number}") for number in range(count)])
    assert machine.work() == []


def test_reading_waits_once_the_next_requests_are_full() -> None:
    """So many of them, and one update less is not enough."""
    for count, enough in ((AHEAD * FULL - 1, False), (AHEAD * FULL, True)):
        machine = busy()
        read(machine, count)
        assert machine.pipeline.destinations.supplied() == enough


def test_large_updates_fill_them_sooner() -> None:
    """By bytes; but where it is no batch yet by what the dispatch goes by, more is read."""
    for count, enough in ((FULL - 1, False), (FULL, True)):
        machine = busy(batch_bytes=1_000)
        read(machine, count, size=AHEAD * 1_000)
        assert machine.pipeline.destinations.supplied() == enough


def test_what_waits_behind_its_group_is_no_supply() -> None:
    """It cannot go: a busy group must not keep others from being read."""
    machine = busy()
    read(machine, 10 * AHEAD * FULL, group="first-0")
    assert not machine.pipeline.destinations.supplied()


def test_reading_goes_on_while_mixpanel_fails() -> None:
    """Others may show whose fault it is; it waits again once one was answered well."""
    machine = Machine(batch_updates=FULL, max_in_flight=1)
    partition = machine.assign()
    machine.read(partition, *[("SET", {"a": 1}, str(number)) for number in range((AHEAD + 2) * FULL)])
    machine.answer(machine.one(), Answer(500, b""))
    assert not machine.pipeline.destinations.supplied()
    machine.answer(machine.one(60.0))
    assert machine.pipeline.destinations.supplied()


def test_several_projects_read_on() -> None:
    """What comes next may be of another project, which is not to wait for a busy one."""
    machine = busy(projects=("default", "other"))
    read(machine, 10 * AHEAD * FULL)
    assert not machine.pipeline.destinations.supplied()
