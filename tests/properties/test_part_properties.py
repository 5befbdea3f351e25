"""Records that make up to three updates of two groups in two projects, through any sequence of facts.

Never committed with one of them missing; what a dead letter says is refused is that, and all else was taken; at a
drain a record goes as a whole. In the end everything is settled, and nothing is kept.
"""

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.avro.parsing import parse
from consumer.core.batch import Batch
from consumer.core.model import NOT_SENT, UNKNOWN, Answer, Assignment, DeadLetter
from consumer.mapping.mapper import Mapper, TopicMap
from consumer.mapping.reading import read
from tests.core.machine import ACCEPTED, Machine, body, opaque, refuse

PARTITIONS = 2
LIMIT = 12
TOPIC = "orders"
SCHEMA_ID = 5
RULES = ("near", "other", "far")
PROJECT = {"near": "default", "other": "default", "far": "emea"}
FAULTS = (Answer(0, failure=NOT_SENT), Answer(0, failure=UNKNOWN), Answer(503), Answer(429), Answer(401))
GOOD = "good"
BAD = "bad"  # refused by Mixpanel
NAN = "nan"  # refused by the rule
NONE = ""  # the rule does not have the record
PART: dict[str, Any] = {
    "type": "record",
    "name": "Part",
    "fields": [
        {"name": "group", "type": "string"},
        {"name": "ratio", "type": "double"},
        {"name": "values", "type": {"type": "map", "values": "long"}},
    ],
}
FIELDS = [{"name": "near", "type": ["null", PART]}] + [{"name": name, "type": ["null", "Part"]} for name in RULES[1:]]
SCHEMA = {"type": "record", "name": "Order", "fields": FIELDS}
PARSED = fastavro.parse_schema(SCHEMA)
RULE = """
[[rule]]
name = "{name}"
topics = ["orders"]
where = [{{ path = "value.{name}", exists = true }}]
group = {{ key = "company", id = "value.{name}.group" }}
project = "{project}"
null = "skip"
[rule.set]
ratio = "value.{name}.ratio"
[rule.copy]
from = "value.{name}.values"
"""


def rules() -> TopicMap:
    """The rules of the topic."""
    text = "version = 1\n" + "".join(RULE.format(name=name, project=PROJECT[name]) for name in RULES)
    found = Mapper(read(text, [TOPIC], ["default", "emea"], False), b"", ()).topic(TOPIC)
    assert found is not None
    return found


MAP = rules()


class Order:
    """Record `k`: what becomes of the part of each rule that it has; groups are of its own partition."""

    def __init__(self, k: int, number: int, kinds: dict[str, str]) -> None:
        self.k = k
        self.kinds = {name: kind for name, kind in kinds.items() if kind != NONE}
        self.groups = {name: f"{number}-{(k + (name == 'other')) % 3}" for name in kinds}

    def value(self) -> bytes:
        """The record in Confluent's frame. Each part says that it is of k, and of which rule."""
        datum: dict[str, Any] = dict.fromkeys(RULES)
        for name, kind in self.kinds.items():
            values = {f"k{self.k}{name}": 1} | ({f"bad{self.k}{name}": 1} if kind == BAD else {})
            ratio = float("nan") if kind == NAN else float(self.k)
            datum[name] = {"group": self.groups[name], "ratio": ratio, "values": values}
        out = io.BytesIO()
        fastavro.schemaless_writer(out, PARSED, datum)
        return b"\0" + SCHEMA_ID.to_bytes(4, "big") + out.getvalue()

    def refused(self) -> list[str]:
        """The rules that are to be in its dead letter."""
        return [name for name in RULES if self.kinds.get(name, GOOD) != GOOD]


