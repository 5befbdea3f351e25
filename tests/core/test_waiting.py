"""Why each partition's first open record waits: each cause, where it holds and nothing before it does."""

from typing import Any

import pytest

from consumer.core.causes import CAUSES
from consumer.core.clock import NEVER
from consumer.core.model import UNKNOWN, Answer, Assignment
from consumer.core.waiting import Block, blocks
from tests.core.machine import Machine, refuse

BAD = b"not framed"
FAILED = Answer(500, b"")
UNKNOWN_SCHEMA = 9


def waits(machine: Machine) -> dict[int, tuple[int, str, dict[str, object]]]:
    """By partition: the offset at its head, the cause, and the detail."""
    return {block.assignment.partition: (block.offset, block.cause, block.detail) for block in found(machine)}


def found(machine: Machine) -> list[Block]:
    """What blocks the partitions now."""
    pipeline = machine.pipeline
    unwritten = pipeline.unconfirmed.unwritten()
    blocked = blocks(pipeline.partitions, pipeline.destinations, pipeline.breaker_open, machine.now, unwritten)
    assert all(block.cause in CAUSES for block in blocked)
    return blocked


def two(**limits: Any) -> tuple[Machine, Assignment, Assignment]:
    """A machine with two partitions."""
    machine = Machine(**limits)
    return machine, machine.assign(0), machine.assign(1)


def test_nothing_open_blocks_nothing():
    """Before the first record and after the last is settled."""
    machine, first, _ = two()
    assert waits(machine) == {}
    machine.read(first, ("SET", {"a": 1}))
    machine.finish()
    assert waits(machine) == {}


def test_linger_until_the_batch_is_due_then_a_request():
    """A fresh record waits for others, then for its answer; what blocks is the first open, and its poll the start."""
    machine, first, second = two(linger=5.0)
    machine.now = 100.0
    machine.read(second, ("SET", {"a": 1}, "under way"))
    before = machine.one()
    machine.read(first, ("SET", {"a": 1}), ("SET", {"a": 2}, "other"))
    block, _ = found(machine)
    assert (block.offset, block.cause, block.since) == (0, "linger", 100.0)
    assert block.record is not None
    batch = machine.one(5.0)
    machine.answer(before)
    assert waits(machine) == {0: (0, "in_flight", {})}
    machine.answer(batch, refuse(0))
    assert waits(machine) == {0: (0, "dead_letter", {})}
    machine.work()
    machine.confirm()
    assert waits(machine) == {}


def test_a_full_house_is_a_limit():
    """Past the linger, with every place taken."""
    machine, first, second = two(max_in_flight=1)
    machine.read(first, ("SET", {"a": 1}))
    machine.one()
    machine.read(second, ("SET", {"a": 1}, "other"))
    assert machine.work() == []
    assert waits(machine) == {0: (0, "in_flight", {}), 1: (0, "limit", {})}


def test_a_partition_that_is_not_read_waits_at_the_next_offset():
    """Nothing of it is open, and the open records of others are too many."""
    machine, first, second = two(open_records=2)
    machine.read(second, ("SET", {"a": 1}))
    machine.finish()
    machine.read(first, ("SET", {"a": 1}), ("SET", {"a": 2}))
    machine.one()
    assert waits(machine) == {0: (0, "in_flight", {}), 1: (1, "limit", {})}
    [block] = [block for block in found(machine) if block.assignment is second]
    assert (block.since, block.record) == (-1.0, None)


def test_a_change_of_the_same_group_from_another_partition_is_its_lane():
    """Whether the other waits or is under way, the detail says where it stands."""
    machine, first, second = two(linger=5.0)
    behind = {"topic": "changes", "partition": 0, "offset": 0}
    machine.read(machine.assign(2), ("SET", {"a": 1}, "under way"))
    before = machine.one()
    machine.read(first, ("SET", {"a": 1}))
    machine.read(second, ("SET", {"a": 2}))
    assert waits(machine) == {0: (0, "linger", {}), 1: (0, "lane", behind), 2: (0, "in_flight", {})}
    machine.answer(before)
    batch = machine.one(5.0)
    assert waits(machine) == {0: (0, "in_flight", {}), 1: (0, "lane", behind)}
    machine.answer(batch)
    assert waits(machine)[1][:2] == (0, "limit")


