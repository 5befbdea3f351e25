"""After any refusals a run is unfolded so that nothing is lost or brought back, and blame falls where it belongs.

A pipeline sends to a Mixpanel made of the sandbox's model, which refuses what is bad and says so in any of the known
ways, or fails in between. In the end the profiles are those of the records without a dead letter, applied in order.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.batch import Batch
from consumer.core.model import NOT_SENT, UNKNOWN, Answer
from consumer.sandbox.mixpanel.profiles import Profiles, identity
from consumer.sandbox.mixpanel.updates import verb_of
from tests.core.machine import ACCEPTED, TOKEN, Event, Machine, body, opaque, refuse

GROUPS = ("acme", "nodelete")  # the second refuses every $delete
NAMES = st.sampled_from("abc")
VALUES = {
    "SET": st.integers(0, 3) | st.just([1, "x"]),
    "SET_ONCE": st.integers(0, 3) | st.just([2, "y"]),
    "ADD": st.integers(1, 3),
    "UNION": st.lists(st.sampled_from([1, "x", "y"]), min_size=1, max_size=2),
    "REMOVE": st.sampled_from([1, "x"]),
}


@dataclass
class Mixpanel:
    """Takes requests as the sandbox's model does, but for what is bad: a property whose name or value says so."""

    draw: st.DrawFn
    modes: list[str]
    profiles: Profiles = field(default_factory=Profiles)
    faults: int = 12  # so many, then it is well

    def bad(self, update: dict[str, Any]) -> bool:
        """Whether it is refused, whenever it is sent."""
        verb = verb_of(update)
        if verb == "$delete":
            return update["$group_id"] == "nodelete"
        values = update[verb]
        names = values if verb == "$unset" else list(values)
        return any(name.startswith("bad") for name in names) or (verb != "$unset" and "bad" in values.values())

    def answer(self, batch: Batch) -> Answer:
        """Apply what is good, in any order, or nothing; and say so in one of the ways."""
        updates = json.loads(body(batch))
        bad = [index for index, update in enumerate(updates) if self.bad(update)]
        good = [update for update in updates if not self.bad(update)]
        adds = any("$add" in update for update in updates)
        mode = self.draw(st.sampled_from(self.modes)) if self.faults else "index"
        self.faults -= mode != "index"
        if mode == "lost" and not adds:  # applied, and the answer does not arrive
            self.apply(good)
            return Answer(0, failure=UNKNOWN, cause="timeout")
        if mode == "fails" or mode == "lost":
            answers = [
                Answer(0, failure=NOT_SENT),
                Answer(500),
                Answer(429, retry_after=1.0),
                Answer(401),
                Answer(200),
            ]
            return self.draw(st.sampled_from(answers))
        if mode == "large" and (len(updates) > 1 or bad):
            return Answer(413)
        if mode == "opaque" and bad:
            if self.draw(st.booleans()) and not adds:
                self.apply(good)
                return opaque(self.draw(st.sampled_from([None, len(good)])))
            return opaque(self.draw(st.sampled_from([None, 0])))
        self.apply(good)
        return refuse(*bad, status=self.draw(st.sampled_from([200, 400])), taken=len(good)) if bad else ACCEPTED

    def apply(self, updates: list[dict[str, Any]]) -> None:
        """In an order that nobody promises."""
        for update in self.draw(st.permutations(updates)):
            assert self.profiles.apply(update) is None


def run(machine: Machine, mixpanel: Mixpanel) -> None:
    """Everything is sent until it is settled; answers come in any order."""
    flying: list[Batch] = []
    for _ in range(3000):
        flying += machine.work()
        groups = Counter(group for batch in flying for group in {u.operation.group_id for u in batch.updates})
        assert max(groups.values(), default=0) <= 1, "a group is in two requests"
        if flying:
            place = mixpanel.draw(st.integers(0, len(flying) - 1)) if len(flying) > 1 else 0
            batch = flying.pop(place)
            machine.answer(batch, mixpanel.answer(batch))
        elif machine.pipeline.wake_at(machine.now) > 1e17:
            return
        else:
            machine.now = max(machine.now, machine.pipeline.wake_at(machine.now))
    raise AssertionError("it never comes to an end")


