"""The table of the event schema: what each operation needs, what it becomes, and what is refused."""

import json

import pytest

from consumer.event.convert import convert
from consumer.event.encode import bounded_tail, opening_of, update_tail
from consumer.event.errors import INVALID_CHANGE, TOO_LARGE, TRANSFORMATION, Reject
from consumer.event.model import Change

TOKEN = "t" * 32
OPENING = opening_of(TOKEN)


def change(operation: str, properties: dict[str, object] | None = None, names: list[str] | None = None) -> Change:
    """A change of one group."""
    return Change("e", 0, None, "company", "acme", operation, properties or {}, names or [])


def refused(wrong: Change) -> Reject:
    """The reject that the change is."""
    with pytest.raises(Reject) as caught:
        bounded_tail(convert(wrong), len(OPENING))
    assert caught.value.stage == TRANSFORMATION
    return caught.value


@pytest.mark.parametrize(
    ("good", "verb", "values"),
    [
        (change("SET", {"a": None, "b": {"c": [1]}}), "$set", {"a": None, "b": {"c": [1]}}),
        (change("SET_ONCE", {"a": True}), "$set_once", {"a": True}),
        (change("ADD", {"a": 2**63 - 1, "b": -0.5}), "$add", {"a": 2**63 - 1, "b": -0.5}),
        (change("UNION", {"a": ["x", 1, 1.5]}), "$union", {"a": ["x", 1, 1.5]}),
        (change("REMOVE", {"a": "x", "b": 1, "c": False}), "$remove", {"a": "x", "b": 1, "c": False}),
        (change("UNSET", names=["a", "b"]), "$unset", ["a", "b"]),
        (change("DELETE"), "$delete", ""),
    ],
)
def test_each_operation_becomes_its_verb(good: Change, verb: str, values: object):
    """Every operation becomes one update with the envelope and its one verb, integers exact."""
    sent = json.loads(OPENING + update_tail(convert(good)))
    assert sent == {"$token": TOKEN, "$group_key": "company", "$group_id": "acme", verb: values}
    assert list(sent) == ["$token", "$group_key", "$group_id", verb]


def test_updates_are_compact_utf_8():
    """Text goes out as UTF-8, unescaped, without spaces: the size of an update is that of these bytes."""
    operation = convert(change("SET", {"näme": "Köln"}))
    assert '"$set":{"näme":"Köln"}}'.encode() in update_tail(operation)


@pytest.mark.parametrize(
    ("wrong", "detail"),
    [
        (change("SET"), "SET needs properties"),
        (change("SET_ONCE"), "SET_ONCE needs properties"),
        (change("ADD"), "ADD needs properties"),
        (change("UNION"), "UNION needs properties"),
        (change("REMOVE"), "REMOVE needs properties"),
        (change("UNSET"), "UNSET needs property_names"),
        (change("SET", {"a": 1}, ["b"]), "SET takes no property_names"),
        (change("REMOVE", {"a": 1}, ["b"]), "REMOVE takes no property_names"),
        (change("DELETE", names=["b"]), "DELETE takes no property_names"),
        (change("DELETE", {"a": 1}), "DELETE takes no properties"),
        (change("UNSET", {"a": 1}, ["b"]), "UNSET takes no properties"),
        (change("UNSET", names=["b", "b"]), "property_names has the same name twice"),
        (change("ADD", {"a": 1, "b": True}), "property 2 of 2 is a boolean, and ADD needs a number"),
        (change("ADD", {"a": None}), "property 1 of 1 is null, and ADD needs a number"),
        (change("ADD", {"a": "1"}), "property 1 of 1 is a string, and ADD needs a number"),
        (change("ADD", {"a": [1]}), "property 1 of 1 is an array, and ADD needs a number"),
        (change("ADD", {"a": float("inf")}), "property 1 of 1 is not finite, and ADD needs a number"),
        (change("UNION", {"a": "x"}), "property 1 of 1 is a string, and UNION needs an array of strings or numbers"),
        (change("UNION", {"a": []}), "property 1 of 1 is an empty array, and UNION needs items"),
        (
            change("UNION", {"a": ["x", True]}),
            "property 1 of 1 has an item that is a boolean, and UNION needs strings or numbers",
        ),
        (
            change("UNION", {"a": ["x", {}]}),
            "property 1 of 1 has an item that is a map, and UNION needs strings or numbers",
        ),
        (change("REMOVE", {"a": None}), "property 1 of 1 is null, and REMOVE needs one string, number or boolean"),
        (change("REMOVE", {"a": {}}), "property 1 of 1 is a map, and REMOVE needs one string, number or boolean"),
        (change("APPEND", {"a": 1}), "the operation is none that can be sent to Mixpanel"),
        (Change("e", 0, None, "", "acme", "DELETE", {}, []), "group_key is empty"),
        (Change("e", 0, None, "company", "", "DELETE", {}, []), "group_id is empty"),
        (
            Change("e", 0, None, "$user_id", "ann", "DELETE", {}, [], ""),
            "company_id is empty: a group without a company has null",
        ),
    ],
)
def test_what_breaks_the_table_is_an_invalid_change(wrong: Change, detail: str):
    """What a change lacks, or has too much of, is refused in a sentence without its names and values."""
    reject = refused(wrong)
    assert (reject.reason, reject.detail) == (INVALID_CHANGE, detail)


def test_255_properties_are_the_most():
    """Mixpanel takes 255 properties in one update, set or unset; one more is too large."""
    names = [f"p{number}" for number in range(256)]
    assert convert(change("SET", dict.fromkeys(names[:255], 1)))
    assert convert(change("UNSET", names=names[:255]))
    for wrong in (change("SET", dict.fromkeys(names, 1)), change("UNSET", names=names)):
        reject = refused(wrong)
        assert reject.reason == TOO_LARGE
        assert reject.detail == "256 properties, and Mixpanel takes at most 255"


@pytest.mark.parametrize("filler", ["a", "ä", "\0", '"'])
def test_a_million_bytes_are_the_most(filler: str):
    """The limit is on the update as it is sent, token and envelope included: 1,000,000 bytes pass, not one more."""
    envelope = len(OPENING + update_tail(convert(change("SET", {"p": ""}))))
    width = len(json.dumps(filler, ensure_ascii=False).encode()) - 2
    count, rest = divmod(1_000_000 - envelope, width)
    value = filler * count + "x" * rest
    assert len(OPENING + bounded_tail(convert(change("SET", {"p": value})), len(OPENING))) == 1_000_000
    reject = refused(change("SET", {"p": value + "x"}))
    assert reject.reason == TOO_LARGE
    assert reject.detail == "the update has 1000001 bytes of JSON, and Mixpanel takes at most 1000000"


def test_items_that_take_no_byte_of_avro_are_measured_too():
    """An array of nulls is five bytes of JSON for each item, whatever it was in Avro."""
    reject = refused(change("SET", {"p": [None] * 200_001}))
    assert reject.reason == TOO_LARGE