def test_a_failed_request_is_a_retry():
    """With the answer, the attempts and the wait that is left."""
    machine, first, _ = two()
    machine.read(first, ("SET", {"a": 1}))
    for _ in range(10):
        machine.answer(machine.one(60.0), Answer(500, b""))
    [(offset, cause, detail)] = waits(machine).values()
    assert (offset, cause, detail["answered"], detail["attempts"]) == (0, "retry", "500", 10)
    before = detail["next_seconds"]
    assert isinstance(before, float)
    assert before > 1.0
    machine.now += 1.0
    assert waits(machine)[0][2]["next_seconds"] == pytest.approx(before - 1.0)


def test_throttled_goes_before_a_retry():
    """A 429 holds up the whole project: what failed, and what is fresh."""
    machine, first, second = two()
    machine.read(first, ("SET", {"a": 1}))
    machine.answer(machine.one(), Answer(429, b"", retry_after=30.0))
    machine.read(second, ("SET", {"a": 1}, "other"))
    assert waits(machine) == {0: (0, "throttled", {}), 1: (0, "throttled", {})}


def test_halted_goes_before_a_lane():
    """Refused credentials: all of the project waits, but for the probe."""
    machine, first, second = two()
    machine.read(first, ("SET", {"a": 1}))
    machine.read(second, ("SET", {"a": 2}))
    machine.answer(machine.one(), Answer(401, b"no"))
    assert waits(machine) == {0: (0, "halted", {}), 1: (0, "halted", {})}
    machine.one(30.0)
    assert waits(machine) == {0: (0, "in_flight", {}), 1: (0, "halted", {})}


def test_a_record_that_alone_is_answered_so_is_a_suspect():
    """In its partition the offset is exactly its own; it stays a suspect while it is asked again."""
    machine, first, second = two()
    machine.read(second, ("SET", {"a": 1}, "healthy"))
    machine.finish()
    machine.read(first, ("SET", {"a": 1}, "poison"))
    for number in range(4):
        for batch in machine.work(130.0):
            poisoned = any(b'"poison"' in update.run.group for update in batch.updates)
            machine.answer(batch, FAILED if poisoned else Answer(200, b"1"))
        machine.read(second, ("SET", {"a": number}, "healthy"))
        for batch in machine.work():
            machine.answer(batch)
    offset, cause, detail = waits(machine)[0]
    assert (offset, cause, detail["answered"]) == (0, "suspect", "500")
    assert detail["next_seconds"] != 0.0
    [batch] = [batch for batch in machine.work(130.0) if batch.suspect]
    assert waits(machine)[0][:2] == (0, "suspect")
    assert waits(machine)[0][2]["next_seconds"] == 0.0
    machine.answer(batch)
    assert 0 not in waits(machine)


def test_a_record_whose_schema_is_not_known_holds_its_partition():
    """What is before it blocks first; then the schema does, by its id, for want of the registry or for its rules."""
    machine, first, _ = two()
    machine.read(first, ("SET", {"a": 1}))
    machine.read(first, ("SET", {"a": 2}), schema=UNKNOWN_SCHEMA)
    batch = machine.one()
    assert waits(machine) == {0: (0, "in_flight", {})}
    machine.answer(batch)
    assert waits(machine) == {0: (1, "schema", {"id": UNKNOWN_SCHEMA})}
    machine.pipeline.schema_held(UNKNOWN_SCHEMA)
    assert waits(machine) == {0: (1, "rules", {"id": UNKNOWN_SCHEMA})}


def test_a_fault_of_the_service_itself():
    """Whatever the code stumbles over is that record's."""
    machine, first, _ = two()
    partition = machine.pipeline.partitions.by_assignment[first]
    record = machine.record(first, BAD)
    partition.ledger.seen(record.offset, machine.now)
    partition.hold(record, None, "fault", "a fault of the service itself: KeyError", {})
    assert waits(machine) == {0: (0, "fault", {})}


