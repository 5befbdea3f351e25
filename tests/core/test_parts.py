"""Records that make several updates: settled with the last, one dead letter, kept or stripped as a whole."""

import json

import pytest

from consumer.core.batch import Batch
from consumer.core.model import UNKNOWN, Answer, DeadLetter
from consumer.core.quarantine import Quarantine
from consumer.core.waiting import blocks
from tests.core.machine import ACCEPTED, Machine, opaque, refuse, sent
from tests.core.parted import NAN, SCHEMA_ID, TOPIC, Parted, order, other

TIMEOUT = Answer(0, failure=UNKNOWN, cause="timeout")


def of(batches: list[Batch], project: str) -> Batch:
    """The one request to this project."""
    [batch] = [batch for batch in batches if batch.destination == project]
    return batch


def only(machine: Machine) -> DeadLetter:
    """The one dead letter to write."""
    machine.work()
    [letter] = machine.letters
    return letter


def refusals(letter: DeadLetter) -> list[tuple[str, str]]:
    """Rule and reason of each part that was refused."""
    return [(part.rule, part.reason) for part in letter.parts]


# Settled with the last part.


def test_a_record_is_settled_with_the_last_of_its_parts():
    """Three updates, two projects: nothing is committed before all of them are accepted."""
    machine = Parted()
    partition = machine.orders()
    machine.read(partition, order("a", "b", "c", 7))
    assert machine.pipeline.partitions.open_records() == 1
    batches = machine.work()
    assert sent(of(batches, "default")) == [
        ("a", "$set", {"n": 7, "ratio": 0.0}),
        ("b", "$set", {"n": 7, "ratio": 0.0}),
    ]
    assert sent(of(batches, "emea")) == [("c", "$set", {"n": 7}), ("c", "$add", {"count": 1})]
    first = machine.answer(of(batches, "default"))
    assert (first.settled, first.updates, machine.commit(partition)) == (0, 2, -1)
    assert machine.pipeline.partitions.open_records() == 1
    last = machine.answer(of(batches, "emea"))
    assert (last.settled, machine.commit(partition)) == (1, 1)
    assert machine.leftovers() == []


def test_a_record_with_one_part_has_nothing_to_share():
    """What one rule makes of a record costs what a built-in event does."""
    machine = Parted()
    machine.read(machine.orders(), order("a"))
    [update] = machine.one().updates
    assert update.run.entries[0].whole is None
    assert update.run.entries[0].rule == "first"


def test_two_rules_for_one_group_act_as_two_records_in_the_order_of_the_file():
    """The second wins where both set a property."""
    machine = Parted(fold=False)
    partition = machine.orders()
    machine.read(partition, order("a", "a", None, 1, ratios=(1.0, 2.0)))
    assert machine.finish() == [
        [("a", "$set", {"n": 1, "ratio": 1.0})],
        [("a", "$set", {"n": 1, "ratio": 2.0})],
    ]
    assert machine.commit(partition) == 1


def test_a_part_that_waits_stops_no_other():
    """A project that is halted holds its own part, and the commit; the next records' other parts go on."""
    machine = Parted()
    partition = machine.orders()
    machine.read(partition, order("a", None, "c", 1))
    batches = machine.work()
    machine.answer(of(batches, "default"))
    machine.answer(of(batches, "emea"), Answer(401))
    machine.read(partition, order("a", "b", "c", 2))
    assert [group for group, _, _ in sent(of(machine.work(), "default"))] == ["a", "b"]
    assert machine.commit(partition) == -1
    pipeline = machine.pipeline
    [block] = blocks(pipeline.partitions, pipeline.destinations, False, machine.now)
    assert (block.offset, block.cause) == (0, "halted")


def test_of_the_causes_of_its_parts_the_first_is_told():
    """One part is in flight, one waits for its retry."""
    machine = Parted()
    machine.read(machine.orders(), order("a", None, "c"))
    batches = machine.work()
    machine.answer(of(batches, "default"), TIMEOUT)
    pipeline = machine.pipeline
    [block] = blocks(pipeline.partitions, pipeline.destinations, False, machine.now)
    assert block.cause == "in_flight"
    machine.answer(of(batches, "emea"))
    [block] = blocks(pipeline.partitions, pipeline.destinations, False, machine.now)
    assert (block.cause, block.detail["answered"]) == ("retry", "timeout")


