"""How much the loop reads in a turn: all that it can, but one record while the next requests are full."""

from queue import SimpleQueue
from typing import Any

from consumer.core.destinations import AHEAD
from consumer.core.model import Answer, Record
from consumer.mixpanel.lease import Lease
from consumer.mixpanel.pool import Response
from consumer.service.exchange import Exchange
from consumer.service.loop import READ_AT_ONCE, Loop
from tests.core.machine import Machine, value

FULL = 10


class Quiet:
    """Does nothing, whatever it is asked."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_more: None


class Letters(Quiet):
    def poll(self) -> tuple[list[Any], list[Any]]:
        return [], []

    def pending(self) -> int:
        return 0


class Source(Quiet):
    """A topic without an end, of a group for each record."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._partition = machine.assign()
        self._count = 0
        self.asked: list[int] = []

    def poll(self, _timeout: float, limit: int) -> list[Record]:
        self.asked.append(limit)
        self._count += 1
        event = ("SET", {"a": 1}, str(self._count))
        return [self._machine.record(self._partition, value(event))]

    def ends(self) -> list[Any]:
        return []

    def unreadable(self) -> dict[Any, Any]:
        return {}


class Pool(Quiet):
    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, batch: Any) -> None:
        self.sent.append(batch)


def test_one_record_in_a_turn_while_the_next_requests_are_full() -> None:
    """Nothing is paused for it; with the answer all is read again."""
    machine = Machine(batch_updates=FULL, max_in_flight=1, linger=10.0)
    source, pool, results = Source(machine), Pool(), SimpleQueue[Any]()
    parts: list[Any] = [machine.pipeline, pool, Quiet(), Letters(), results, Quiet()]
    exchange = Exchange(*parts, clock=lambda: 0.0, jitter=lambda: 0.0)
    lease = Lease(lambda: 0.0, 10.0)
    more: dict[str, Any] = {"drain_timeout": 1.0, "lease": lease, "clock": lambda: 0.0}
    loop = Loop(machine.pipeline, source, exchange, Quiet(), **more)  # type: ignore[arg-type]
    until_full = 1 + AHEAD * FULL  # the first goes by itself
    for _ in range(until_full + 2):
        loop.turn()
    assert source.asked == [READ_AT_ONCE] * until_full + [1, 1]
    assert machine.pipeline.paused() == {}
    results.put(Response(pool.sent[0], Answer(200, b'{"error":null,"errors":{},"status":1}')))
    loop.turn()
    loop.turn()
    assert source.asked[-1] == READ_AT_ONCE
