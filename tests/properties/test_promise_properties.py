"""The promises of the pipeline, step by step, through any sequence of facts.

Partitions come, drain, are lost; records are read as far as the pipeline allows; requests are answered in any order
and any way; dead letters are confirmed or fail; time goes on. The promises are checked after each step, from what
the world knows: what Mixpanel took, what the dead-letter topic has. In the end everything is settled, and nothing is
kept.
"""

import json
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.batch import Batch
from consumer.core.model import NOT_SENT, UNKNOWN, Answer, Assignment, DeadLetter
from consumer.sandbox.mixpanel.profiles import Profiles, identity
from tests.core.machine import ACCEPTED, Event, Machine, body, opaque, refuse

PARTITIONS = 3
LIMIT = 12
NEVER = 1e17
FAULTS = (
    Answer(0, failure=NOT_SENT),
    Answer(0, failure=UNKNOWN),
    Answer(500),
    Answer(503),
    Answer(429),
    Answer(503, retry_after=4.0),
    Answer(401),
    Answer(200, b"<html>"),
    Answer(200, b'{"status":0,"error":"a temporary failure occurred"}'),
)


class World:
    """Three partitions, each with groups of its own. The record number k sets `k{k}`, and `seq` to k."""

    def __init__(self) -> None:
        self.machine = Machine(batch_updates=3, max_in_flight=2, open_records=LIMIT, breaker=False)
        self.pipeline = self.machine.pipeline
        self.mixpanel = Profiles()
        self.logs: list[list[tuple[int, Event | bytes]]] = [[] for _ in range(PARTITIONS)]
        self.ours: dict[int, Assignment] = {}
        self.position: dict[int, int] = {}
        self.committed = [0] * PARTITIONS
        self.records = 0
        self.places: dict[int, tuple[int, int]] = {}  # of record k: partition and offset
        self.settled: dict[Assignment, set[int]] = {}
        self.reached: dict[Assignment, int] = {}
        self.seq: dict[tuple[Assignment, str], int] = {}
        self.flying: list[Batch] = []
        self.draining: set[Assignment] = set()
        self.dead: set[tuple[Assignment, int]] = set()
        for number in range(PARTITIONS):
            self.assign(number)

    def step(self, action: str, which: int, how: int) -> None:
        """One thing happens; `which` and `how` say to what and in which way."""
        number = which % PARTITIONS
        if action == "turn":
            for each in range(PARTITIONS):
                self.read(each, 1 + how % 8)
            self.work((0.0, 0.0, 0.5, 2.0, 30.0)[which % 5])
        elif action == "produce":
            self.produce(number, how, 1 + which % 2)
        elif action == "accept" and self.flying:
            self.accept(which)
        elif action == "fail" and self.flying:
            self.fail(which, how % 5, FAULTS[how % len(FAULTS)])
        elif action == "letter" and self.machine.letters:
            self.letter(which, how % 2 == 0)
        elif action == "drain":
            self.drain(number, (0.0, 5.0, 100.0)[how % 3])
        elif action == "leave":
            self.leave(number)
        elif action == "assign":
            self.assign(number)
        elif action == "commit":
            self.commit(number)

    # What others do.

    def produce(self, number: int, seed: int, gap: int) -> None:
        """A few records of several groups at the end of a partition."""
        for place in range(1 + seed % 5):
            kind = seed // 10**place % 10
            k = self.records
            self.records += 1
            log = self.logs[number]
            offset = log[-1][0] + gap if log else gap
            self.places[k] = (number, offset)
            log.append((offset, self.event(k, f"{number}-{(kind + place) % 3}", kind)))

    def event(self, k: int, group: str, kind: int) -> Event | bytes:
        """A change, or what is refused by Mixpanel, or by us."""
        if kind == 0:
            return f"bad{k}".encode()
        if kind == 1:
            return ("SET", {f"k{k}": k, "seq": k, f"bad{k}": 1}, group)
        if kind == 2:
            return ("SET_ONCE", {f"k{k}": k}, group)
        if kind == 3:
            return ("UNSET", [f"k{k}"], group)
        if kind == 4:
            return ("UNION", {"list": [f"k{k}"], f"k{k}": [k]}, group)
        if kind == 5:
            return ("REMOVE", {"list": "x", f"k{k}": k}, group)
        return ("SET", {f"k{k}": k, "seq": k}, group)

    def assign(self, number: int) -> None:
        """The partition is ours, from its committed offset on."""
        if number in self.ours:
            return
        assignment = self.machine.assign(number)
        self.ours[number] = assignment
        log = self.logs[number]
        place = [offset for offset, _ in log]
        self.position[number] = sum(offset < self.committed[number] for offset in place)
        self.settled[assignment] = set()
        self.reached[assignment] = -1

    def read(self, number: int, count: int) -> None:
        """The next records, unless the pipeline has paused the partition; as many as the loop would read."""
        assignment = self.ours.get(number)
        if assignment is None or assignment in self.draining or assignment in self.pipeline.paused():
            return
        log, position = self.logs[number], self.position[number]
        for offset, event in log[position : position + min(count, max(1, self.pipeline.partitions.room()))]:
            self.machine._next[assignment] = offset
            self.machine.read(assignment, event)
            self.position[number] += 1

    # What the pipeline asks for.

    def work(self, seconds: float) -> None:
        """Send what is due, and look whether it may be sent."""
        batches = self.machine.work(seconds)
        for batch in batches:
            for update in batch.updates:
                assignment = update.run.assignment
                assert self.ours.get(assignment.partition) is assignment, "sent of a partition that is not ours"
                for k in numbers(update.operation.values):
                    offset = self.places[k][1]
                    assert offset <= self.reached[assignment] or assignment not in self.draining, "begun in a drain"
                    self.reached[assignment] = max(self.reached[assignment], offset)
        self.flying += batches
        groups = Counter(group for batch in self.flying for group in self.groups(batch))
        assert max(groups.values(), default=0) <= 1, "a group is in two requests"
        assert len(self.flying) <= 2
        assert self.pipeline.wake_at(self.machine.now) > self.machine.now, (
            "it says that there is work, and there is none"
        )

    def accept(self, place: int) -> None:
        """Mixpanel takes what is good of one of the requests, and says so; the next ones go."""
        batch, good, bad = self.arrive(place)
        self.take(batch, good)
        self.machine.answer(batch, refuse(*bad) if bad else ACCEPTED)
        self.work(0.0)

    def fail(self, place: int, how: int, fault: Answer) -> None:
        """Mixpanel answers one of the requests in another way."""
        batch, good, bad = self.arrive(place)
        if how == 0:
            self.take(batch, good)
            self.machine.answer(batch, Answer(0, failure=UNKNOWN))
        elif how == 1 and len(good) + len(bad) > 1:
            self.machine.answer(batch, Answer(413))
        elif how == 2 and bad:
            self.machine.answer(batch, opaque())
        else:
            self.machine.answer(batch, fault)

    def arrive(self, place: int) -> tuple[Batch, list[dict[str, object]], list[int]]:
        """One of the requests under way: its good updates, and the indexes of the others."""
        batch = self.flying.pop(place % len(self.flying))
        updates = json.loads(body(batch))
        bad = [index for index, update in enumerate(updates) if '"bad' in json.dumps(update)]
        return batch, [update for index, update in enumerate(updates) if index not in bad], bad

    def take(self, batch: Batch, updates: list[dict[str, object]]) -> None:
        """Mixpanel applies updates, in an order of its own."""
        runs = {update.operation.group_id: update.run.assignment for update in batch.updates}
        for update in reversed(updates):
            assert self.mixpanel.apply(update) is None
            group = str(update["$group_id"])
            assignment = runs[group]
            self.settled[assignment].update([self.places[k][1] for k in numbers(update)])
            values = update.get("$set")
            if isinstance(values, dict) and "seq" in values:
                assert values["seq"] >= self.seq.get((assignment, group), -1), "a group went back"
                self.seq[assignment, group] = values["seq"]

    def groups(self, batch: Batch) -> set[str]:
        """The groups of the request."""
        return {update["$group_id"] for update in json.loads(body(batch))}

    def letter(self, place: int, confirmed: bool) -> None:
        """The dead-letter topic takes a letter, or cannot so far."""
        letters = self.machine.letters
        letter = letters[place % len(letters)]
        if confirmed:
            letters.remove(letter)
            self.write(letter)
        else:
            self.pipeline.dead_letter_failed(letter)

    def write(self, letter: DeadLetter) -> None:
        """The letter is in the topic."""
        assignment, offset = letter.record.assignment, letter.record.offset
        assert (assignment, offset) not in self.dead, "one record, two dead letters"
        self.dead.add((assignment, offset))
        self.settled[assignment].add(offset)
        self.pipeline.dead_lettered(letter)

    # Rebalances.

    def drain(self, number: int, seconds: float) -> None:
        """The partition is about to go."""
        if number in self.ours and not self.draining:
            self.draining.add(self.ours[number])
            self.pipeline.drain([self.ours[number]], self.machine.now + seconds)

    def leave(self, number: int) -> None:
        """The drained partition is committed, and gone; or one is another's, without a word and without a commit."""
        if self.draining:
            [assignment] = self.draining
            self.commit(assignment.partition)
            self.gone(assignment)
        elif number in self.ours:
            self.gone(self.ours[number])

    def gone(self, assignment: Assignment) -> None:
        """It is not ours any more; requests of it in flight are given up."""
        out = sum(any(update.run.assignment is assignment for update in batch.updates) for batch in self.flying)
        assert self.pipeline.revoked([assignment]) == out
        self.draining.discard(assignment)
        self.machine.letters = [one for one in self.machine.letters if one.record.assignment is not assignment]
        del self.ours[assignment.partition]

    def commit(self, number: int) -> None:
        """The broker takes what may be committed."""
        if number in self.ours:
            self.committed[number] = max(self.committed[number], self.machine.commit(self.ours[number]))

    # What always holds.

    def check(self) -> None:
        """The promises, now."""
        self.nothing_is_committed_before_it_is_settled()
        self.memory_is_bounded()
        self.there_is_no_standstill()

    def nothing_is_committed_before_it_is_settled(self) -> None:
        """Every record below the committable offset was taken by Mixpanel, or its letter is in the topic."""
        for assignment, offset in self.pipeline.partitions.committable().items():
            number = assignment.partition
            begin = self.committed[number]
            open_below = [
                at for at, _ in self.logs[number] if begin <= at < offset and at not in self.settled[assignment]
            ]
            read = {at for at, _ in self.logs[number][: self.position[number]]}
            assert not open_below, "committed past an open record"
            assert offset - 1 in read

    def memory_is_bounded(self) -> None:
        """No more is open than the limit, and what waits for the dead-letter topic of a blocked partition."""
        blocked = len(self.pipeline.unconfirmed.unwritten())
        assert self.pipeline.partitions.open_records() - blocked <= LIMIT
        assert len(
            self.pipeline.destinations.by_name["default"].dispatch.lanes
        ) <= self.pipeline.partitions.open_records() + 3 * len(self.flying)

    def there_is_no_standstill(self) -> None:
        """While something waits to be sent, an answer or a time will bring it on."""
        if (
            self.pipeline.destinations.by_name["default"].dispatch.lanes.ready
            and not self.flying
            and not self.draining
        ):
            assert self.pipeline.wake_at(self.machine.now) < NEVER

    def end(self) -> None:
        """All partitions are ours again, everybody is well: everything is settled, and nothing is kept."""
        for assignment in list(self.draining):
            self.gone(assignment)
        for number in range(PARTITIONS):
            self.assign(number)
        for _ in range(1000):
            if self.step_to_the_end():
                break
        self.check()
        assert self.machine.leftovers() == []
        for number, log in enumerate(self.logs):
            end = log[-1][0] + 1 if log else 0
            assert max(self.machine.commit(self.ours[number]), self.committed[number]) == end
        self.profiles_are_right()

    def step_to_the_end(self) -> bool:
        """Read, confirm, accept and let time pass; whether there is nothing left to do."""
        for number in range(PARTITIONS):
            self.read(number, LIMIT)
        for letter in list(self.machine.letters):
            self.machine.letters.remove(letter)
            self.write(letter)
        self.work(0.0)
        while self.flying:
            self.accept(0)
        at = self.pipeline.wake_at(self.machine.now)
        if at < NEVER:
            self.machine.now = max(self.machine.now, at)
            return False
        read = all(self.position[number] == len(self.logs[number]) for number in range(PARTITIONS))
        return read and not self.machine.letters

    def profiles_are_right(self) -> None:
        """Whatever was repeated, in the end the profiles are those of all good changes in order."""
        expected = Profiles()
        for log in self.logs:
            for _, event in log:
                if isinstance(event, bytes) or "bad" in str(event):
                    continue
                verb, values, group = event
                update = {"$token": "token", "$group_key": "company", "$group_id": group, "$" + verb.lower(): values}
                assert expected.apply(update) is None
        for profile in expected.snapshot():
            found = self.mixpanel.get("token", "company", profile["group_id"])
            assert found is not None
            assert identity(unordered(found)) == identity(unordered(profile["properties"]))
        assert len(self.mixpanel) == len(expected)


