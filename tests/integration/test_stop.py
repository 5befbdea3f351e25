"""SIGTERM: drain, commit, leave, exit 0; in the time that was given, whatever Mixpanel does meanwhile."""

import signal
import time
from functools import partial

import pytest

from tests.integration.events import changed
from tests.integration.watching import until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_waits_for_what_is_under_way(world, number):
    """What was sent is waited for and committed, what was not sent is left: nothing is lost and nothing repeated."""
    world.mixpanel.faults.on("slow", milliseconds=2000, times=1)
    service = world.run()
    world.send(changed("a", "ADD", n=1), changed("b", "ADD", n=1))
    until(lambda: service.metric("in_flight") == 1, "the request is under way")
    world.send(changed("a", "ADD", n=1), changed("b", "ADD", n=1))
    service.signal(number)
    assert service.ended(10) == 0
    assert world.committed() == {0: 2}
    assert service.said("drained")["clean"] is True
    assert [world.profile(group) for group in "ab"] == [{"n": 1}] * 2
    world.run()
    world.settled()
    assert [world.profile(group) for group in "ab"] == [{"n": 2}] * 2


def test_a_stop_ends_in_time_though_mixpanel_hangs(world):
    """At DRAIN_TIMEOUT what is under way is given up and told, not committed, and applied by the next instance."""
    world.mixpanel.faults.on("hang")
    service = world.run(DRAIN_TIMEOUT="2s")
    world.send(changed("a", plan="x"))
    until(lambda: service.metric("in_flight") == 1, "the request is under way")
    began = time.monotonic()
    assert service.stop(10) == 0
    assert time.monotonic() - began < 6
    assert service.said("drained")["given_up"] == 1
    assert world.committed() == {}
    world.mixpanel.faults.clear()
    world.run()
    world.settled()
    assert world.profile("a") == {"plan": "x"}


def test_a_second_signal_ends_it_at_once(world):
    """Who does not want to wait for a drain asks twice; nothing is committed that was not accepted."""
    world.mixpanel.faults.on("hang")
    service = world.run(DRAIN_TIMEOUT="60s")
    world.send(changed("a", plan="x"))
    until(lambda: service.metric("in_flight") == 1, "the request is under way")
    service.signal(signal.SIGTERM)
    service.said("draining")
    service.signal(signal.SIGTERM)
    assert service.ended(5) == -signal.SIGTERM
    assert world.committed() == {}


def test_a_halted_service_stops(world):
    """While sending is halted a stop is no failure: it exits with 0, and the next instance has all of it."""
    world.mixpanel.faults.on("status", status=403)
    service = world.run()
    world.send(changed("a", plan="x"), changed("b", plan="y"))
    service.said("sending is halted")
    assert service.stop() == 0
    assert world.committed() == {}
    world.mixpanel.faults.clear()
    world.run()
    world.settled()
    assert [world.profile(group) for group in "ab"] == [{"plan": "x"}, {"plan": "y"}]


def test_a_stop_under_load_repeats_nothing(world):
    """Stopped in the middle of a stream, started again: every event counts exactly once."""
    groups = [f"g{number}" for number in range(40)]
    world.mixpanel.faults.on("slow", milliseconds=20)
    world.count(groups, range(100))
    for _ in range(3):
        service = world.run(FOLD="off", MAX_OPEN_RECORDS="500", BATCH_MAX_UPDATES="20")
        until(partial(accepted, service, 100), "some are accepted")
        assert service.stop() == 0
        assert service.said('"drained"')["clean"] is True
    assert sum(world.committed().values()) < 8000
    world.mixpanel.faults.clear()
    world.run()
    world.settled()
    assert [world.profile(group) for group in groups] == [{"count": 100, "last": 99}] * 40
    assert all(world.in_order(group) for group in groups)


def accepted(service, count: int) -> bool:
    """Whether more than so many updates were accepted."""
    return service.metric("updates_total") > count
