"""Answers that take longer the more a request holds, in virtual time: the core finds a size that is in time.

Requests go beside each other all the while. What is slow for its size is no suspect: those go one at a time.
"""

import heapq
import itertools
import json

import pytest

from consumer.core.clock import NEVER
from consumer.core.model import UNKNOWN, Answer
from tests.core.machine import Machine

TIMEOUT = 2.0
SLOTS = 8


def settle(records: int, each: float, late: Answer, poison: str = "") -> tuple[float, int]:
    """Seconds until all but the poison are settled, where each update takes so long; and the most suspects."""
    machine = Machine(max_in_flight=SLOTS)
    partition = machine.assign()
    groups = [f"g{number}" for number in range(records)]
    if poison:
        groups[records // 3] = poison
    machine.read(partition, *[("SET", {"plan": 1}, group) for group in groups])
    dispatch = machine.pipeline.destinations.by_name["default"].dispatch
    back: list = []
    order = itertools.count()
    suspects = 0
    while len(dispatch.lanes) > bool(poison):
        for batch in machine.work():
            text = b"".join(batch.tails())
            seconds = 0.05 + each * len(batch.updates)
            if seconds >= TIMEOUT or (poison and json.dumps(poison).encode() in text):
                seconds, answer = TIMEOUT, Answer(late.status, failure=late.failure, cause=late.cause)
            else:
                answer = Answer(200, b'{"error":null,"errors":{},"status":1}')
            answer.seconds = seconds
            heapq.heappush(back, (machine.now + seconds, next(order), batch, answer))
        suspects = max(suspects, len(dispatch.suspects()))
        wake_at = machine.pipeline.wake_at(machine.now)
        due = back[0][0] if back else NEVER
        machine.now = max(machine.now, min(due, wake_at))
        assert machine.now < 1_000.0
        while back and back[0][0] <= machine.now:
            _, _, batch, answer = heapq.heappop(back)
            machine.answer(batch, answer)
    assert machine.letters == []
    return machine.now, suspects


@pytest.mark.parametrize("late", [Answer(0, failure=UNKNOWN, cause="timeout"), Answer(504)])
@pytest.mark.parametrize("each", [0.0011, 0.005, 0.02, 0.1])
def test_what_is_too_slow_for_its_size_goes_beside_each_other(each: float, late: Answer):
    """Two thousand records, whatever their pace: a few time-outs, and then all requests at once."""
    seconds, suspects = settle(2_000, each, late)
    assert suspects == 0
    assert seconds < 15 * TIMEOUT + 1.5 * each * 2_000 / SLOTS


@pytest.mark.parametrize("late", [Answer(0, failure=UNKNOWN, cause="timeout"), Answer(504)])
def test_one_record_that_takes_too_long_is_found_as_soon(late: Answer):
    """Where as many updates were in time the size is not it: the rest is a suspect, and goes one at a time."""
    seconds, suspects = settle(2_000, 0.0, late, "poison")
    assert suspects > 0
    assert seconds < 10 * TIMEOUT
