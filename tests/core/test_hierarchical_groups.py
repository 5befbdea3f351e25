"""Mixpanel's three documented forms of an update in a project with hierarchical groups, byte for byte."""

import pytest

from consumer.event.encode import opening_of, operation_of, request_json, update_tail
from consumer.event.model import SET, Operation

FORMS = [
    (
        "$company_id",
        "acme",
        b'[{"$token":"t","$group_key":"$company_id","$group_id":"acme","$company_id":"acme","$set":{"plan":"gold"}}]',
    ),
    (
        "$user_id",
        "alice",
        b'[{"$token":"t","$group_key":"$user_id","$group_id":"alice","$company_id":"acme","$set":{"plan":"gold"}}]',
    ),
    (
        "team_id",
        "red",
        b'[{"$token":"t","$group_key":"team_id","$group_id":"red","$company_id":"acme","$set":{"plan":"gold"}}]',
    ),
]


@pytest.mark.parametrize(("key", "name", "body"), FORMS, ids=["company", "user", "team"])
def test_documented_forms(key, name, body):
    """The company's id stands between the group's id and the verb, and is read back."""
    operation = Operation(key, name, SET, {"plan": "gold"}, "acme")
    tail = update_tail(operation)
    assert request_json(opening_of("t"), [tail]) == body
    assert operation_of(tail).company_id == "acme"


def test_without_a_company():
    """Any other project's update has no such key."""
    tail = update_tail(Operation("company", "acme", SET, {"plan": "gold"}))
    assert request_json(opening_of("t"), [tail]) == (
        b'[{"$token":"t","$group_key":"company","$group_id":"acme","$set":{"plan":"gold"}}]'
    )
