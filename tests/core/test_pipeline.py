"""The pipeline: facts in, work out. Order, blame, dead letters, held schemas, limits, drains, revokes."""

import json

import pytest

from consumer.core import intake
from consumer.core.clock import NEVER
from consumer.core.model import UNKNOWN, Answer, Assignment, Record
from consumer.core.quarantine import Quarantine
from consumer.core.schemas import MOST_AHEAD
from consumer.core.waiting import blocks
from consumer.event.convert import convert
from consumer.event.encode import MAX_BYTES, update_json, update_tail
from consumer.event.errors import INCOMPATIBLE_SCHEMA, TASK_PUT, TRANSFORMATION, UNKNOWN_SCHEMA, VALUE_CONVERTER
from consumer.event.model import SET, Operation
from tests.core.machine import DECODER, OPENING, Machine, opaque, refuse, sent, value

TIMEOUT = Answer(0, failure=UNKNOWN, cause="timeout")
BAD = b"not framed"


def own(record: Record) -> bytes:
    """The JSON of the record's own update."""
    assert record.value is not None
    return update_json(update_tail(convert(DECODER.decode(record.value, 5))))


# The way of a record.


def test_the_way_of_a_record():
    """Read, sent, accepted, settled, committable; and then nothing of it is kept."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}))
    assert machine.pipeline.partitions.open_records() == 1
    assert machine.commit(partition) == -1
    batch = machine.one()
    assert sent(batch) == [("acme", "$set", {"a": 1})]
    delivered = machine.answer(batch)
    assert (delivered.outcome, delivered.updates, delivered.settled) == ("accepted", 1, 1)
    assert delivered.accepted == {"$set": 1}
    assert machine.commit(partition) == 1
    assert machine.leftovers() == []


def test_a_request_of_many_verbs_is_told_by_verb():
    """Accepted updates are counted by operation, records by what they settle."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}), ("SET", {"b": 1}), ("UNSET", ["c"]), ("SET", {"a": 1}, "other"))
    delivered = machine.answer(machine.one())
    assert (delivered.accepted, delivered.updates, delivered.settled) == ({"$set": 2, "$unset": 1}, 3, 4)


def test_a_run_settles_with_its_last_update():
    """A folded record may live on in several updates: none of the run is settled before all are decided."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}), ("UNSET", ["b"]))
    machine.answer(machine.one(), opaque())
    first = machine.one()
    machine.answer(first)
    assert machine.commit(partition) == -1
    machine.answer(machine.one())
    assert machine.commit(partition) == 2


def test_the_commit_never_passes_an_open_record():
    """Groups settle out of order, offsets are committed in order."""
    machine = Machine(batch_updates=1)
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}, "slow"), ("SET", {"a": 1}, "fast"), BAD)
    slow, fast = machine.work()
    machine.answer(fast)
    machine.confirm()
    assert machine.commit(partition) == -1
    assert machine.pipeline.partitions.first_open(partition) == 0
    machine.answer(slow)
    assert machine.commit(partition) == 3


def test_gaps_between_offsets_are_passed():
    """Compacted offsets are nobody's: the commit is one past the last record that was seen."""
    machine = Machine()
    partition = machine.assign()
    for offset in (10, 500, 501):
        machine.pipeline.polled([machine.record(partition, value(("SET", {"a": 1}, str(offset))), offset)], 0.0)
    machine.finish()
    assert machine.commit(partition) == 502


def test_an_offset_to_commit_again_is_always_known():
    """What may be committed, else the first record that is open or held: a commit that is repeated moves nothing."""
    machine = Machine(batch_updates=1)
    partition, idle, held = machine.assign(0), machine.assign(1), machine.assign(2)
    assert machine.pipeline.partitions.settled_or_first() == {}
    machine.pipeline.polled([machine.record(partition, value(("SET", {"a": 1})), 7)], 0.0)
    assert machine.pipeline.partitions.settled_or_first() == {partition: 7}
    machine.finish()
    assert machine.pipeline.partitions.settled_or_first() == {partition: 8}
    machine.read(idle, ("SET", {"a": 1}))
    assert machine.pipeline.partitions.settled_or_first() == {partition: 8, idle: 0}
    machine.read(held, ("SET", {"a": 1}), ("SET", {"a": 2}), schema=99)
    assert machine.pipeline.partitions.settled_or_first() == {partition: 8, idle: 0, held: 0}


def test_a_group_is_in_one_request_in_order():
    """What is read of a group while its request is out waits for the answer, a retry included."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}))
    batch = machine.one()
    machine.read(partition, ("SET", {"a": 2}), ("SET", {"b": 1}, "other"))
    assert sent(machine.one()) == [("other", "$set", {"b": 1})]
    machine.answer(batch, TIMEOUT)
    assert machine.work(after=0.01) == []
    assert machine.one(after=0.01) is batch
    machine.answer(batch)
    assert sent(machine.one()) == [("acme", "$set", {"a": 2})]


def test_one_update_at_a_time_still_gets_through():
    """`BATCH_MAX_UPDATES=1` with a run of three verbs: one request each, in order."""
    machine = Machine(batch_updates=1)
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}), ("ADD", {"b": 1}), ("REMOVE", {"c": 1}), ("REMOVE", {"c": 2}))
    assert [verb for [(_, verb, _)] in machine.finish()] == ["$set", "$add", "$remove", "$remove"]
    assert machine.commit(partition) == 4


def test_without_folding_every_event_is_an_update():
    """`FOLD=off`: a group has one update in a request, in its own words."""
    machine = Machine(fold=False)
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}), ("SET", {"a": 2}), ("SET", {"a": 3}, "other"))
    assert machine.finish() == [
        [("acme", "$set", {"a": 1}), ("other", "$set", {"a": 3})],
        [("acme", "$set", {"a": 2})],
    ]


# Blame.


def test_a_refused_update_of_one_record_is_its_dead_letter():
    """The letter has Mixpanel's words, the status, the schema, and the record's own update."""
    machine = Machine()
    partition = machine.assign()
    [record, _] = machine.read(partition, ("SET", {"a": 1}), ("SET", {"a": 2}, "other"))
    delivered = machine.answer(machine.one(), refuse(0, status=400, reason="too odd", taken=1))
    assert (delivered.outcome, delivered.settled) == ("partial", 1)
    machine.work()
    [letter] = machine.letters
    assert (letter.record, letter.reason, letter.stage) == (record, "rejected", TASK_PUT)
    assert (letter.status, letter.error, letter.schema) == (400, "too odd", 1)
    assert letter.detail == "Mixpanel refused this record's update"
    assert letter.update == own(record)
    assert machine.commit(partition) == -1
    assert machine.confirm() == [(0, "rejected")]
    assert machine.commit(partition) == 2
    assert machine.leftovers() == []


def test_a_dead_letter_does_not_hold_its_group():
    """Later changes of the group go on at once; the confirmation holds only the commit."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}))
    refused = machine.one()
    machine.read(partition, ("SET", {"a": 2}))
    machine.answer(refused, refuse(0))
    assert sent(machine.one()) == [("acme", "$set", {"a": 2})]
    assert len(machine.letters) == 1


