"""What one refused value, one poisonous record or one slow answer may cost everybody else: little, for a while."""

import json
import time
from math import ceil, log2

import pytest

from tests.integration.events import changed
from tests.integration.watching import until
from tests.integration.world import headers

POISON = "poison"
HEALTHY = 1_999


@pytest.mark.parametrize("told", [{}, {"count": "absent"}, {"dialect": "error"}, {"dialect": "plain"}])
def test_a_refused_change_among_a_thousand_of_its_group_costs_few_requests(world, told):
    """Blame bisects: about two requests for each halving, and other groups do not wait for it."""
    waiting = 1_000
    world.mixpanel.faults.on("refuse", property="bad", **told)
    changes = [changed("hot", **{f"p{number % 50}": number}) for number in range(waiting)]
    changes[600] = changed("hot", bad=1)
    world.send(*changes, partition=0)
    world.send(*[changed(f"g{number}", plan="x") for number in range(20)], partition=1)
    service = world.run()
    world.settled(20)
    assert world.profile("hot") == {f"p{number % 50}": number for number in range(waiting) if number != 600}
    assert len(world.mixpanel.profiles) == 21
    (letter,) = world.letters(1)
    assert headers(letter)["__connect.errors.offset"] == "600"
    assert headers(letter)["mixpanel.reason"] == "rejected"
    assert service.metric("dead_letters_total") == 1
    # The halvings of the run, and those of the batch where the answer does not say which update it is.
    assert world.mixpanel.requests.counts()["requests"] <= 2 * ceil(log2(waiting)) + 2 + 2 * ceil(log2(50)) + 5


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("reset", {"at": "after-applying"}),
        ("hang", {}),
        ("unreadable", {}),
        ("status", {"status": 408}),
        ("status", {"status": 500}),
        ("status", {"status": 429, "retry_after": "1"}),
    ],
)
def test_a_record_whose_request_always_fails_holds_itself_alone(world, fault, options):
    """All others of two thousand are settled, whatever the fault; it is never a dead letter, and goes once it can."""
    world.mixpanel.faults.on(fault, group_id=POISON, **options)
    spread(world, HEALTHY)
    world.send(changed(POISON, plan="x"), changed("after", plan="x"), partition=0)
    service = world.run(MIXPANEL_TIMEOUT="2s")
    ends = world.ends()
    held = ends | {0: ends[0] - 2}
    before = time.monotonic()
    until(lambda: world.committed() == held, "all is committed, of the poison's partition what is before it", 90)
    until(lambda: world.profile("after"), "what is behind it is applied", 90 + before - time.monotonic())
    assert service.metric("dead_letters_total") == 0
    assert service.ready(), service.reasons()
    world.mixpanel.faults.clear()
    world.settled(130)
    assert world.profile(POISON) == {"plan": "x"}


def test_status_names_the_record_that_blocks_its_partition(world):
    """The poisoned change is told by its offset and what it was answered; then nothing blocks."""
    world.mixpanel.faults.on("status", status=500, group_id=POISON)
    world.send(*[changed(f"g{number}", plan="x") for number in range(7)], changed(POISON, plan="x"), partition=2)
    service = world.run()

    def blocked() -> dict[int, dict]:
        partitions = json.loads(service.get("/status")[1])["partitions"]
        return {row["partition"]: row["blocked"] for row in partitions if row["blocked"] is not None}

    def known_by_its_fault() -> dict:
        found = blocked().get(2)
        return found if found and found["offset"] == 7 and found["cause"] in ("retry", "suspect") else {}

    found = until(known_by_its_fault, "the poison blocks its partition, alone")
    assert found["detail"]["answered"] == "500"
    assert found["detail"]["attempts"] >= 1
    assert set(blocked()) == {2}
    world.mixpanel.faults.clear()
    world.settled(130)
    until(lambda: not blocked(), "nothing blocks any more")


@pytest.mark.parametrize("status", [403, 422, 400])
def test_a_record_that_halts_does_not_halt_the_others(world, status):
    """Where other batches succeed, a halting answer is one record's own: ready again, and all others are settled."""
    world.mixpanel.faults.on("status", status=status, group_id=POISON)
    spread(world, 400)
    world.send(changed(POISON, plan="x"), partition=0)
    service = world.run(ready=False)
    ends = world.ends()
    until(lambda: world.committed() == ends | {0: ends[0] - 1}, "all others are committed", 60)
    until(service.ready, "it is ready again", 15)
    assert service.metric("halted") == 0
    assert service.metric("dead_letters_total") == 0
    world.mixpanel.faults.clear()
    world.settled(130)
    assert world.profile(POISON) == {"plan": "x"}


def test_suspects_hold_one_request_at_most_together(world):
    """Eight records that always fail, alone: others go on as if they were not there, and a stop does not wait."""
    world.mixpanel.faults.on("status", name="poison", status=500, group_id=f"{POISON}-*")
    service = world.run()
    for number in range(8):
        world.send(changed(f"{POISON}-{number}", plan="x"), partition=number % 2)
        until(lambda number=number: struck(world) > number, "it was tried")
    for number in range(10):
        world.send(changed("g", last=number), partition=2)
        # The first may share a batch with a poison, which is parted after three failures.
        seconds = 5 if number else 15
        until(lambda number=number: world.committed().get(2) == number + 1, f"change {number} is committed", seconds)
    committed = world.committed()
    assert committed.get(0, 0) == committed.get(1, 0) == 0, "a suspect was passed over"
    assert service.ready(), service.reasons()
    assert service.metric("dead_letters_total") == 0
    before = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - before < 5


def test_a_mixpanel_that_fails_in_all_ways_at_once_is_worked_through(world):
    """More than a quarter of the requests fail: the first retry comes soon, so that a chain of changes gets on."""
    statuses = {"500": {}, "502": {}, "503": {}, "504": {}, "429": {"retry_after": "1"}}
    for status, options in statuses.items():
        world.mixpanel.faults.on("status", name=status, status=int(status), probability=0.035, **options)
    world.mixpanel.faults.on("reset", name="before", probability=0.035)
    world.mixpanel.faults.on("unreadable", applied=True, probability=0.035)
    world.mixpanel.faults.on("hang", applied=True, probability=0.035)
    rounds, groups = 100, [f"g{number}" for number in range(10)]
    for number in range(rounds):
        for group in groups:
            verb = "REMOVE" if number % 2 else "UNION"
            world.producer.produce(world.topic, changed(group, verb, tags="a" if number % 2 else ["a"]), partition=0)
    for group in groups:
        world.producer.produce(world.topic, changed(group, "UNION", tags=["end"]), partition=0)
    world.flush()
    service = world.run(MIXPANEL_TIMEOUT="1s")
    world.settled(30)
    assert [world.profile(group) for group in groups] == [{"tags": ["end"]}] * len(groups)
    assert service.metric("dead_letters_total") == 0


def spread(world, count):
    """So many changes, each of a group of its own, over all partitions."""
    for number in range(count):
        world.producer.produce(world.topic, changed(f"g{number}", plan="x"), partition=number % 4)
    world.flush()


def struck(world):
    """How many requests the poison was in."""
    return sum(fault["struck"] for fault in world.mixpanel.faults.as_json())
