"""The way of an event that is accepted: applied, then committed; once, in order, over restarts."""

import time

from tests.integration.events import changed
from tests.integration.watching import until


def test_an_offset_is_committed_after_mixpanel_accepted_and_not_before(world):
    """While an answer is awaited its records are not committed, though those of another partition are."""
    world.mixpanel.faults.on("hang", times=1)
    service = world.run(MIXPANEL_TIMEOUT="4s")
    world.send(changed("a", plan="x"), changed("b", plan="y"), partition=0)
    until(lambda: service.metric("in_flight") == 1, "the request is under way")
    world.send(changed("c", plan="z"), partition=1)
    until(lambda: 1 in world.committed(), "the other partition is committed")
    assert 0 not in world.committed()
    world.settled()
    assert [world.profile(group) for group in "abc"] == [{"plan": "x"}, {"plan": "y"}, {"plan": "z"}]


def test_a_commit_follows_acceptance_within_a_second_or_two(world):
    """What a crash would repeat is young: the commit does not wait for more to come."""
    service = world.run()
    world.send(changed("a", plan="x"))
    until(lambda: service.metric("updates_total", operation="$set") == 1, "it is accepted")
    accepted = time.monotonic()
    until(lambda: world.committed() == {0: 1}, "it is committed")
    assert time.monotonic() - accepted < 5
    until(lambda: service.metric("committed_offset", topic=world.topic, partition="0") == 1, "and the metric says so")


def test_a_restart_goes_on_where_it_stopped(world):
    """Nothing is lost over a restart, and nothing that was committed is sent again."""
    groups = [f"g{number}" for number in range(12)]
    for rounds in (range(30), range(30, 60), range(60, 90)):
        world.count(groups, rounds)
        service = world.run()
        world.settled()
        assert service.stop() == 0
    assert [world.profile(group) for group in groups] == [{"count": 90, "last": 89}] * len(groups)
    assert all(world.in_order(group) for group in groups)


def test_without_folding_every_event_is_an_update(world):
    """FOLD=off sends what was written, event by event, each group's in its order."""
    world.count(["a", "b"], range(20), partitions=1)
    world.run(FOLD="off")
    world.settled()
    for group in "ab":
        sent = [{"$add": {"count": 1}}, {"$set": {"last": 0}}]
        assert world.applied(group)[:2] == sent
        assert len(world.applied(group)) == 40
        assert world.in_order(group)


def test_a_hundred_thousand_events_settle(world):
    """100,000 events of 500 groups: each counted once, in order, and committed is what was produced."""
    groups = [f"g{number}" for number in range(500)]
    world.count(groups, range(100))
    service = world.run()
    world.settled(120)
    profiles = {found["group_id"]: found["properties"] for found in world.mixpanel.profiles.snapshot()}
    assert profiles == {group: {"count": 100, "last": 99} for group in groups}
    assert all(world.in_order(group) for group in groups)
    assert world.mixpanel.applied.overlaps == []
    until(lambda: service.metric("open_records") == 0, "the metrics have seen it")
    assert service.metric("records_total", topic=world.topic) == 100_000
    assert service.metric("open_bytes") == 0
    until(lambda: service.metric("lag_records") == 0, "the lag is seen to be none")
    assert service.stop() == 0