def test_unfolding_brings_nothing_back_that_was_unset():
    """SET{a,b}, SET{bad}, UNSET[a] with only the $set refused: b is sent again, and a is not."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1, "b": 2}), ("SET", {"bad": 3}), ("UNSET", ["a"]))
    batch = machine.one()
    assert sent(batch) == [("acme", "$set", {"b": 2, "bad": 3}), ("acme", "$unset", ["a"])]
    machine.answer(batch, refuse(0))
    first = machine.one()
    assert sent(first) == [("acme", "$set", {"b": 2})]
    machine.answer(first)
    second = machine.one()
    assert sent(second) == [("acme", "$set", {"bad": 3})]
    machine.answer(second, refuse(0))
    assert machine.finish() == []
    assert machine.letters == []
    assert machine.commit(partition) == 3


def test_unfolding_sends_what_was_absorbed():
    """SET{x,bad}, SET_ONCE{x}: the $set_once was folded away, and is not lost when the $set is refused."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"x": 1, "bad": 2}), ("SET_ONCE", {"x": 3}))
    machine.answer(machine.one(), refuse(0))
    step = machine.one()
    assert sent(step) == [("acme", "$set", {"x": 1, "bad": 2})]
    machine.answer(step, refuse(0))
    assert machine.finish() == [[("acme", "$set_once", {"x": 3})]]
    assert machine.commit(partition) == 2


def test_after_a_refused_delete_all_that_it_dropped_is_sent():
    """SET, ADD, DELETE with the $delete refused: the records before it were folded away, and are sent after all."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}), ("ADD", {"n": 1}), ("DELETE",))
    batch = machine.one()
    assert sent(batch) == [("acme", "$delete", "")]
    machine.read(partition, ("SET", {"later": 1}))
    machine.answer(batch, refuse(0))
    batch = machine.one()
    assert sent(batch) == [("acme", "$set", {"a": 1}), ("acme", "$add", {"n": 1})]
    machine.answer(batch)
    assert machine.finish() == [[("acme", "$set", {"later": 1})]]
    assert machine.commit(partition) == 4


def test_two_refusals_in_one_run_make_one_dead_letter_for_each_record():
    """All refusals of a run are gathered before it is unfolded: no record is refused twice."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1, "b": 1}), ("SET", {"c": 1}), ("UNSET", ["a"]), ("UNSET", ["q"]))
    batch = machine.one()
    assert len(sent(batch)) == 2
    machine.answer(batch, refuse(0, 1))
    steps = []
    batches = machine.work()
    while batches:
        [step] = batches
        steps.append(sent(step)[0][1:])
        machine.answer(step, refuse(*range(len(step.updates))))
        batches = machine.work()
    assert steps == [
        ("$set", {"a": 1, "b": 1, "c": 1}),
        ("$set", {"a": 1, "b": 1}),
        ("$set", {"c": 1}),
        ("$unset", ["a", "q"]),
        ("$unset", ["a"]),
        ("$unset", ["q"]),
    ]
    assert machine.confirm() == [(offset, "rejected") for offset in range(4)]
    assert machine.commit(partition) == 4
    assert machine.leftovers() == []


def test_two_refusals_of_one_run_in_two_requests_are_gathered_too():
    """After an opaque answer the updates of a run are decided apart; unfolding waits for the last of them."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}), ("SET", {"b": 1}), ("UNSET", ["q"]), ("UNSET", ["r"]))
    machine.answer(machine.one(), opaque())
    for _ in range(2):
        batch = machine.one()
        assert len(batch.updates) == 1
        machine.answer(batch, opaque())
    assert sent(machine.one()) == [("acme", "$set", {"a": 1, "b": 1})]


def test_a_record_blamed_alone_is_not_sent_again():
    """One refused update of one record, another of several: the first is a dead letter already."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1, "b": 1}), ("UNSET", ["a"]), ("UNSET", ["q"]))
    batch = machine.one()
    assert [verb for _, verb, _ in sent(batch)] == ["$set", "$unset"]
    machine.answer(batch, refuse(0, 1))
    requests = machine.finish()
    assert requests == [[("acme", "$unset", ["a"])], [("acme", "$unset", ["q"])]]
    assert machine.commit(partition) == 3