def check(events: list[Event], batch_updates: int, resend: bool, mixpanel: Mixpanel) -> tuple[set[int], Profiles]:
    """Run the events; the offsets that became dead letters, and the profiles of the others applied in order."""
    machine = Machine(batch_updates=batch_updates, max_in_flight=3, resend_adds=resend)
    partition = machine.assign()
    for event in events:
        machine.read(partition, event)
        if mixpanel.draw(st.integers(0, 9)) == 0:
            for batch in machine.work():
                machine.answer(batch, mixpanel.answer(batch))
    run(machine, mixpanel)
    letters = [letter.record.offset for letter in machine.letters]
    assert len(letters) == len(set(letters)), "one record became two dead letters"
    machine.confirm()
    assert machine.commit(partition) == len(events)
    assert machine.leftovers() == []
    expected = Profiles()
    for offset, (verb, values, group) in enumerate(events):
        if offset not in letters:
            assert expected.apply(own(verb, values, group)) is None
    return set(letters), expected


def own(verb: str, values: Any, group: str) -> dict[str, Any]:
    """The record's own update."""
    sent = {"UNSET": values, "DELETE": ""}.get(verb, values)
    name = "$" + verb.lower()
    return {"$token": TOKEN, "$group_key": "company", "$group_id": group, name: sent}


def same(found: Profiles, expected: Profiles) -> None:
    """The same profiles, a missing one and an empty one told apart."""
    for group in GROUPS:
        one, other = (model.get(TOKEN, "company", group) for model in (found, expected))
        assert identity(one) == identity(other), (group, one, other)


@st.composite
def changes(draw: st.DrawFn) -> list[Event]:
    """Changes of two groups; a bad one has a property of its own that is refused, and others that are not."""
    events: list[Event] = []
    for number in range(draw(st.integers(1, 10))):
        verb = draw(st.sampled_from([*VALUES, "SET", "UNSET", "UNSET", "DELETE"]))
        group = draw(st.sampled_from(GROUPS))
        bad = [f"bad{number}"] if draw(st.integers(0, 2)) == 0 else []
        if verb == "DELETE":
            events.append((verb, None, group))
        elif verb == "UNSET":
            events.append((verb, sorted(draw(st.sets(NAMES, min_size=not bad, max_size=2))) + bad, group))
        else:
            values = draw(st.dictionaries(NAMES, VALUES[verb], min_size=not bad, max_size=2))
            events.append((verb, values | {name: draw(VALUES[verb]) for name in bad}, group))
    return events


def is_bad(event: Event) -> bool:
    """Whether Mixpanel would refuse the record's own update."""
    verb, values, group = event
    if verb == "DELETE":
        return bool(group == "nodelete")
    return any(name.startswith("bad") for name in values) or (verb != "UNSET" and "bad" in values.values())


ALL = ["index", "index", "index", "opaque", "large", "lost", "fails"]


@settings(deadline=None, max_examples=250)
@given(events=changes(), batch_updates=st.sampled_from([1, 2, 5, 2000]), data=st.data())
def test_unfolding_loses_nothing_and_brings_nothing_back(events, batch_updates, data):
    """Refused by index, opaquely, with 413, through lost answers and outages: exactly the bad records are blamed."""
    mixpanel = Mixpanel(data.draw, ALL)
    letters, expected = check(events, batch_updates, True, mixpanel)
    same(mixpanel.profiles, expected)
    assert letters <= {offset for offset, event in enumerate(events) if is_bad(event)}
    for group in GROUPS:
        left = mixpanel.profiles.get(TOKEN, "company", group) or {}
        assert not [name for name in left if name.startswith("bad")]


@st.composite
def overwritten(draw: st.DrawFn) -> list[Event]:
    """Changes of one property each, whose bad values others may overwrite."""
    events: list[Event] = []
    for _ in range(draw(st.integers(1, 12))):
        verb = draw(st.sampled_from(["SET", "SET", "SET_ONCE", "UNSET", "DELETE"]))
        name = draw(NAMES)
        if verb == "DELETE":
            events.append((verb, None, "acme"))
        elif verb == "UNSET":
            events.append((verb, [name], "acme"))
        else:
            events.append((verb, {name: draw(st.sampled_from([1, 2, "bad"]))}, "acme"))
    return events


