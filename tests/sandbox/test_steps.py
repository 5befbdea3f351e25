"""Groups that count up: what shows a person that no order is lost."""

import itertools

from consumer.sandbox.traffic.order_probe import EVERY, GROUPS, OrderProbe
from consumer.sandbox.traffic.schemas import register
from consumer.sandbox.traffic.traffic import Traffic


def traffic():
    """Traffic whose schemas are in no registry."""
    numbers = itertools.count(1)
    return Traffic(register(lambda *_: next(numbers)))


def test_every_group_counts_up():
    """A few of the events are steps, and each step of a group is one more than its last; all have the group's key."""
    probe, made = OrderProbe(), {}
    source = traffic()

    events = list(probe.among(source.events(GROUPS * EVERY * 3), source))

    for event in events:
        if event.update and "step" in event.update.get("$set", {}):
            made.setdefault(event.key, []).append(event.update["$set"]["step"])
    assert len(events) == GROUPS * (EVERY + 1) * 3
    assert made == {f"company:counts-up-{n}".encode(): [1, 2, 3] for n in range(1, GROUPS + 1)}


def test_a_step_back_is_counted(sandbox, post, update):
    """Skipped steps and repeated ones are in order; one that is lower than the last is a step back."""
    probe = OrderProbe()
    sandbox.watch(probe.see)

    for step in (1, 2, 5, 5, 6):
        post(update("a", set={"step": step}), update("b", set={"x": 1}))
    assert probe.as_json() == {"steps": 5, "back": 0}

    post(update("a", set={"step": 4}))
    post(update("a", set={"step": 5}))
    assert probe.as_json() == {"steps": 7, "back": 1}