def test_a_profile_is_made_though_what_made_it_was_absorbed():
    """SET{bad}, SET{a}, UNSET[a] with SET{bad} refused: the profile exists without a property, as in order."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"bad": 1}), ("SET", {"a": 1}), ("UNSET", ["a"]), ("REMOVE", {"l": "x"}))
    batch = machine.one()
    removed = ("acme", "$remove", {"l": "x"})
    assert sent(batch) == [("acme", "$set", {"bad": 1}), ("acme", "$unset", ["a"]), removed]
    machine.answer(batch, refuse(0))
    assert machine.finish() == [[("acme", "$set", {"a": 1})], [("acme", "$unset", ["a"])]]
    assert machine.commit(partition) == 4


def test_a_bad_value_that_was_overwritten_is_never_judged():
    """SET{bad}, SET{good} of one property is one good update: no dead letter is owed."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"p": "bad"}), ("SET", {"p": "good"}))
    assert machine.finish() == [[("acme", "$set", {"p": "good"})]]
    assert machine.commit(partition) == 2


@pytest.mark.parametrize("folded", [False, True])
def test_too_large_alone_is_its_own_reason(folded: bool):
    """413 for a single update: alone a dead letter `too_large`; folded it is unfolded first."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}))
    if folded:
        machine.read(partition, ("SET", {"b": 1}))
        machine.answer(machine.one(), Answer(413))
    batch = machine.one()
    assert sent(batch) == [("acme", "$set", {"a": 1})]
    machine.answer(batch, Answer(413, b"page"))
    machine.work()
    [letter] = machine.letters
    assert (letter.reason, letter.stage, letter.status, letter.error) == ("too_large", TASK_PUT, 413, "page")


def test_later_records_wait_for_the_whole_replay():
    """The barrier holds until every step of the unfolding is decided."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}), ("SET", {"b": 1}))
    batch = machine.one()
    machine.read(partition, ("SET", {"a": 9}))
    machine.answer(batch, refuse(0))
    assert [updates[0][2] for updates in machine.finish()] == [{"a": 1}, {"b": 1}, {"a": 9}]


def test_a_step_of_a_replay_is_retried_in_its_place():
    """A transient fault in the middle of an unfolding repeats the step, and nothing after it goes first."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}), ("SET", {"b": 1}))
    machine.answer(machine.one(), refuse(0))
    step = machine.one()
    machine.answer(step, TIMEOUT)
    assert machine.work() == []
    assert machine.one(after=1.0) is step
    machine.answer(step)
    assert machine.finish() == [[("acme", "$set", {"b": 1})]]
    assert machine.commit(partition) == 2


# `$add` of an unknown outcome.


def test_an_ambiguous_add_is_a_dead_letter_and_its_group_goes_on():
    """`AMBIGUOUS_ADD=dead-letter`: at most once. What else was in the request goes again, in order."""
    machine = Machine(resend_adds=False)
    partition = machine.assign()
    machine.read(partition, ("ADD", {"n": 1}), ("SET", {"a": 1}), ("SET", {"a": 1}, "other"))
    batch = machine.one()
    machine.read(partition, ("ADD", {"n": 5}))
    delivered = machine.answer(batch, TIMEOUT)
    assert delivered.ambiguous == 1
    assert machine.work() == []
    [letter] = machine.letters
    assert (letter.record.offset, letter.reason, letter.stage, letter.status) == (0, "ambiguous_add", TASK_PUT, 0)
    assert letter.detail == "the outcome of the request is unknown, and an $add cannot be repeated safely"
    assert letter.error == ""
    assert letter.update == own(letter.record)
    again = machine.one(after=1.0)
    assert sent(again) == [("acme", "$set", {"a": 1}), ("other", "$set", {"a": 1})]
    machine.answer(again)
    assert machine.finish() == [[("acme", "$add", {"n": 5})]]
    assert machine.commit(partition) == 4
    assert machine.leftovers() == []


def test_every_add_of_a_folded_sum_is_ambiguous():
    """All records of the sum may have been applied: each is a dead letter of its own."""
    machine = Machine(resend_adds=False)
    partition = machine.assign()
    machine.read(partition, ("ADD", {"n": 1}), ("ADD", {"n": 2}), ("SET", {"a": 1}))
    delivered = machine.answer(machine.one(), Answer(503))
    assert delivered.ambiguous == 2
    machine.work()
    assert machine.confirm() == [(0, "ambiguous_add"), (1, "ambiguous_add")]


def test_an_add_is_sent_again_by_default():
    """`AMBIGUOUS_ADD=resend`: at least once."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("ADD", {"n": 1}))
    batch = machine.one()
    delivered = machine.answer(batch, TIMEOUT)
    assert delivered.ambiguous == 0
    assert machine.one(after=1.0) is batch
    machine.answer(batch)
    assert machine.commit(partition) == 1


def test_an_ambiguous_add_within_a_replay():
    """The step is decided: the replay goes on with the next record."""
    machine = Machine(resend_adds=False)
    partition = machine.assign()
    machine.read(partition, ("ADD", {"n": 1}), ("ADD", {"n": 2}))
    machine.answer(machine.one(), refuse(0))
    machine.answer(machine.one(), TIMEOUT)
    assert machine.finish() == [[("acme", "$add", {"n": 2})]]
    assert machine.commit(partition) == 2


# Dead letters.