def unordered(properties: dict[str, object]) -> dict[str, object]:
    """The properties, with lists in one order."""
    return {name: sorted(value, key=str) if isinstance(value, list) else value for name, value in properties.items()}


def numbers(update: dict[str, Any]) -> list[int]:
    """The records that are in the update."""
    return [int(k) for k in re.findall(r'"k([0-9]+)":', json.dumps(update))] + [
        int(name[1:]) for name in update.get("$unset", ()) if name[0] == "k"
    ]


# How often each thing happens, against the others.
WEIGHTS = {
    "turn": 5,
    "accept": 5,
    "produce": 3,
    "fail": 2,
    "letter": 2,
    "assign": 2,
    "drain": 1,
    "leave": 1,
    "commit": 1,
}
ACTIONS = [action for action, weight in WEIGHTS.items() for _ in range(weight)]
STEPS = st.tuples(st.sampled_from(ACTIONS), st.integers(0, 29), st.integers(0, 99_999))


@pytest.mark.timeout(900)  # a history that fails takes minutes to shrink
@settings(deadline=None, max_examples=200)
@given(steps=st.lists(STEPS, min_size=20, max_size=70))
def test_the_promises_hold_through_any_sequence_of_facts(steps):
    """Commit, order, epochs, memory, drain, progress: after each step; and all is settled and right in the end."""
    world = World()
    for step in steps:
        world.step(*step)
        world.check()
    world.end()
