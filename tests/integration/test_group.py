"""Several instances: partitions move, members die or stand still, and every group keeps its order."""

import signal
import threading
from typing import Self

import pytest

from tests.integration.events import changed
from tests.integration.watching import until
from tests.integration.world import PROTOCOLS, World

GROUPS = [f"g{number}" for number in range(40)]


class Stream:
    """Events that go on being written until told; `rounds` is how many each group got."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rounds = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._stop.wait(0.02):
            self.world.count(GROUPS, range(self.rounds, self.rounds + 1))
            self.rounds += 1


def partitions_of(service) -> int:
    """How many partitions are its own, as far as its lag is known."""
    return len(service.metrics().get("lag_records", []))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_rebalance_loses_nothing_repeats_nothing_and_keeps_order(world, tmp_path, protocol):
    """A second instance comes and the first one goes, in the middle of a stream: every event counts exactly once."""
    world.properties(tmp_path, PROTOCOLS[protocol])
    with Stream(world) as stream:
        first = world.run()
        until(lambda: first.metric("updates_total") > 100, "the first instance works")
        second = world.run()
        until(lambda: second.metric("updates_total") > 100, "the second instance works")
        until(lambda: partitions_of(first) == partitions_of(second) == 2, "they share the partitions")
        before = second.metric("updates_total")
        assert first.stop() == 0
        until(lambda: partitions_of(second) == 4, "the second has all of them")
        until(lambda: second.metric("updates_total") > before + 100, "and works on them")
    world.settled()
    assert [world.profile(group) for group in GROUPS] == [{"count": stream.rounds, "last": stream.rounds - 1}] * 40
    assert all(world.in_order(group) for group in GROUPS)
    assert world.mixpanel.applied.overlaps == []
    assert all(line["clean"] for line in first.lines('"drained"') + second.lines('"drained"'))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_killed_instance_is_replaced(world, tmp_path, protocol):
    """After a SIGKILL another instance repeats what was not committed, and loses nothing."""
    world.properties(tmp_path, PROTOCOLS[protocol])
    with Stream(world) as stream:
        first = world.run()
        until(lambda: first.metric("updates_total") > 200, "the first instance works")
        first.kill()
        second = world.run(ready=False)
        until(lambda: second.metric("updates_total") > 200, "the second instance works")
    world.settled()
    for group in GROUPS:
        found = world.profile(group)
        assert found["last"] == stream.rounds - 1
        assert found["count"] >= stream.rounds


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_instance_that_stood_still_sends_nothing_stale(world, tmp_path, protocol):
    """Stopped with unsent records until another has taken over and gone further, it wakes and sends none of them."""
    world.properties(tmp_path, PROTOCOLS[protocol])
    world.mixpanel.faults.on("hang", times=1)
    zombie = world.run(BATCH_LINGER="4s")
    world.send(changed("other", last=0), partition=1)
    until(lambda: zombie.metric("in_flight") == 1, "it waits for an answer, and not for Kafka's word")
    world.send(*[changed("g", last=number) for number in range(10)])
    until(lambda: zombie.metric("open_records") == 11, "it has read them, and waits for more")
    zombie.signal(signal.SIGSTOP)
    successor = world.run(ready=False)
    until(lambda: world.profile("g") == {"last": 9}, "another has taken over")
    world.send(changed("g", last=10))
    world.settled()
    applied = world.applied("g")
    zombie.signal(signal.SIGCONT)
    zombie.said("partitions lost")
    until(lambda: partitions_of(zombie) and partitions_of(successor) < 4, "it is a member again")
    until(lambda: zombie.metric("open_records") == 0, "it has nothing open")
    assert world.applied("g") == applied
    assert world.profile("g") == {"last": 10}
    world.send(changed("g", last=11))
    world.settled()
    assert world.profile("g") == {"last": 11}


def test_a_session_that_ended_during_a_request_is_not_committed(world, tmp_path):
    """A request of a lost session may be applied, but its records are the next owner's: it commits none of them."""
    world.properties(tmp_path, PROTOCOLS["cooperative"])
    world.mixpanel.faults.on("hang", times=1, applied=True)
    zombie = world.run()
    world.send(changed("g", last=1))
    until(lambda: zombie.metric("in_flight") == 1, "the request is under way")
    zombie.signal(signal.SIGSTOP)
    world.run(ready=False)
    world.settled()
    world.send(changed("g", last=2))
    world.settled()
    committed = world.committed()
    zombie.signal(signal.SIGCONT)
    zombie.said("partitions lost")
    until(lambda: zombie.lines("partitions assigned")[1:], "it is a member again")
    assert world.committed() == committed
    assert world.profile("g") == {"last": 2}