@pytest.mark.parametrize(
    ("payload", "reason", "stage"),
    [
        (None, "tombstone", VALUE_CONVERTER),
        (BAD, "not_framed", VALUE_CONVERTER),
        (b"\0\0\0\0\1", "corrupt", VALUE_CONVERTER),
        (value(("SET", {})), "invalid_change", TRANSFORMATION),
        (value(("SET", {"a": 1})) + b"!", "corrupt", VALUE_CONVERTER),
    ],
)
def test_a_record_that_cannot_be_applied_is_a_dead_letter(payload: bytes | None, reason: str, stage: str):
    """It is open until the broker has confirmed its letter, and is never sent."""
    machine = Machine()
    partition = machine.assign()
    [record] = machine.read(partition, payload)
    assert machine.pipeline.wake_at(machine.now) <= machine.now
    assert machine.work() == []
    [letter] = machine.letters
    assert (letter.record, letter.reason, letter.stage, letter.status, letter.update) == (
        record,
        reason,
        stage,
        0,
        b"",
    )
    assert letter.schema == (1 if payload and payload[0] == 0 else None)
    assert (machine.pipeline.partitions.open_records(), machine.commit(partition)) == (1, -1)
    assert machine.work() == []
    assert len(machine.letters) == 1
    machine.confirm()
    assert (machine.pipeline.partitions.open_records(), machine.commit(partition)) == (0, 1)
    assert machine.leftovers() == []


def test_a_partition_that_the_client_cannot_read_is_paused_alone():
    """It is told as a fault, with the next offset; what was read of it before goes on, and so do the others."""
    machine = Machine()
    partition, other = machine.assign(0), machine.assign(1)
    machine.read(partition, ("SET", {"a": 1}))
    machine.read(other, ("SET", {"a": 1}, "other"))
    machine.now = 50.0
    machine.pipeline.partitions.cannot_read({partition: (1, 42.0)})
    assert machine.pipeline.paused() == {partition: "fault"}
    machine.finish()
    assert (machine.commit(partition), machine.commit(other)) == (1, 1)
    blocked = blocks(machine.pipeline.partitions, machine.pipeline.destinations, False, machine.now)
    assert [(block.assignment, block.offset, block.cause, block.since) for block in blocked] == [
        (partition, 1, "fault", 42.0)
    ]
    machine.pipeline.partitions.cannot_read({})
    assert machine.pipeline.paused() == {}


def test_a_dead_letter_that_cannot_be_written_blocks_its_partition_only():
    """The commit waits and nothing new is read of it; other partitions go on; it ends with the confirmation."""
    machine = Machine()
    partition, other = machine.assign(0), machine.assign(1)
    machine.read(partition, BAD, ("SET", {"a": 1}))
    machine.read(other, ("SET", {"a": 1}, "other"))
    machine.finish_but_letters()
    [letter] = machine.letters
    for _ in range(3):
        machine.pipeline.dead_letter_failed(letter)
    assert machine.pipeline.paused() == {partition: "dead_letter"}
    assert (machine.commit(partition), machine.commit(other)) == (-1, 1)
    machine.confirm()
    assert machine.pipeline.paused() == {}
    assert machine.commit(partition) == 2
    assert machine.leftovers() == []


def test_a_failed_letter_of_a_lost_partition_is_nobodys():
    """What the producer says late of a partition that is gone changes nothing."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, BAD, BAD)
    machine.work()
    first, second = machine.letters
    machine.pipeline.dead_letter_failed(first)
    machine.pipeline.revoked([partition])
    again = machine.assign()
    machine.pipeline.dead_letter_failed(second)
    machine.pipeline.dead_lettered(first)
    machine.pipeline.dead_lettered(second)
    assert machine.pipeline.paused() == {}
    assert machine.commit(again) == -1
    assert machine.leftovers() == []


# Schemas.


def test_an_unknown_schema_holds_its_partition_from_that_record_on():
    """Its next records may be of any group: they wait too. Other partitions and earlier records go on."""
    machine = Machine()
    partition, other = machine.assign(0), machine.assign(1)
    machine.read(partition, ("SET", {"a": 1}))
    machine.read(partition, ("SET", {"a": 2}), schema=7)
    machine.read(partition, ("SET", {"a": 3}), BAD)
    machine.read(other, ("SET", {"a": 1}, "other"))
    assert machine.pipeline.partitions.held_schemas() == {partition: 7}
    assert machine.pipeline.paused() == {partition: "schema"}
    assert machine.finish() == [[("acme", "$set", {"a": 1}), ("other", "$set", {"a": 1})]]
    assert (machine.schemas, machine.letters) == ([7], [])
    assert (machine.pipeline.partitions.open_records(), machine.commit(partition)) == (3, 1)
    machine.pipeline.schema_known(7, DECODER, machine.now)
    assert machine.pipeline.paused() == {}
    assert machine.finish() == [[("acme", "$set", {"a": 3})]]
    assert machine.commit(partition) == 4
    assert machine.leftovers() == []


def test_a_schema_is_asked_for_once():
    """However many records and partitions wait for it."""
    machine = Machine()
    for number in range(3):
        machine.read(machine.assign(number), ("SET", {"a": 1}), ("SET", {"a": 1}), schema=7)
    assert machine.pipeline.wake_at(0.0) == 0.0
    machine.work()
    machine.work()
    assert machine.schemas == [7]
    assert machine.pipeline.wake_at(0.0) == NEVER


def test_all_schemas_of_what_is_held_are_asked_for_without_a_pause():
    """At most so many at once; the others follow as answers come, and do not wait for their records' turn."""
    machine = Machine()
    partition = machine.assign()
    ids = range(100, 100 + 2 * MOST_AHEAD + 100)
    count = len(ids)
    for schema in ids:
        machine.read(partition, ("SET", {"a": 1}), schema=schema)
    machine.work()
    rounds = 0
    while machine.schemas:
        assert len(machine.schemas) <= MOST_AHEAD
        asked, machine.schemas = machine.schemas, []
        for schema in reversed(ids):
            if schema in asked:
                machine.pipeline.schema_refused(schema, UNKNOWN_SCHEMA, "why", machine.now)
        machine.work()
        rounds += 1
    assert rounds == 3
    assert len(machine.letters) == count