def test_a_record_counts_once_and_its_bytes_are_those_of_all_its_updates():
    """What a record keeps besides itself has a limit, too."""
    machine = Parted()
    partition = machine.orders()
    [record] = machine.read(partition, order("a", "b", "c", 7))
    updates = [update.json for batch in machine.work() for update in batch.updates]
    assert machine.pipeline.partitions.open_records() == 1
    assert machine.pipeline.partitions.open_bytes() == record.size + sum(map(len, updates[1:]))


# One dead letter.


def test_what_was_refused_becomes_one_dead_letter_and_the_rest_stands():
    """With the rules, updates and reasons of the refused parts alone, in the file's order."""
    machine = Parted()
    partition = machine.orders()
    machine.read(partition, order("a", "b", "c", 7))
    batches = machine.work()
    machine.answer(of(batches, "emea"), refuse(0, reason="odd"))
    machine.work()
    assert machine.letters == []
    machine.answer(of(batches, "default"), refuse(1, reason="odder"))
    letter = only(machine)
    assert (letter.reason, letter.rule, letter.error, letter.status) == ("rejected", "second,third", "odder", 200)
    assert refusals(letter) == [("second", "rejected"), ("third", "rejected")]
    assert [(one["$group_id"], one["$set"]["n"]) for one in json.loads(letter.update)] == [("b", 7), ("c", 7)]
    assert letter.project == ""
    assert machine.commit(partition) == -1
    machine.confirm()
    assert machine.commit(partition) == 1
    assert machine.leftovers() == []


def test_a_part_that_cannot_be_converted_does_not_stop_the_others():
    """It is told with what Mixpanel refuses; the reason is the first by precedence."""
    machine = Parted()
    partition = machine.orders()
    machine.read(partition, order("a", "b", "c", 7, ratios=(NAN, 0.0)))
    batches = machine.work()
    assert [group for group, _, _ in sent(of(batches, "default"))] == ["b"]
    machine.answer(of(batches, "default"))
    machine.answer(of(batches, "emea"), refuse(1))
    letter = only(machine)
    assert refusals(letter) == [("first", "invalid_change"), ("third", "rejected")]
    assert (letter.reason, letter.stage) == ("rejected", "TASK_PUT")
    assert "rule first, value.first_ratio" in letter.detail
    assert json.loads(letter.update) == [{"$group_key": "company", "$group_id": "c", "$add": {"count": 1}}]


def test_with_all_parts_refused_it_is_a_dead_letter_at_once():
    """One, not two."""
    machine = Parted()
    partition = machine.orders()
    machine.read(partition, order("a", "b", ratios=(NAN, NAN)))
    letter = only(machine)
    assert (letter.reason, letter.rule, letter.stage) == ("invalid_change", "first,second", "TRANSFORMATION")
    assert machine.confirm() == [(0, "invalid_change")]
    assert machine.commit(partition) == 1
    assert machine.leftovers() == []


def test_one_rule_refused_alone_has_no_list():
    """As of a built-in event, with the rule's name."""
    machine = Parted()
    machine.read(machine.orders(), order("a", ratios=(NAN, 0.0)))
    letter = only(machine)
    assert (letter.rule, letter.parts, letter.reason) == ("first", [], "invalid_change")


def test_one_update_refused_by_mixpanel_has_its_rule():
    """And is no array."""
    machine = Parted()
    machine.read(machine.orders(), order("a"))
    machine.answer(machine.one(), refuse(0))
    letter = only(machine)
    assert (letter.rule, letter.parts) == ("first", [])
    assert json.loads(letter.update)["$group_id"] == "a"


@pytest.mark.parametrize(("project", "reason"), [("none", "unknown_project"), ("emea", "")])
def test_a_project_that_is_not_there_refuses_its_part(project: str, reason: str):
    """The other stands."""
    machine = Parted()
    partition = machine.orders()
    machine.read(partition, order("a", None, "c", project=project))
    machine.finish_but_letters()
    machine.work()
    assert [letter.reason for letter in machine.letters] == ([reason] if reason else [])
    machine.confirm()
    assert machine.commit(partition) == 1


def test_an_update_over_the_limit_refuses_its_part():
    """1 MB is counted for each update by itself."""
    machine = Parted(open_bytes=10_000_000)
    partition = machine.orders()
    machine.read(partition, order("a" * 1_000_000, "b"))
    batch = machine.one()
    assert [group for group, _, _ in sent(batch)] == ["b"]
    machine.answer(batch)
    letter = only(machine)
    assert (letter.reason, letter.rule, letter.stage) == ("too_large", "first", "TRANSFORMATION")
    assert letter.detail.startswith("rule first: ")
    machine.confirm()
    assert machine.commit(partition) == 1


