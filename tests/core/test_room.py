"""What each project may have open, and on the wire: one that stands leaves room for the others."""

from typing import Any

import pytest

from consumer.core.batch import Batch
from consumer.core.limits import Limits
from consumer.core.model import Answer
from consumer.core.room import Open, Share, half_of
from consumer.core.waiting import blocks

from .machine import ACCEPTED, Machine

REFUSED = Answer(401, b"no")
FAULTS = [
    REFUSED,
    Answer(500, b""),
    Answer(429, b"", retry_after=600.0),
    Answer(0, failure="unknown", cause="timeout"),
]


def of(project: str, group: object) -> tuple[Any, ...]:
    """A change of a group of this project."""
    return ("SET", {"a": 1}, f"{project}-{group}", project)


def two(**limits: Any) -> Machine:
    """Two projects, `ill` and `well`."""
    return Machine(projects=("ill", "well"), **limits)


def proven(machine: Machine, *projects: str) -> None:
    """Each of them has answered once."""
    partition = machine.assign(99)
    for project in projects:
        machine.read(partition, of(project, "first"))
        machine.answer(machine.one())


def shares(machine: Machine) -> dict[str, int]:
    """How many requests of each project are under way."""
    return {name: len(one.dispatch.under_way.batches) for name, one in machine.pipeline.destinations.by_name.items()}


def under_way(machine: Machine, project: str) -> list[Batch]:
    """Its requests, in no order."""
    return list(machine.pipeline.destinations.by_name[project].dispatch.under_way.batches)


def answer_all(machine: Machine, batches: list[Batch], answer: Answer) -> None:
    """Those of `ill` are answered so, all others well."""
    for batch in batches:
        machine.answer(batch, answer if batch.destination == "ill" else ACCEPTED)


@pytest.mark.parametrize("fault", FAULTS, ids=["401", "500", "429", "nothing"])
def test_a_project_that_stands_fills_half_and_its_next_record_holds_its_partition(fault: Answer) -> None:
    """Beyond that its partition pauses, and the other's goes on with as much as it likes."""
    machine = two(open_records=8)
    sick, healthy = machine.assign(0), machine.assign(1)
    machine.read(sick, of("ill", 0))
    answer_all(machine, machine.work(), fault)
    machine.read(sick, *[of("ill", number) for number in range(1, 4)])
    assert machine.pipeline.paused() == {}
    machine.read(sick, of("ill", 4), of("well", "behind"))
    assert machine.pipeline.paused() == {sick: "project"}
    for number in range(20):
        machine.read(healthy, of("well", number))
        assert machine.pipeline.paused() == {sick: "project"}
        answer_all(machine, machine.work(0.1), fault)
    assert machine.commit(healthy) == 20


def test_it_goes_on_once_there_is_room() -> None:
    """When the project answers again its records are taken in, those behind them too, and in their order."""
    machine = two(open_records=4)
    partition = machine.assign()
    machine.read(partition, of("ill", 0))
    machine.answer(machine.one(), REFUSED)
    machine.read(partition, *[of("ill", number) for number in range(1, 6)], of("well", 0))
    assert machine.pipeline.paused() == {partition: "project"}
    assert machine.pipeline.partitions.open_records() == 7
    machine.answer(machine.one(20.0))
    machine.finish()
    assert machine.pipeline.paused() == {}
    assert machine.commit(partition) == 7
    assert machine.leftovers() == []


def test_a_project_that_answers_fills_half_at_most_too() -> None:
    """It may be the next that stands: what it has open then must leave room."""
    machine = two(open_records=8)
    partition, other = machine.assign(0), machine.assign(1)
    proven(machine, "ill")
    machine.read(partition, *[of("ill", number) for number in range(5)])
    assert machine.pipeline.paused() == {partition: "project"}
    machine.read(other, *[of("well", number) for number in range(3)])
    assert machine.pipeline.paused() == {partition: "project"}


def test_one_project_alone_fills_all_of_the_limit() -> None:
    """There is nobody to leave room for."""
    machine = Machine(open_records=8)
    partition = machine.assign()
    machine.read(partition, *[("SET", {"a": 1}, str(number)) for number in range(7)])
    assert machine.pipeline.paused() == {}


def test_those_that_stand_fill_half_together() -> None:
    """However many projects stand, the one that does not has the other half."""
    machine = Machine(projects=("ill", "worse", "well"), open_records=8, batch_updates=1)
    partitions = [machine.assign(number) for number in range(3)]
    machine.read(partitions[0], of("ill", 0))
    machine.read(partitions[1], of("worse", 0))
    for batch in machine.work():
        machine.answer(batch, REFUSED)
    machine.read(partitions[0], of("ill", 1), of("ill", 2))
    machine.read(partitions[1], of("worse", 1), of("worse", 2))
    assert machine.pipeline.paused() == {partitions[1]: "project"}
    machine.read(partitions[2], *[of("well", number) for number in range(3)])
    assert machine.pipeline.paused() == {partitions[1]: "project"}
    assert machine.pipeline.partitions.room() == 1