def test_a_partition_may_be_held_again_by_its_next_schema():
    """Held records are admitted in order, up to the next schema that is not known."""
    machine = Machine()
    partition = machine.assign()
    for schema in (7, 8, 7):
        machine.read(partition, ("SET", {"s": schema}), schema=schema)
    machine.pipeline.schema_known(7, DECODER, 0.0)
    assert machine.pipeline.partitions.held_schemas() == {partition: 8}
    machine.pipeline.schema_known(9, DECODER, 0.0)
    assert machine.pipeline.partitions.held_schemas() == {partition: 8}
    machine.pipeline.schema_known(8, DECODER, 0.0)
    assert machine.pipeline.partitions.held_schemas() == {}
    machine.finish()
    assert machine.commit(partition) == 3


@pytest.mark.parametrize("reason", [UNKNOWN_SCHEMA, INCOMPATIBLE_SCHEMA])
def test_a_refused_schema_makes_dead_letters(reason: str):
    """Its records are rejects with the reason and the id; the records after them go on."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}), schema=7)
    machine.read(partition, ("SET", {"a": 2}))
    machine.pipeline.schema_refused(7, reason, "why", machine.now)
    assert machine.finish_but_letters() == [[("acme", "$set", {"a": 2})]]
    [letter] = machine.letters
    assert (letter.reason, letter.stage, letter.detail, letter.schema) == (reason, VALUE_CONVERTER, "why", 7)
    machine.confirm()
    assert machine.commit(partition) == 2


def test_an_unknown_schema_is_asked_for_again_after_a_minute():
    """Remembered for 60 s; an incompatible one for good, until the registry says otherwise."""
    machine = Machine()
    partition = machine.assign()
    machine.pipeline.schema_refused(7, UNKNOWN_SCHEMA, "why", 0.0)
    machine.pipeline.schema_refused(8, INCOMPATIBLE_SCHEMA, "why", 0.0)
    machine.now = 59.9
    machine.read(partition, ("SET", {"a": 1}), schema=7)
    assert machine.pipeline.partitions.held_schemas() == {}
    machine.now = 60.0
    machine.read(partition, ("SET", {"a": 1}), schema=8)
    assert machine.pipeline.partitions.held_schemas() == {}
    machine.read(partition, ("SET", {"a": 1}), schema=7)
    assert machine.pipeline.partitions.held_schemas() == {partition: 7}
    machine.work()
    assert machine.schemas == [7]


def test_a_schema_that_became_known_is_no_longer_refused():
    """A registration that came late counts from then on."""
    machine = Machine()
    partition = machine.assign()
    machine.pipeline.schema_refused(7, UNKNOWN_SCHEMA, "why", 0.0)
    machine.pipeline.schema_known(7, DECODER, 1.0)
    machine.read(partition, ("SET", {"a": 1}), schema=7)
    assert machine.finish() == [[("acme", "$set", {"a": 1})]]


# Limits.


def test_reading_stops_at_the_limit_and_goes_on_at_half():
    """Pausing throws away what was prefetched, so it must not flutter."""
    machine = Machine(open_records=4, batch_updates=1)
    partition = machine.assign()
    machine.read(partition, *[("SET", {"a": 1}, str(number)) for number in range(3)])
    assert (machine.pipeline.paused(), machine.pipeline.partitions.room()) == ({}, 1)
    machine.read(partition, ("SET", {"a": 1}, "last"))
    assert (machine.pipeline.paused(), machine.pipeline.partitions.room()) == ({partition: "limit"}, 0)
    batches = machine.work()
    for batch, expected in zip(batches, ({partition: "limit"}, {partition: "limit"}, {}, {}), strict=True):
        machine.answer(batch)
        assert machine.pipeline.paused() == expected


def test_bytes_have_a_limit_too():
    """Few large records fill the memory as well as many small ones."""
    machine = Machine(open_bytes=1000)
    partition = machine.assign()
    [record] = machine.read(partition, ("SET", {"a": "x" * 600}))
    assert machine.pipeline.paused() == {}
    assert machine.pipeline.partitions.open_bytes() == record.size
    machine.read(partition, ("SET", {"a": "x" * 600}))
    assert machine.pipeline.paused() == {partition: "limit"}
    machine.finish()
    assert machine.pipeline.paused() == {}


def test_a_held_partition_does_not_eat_the_limit_of_the_others():
    """What waits for a schema is not counted: it stopped at once, with no more than was read already."""
    machine = Machine(open_records=4)
    partition, other = machine.assign(0), machine.assign(1)
    machine.read(partition, *[("SET", {"a": 1})] * 10, schema=7)
    assert machine.pipeline.paused() == {partition: "schema"}
    assert machine.pipeline.partitions.room() == 4
    machine.read(other, ("SET", {"a": 1}, "other"))
    assert machine.pipeline.partitions.room() == 3
    assert machine.pipeline.partitions.open_records() == 11
    assert machine.pipeline.partitions.open_bytes() > 11 * 20


def test_a_blocked_partition_does_not_eat_the_limit_of_the_others():
    """Letters that cannot be written stop their partition, and are counted no more; what else it has open is."""
    machine = Machine(open_records=4, open_bytes=10_000)
    partition, other = machine.assign(0), machine.assign(1)
    machine.read(partition, BAD, BAD, BAD, ("SET", {"a": 1}))
    assert machine.pipeline.paused() == {partition: "limit", other: "limit"}
    machine.work()
    for letter in machine.letters:
        machine.pipeline.dead_letter_failed(letter)
    assert machine.pipeline.paused() == {partition: "dead_letter"}
    assert machine.pipeline.partitions.room() == 3
    machine.confirm()
    assert machine.pipeline.paused() == {}


def test_letters_under_way_count_against_the_limit():
    """A dead letter is open until it is confirmed: it holds memory like any record."""
    machine = Machine(open_records=2)
    partition = machine.assign()
    machine.read(partition, BAD, BAD)
    assert machine.pipeline.paused() == {partition: "limit"}
    machine.work()
    machine.confirm()
    assert machine.pipeline.paused() == {}


def test_settled_offsets_behind_an_open_record_have_a_limit():
    """One record that does not settle must not let the ledger grow for ever: its partition is paused, others not."""
    machine = Machine(open_records=10, batch_updates=1)
    partition, other = machine.assign(0), machine.assign(1)
    machine.read(partition, ("SET", {"a": 1}, "stuck"))
    machine.read(other, ("SET", {"a": 1}, "other"))
    stuck, good = machine.work()
    assert sent(stuck)[0][0] == "stuck"
    machine.answer(good)
    read = 1
    while partition not in machine.pipeline.paused():
        machine.read(partition, ("SET", {"a": 1}))
        machine.finish()
        read += 1
        assert read < 100
    assert machine.pipeline.paused() == {partition: "limit"}
    assert read == 41
    machine.answer(stuck)
    assert machine.pipeline.paused() == {}
    assert machine.commit(partition) == read


def test_the_oldest_open_record_is_told():
    """Over all partitions, since it was polled."""
    machine = Machine()
    first, second = machine.assign(0), machine.assign(1)
    assert machine.pipeline.partitions.oldest_open() == -1.0
    machine.read(second, BAD)
    assert machine.pipeline.partitions.oldest_open() == 0.0
    machine.finish()
    machine.now = 5.0
    machine.read(second, ("SET", {"a": 1}, "b"))
    machine.now = 7.0
    machine.read(first, ("SET", {"a": 1}, "a"))
    assert machine.pipeline.partitions.oldest_open() == 5.0


# The breaker.


def flood(machine: Machine, partition: Assignment) -> None:
    """1,000 records that cannot be read."""
    machine.read(partition, *[BAD] * 1000)


def test_a_flood_of_rejects_pauses_the_service():
    """No more is read, sent or dead-lettered; what was asked for before may still be confirmed."""
    machine = Machine()
    partition = machine.assign()
    flood(machine, partition)
    assert machine.pipeline.breaker_open
    assert machine.pipeline.paused() == {partition: "breaker"}
    machine.read(partition, ("SET", {"a": 1}), BAD)
    assert machine.work() == []
    assert len(machine.letters) == 1000
    machine.confirm()
    assert machine.pipeline.wake_at(machine.now) == NEVER
    assert machine.commit(partition) == 1000
    assert machine.pipeline.partitions.open_records() == 2


def test_a_flood_that_is_switched_off_goes_through():
    """`DEAD_LETTER_BREAKER=off`."""
    machine = Machine(breaker=False)
    partition = machine.assign()
    flood(machine, partition)
    assert machine.pipeline.paused() == {}
    assert machine.finish() == []
    assert machine.commit(partition) == 1000


def test_what_mixpanel_refuses_while_the_breaker_is_open_stays_open():
    """It gets no letter, and is neither settled nor lost: a restart tries again. What is accepted settles."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}), ("SET", {"a": 1}, "other"))
    batch = machine.one()
    flood(machine, partition)
    machine.answer(batch, refuse(0))
    assert machine.work() == []
    assert {letter.record.offset for letter in machine.letters} == set(range(2, 1002))
    machine.confirm()
    assert machine.commit(partition) == -1
    assert machine.pipeline.partitions.first_open(partition) == 0
    assert machine.pipeline.partitions.open_records() == 1


