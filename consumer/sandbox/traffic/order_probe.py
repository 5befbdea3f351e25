"""Order for a person to see: some groups count up, step by step, and a step back is noticed.

    probe = OrderProbe()
    mixpanel.watch(probe.see)
    produce(..., steps.among(traffic.events(1000), traffic), ...)
    steps.as_json()                       # {"steps": 40, "back": 0}

Folding may skip steps. Only what is applied again after a crash goes back, to go forward from there.
"""

from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any, Final

from consumer.sandbox.mixpanel.updates import Group, group_of
from consumer.sandbox.traffic.event import TrafficEvent
from consumer.sandbox.traffic.traffic import Traffic

GROUPS: Final = 20
EVERY: Final = 5  # events of other groups for each step
PROPERTY: Final = "step"


class OrderProbe:
    """Makes the steps, one producer at a time, and watches what Mixpanel applies. Safe to use from two threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._made = 0
        self._last: dict[Group, int] = {}
        self._seen = 0
        self._back = 0

    def among(self, events: Iterable[TrafficEvent], traffic: Traffic) -> Iterator[TrafficEvent]:
        """The events of the traffic, with a step of some group after every few of them."""
        for number, event in enumerate(events, 1):
            yield event
            if number % EVERY == 0:
                yield self._step(traffic)

    def see(self, updates: Iterable[dict[str, Any]]) -> None:
        """These updates were applied, in this order."""
        with self._lock:
            for update in updates:
                step = update.get("$set", {}).get(PROPERTY)
                if step is None:
                    continue
                group = group_of(update)
                self._seen += 1
                self._back += step < self._last.get(group, step)
                self._last[group] = step

    def as_json(self) -> dict[str, int]:
        """How many steps were applied, and how many of them went back."""
        with self._lock:
            return {"steps": self._seen, "back": self._back}

    def _step(self, traffic: Traffic) -> TrafficEvent:
        self._made += 1
        group_id = f"counts-up-{self._made % GROUPS + 1}"
        values = {PROPERTY: (self._made - 1) // GROUPS + 1}
        update = {"$token": traffic.token, "$group_key": "company", "$group_id": group_id, "$set": values}
        return traffic.record(traffic.change("company", group_id, "SET", values), update)