def test_reading_goes_on_at_half_of_what_those_that_stand_leave() -> None:
    """What stands does not go: a healthy project is not to wait for it at the limit of all."""
    machine = two(open_records=8, batch_updates=1, max_in_flight=16)
    proven(machine, "ill", "well")
    sick, healthy = machine.assign(0), machine.assign(1)
    machine.read(sick, *[of("ill", number) for number in range(4)])
    answer_all(machine, machine.work(), REFUSED)
    machine.read(healthy, *[of("well", number) for number in range(4)])
    assert machine.pipeline.paused()[healthy] == "limit"
    machine.work(0.1)  # a probe of the other is under way, too
    for batch, paused in zip(under_way(machine, "well"), (True, True, False, False), strict=True):
        machine.answer(batch)
        assert (healthy in machine.pipeline.paused()) is paused


def test_projects_that_filled_all_and_stand_at_once_leave_half_all_the_same() -> None:
    """Nobody knew when they were read: the other may have half beyond the limit, and no more than that."""
    machine = Machine(projects=("ill", "worse", "well"), open_records=8, batch_updates=1, max_in_flight=16)
    proven(machine, "ill", "worse", "well")
    sick, healthy = machine.assign(0), machine.assign(1)
    machine.read(sick, *[of("ill", number) for number in range(4)], *[of("worse", number) for number in range(4)])
    assert machine.pipeline.paused()[healthy] == "limit"
    for batch in machine.work():
        machine.answer(batch, REFUSED)
    for number in range(3):
        assert healthy not in machine.pipeline.paused()
        machine.read(healthy, of("well", number))
    assert machine.pipeline.partitions.room() == 1
    machine.read(healthy, of("well", "last"))
    assert machine.pipeline.paused()[healthy] == "limit"
    for batch in machine.work(0.1):
        machine.answer(batch, REFUSED)
    assert machine.pipeline.paused()[healthy] == "limit", "it stands as well: memory has its bound"


def test_bytes_count_as_records_do() -> None:
    """Few large changes of a project that stands fill its half, too."""
    machine = two(open_bytes=4_000)
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": "x" * 2_500}, "large", "ill"), of("ill", "next"))
    assert machine.pipeline.paused() == {partition: "project"}


def test_a_revoke_gives_the_room_back() -> None:
    """What is forgotten counts no more, nor does what was held."""
    machine = two(open_records=4)
    gone, stays = machine.assign(0), machine.assign(1)
    machine.read(gone, of("ill", 0), of("ill", 1))
    machine.read(stays, of("ill", 2))
    assert machine.pipeline.paused() == {stays: "project"}
    machine.pipeline.drain([gone], machine.now)
    machine.pipeline.revoked([gone])
    machine.finish()
    assert machine.pipeline.paused() == {}
    assert machine.commit(stays) == 1
    assert machine.leftovers() == []


def test_the_cause_is_told_of_the_record_that_waits() -> None:
    """Where nothing before it is open it is that very record; else the first that is open says what it waits for."""
    machine = two(open_records=4)
    first, second = machine.assign(0), machine.assign(1)
    machine.read(first, of("ill", 0), of("ill", 1))
    machine.answer(machine.one(), REFUSED)
    machine.read(second, of("ill", 2))
    found = {
        block.assignment: (block.offset, block.cause, block.detail, block.project)
        for block in blocks(machine.pipeline.partitions, machine.pipeline.destinations, False, machine.now)
    }
    assert found == {first: (0, "halted", {}, "ill"), second: (0, "project", {}, "ill")}


def test_a_project_that_never_answered_has_one_request_under_way() -> None:
    """One that answers nothing from the start does not take all places before its first time-out."""
    machine = two(max_in_flight=4, batch_updates=1)
    partition = machine.assign()
    machine.read(partition, *[of("ill", number) for number in range(8)])
    first = machine.one()
    assert machine.work(1.0) == []
    machine.answer(first)
    assert len(machine.work()) == 2


@pytest.mark.parametrize("beside", [True, False], ids=["beside", "alone"])
def test_a_project_that_falls_silent_leaves_half_of_the_wire(beside: bool) -> None:
    """Nobody knows before a time-out: it has half, whether others have something open just then or not."""
    machine = two(max_in_flight=4, batch_updates=1)
    silent, healthy = machine.assign(0), machine.assign(1)
    proven(machine, "ill", "well")
    if beside:
        machine.read(healthy, of("well", 0))
    machine.read(silent, *[of("ill", number) for number in range(8)])
    for _ in range(30):
        machine.work(1.0)
        assert shares(machine)["ill"] == 2
        for batch in under_way(machine, "well"):
            machine.read(healthy, of("well", batch.number))
            machine.answer(batch)
    machine.read(healthy, of("well", "late"))
    machine.work(1.0)
    assert shares(machine)["well"] > 0
    machine.answer(under_way(machine, "ill")[0])
    assert machine.pipeline.wake_at(machine.now) <= machine.now
    assert [batch.destination for batch in machine.work()] == ["ill"]


