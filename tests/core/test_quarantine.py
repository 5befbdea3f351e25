"""What an operator has named becomes a dead letter; all else goes on."""

import pytest

from consumer.core.quarantine import Quarantine
from consumer.event.errors import QUARANTINED, TRANSFORMATION
from tests.core.machine import KNOWN, Machine, value

ACME, BETA = ("SET", {"a": 1}, "acme"), ("SET", {"a": 1}, "beta")


def test_a_place_alone_is_taken_out():
    """The record before it and the one behind it are sent; another partition's record of that offset, too."""
    machine = Machine(quarantine=Quarantine(places=[("changes", 0, 1)]))
    first, second = machine.assign(), machine.assign(1)
    machine.read(first, ("SET", {"a": 1}), ("SET", {"b": 1}), ("SET", {"c": 1}))
    machine.read(second, ("SET", {"d": 1}, "other"), ("SET", {"e": 1}, "other"))
    requests = machine.finish_but_letters()
    assert requests == [[("acme", "$set", {"a": 1, "c": 1}), ("other", "$set", {"d": 1, "e": 1})]]
    assert machine.commit(first) == 1
    [letter] = machine.letters
    assert (letter.record.offset, letter.reason, letter.stage) == (1, QUARANTINED, TRANSFORMATION)
    assert "may have been applied" in letter.detail
    machine.confirm()
    assert (machine.commit(first), machine.commit(second)) == (3, 2)
    assert machine.leftovers() == []


@pytest.mark.parametrize("payload", [None, b"not framed"])
def test_a_place_is_taken_out_whatever_is_there(payload):
    """It is decided before anything is read of the value."""
    machine = Machine(quarantine=Quarantine(places=[("changes", 0, 0)]))
    machine.read(machine.assign(), payload)
    machine.work()
    assert machine.confirm() == [(0, QUARANTINED)]


@pytest.mark.parametrize("named", [{"schemas": [7]}, {"places": [("changes", 0, 0)]}])
def test_a_schema_that_is_not_known_does_not_hold(named):
    """Nobody is asked for it, and what is behind it goes on."""
    machine = Machine(quarantine=Quarantine(**named))
    partition = machine.assign()
    machine.read(partition, value(ACME, 7), value(BETA, KNOWN))
    assert machine.finish_but_letters() == [[("beta", "$set", {"a": 1})]]
    assert machine.schemas == []
    assert machine.confirm() == [(0, QUARANTINED)]
    assert machine.commit(partition) == 2


def test_a_schema_that_is_known():
    """Every record of it is taken out."""
    machine = Machine(quarantine=Quarantine(schemas=[KNOWN]))
    machine.read(machine.assign(), ACME, BETA)
    assert machine.finish_but_letters() == []
    assert machine.confirm() == [(0, QUARANTINED), (1, QUARANTINED)]


def test_a_group_by_key_and_id():
    """Both must be the same; other groups go on."""
    machine = Machine(quarantine=Quarantine(groups=[("company", "acme"), ("team", "beta")]))
    partition = machine.assign()
    machine.read(partition, ACME, BETA, ACME)
    assert machine.finish_but_letters() == [[("beta", "$set", {"a": 1})]]
    assert machine.confirm() == [(0, QUARANTINED), (2, QUARANTINED)]
    assert machine.commit(partition) == 3


def test_a_project():
    """The project of what names none is `default`."""
    machine = Machine(quarantine=Quarantine(projects=["other"]))
    machine.read(machine.assign(), ACME)
    assert machine.finish() == [[("acme", "$set", {"a": 1})]]
    machine = Machine(quarantine=Quarantine(projects=["default"]))
    machine.read(machine.assign(), ACME)
    assert machine.finish_but_letters() == []
    assert machine.confirm() == [(0, QUARANTINED)]