def test_a_thousand_refusals_in_one_answer_open_it():
    """The flood may come from Mixpanel: the letters up to the thousandth are written, the others stay open."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, *[("SET", {"a": 1}, str(number)) for number in range(1500)])
    delivered = machine.answer(machine.one(), refuse(*range(1500)))
    assert (machine.pipeline.breaker_open, delivered.settled) == (True, 0)
    machine.work()
    assert machine.confirm() == [(offset, "rejected") for offset in range(1000)]
    assert (machine.commit(partition), machine.pipeline.partitions.open_records()) == (1000, 500)


def test_ambiguous_adds_do_not_open_it():
    """They say nothing of the records."""
    machine = Machine(resend_adds=False)
    partition = machine.assign()
    machine.read(partition, *[("ADD", {"n": 1}, str(number)) for number in range(1500)])
    machine.answer(machine.one(), TIMEOUT)
    assert not machine.pipeline.breaker_open
    machine.work()
    assert len(machine.confirm()) == 1500


def test_what_is_quarantined_does_not_open_it():
    """An operator has named it: that says nothing of the records."""
    machine = Machine(quarantine=Quarantine(projects=["default"]))
    partition = machine.assign()
    machine.read(partition, *[("SET", {"a": 1}, str(number)) for number in range(1500)])
    assert machine.work() == []
    assert not machine.pipeline.breaker_open
    assert len(machine.confirm()) == machine.commit(partition) == 1500
    assert machine.leftovers() == []


def test_the_breaker_opens_in_the_middle_of_what_was_held():
    """The rest stays held, in order, and nothing of it is lost or sent."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, *[("SET", {"a": 1})] * 1500, schema=7)
    machine.pipeline.schema_refused(7, UNKNOWN_SCHEMA, "why", machine.now)
    assert machine.pipeline.breaker_open
    machine.pipeline.schema_known(7, DECODER, machine.now)
    assert machine.work() == []
    assert len(machine.letters) == 1000
    machine.confirm()
    assert (machine.commit(partition), machine.pipeline.partitions.open_records()) == (1000, 500)
    assert machine.pipeline.partitions.held_schemas() == {}


# Drain.