def test_a_dead_letter_that_is_not_confirmed():
    """From the moment it is asked for, also after it failed, until the broker has it."""
    machine, first, _ = two()
    machine.read(first, BAD, ("SET", {"a": 1}))
    machine.finish_but_letters()
    assert waits(machine) == {0: (0, "dead_letter", {})}
    [letter] = machine.letters
    machine.pipeline.dead_letter_failed(letter)
    assert waits(machine) == {0: (0, "dead_letter", {})}
    [block] = found(machine)
    assert block.record is letter.record  # which tells how old it is
    machine.confirm()
    assert waits(machine) == {}


def test_one_refused_record_of_a_run_is_a_dead_letter_and_the_rest_goes_on():
    """The head is the refused one until its letter is confirmed, then the first that waits for the run's end."""
    machine, first, _ = two()
    machine.read(first, ("SET", {"bad": 1}), ("SET", {"a": 1}))
    machine.answer(machine.one(), refuse(0))
    machine.answer(machine.one(), refuse(0))
    assert waits(machine) == {0: (0, "dead_letter", {})}
    machine.work()
    machine.confirm()
    assert waits(machine) == {0: (1, "in_flight", {})}


def test_the_breaker_goes_before_everything():
    """A flood of rejects: each partition waits for a person, with something open or not."""
    machine, first, second = two()
    machine.read(first, *[BAD] * 1_000)
    assert machine.pipeline.breaker_open
    assert waits(machine) == {0: (0, "breaker", {}), 1: (-1, "breaker", {})}
    machine.read(second, ("SET", {"a": 1}))
    assert waits(machine) == {0: (0, "breaker", {}), 1: (0, "breaker", {})}
    assert [block.record is not None for block in found(machine) if block.assignment is second] == [True]


def test_what_a_drain_has_forgotten_waits_for_nothing():
    """It is the next owner's: no cause of ours."""
    machine, first, _ = two(linger=5.0)
    machine.read(first, ("SET", {"a": 1}))
    machine.pipeline.drain([first], NEVER)
    assert waits(machine) == {}


def test_an_unknown_outcome_waits_like_any_failure():
    """A time-out is told by its word."""
    machine, first, _ = two()
    machine.read(first, ("SET", {"a": 1}))
    machine.answer(machine.one(), Answer(0, failure=UNKNOWN, cause="timeout"))
    assert waits(machine)[0][1] == "retry"
    assert waits(machine)[0][2]["answered"] == "timeout"


def test_a_batch_that_the_client_cannot_read_waits_since_it_could_not():
    """At the offset that is next, whatever was read before it; while something is open that goes first."""
    machine, first, second = two()
    machine.read(second, ("SET", {"a": 1}))
    machine.pipeline.partitions.cannot_read({first: (7, 12.0), second: (0, 12.0)})
    batch = machine.one()
    assert waits(machine) == {0: (7, "fault", {}), 1: (0, "in_flight", {})}
    machine.answer(batch)
    assert [(block.offset, block.since) for block in found(machine)] == [(7, 12.0), (1, 12.0)]


def test_a_request_that_is_announced_waits_for_the_journal():
    """Unless its project is halted, or throttled: what was answered to others goes before."""
    machine, first, second = two()
    machine.read(first, ("ADD", {"n": 1}))
    batch = machine.one()
    batch.announcing = True
    assert waits(machine) == {0: (0, "journal", {})}
    machine.read(second, ("SET", {"a": 1}, "other"))
    machine.answer(machine.one(), Answer(429, b"", retry_after=30.0))
    assert waits(machine) == {0: (0, "throttled", {}), 1: (0, "throttled", {})}
    machine.answer(machine.one(31.0), Answer(401, b"no"))
    assert waits(machine) == {0: (0, "halted", {}), 1: (0, "halted", {})}
    batch.announcing = False
    assert waits(machine)[0] == (0, "in_flight", {})
