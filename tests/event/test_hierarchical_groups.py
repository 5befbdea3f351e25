"""Mixpanel's three documented forms of an update in a project with hierarchical groups, from Avro to JSON."""

import io

import fastavro
import pytest

from consumer.event.encode import operation_of, update_tail
from consumer.event.model import SET, Operation
from tests.core.machine import PARSED, Machine, body, sent

FORMS = [
    ("$company_id", "acme", b'"$group_key":"$company_id","$group_id":"acme","$company_id":"acme"'),
    ("$user_id", "alice", b'"$group_key":"$user_id","$group_id":"alice","$company_id":"acme"'),
    ("team_id", "red", b'"$group_key":"team_id","$group_id":"red","$company_id":"acme"'),
]


def framed(key: str, name: str, company: str | None) -> bytes:
    """A SET of the group, as a producer writes it."""
    out = io.BytesIO()
    event = {"event_id": "e", "occurred_at": 0, "group_key": key, "group_id": name, "company_id": company}
    fastavro.schemaless_writer(out, PARSED, {**event, "operation": "SET", "properties": {"plan": "gold"}})
    return b"\0\0\0\0\1" + out.getvalue()


@pytest.mark.parametrize(("key", "name", "named"), FORMS, ids=["company", "user", "team"])
def test_documented_forms(key: str, name: str, named: bytes):
    """The company's id stands between the group's id and the verb, and is read back."""
    machine = Machine()
    machine.read(machine.assign(), framed(key, name, "acme"))
    assert body(machine.one()) == b'[{"$token":"token",' + named + b',"$set":{"plan":"gold"}}]'
    assert operation_of(update_tail(Operation(key, name, SET, {"plan": "gold"}, "acme"))).company_id == "acme"


def test_without_a_company():
    """Any other project's update has no such key."""
    machine = Machine()
    machine.read(machine.assign(), framed("company", "acme", None))
    assert body(machine.one()) == (
        b'[{"$token":"token","$group_key":"company","$group_id":"acme","$set":{"plan":"gold"}}]'
    )


def test_an_id_in_two_companies_is_two_groups():
    """While a change of the one is under way that of the other goes out, and neither is folded into the other."""
    machine = Machine()
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}, "ann", None, "acme"))
    first = machine.one()
    machine.read(partition, ("SET", {"a": 2}, "ann", None, "other"), ("SET", {"a": 3}, "ann"))
    second = machine.one()
    assert sent(second) == [("ann", "$set", {"a": 2}), ("ann", "$set", {"a": 3})]
    machine.read(partition, ("SET", {"a": 4}, "ann", None, "acme"))
    assert machine.work() == []
    machine.answer(first)
    assert sent(machine.one()) == [("ann", "$set", {"a": 4})]


def test_a_dead_letter_names_the_company():
    """Also where the change was refused before anything was sent."""
    machine = Machine()
    machine.read(machine.assign(), ("SET", {"a": "x" * 1_000_000}, "ann", None, "acme"))
    assert machine.work() == []
    assert [(letter.reason, letter.company_id) for letter in machine.letters] == [("too_large", "acme")]