def test_parts_in_one_run_are_blamed_each_by_itself():
    """Of three records that fold into one update the last one's part is refused; everything else stands."""
    machine = Parted()
    partition = machine.orders()
    machine.read(partition, *[order("a", f"b{n}", None, n, ratios=(float(n), 0.0)) for n in range(3)])
    for _ in range(20):
        for batch in machine.work():
            bad = [at for at, (group, _, values) in enumerate(sent(batch)) if group == "a" and values["ratio"] == 2.0]
            machine.answer(batch, refuse(*bad) if bad else ACCEPTED)
    assert [(letter.record.offset, letter.rule) for letter in machine.letters] == [(2, "first")]
    assert refusals(machine.letters[0]) == [("first", "rejected")]
    machine.confirm()
    assert machine.commit(partition) == 3
    assert machine.leftovers() == []


def test_an_opaque_refusal_finds_the_part():
    """The halves go apart, down to one update: it is that part's, of that record."""
    machine = Parted()
    partition = machine.orders()
    machine.read(partition, order("a", "bad", None, 1), order("a2", "b2", None, 2))
    for _ in range(20):
        for batch in machine.work():
            good = all(group != "bad" for group, _, _ in sent(batch))
            machine.answer(batch, ACCEPTED if good else opaque())
    [letter] = machine.letters
    assert (letter.record.offset, letter.rule, refusals(letter)) == (0, "second", [("second", "rejected")])
    machine.confirm()
    assert machine.commit(partition) == 2


def test_an_add_in_doubt_is_one_of_the_reasons():
    """Its part alone is refused."""
    machine = Parted(resend_adds=False)
    partition = machine.orders()
    machine.read(partition, order(None, None, "c", 1))
    machine.answer(machine.one(), TIMEOUT)
    machine.answer(machine.one(after=1.0))
    letter = only(machine)
    assert (letter.reason, letter.rule) == ("ambiguous_add", "third")
    assert json.loads(letter.update) == [{"$group_key": "company", "$group_id": "c", "$add": {"count": 1}}]
    machine.confirm()
    assert machine.commit(partition) == 1


# Ignored, unmapped, held.


def test_what_every_rule_ignores_is_settled_as_it_is():
    """It is open at no time; the commit goes past it."""
    machine = Parted()
    partition = machine.orders()
    machine.read(partition, order("a"), order(), order())
    assert machine.pipeline.partitions.open_records() == 1
    machine.finish()
    assert machine.commit(partition) == 3
    [topic] = machine.pipeline.mapped_topics()
    counts = topic.take_counts()
    assert (counts.mapped, counts.ignored["third", "where"]) == ({"first": 1}, 3)
    assert topic.take_counts().mapped == {}


def test_a_record_that_no_rule_has_is_unmapped():
    """A dead letter of its own reason."""
    machine = Parted()
    partition = machine.orders()
    machine.read(partition, other())
    assert only(machine).reason == "unmapped"
    machine.confirm()
    assert machine.commit(partition) == 1


def test_topics_without_a_rule_carry_the_built_in_event():
    """Both are read by one service."""
    machine = Parted()
    events, orders = machine.assign(), machine.orders()
    machine.read(events, ("SET", {"a": 1}))
    machine.read(orders, order("b"))
    assert sorted(group for group, _, _ in sent(machine.one())) == ["acme", "b"]


def test_a_schema_is_asked_for_by_topic():
    """Its plan is the topic's own; the built-in event's decoder of the same id is no help."""
    machine = Parted()
    partition = machine.orders()
    machine.read(partition, order("a").replace(SCHEMA_ID.to_bytes(4, "big"), (1).to_bytes(4, "big"), 1))
    machine.work()
    assert machine.schemas == [(TOPIC, 1, False)]
    assert machine.pipeline.partitions.held_schemas() == {partition: 1}
    machine.pipeline.schema_refused((TOPIC, 1, False), "unknown_schema", "nobody knows it", machine.now)
    assert only(machine).reason == "unknown_schema"


def test_a_topic_is_taken_for_compacted_until_it_is_known():
    """The broker's word reaches the rules."""
    machine = Parted()
    machine.rules.compacted = True
    machine.pipeline.compaction_known("another", False)
    assert machine.rules.compacted
    machine.pipeline.compaction_known(TOPIC, False)
    assert not machine.rules.compacted