def test_a_drain_sends_only_what_closes_gaps():
    """Below the highest offset that was sent everything still goes; nothing at or above it is begun."""
    machine = Machine(batch_updates=1, max_in_flight=2, fold=False)
    partition = machine.assign()
    machine.read(partition, *[("SET", {"n": number}, group) for number, group in enumerate("aabac")])
    out = machine.work()
    assert [sent(batch)[0][2] for batch in out] == [{"n": 0}, {"n": 2}]
    machine.pipeline.drain([partition], 100.0)
    assert not machine.pipeline.drained([partition])
    for batch in out:
        machine.answer(batch)
    assert machine.finish() == [[("a", "$set", {"n": 1})]]
    assert machine.pipeline.drained([partition])
    assert machine.commit(partition) == 3


def test_a_draining_partition_takes_no_new_records():
    """What is polled late is the next owner's; what was held too."""
    machine = Machine()
    partition, other = machine.assign(0), machine.assign(1)
    machine.read(partition, ("SET", {"a": 1}), schema=7)
    machine.pipeline.drain([partition], 100.0)
    machine.read(partition, ("SET", {"a": 2}))
    machine.read(other, ("SET", {"a": 3}, "other"))
    machine.pipeline.schema_known(7, DECODER, machine.now)
    assert machine.pipeline.drained([partition])
    assert machine.finish() == [[("other", "$set", {"a": 3})]]
    assert machine.commit(partition) == -1


def test_a_drain_waits_for_dead_letters():
    """A record whose letter is not confirmed is not drained, and pins the commit."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, BAD)
    machine.pipeline.drain([partition], 100.0)
    machine.work()
    assert not machine.pipeline.drained([partition])
    machine.confirm()
    assert machine.pipeline.drained([partition])
    assert machine.commit(partition) == 1


def test_a_drain_starts_nothing_after_its_deadline():
    """The end of the time belongs to dead letters and the commit."""
    machine = Machine(max_in_flight=1, batch_updates=1)
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}, "a"), ("SET", {"a": 1}, "b"))
    batch = machine.one()
    machine.answer(batch, TIMEOUT)
    machine.pipeline.drain([partition], 5.0)
    assert machine.work(after=5.1) == []
    assert machine.pipeline.wake_at(machine.now) == NEVER
    machine.pipeline.revoked([partition])
    assert machine.leftovers() == []


def test_a_drain_of_one_partition_lets_the_others_linger_no_more_and_go_on_after():
    """Only during the drain; afterwards batches linger again, without a deadline."""
    machine = Machine(linger=1.0)
    partition, other = machine.assign(0), machine.assign(1)
    machine.read(other, ("SET", {"a": 1}))
    machine.one()  # while it is under way others linger
    machine.read(other, ("SET", {"a": 1}, "2"))
    assert machine.work() == []
    machine.pipeline.drain([partition], 0.5)
    assert machine.pipeline.drained([partition])
    machine.answer(machine.one())
    machine.pipeline.revoked([partition])
    machine.now = 50.0
    machine.read(other, ("SET", {"a": 1}, "3"))
    assert machine.work(after=0.5) == []
    assert len(machine.work(after=0.5)) == 1


def test_a_refusal_during_a_drain_is_unfolded_and_dead_lettered():
    """What was sent is brought to its end: every record is accepted or has its letter."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}), ("SET", {"bad": 1}))
    batch = machine.one()
    machine.pipeline.drain([partition], 100.0)
    machine.answer(batch, refuse(0))
    machine.answer(machine.one())
    machine.answer(machine.one(), refuse(0))
    machine.work()
    assert machine.confirm() == [(1, "rejected")]
    assert machine.pipeline.drained([partition])
    assert machine.commit(partition) == 2


# Revoke, lost, epochs.


def test_nothing_of_a_revoked_partition_is_sent_or_written():
    """Waiting records, letters and commits of it are forgotten at once."""
    machine = Machine()
    partition, other = machine.assign(0), machine.assign(1)
    machine.read(partition, ("SET", {"a": 1}), BAD)
    machine.read(other, ("SET", {"a": 2}))
    assert machine.pipeline.revoked([partition]) == 0
    assert machine.finish() == [[("acme", "$set", {"a": 2})]]
    assert machine.letters == []
    assert machine.pipeline.partitions.committable() == {other: 1}
    assert machine.pipeline.partitions.assignments() == [other]
    assert machine.leftovers() == []


def test_requests_given_up_are_counted_and_their_answers_ignored():
    """A request in flight at a revoke may still be applied: it is counted; its answer settles nothing."""
    machine = Machine(batch_updates=2)
    partition, other = machine.assign(0), machine.assign(1)
    machine.read(partition, ("SET", {"a": 1}, "a"))
    machine.read(other, ("SET", {"a": 1}, "b"), ("SET", {"a": 1}, "c"))
    mixed, alone = machine.work()
    assert machine.pipeline.revoked([partition]) == 1
    assert machine.answer(mixed, refuse(0)).settled == 1
    machine.answer(alone)
    machine.work()
    assert machine.letters == []
    assert machine.pipeline.partitions.committable() == {other: 2}
    assert machine.leftovers() == []


def test_a_partition_assigned_again_is_another_epoch():
    """A late answer of the old epoch settles nothing of the new, but the group waits for it."""
    machine = Machine()
    old = machine.assign()
    machine.read(old, ("SET", {"a": 1}))
    late = machine.one()
    machine.pipeline.revoked([old])
    new = machine.assign()
    machine.read(new, ("SET", {"a": 1}), ("SET", {"a": 2}, "other"))
    machine.read(old, ("SET", {"a": 0}))
    assert machine.finish() == [[("other", "$set", {"a": 2})]]
    assert machine.commit(new) == -1
    machine.answer(late)
    assert machine.finish() == [[("acme", "$set", {"a": 1})]]
    assert machine.commit(new) == 2
    assert machine.leftovers() == []


