"""Mixpanel fails, in each of its ways: what passes is waited for, what does not halts, and no record is to blame."""

import pytest

from tests.integration.events import changed
from tests.integration.watching import until
from tests.integration.world import headers


def test_a_mixpanel_that_is_down_is_waited_for(world):
    """Connections are refused: nothing is lost or rejected, the service stays ready, and goes on when it is back."""
    groups = [f"g{number}" for number in range(8)]
    service = world.run()
    world.mixpanel.stop()
    world.count(groups, range(10))
    until(lambda: service.metric("retries_total", cause="refused") >= 2, "it is tried again")
    assert service.ready(), service.reasons()
    assert world.committed() == {}
    world.mixpanel.start()
    world.settled()
    assert [world.profile(group) for group in groups] == [{"count": 10, "last": 9}] * 8
    assert all(world.in_order(group) for group in groups)
    assert service.metric("dead_letters_total") == 0
    assert service.said("Mixpanel fails")["cause"] == "refused"
    service.said("Mixpanel answers again")


@pytest.mark.parametrize(
    ("fault", "options", "cause"),
    [
        ("reset", {"at": "after-applying"}, "reset"),
        ("hang", {"applied": True}, "timeout"),
        ("drip", {"milliseconds": 100}, "timeout"),
        ("unreadable", {"applied": True}, "unreadable"),
        ("status", {"status": 502, "applied": True}, "502"),
        ("temporary", {}, "temporary"),
    ],
)
def test_an_unknown_outcome_is_sent_again_in_order(world, fault, options, cause):
    """Whatever hides the answer: the batch goes again before what follows it, and the group ends right."""
    world.mixpanel.faults.on(fault, times=2, **options)
    service = world.run(MIXPANEL_TIMEOUT="1s")
    world.send(changed("a", plan="x"), changed("a", "UNION", tags=["t"]), changed("b", plan="y"))
    until(lambda: service.metric("retries_total", cause=cause) >= 1, "it is tried again")
    world.send(changed("a", plan="z"), changed("a", "REMOVE", tags="t"))
    world.settled()
    assert world.profile("a") == {"plan": "z", "tags": []}
    assert world.profile("b") == {"plan": "y"}
    plans = [update["$set"]["plan"] for update in world.applied("a") if "$set" in update]
    assert plans == sorted(plans)
    assert service.metric("dead_letters_total") == 0


def test_refused_credentials_halt_and_recover(world):
    """After a 401 only probes are sent, nothing is rejected, readiness is off; fixed, it goes on within 10 s."""
    world.mixpanel.faults.on("status", status=401)
    service = world.run()
    for partition in range(4):
        world.send(changed(f"g{partition}", plan="x"), partition=partition)
    line = service.said("sending is halted")
    assert line["level"] == "error"
    assert "MIXPANEL_TOKEN" in line["message"]
    until(lambda: any("401" in reason for reason in service.reasons()), "it is not ready")
    assert service.metric("halted", cause="401") == 1
    assert service.get("/livez")[0] == 200
    world.mixpanel.faults.clear()
    world.settled(13)
    until(service.ready, "it is ready again")
    assert service.metric("dead_letters_total") == 0
    assert service.metric("halted") == 0
    service.said("sending goes on")
    probes = [request for request in world.mixpanel.requests.newest() if request["answer"]["status"] == 401]
    assert len(probes) <= 3


def test_retry_after_slows_the_whole_project_down(world):
    """After a 429 no request of any group starts before the time that it named."""
    world.mixpanel.faults.on("status", status=429, retry_after="3", times=1)
    service = world.run()
    world.send(changed("a", plan="x"), partition=0)
    until(lambda: service.metric("retries_total", cause="429") == 1, "it was told to wait")
    world.send(changed("b", plan="y"), partition=1)
    world.settled()
    first, *others = sorted(world.mixpanel.requests.newest(), key=lambda request: request["when"])
    assert first["answer"]["status"] == 429
    assert min(request["when"] for request in others) - first["when"] >= 3
    assert service.ready()


@pytest.mark.parametrize(("policy", "count"), [("resend", 2), ("dead-letter", 1)])
def test_an_ambiguous_add_is_what_the_setting_says(world, policy, count):
    """An $add whose answer was lost is sent again, or a dead letter; whatever else was with it is sent again."""
    world.mixpanel.faults.on("status", status=500, applied=True, times=1)
    world.send(changed("a", "ADD", n=1), changed("a", plan="x"), changed("b", plan="y"))
    world.run(AMBIGUOUS_ADD=policy)
    world.settled()
    assert world.profile("a") == {"n": count, "plan": "x"}
    assert world.profile("b") == {"plan": "y"}
    if policy == "dead-letter":
        (letter,) = world.letters(1)
        assert headers(letter)["mixpanel.reason"] == "ambiguous_add"
        assert headers(letter)["__connect.errors.offset"] == "0"


def test_an_add_that_was_surely_not_applied_is_sent_again(world):
    """A refused connection and a 429 are no ambiguity: the $add is sent again, also where ambiguous ones are not."""
    world.mixpanel.stop()
    service = world.run(AMBIGUOUS_ADD="dead-letter")
    world.send(changed("a", "ADD", n=1))
    until(lambda: service.metric("retries_total", cause="refused") >= 1, "the connection was refused")
    world.mixpanel.faults.on("status", status=429, retry_after="1", times=1)
    world.mixpanel.start()
    world.settled()
    assert world.profile("a") == {"n": 1}
    assert service.metric("dead_letters_total") == 0


def test_too_large_a_request_is_halved(world):
    """A proxy that takes less than we send: the requests get smaller, and none of the records is rejected."""
    world.mixpanel.faults.on("too-large", bytes=70_000)
    for number in range(100):
        world.producer.produce(world.topic, changed(f"g{number}", text="x" * 2000), partition=number % 4)
    world.flush()
    service = world.run()
    world.settled()
    assert len(world.mixpanel.profiles) == 100
    assert service.metric("dead_letters_total") == 0
    assert service.metric("requests_total", outcome="too_large") >= 1