# Quarantine.


@pytest.mark.parametrize(
    "quarantine", [Quarantine(projects=["emea"]), Quarantine(groups=[("company", "c")])], ids=["project", "group"]
)
def test_group_and_project_take_only_their_part(quarantine: Quarantine):
    """The other goes its way."""
    machine = Parted(quarantine)
    partition = machine.orders()
    machine.read(partition, order("a", "b", "c"))
    assert [group for group, _, _ in sent(machine.one())] == ["a", "b"]
    [batch] = machine.pipeline.destinations.by_name["default"].dispatch.under_way.batches
    machine.answer(batch)
    letter = only(machine)
    assert (letter.reason, letter.rule) == ("quarantined", "third")
    machine.confirm()
    assert machine.commit(partition) == 1


@pytest.mark.parametrize(
    "quarantine", [Quarantine(places=[(TOPIC, 0, 0)]), Quarantine(schemas=[SCHEMA_ID])], ids=["place", "schema"]
)
def test_place_and_schema_take_all(quarantine: Quarantine):
    """Nothing of the record is sent."""
    machine = Parted(quarantine)
    machine.read(machine.orders(), order("a", "b", "c"))
    assert machine.work() == []
    assert [letter.reason for letter in machine.letters] == ["quarantined"]


# A drain, a revoke.


def test_at_a_drain_a_record_is_kept_as_a_whole():
    """One part was sent, so the other goes, too, though its project had none under way; the next record does not."""
    machine = Parted(linger=5.0, batch_updates=2)
    partition = machine.orders()
    machine.read(partition, order("a", "b", "c", 1), order(None, None, "c", 2))
    batch = machine.one()
    assert batch.destination == "default"
    machine.pipeline.drain([partition], machine.now + 100)
    machine.answer(batch)
    assert not machine.pipeline.drained([partition])
    assert machine.finish() == [[("c", "$set", {"n": 1}), ("c", "$add", {"count": 1})]]
    assert machine.pipeline.drained([partition])
    assert machine.commit(partition) == 1


def test_at_a_drain_a_record_is_stripped_as_a_whole():
    """None of its parts was sent, in no project: none is."""
    machine = Parted(linger=5.0)
    partition = machine.orders()
    machine.read(partition, order("a", "b", "c"))
    machine.pipeline.drain([partition], machine.now + 100)
    assert machine.work() == []
    assert machine.pipeline.drained([partition])
    machine.pipeline.revoked([partition])
    assert machine.leftovers() == []


def test_a_drain_waits_for_a_part_though_another_is_a_suspects():
    """The record cannot be settled; what is under way of it still has its answer awaited."""
    machine = Parted()
    partition = machine.orders()
    machine.read(partition, order("a", None, "c"))
    batches = machine.work()
    emea = of(batches, "emea")
    dispatch = machine.pipeline.destinations.by_name["emea"].dispatch
    dispatch.returned(emea, machine.now)
    dispatch.backlog.suspect(emea.updates, emea.history, machine.now + 60)
    machine.pipeline.drain([partition], machine.now + 100)
    assert not machine.pipeline.drained([partition])
    machine.answer(of(batches, "default"))
    assert machine.pipeline.drained([partition])
    machine.pipeline.revoked([partition])
    assert machine.leftovers() == []


def test_nothing_of_a_lost_record_counts():
    """Late answers of a part free their groups, and write no dead letter."""
    machine = Parted()
    partition = machine.orders()
    machine.read(partition, order("a", "b", "c", ratios=(NAN, 0.0)))
    batches = machine.work()
    machine.answer(of(batches, "emea"))
    machine.pipeline.revoked([partition])
    machine.answer(of(batches, "default"), refuse(0))
    machine.work()
    assert machine.letters == []
    assert machine.leftovers() == []


# The breaker.


def test_a_record_counts_once_for_the_breaker():
    """A refused part is a reject of its record, however many there are."""
    machine = Parted(open_records=10_000)
    partition = machine.orders()
    machine.read(partition, *[order("a", "b", "c", ratios=(NAN, NAN))] * 999)
    assert not machine.pipeline.breaker_open
    machine.read(partition, *[order("a", "b", "c", ratios=(NAN, NAN))] * 2)
    assert machine.pipeline.breaker_open