def test_a_waiting_batch_goes_again_without_the_revoked_partition():
    """The other partition's update is kept; the group that was revoked is free for its next owner."""
    machine = Machine()
    partition, other = machine.assign(0), machine.assign(1)
    machine.read(partition, ("SET", {"a": 1}, "mine"))
    machine.read(other, ("SET", {"a": 2}, "yours"))
    batch = machine.one()
    machine.answer(batch, TIMEOUT)
    machine.pipeline.revoked([partition])
    again = machine.one(after=1.0)
    assert sent(again) == [("yours", "$set", {"a": 2})]
    machine.answer(again)
    assert machine.commit(other) == 1
    assert machine.leftovers() == []


@pytest.mark.parametrize("in_flight", [False, True])
def test_a_partition_revoked_in_the_middle_of_a_replay(in_flight: bool):
    """Between two steps or during one: nothing more of it is sent, and the group goes on for another partition."""
    machine = Machine()
    partition, other = machine.assign(0), machine.assign(1)
    machine.read(partition, ("SET", {"a": 1}), ("SET", {"b": 1}))
    machine.answer(machine.one(), refuse(0))
    machine.read(other, ("SET", {"c": 1}))
    step = machine.one() if in_flight else None
    machine.pipeline.revoked([partition])
    if step is not None:
        assert machine.work() == []
        machine.answer(step, refuse(0))
    assert machine.finish() == [[("acme", "$set", {"c": 1})]]
    assert machine.commit(other) == 1
    assert machine.leftovers() == []


def test_one_group_in_two_partitions_is_two_runs_in_one_lane():
    """A producer without keys: each run settles in its own partition, and they do not overlap."""
    machine = Machine()
    first, second = machine.assign(0), machine.assign(1)
    machine.read(first, ("SET", {"a": 1}))
    machine.read(second, ("SET", {"a": 2}))
    machine.read(first, ("SET", {"a": 3}))
    assert [updates[0][2] for updates in machine.finish()] == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert machine.pipeline.partitions.committable() == {first: 2, second: 1}


def test_records_of_a_partition_that_is_not_ours_are_ignored():
    """What a poll brings after a revoke belongs to nobody here."""
    machine = Machine()
    partition = machine.assign()
    machine.pipeline.revoked([partition])
    machine.read(partition, ("SET", {"a": 1}), BAD)
    assert machine.work() == []
    assert (machine.letters, machine.pipeline.partitions.open_records()) == ([], 0)
    machine.pipeline.drain([partition], 10.0)
    assert machine.pipeline.drained([partition])
    assert machine.pipeline.revoked([partition]) == 0


def test_a_revoke_frees_the_limit():
    """What the revoked partition had open no longer holds the others."""
    machine = Machine(open_records=2)
    partition, other = machine.assign(0), machine.assign(1)
    machine.read(partition, ("SET", {"a": 1}), ("SET", {"a": 1}))
    assert other in machine.pipeline.paused()
    machine.pipeline.revoked([partition])
    assert machine.pipeline.paused() == {}


# Another token.


def test_a_longer_token_leaves_less_room_for_an_update():
    """Mixpanel's limit is on the update as a whole; the other projects keep theirs."""
    machine = Machine()
    partition = machine.assign()
    room = MAX_BYTES - len(OPENING) - len(update_tail(Operation("company", "acme", SET, {"a": ""})))
    machine.read(partition, ("SET", {"a": "x" * room}))
    machine.pipeline.token_changed("default", len(OPENING) + 1, 0.0)
    machine.read(partition, ("SET", {"a": "x" * room}), ("SET", {"a": "x" * (room - 1)}))
    machine.work()
    assert [(letter.record.offset, letter.reason) for letter in machine.letters] == [(1, "too_large")]


# What is told.


def test_a_halt_and_slowness_are_told():
    """Readiness and metrics ask for them."""
    machine = Machine(batch_updates=1)
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}, "a"), ("SET", {"a": 1}, "b"))
    first, second = machine.work()
    assert (
        machine.pipeline.destinations.halted().get("default", ""),
        machine.pipeline.destinations.slowed(0.0),
        machine.pipeline.destinations.in_flight(),
    ) == ("", False, 2)
    machine.answer(first, Answer(401))
    machine.answer(second, Answer(429, retry_after=60.0))
    assert (
        machine.pipeline.destinations.halted().get("default", ""),
        machine.pipeline.destinations.slowed(0.0),
        machine.pipeline.destinations.in_flight(),
    ) == ("401", True, 0)


def test_values_go_out_exactly():
    """64-bit integers, fractions, text, nested maps and lists reach the body as they were read."""
    machine = Machine()
    partition = machine.assign()
    values = {"i": 2**63 - 1, "n": -(2**63), "f": 0.1, "t": 'ä"\0', "m": {"k": None}, "l": [1, "x", {"y": 2}]}
    machine.read(partition, ("SET", values))
    [(_, _, found)] = sent(machine.one())
    assert json.dumps(found) == json.dumps(values)


@pytest.mark.skipif(not intake.__file__.endswith(".py"), reason="what is compiled cannot be broken from outside")
def test_a_fault_of_our_own_holds_one_partition(monkeypatch):
    """No record can end the process: its partition waits at it, and the others go on."""
    machine = Machine()
    bad, good = machine.assign(0), machine.assign(1)

    def broken(change):
        raise ZeroDivisionError("marked payload")

    with monkeypatch.context() as patched:
        patched.setattr(intake, "convert", broken)
        machine.read(bad, ("SET", {"a": 1}))
    machine.read(bad, ("SET", {"a": 2}))
    machine.read(good, ("SET", {"a": 1}))
    assert machine.finish() == [[("acme", "$set", {"a": 1})]]
    assert machine.pipeline.paused() == {bad: "fault"}
    assert (machine.commit(bad), machine.commit(good)) == (-1, 1)
    why = machine.pipeline.partitions.by_assignment[bad].why_held
    assert "ZeroDivisionError" in why
    assert "payload" not in why
