"""Answers that name what they refuse without a count to believe: how many requests each way of naming costs."""

import json
from collections import deque
from collections.abc import Callable
from math import ceil, log2
from typing import TypeAlias

import pytest

from consumer.core.model import Answer
from tests.core.machine import ACCEPTED, Machine, sent

# The indexes that an answer names, of those that are refused.
Naming: TypeAlias = Callable[[list[int]], list[int]]

WAITING = 2_000


def all_of_them(refused: list[int]) -> list[int]:
    """As they are."""
    return refused


def the_first(refused: list[int]) -> list[int]:
    """It looks no further."""
    return refused[:1]


def from_one(refused: list[int]) -> list[int]:
    """It counts from one."""
    return [index + 1 for index in refused]


def always_the_first(_: list[int]) -> list[int]:
    """Of its own list, which is another."""
    return [0]


def requests(naming: Naming, bad: list[int]) -> int:
    """Send to a Mixpanel that refuses these of 2,000 groups; how many requests until each has its dead letter."""
    machine = Machine()
    partition = machine.assign()
    groups = [f"g{number}" for number in range(WAITING)]
    machine.read(partition, *[("SET", {"plan": "x"}, group) for group in groups])
    refused = {groups[number] for number in bad}
    flying = deque(machine.work())
    count = 0
    while flying:
        batch = flying.popleft()
        count += 1
        at = [index for index, (group, _, _) in enumerate(sent(batch)) if group in refused]
        named = {str(index): "bad" for index in naming(at)}
        machine.answer(batch, Answer(200, json.dumps({"status": 0, "errors": named}).encode()) if at else ACCEPTED)
        flying += machine.work()
    assert sorted(offset for offset, _ in machine.confirm()) == bad
    assert machine.commit(partition) == WAITING
    return count


@pytest.mark.parametrize("bad", [[777], [0, 777, 1_999], [*range(0, WAITING, 100)]])
def test_a_hint_that_is_right_costs_two_requests(bad):
    """All that is refused goes apart; where one is named each time, that one."""
    assert requests(all_of_them, bad) == 3
    assert requests(the_first, bad) <= 1 + 2 * len(bad)


@pytest.mark.parametrize("naming", [from_one, always_the_first])
@pytest.mark.parametrize("bad", [[777], [778, 1_200, 1_900]])
def test_a_hint_that_is_wrong_is_not_followed_again(naming, bad):
    """Halves then: not one update less each time."""
    assert requests(naming, bad) <= len(bad) * (2 * ceil(log2(WAITING)) + 5)


def test_a_hint_may_be_right_again():
    """Another request's is tried, and believed of its parts where it was right."""
    machine = Machine(linger=0.0)
    partition = machine.assign()
    refuse = Answer(200, b'{"status":0,"errors":{"0":"bad"}}')
    for right in (False, True):
        machine.read(partition, *[("SET", {"plan": "x"}, f"{group}{right}") for group in "abcdefgh"])
        machine.answer(machine.one(after=1.0), refuse)
        others, named = machine.work()
        assert [len(sent(batch)) for batch in (others, named)] == [7, 1]
        machine.answer(named, refuse if right else ACCEPTED)
        machine.answer(others, refuse)
        parts = machine.work()
        assert sorted(len(sent(batch)) for batch in parts) == ([1, 6] if right else [3, 4])
        for batch in parts:
            machine.answer(batch)
