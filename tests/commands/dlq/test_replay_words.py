"""What a replay tells of records whose fields came encrypted, and what it waits for where keys are missing."""

from types import SimpleNamespace
from typing import Any

import pytest

from consumer.commands.dlq.receipts import Receipt, RecordIdentity
from consumer.commands.dlq.recorder import Recorder
from consumer.commands.dlq.replay_observer import ReplayObserver
from consumer.core.causes import RULES
from consumer.core.model import Assignment, DeadLetter
from consumer.registry.advice import advice
from consumer.registry.facts import SchemaFailing, SchemaHeld
from tests.commands.dlq.conftest import letter


def refused(*, sealed: bool) -> DeadLetter:
    """A record that Mixpanel refused, in words that repeat a field."""
    found = letter(1)
    found.record.sealed = sealed
    found.error = "secret-plan is not what it should be"
    return found


def observer(paused: dict[Assignment, str] | None = None) -> Any:
    """One that sees these partitions paused."""
    partitions = SimpleNamespace(by_assignment={}, held_schemas=dict)
    pipeline: Any = SimpleNamespace(
        partitions=partitions, paused=lambda: paused or {}, destinations=SimpleNamespace(halted=dict)
    )
    nothing: Any = SimpleNamespace(failing=lambda: False)
    return ReplayObserver(pipeline, nothing, nothing, lambda _: None, 60.0)


@pytest.mark.parametrize("sealed", [True, False])
def test_words_that_may_repeat_an_encrypted_field_are_not_told(sealed: bool):
    """Not in the receipt, which Kafka keeps for ever, and not in the table of samples."""
    one = refused(sealed=sealed)
    written: list[Receipt] = []
    receipts: Any = SimpleNamespace(write=lambda name, receipt, confirmed: written.append(receipt))
    gate: Any = SimpleNamespace(forget=lambda identity: None)
    Recorder(receipts, {one.record: RecordIdentity("t:0:1", "")}, {}, gate).produce(one)
    seen = observer()
    seen.dead_lettered(one)
    words = [written[0].error, seen.samples[0][2]]
    if sealed:
        assert words == ["not told: fields of the record came encrypted"] * 2
    else:
        assert words == [one.error] * 2


@pytest.mark.parametrize("cause", ["kms", "key_unknown"])
def test_a_key_that_cannot_be_had_is_no_rule_that_is_not_run(cause: str):
    """To read ciphertext as it is would be the wrong advice."""
    seen = observer({Assignment("t", 0): RULES})
    seen.schema(SchemaFailing(7, cause))
    assert seen.waits_for() == f"a data key cannot be had ({cause}): {advice(cause)}"


def test_rules_that_are_not_run_are_named():
    """By what another schema's outage says nothing is changed."""
    seen = observer({Assignment("t", 0): RULES})
    seen.schema(SchemaHeld(7, ("migrate (JSONATA)",)))
    seen.schema(SchemaFailing(8, "kms"))
    assert "rules that are not run here (migrate (JSONATA)): SCHEMA_RULES=ignore" in seen.waits_for()
