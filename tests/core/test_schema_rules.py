"""Schemas with rules that are not run here: a cause of its own, for as long as the schema is held."""

from tests.core.machine import DECODER, Machine


def test_a_partition_is_held_by_rules():
    """Whichever partition needs the schema, before or after it was known to have rules; others need another."""
    machine = Machine(linger=0.0)
    first, second, other = (machine.assign(number) for number in range(3))
    machine.read(first, ("SET", {"a": 1}), schema=7)
    machine.work()
    assert machine.pipeline.paused() == {first: "schema"}
    machine.pipeline.schema_held(7)
    machine.read(second, ("SET", {"a": 1}), schema=7)
    machine.read(other, ("SET", {"a": 1}), schema=8)
    assert machine.pipeline.paused() == {first: "rules", second: "rules", other: "schema"}
    machine.pipeline.schema_known(7, DECODER, machine.now)
    assert machine.pipeline.paused() == {other: "schema"}


def test_rules_are_forgotten_with_a_schema_that_is_refused():
    """What is of no use needs no rules."""
    machine = Machine(linger=0.0)
    partition = machine.assign()
    machine.pipeline.schema_held(7)
    machine.pipeline.schema_refused(7, "incompatible_schema", "no", machine.now)
    machine.read(partition, ("SET", {"a": 1}), schema=7)
    assert machine.pipeline.paused() == {}
    assert machine.pipeline._intake.schemas.ruled == set()