@settings(deadline=None, max_examples=250)
@given(events=overwritten(), batch_updates=st.sampled_from([1, 2, 2000]), data=st.data())
def test_a_bad_value_that_is_overwritten_harms_nobody(events, batch_updates, data):
    """It is judged or it is not; it never remains, and never takes a good record with it."""
    mixpanel = Mixpanel(data.draw, ALL)
    letters, expected = check(events, batch_updates, True, mixpanel)
    same(mixpanel.profiles, expected)
    assert letters <= {offset for offset, event in enumerate(events) if is_bad(event)}
    assert "bad" not in (mixpanel.profiles.get(TOKEN, "company", "acme") or {}).values()


class Adding(Mixpanel):
    """Applies `$add`s of requests whose answer is lost or opaque, or does not: nobody knows."""

    def answer(self, batch: Batch) -> Answer:
        """Half of the answers say nothing of what was applied."""
        updates = json.loads(body(batch))
        good = [update for update in updates if not self.bad(update)]
        bad = [index for index, update in enumerate(updates) if self.bad(update)]
        mode = self.draw(st.sampled_from(["index", "unknown", "not", "opaque"])) if self.faults else "index"
        self.faults -= 1 if mode != "index" else 0
        if mode == "not":
            return self.draw(st.sampled_from([Answer(0, failure=NOT_SENT), Answer(429), Answer(401)]))
        applied = self.draw(st.booleans()) if mode != "index" else True
        if applied:
            self.apply(good)
        if mode == "unknown":
            answers = [Answer(status) for status in (200, 408, 500, 502, 503, 504)]
            return self.draw(st.sampled_from([Answer(0, failure=UNKNOWN), *answers]))
        if mode == "opaque" and bad:
            return opaque(None if applied else self.draw(st.sampled_from([None, 0])))
        if not applied:
            return Answer(504)
        return refuse(*bad) if bad else ACCEPTED


@st.composite
def additions(draw: st.DrawFn) -> list[Event]:
    """Each adds a digit of its own, to the base of 16, so that the sum tells how often each was applied."""
    events: list[Event] = []
    for number in range(draw(st.integers(1, 10))):
        kind = draw(st.integers(0, 5))
        if kind == 0:
            events.append(("SET", {"a": number}, "acme"))
        elif kind == 1:
            events.append(("SET", {f"bad{number}": 1}, "acme"))
        else:
            bad = {f"bad{number}": 1} if kind == 2 else {}
            events.append(("ADD", {"n": 16**number} | bad, "acme"))
    return events


def counted(events: list[Event], mixpanel: Mixpanel) -> dict[int, int]:
    """How often each `$add` was applied, by offset."""
    total = (mixpanel.profiles.get(TOKEN, "company", "acme") or {}).get("n", 0)
    return {offset: total // 16**offset % 16 for offset, event in enumerate(events) if event[0] == "ADD"}


@settings(deadline=None, max_examples=250)
@given(events=additions(), batch_updates=st.sampled_from([1, 3, 2000]), data=st.data())
def test_an_add_is_applied_at_most_once_where_it_may_not_repeat(events, batch_updates, data):
    """`AMBIGUOUS_ADD=dead-letter`: without a letter exactly once; with one at most once; a bad one never."""
    mixpanel = Adding(data.draw, [], faults=10)
    letters, _ = check(events, batch_updates, False, mixpanel)
    for offset, times in counted(events, mixpanel).items():
        if is_bad(events[offset]):
            assert (times, offset in letters) == (0, True)
        else:
            assert times <= 1
            assert times == 1 or offset in letters


@settings(deadline=None, max_examples=250)
@given(events=additions(), batch_updates=st.sampled_from([1, 3, 2000]), data=st.data())
def test_an_add_is_applied_at_least_once_where_it_may_repeat(events, batch_updates, data):
    """`AMBIGUOUS_ADD=resend`: every good one at least once, and none becomes a dead letter for it."""
    mixpanel = Adding(data.draw, [], faults=10)
    letters, _ = check(events, batch_updates, True, mixpanel)
    for offset, times in counted(events, mixpanel).items():
        assert (times >= 1, offset in letters) == ((False, True) if is_bad(events[offset]) else (True, False))