def test_two_projects_that_fall_silent_together_leave_a_place() -> None:
    """So no other waits for their time-outs."""
    machine = Machine(projects=("ill", "sick", "well"), max_in_flight=8, batch_updates=1)
    silent, healthy = machine.assign(0), machine.assign(1)
    proven(machine, "ill", "sick", "well")
    machine.read(silent, *[of(project, number) for number in range(10) for project in ("ill", "sick")])
    for number in range(30):
        machine.work(1.0)
        assert shares(machine)["ill"] + shares(machine)["sick"] == 7
        machine.read(healthy, of("well", number))
        batch = machine.one(1.0)
        assert batch.destination == "well"
        machine.answer(batch)


def test_a_slow_project_shares_the_half_that_those_that_stand_leave() -> None:
    """A quick one has places of it all the while, though each that the slow one takes is held for longer."""
    machine = Machine(projects=("ill", "slow", "well"), max_in_flight=8, batch_updates=1)
    sick, slow, quick = machine.assign(0), machine.assign(1), machine.assign(2)
    proven(machine, "ill", "slow", "well")
    machine.read(sick, *[of("ill", number) for number in range(8)])
    for batch in machine.work()[:2]:
        machine.answer(batch, Answer(500, b""))
    machine.read(slow, *[of("slow", number) for number in range(100)])
    machine.read(quick, *[of("well", number) for number in range(100)])
    for turn in range(40):
        machine.work(1.0)
        assert shares(machine) in ({"ill": 4, "slow": slow, "well": 4 - slow} for slow in (2, 3))
        for batch in under_way(machine, "well"):
            machine.answer(batch)
        if turn % 10 == 9:
            machine.answer(under_way(machine, "slow")[0])


@pytest.mark.parametrize("fault", FAULTS, ids=["401", "500", "429", "nothing"])
def test_those_that_stand_have_half_of_the_wire(fault: Answer) -> None:
    """Once it has failed, what was under way before counts too: the other may use its half in full."""
    machine = two(max_in_flight=8, batch_updates=1)
    sick, healthy = machine.assign(0), machine.assign(1)
    proven(machine, "ill", "well")
    machine.read(sick, *[of("ill", number) for number in range(8)])
    for batch in machine.work()[:2]:
        machine.answer(batch, fault)
    machine.read(healthy, *[of("well", number) for number in range(4)])
    for _ in range(30):
        machine.work(1.0)
        assert 2 <= shares(machine)["ill"] <= 4
        assert shares(machine)["well"] == 4
        for batch in under_way(machine, "well"):
            machine.answer(batch)
            machine.read(healthy, of("well", batch.number))


@pytest.mark.parametrize("fault", [REFUSED, FAULTS[2]], ids=["halted", "throttled"])
def test_a_late_answer_does_not_end_what_it_was_too_early_for(fault: Answer) -> None:
    """A request that began before a halt succeeds, or before Mixpanel asked for a pause: the project still stands."""
    machine = two(batch_updates=1)
    partition = machine.assign()
    proven(machine, "ill", "well")
    machine.read(partition, of("ill", 0), of("ill", 1))
    early, failing = machine.work()
    machine.answer(failing, fault)
    machine.answer(early)
    share = machine.pipeline.destinations.by_name["ill"].dispatch.share
    assert share.stands
    machine.answer(machine.one(700.0))
    assert not share.stands


def test_a_suspect_of_a_project_that_stands_keeps_to_its_half() -> None:
    """It is one of its requests like any other."""
    machine = two(max_in_flight=2, batch_updates=1)
    partition = machine.assign()
    proven(machine, "ill", "well")
    dispatch = machine.pipeline.destinations.by_name["ill"].dispatch
    machine.read(partition, of("ill", "a"))
    [batch] = machine.work()
    machine.answer(batch, Answer(500, b""))
    dispatch.backlog.suspect(batch.updates, batch.history, machine.now)
    dispatch.backlog.waiting.batches.clear()
    machine.read(partition, of("ill", "b"))
    assert len(machine.work(1.0)) == 1
    assert not [batch for batch in machine.work(1.0) if batch.destination == "ill"]


def test_room_is_full_from_the_limit_to_half() -> None:
    """Each by itself: records, and bytes."""
    for records, size in ((1, 0), (0, 1)):
        room = Open(4, 4)
        seen = []
        for step in (1, 1, 1, 1, -1, -1, -1, 1):
            room.add(records * step, size * step)
            seen.append(room.full())
        assert seen == [False, False, False, True, True, True, False, False]


def test_a_share_moves_as_its_project_stands_and_goes_on() -> None:
    """All that it has open counts at once among what stands, and no more."""
    limits = Limits(open_records=8)
    standing = half_of(limits)
    one, other = Share(limits, standing), Share(limits, standing)
    one.turn(stands=True)
    one.add(3, 30)
    other.add(3, 30)
    assert not standing.full()
    other.turn(stands=True)
    assert (one.full(), other.full()) == (True, True)
    one.turn(stands=False)
    one.turn(stands=False)
    other.add(-2, -20)
    assert (one.full(), other.full()) == (False, False)