class World:
    """Two partitions of one mapped topic."""

    def __init__(self) -> None:
        projects = ("default", "emea")
        self.machine = Machine(None, projects, {TOPIC: MAP}, batch_updates=3, open_records=LIMIT, breaker=False)
        self.pipeline = self.machine.pipeline
        self.pipeline.schema_known((TOPIC, SCHEMA_ID, False), MAP.value_plan(parse(SCHEMA)), 0.0)
        self.logs: list[list[Order]] = [[] for _ in range(PARTITIONS)]
        self.ours: dict[int, Assignment] = {}
        self.position = [0] * PARTITIONS
        self.committed = [0] * PARTITIONS
        self.k = 0
        self.taken: set[tuple[Assignment, str]] = set()  # parts, in this epoch
        self.dead: set[tuple[Assignment, int]] = set()
        self.begun: dict[Assignment, int] = {}  # the highest offset of which a part was sent
        self.flying: list[Batch] = []
        self.draining: Assignment | None = None
        for number in range(PARTITIONS):
            self.assign(number)

    def step(self, action: str, which: int, how: int) -> None:
        """One thing happens."""
        number = which % PARTITIONS
        if action == "produce":
            kinds = (GOOD, GOOD, GOOD, BAD, NAN, NONE)
            chosen = {name: kinds[how // 6**place % 6] for place, name in enumerate(RULES)}
            self.logs[number].append(Order(self.k, number, chosen))
            self.k += 1
        elif action == "turn":
            for each in range(PARTITIONS):
                self.read(each)
            self.work((0.0, 0.5, 2.0, 30.0)[which % 4])
        elif action == "answer" and self.flying:
            self.answer(which, how)
        elif action == "letter" and self.machine.letters:
            self.letter(self.machine.letters.pop(which % len(self.machine.letters)))
        elif action == "drain" and self.draining is None:
            self.draining = self.ours[number]
            self.pipeline.drain([self.draining], self.machine.now + 100)
        elif action == "leave":
            self.leave(number)
        elif action == "commit":
            self.commit()

    def assign(self, number: int) -> None:
        """The partition is ours, from its committed offset on."""
        self.ours[number] = self.machine.assign(number, TOPIC)
        self.position[number] = self.committed[number]
        self.begun[self.ours[number]] = -1

    def read(self, number: int) -> None:
        """The next records, unless the partition is paused."""
        assignment = self.ours[number]
        if assignment is self.draining or assignment in self.pipeline.paused():
            return
        room = max(1, self.pipeline.partitions.room())
        orders = self.logs[number][self.position[number] :][:room]
        self.machine._next[assignment] = self.position[number]
        self.machine.read(assignment, *[order.value() for order in orders])
        self.position[number] += len(orders)

    def work(self, seconds: float) -> None:
        """Send what is due; in a drain only records of which a part was sent before."""
        batches = self.machine.work(seconds)
        for batch in batches:
            for update in batch.updates:
                assignment = update.run.assignment
                offset = update.run.entries[-1].record.offset
                assert self.ours[assignment.partition] is assignment
                assert assignment is not self.draining or offset <= self.begun[assignment], "begun in a drain"
                self.begun[assignment] = max(self.begun[assignment], offset)
        self.flying += batches

    def answer(self, which: int, how: int) -> None:
        """Mixpanel takes what is good, and says what it refused, or fails."""
        batch = self.flying.pop(which % len(self.flying))
        updates = json.loads(body(batch))
        bad = [at for at, update in enumerate(updates) if '"bad' in json.dumps(update)]
        if how % 4 == 0:
            self.machine.answer(batch, FAULTS[how // 4 % len(FAULTS)])
        elif how % 4 == 1 and bad:
            self.machine.answer(batch, opaque())
        else:
            for at, (update, made) in enumerate(zip(updates, batch.updates, strict=True)):
                if at not in bad:
                    self.taken.update((made.run.assignment, part) for part in parts_in(update))
            self.machine.answer(batch, refuse(*bad) if bad else ACCEPTED)
        self.work(0.0)

    def letter(self, letter: DeadLetter) -> None:
        """The letter is in the topic: it says what was refused, all of it, and the rest was taken."""
        assignment, offset = letter.record.assignment, letter.record.offset
        order = self.logs[assignment.partition][offset]
        assert (assignment, offset) not in self.dead, "one record, two dead letters"
        self.dead.add((assignment, offset))
        assert letter.rule.split(",") == order.refused()
        assert [part.rule for part in letter.parts or [letter]] == order.refused()
        assert self.whole(assignment, order), "a dead letter before the other parts are decided"
        self.pipeline.dead_lettered(letter)

    def whole(self, assignment: Assignment, order: Order) -> bool:
        """Whether all of the record that is good was taken."""
        good = [name for name in order.kinds if name not in order.refused()]
        return all((assignment, f"k{order.k}{name}") in self.taken for name in good)

    def leave(self, number: int) -> None:
        """A drained partition is committed and goes, or one is lost; then it is ours again."""
        if self.draining is not None:
            self.commit()
            number = self.draining.partition
        gone = self.ours[number]
        self.pipeline.revoked([gone])
        self.machine.letters = [one for one in self.machine.letters if one.record.assignment is not gone]
        self.draining = None
        self.assign(number)

    def commit(self) -> None:
        """The broker takes what may be committed."""
        for number, assignment in self.ours.items():
            self.committed[number] = max(self.committed[number], self.machine.commit(assignment))

    def check(self) -> None:
        """The promises, now."""
        for assignment, end in self.pipeline.partitions.committable().items():
            number = assignment.partition
            for offset in range(self.committed[number], end):
                order = self.logs[number][offset]
                assert self.whole(assignment, order), "committed with a part missing"
                assert not order.refused() or (assignment, offset) in self.dead, "committed without its dead letter"
        partitions = self.pipeline.partitions
        held = sum(len(partition.held) for partition in partitions.by_assignment.values())
        assert partitions.open_records() - held <= LIMIT  # what is held was read at once with the one that waits

    def end(self) -> None:
        """Everybody is well: everything is settled, and nothing is kept."""
        if self.draining is not None:
            self.leave(0)
        for _ in range(1000):
            for number in range(PARTITIONS):
                self.read(number)
            while self.machine.letters:
                self.letter(self.machine.letters.pop())
            self.work(0.0)
            while self.flying:
                self.answer(0, 3)
            at = self.pipeline.wake_at(self.machine.now)
            if at < 1e17:
                self.machine.now = max(self.machine.now, at)
            elif not self.machine.letters and all(map(self.is_read, range(PARTITIONS))):
                break
        self.check()
        assert self.machine.leftovers() == []
        for number, log in enumerate(self.logs):
            assert max(self.machine.commit(self.ours[number]), self.committed[number]) == len(log)

    def is_read(self, number: int) -> bool:
        """Whether there is nothing more to read."""
        return self.position[number] == len(self.logs[number])


def parts_in(update: dict[str, Any]) -> Iterator[str]:
    """The parts of records that the update has something of."""
    return (found[0] for found in re.finditer(r"k[0-9]+(near|other|far)", json.dumps(update)))


ACTIONS = ["produce"] * 4 + ["turn"] * 4 + ["answer"] * 6 + ["letter"] * 2 + ["drain", "leave", "commit"]
STEPS = st.tuples(st.sampled_from(ACTIONS), st.integers(0, 29), st.integers(0, 215))


@pytest.mark.timeout(900)  # a history that fails takes minutes to shrink
@settings(deadline=None, max_examples=200)
@given(steps=st.lists(STEPS, min_size=20, max_size=80))
def test_a_record_is_settled_as_a_whole(steps):
    """After each step; and all is settled in the end."""
    world = World()
    for step in steps:
        world.step(*step)
        world.check()
    world.end()
