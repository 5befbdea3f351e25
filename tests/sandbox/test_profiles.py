"""The profile model: what each operation does, as Mixpanel's reference words it."""

import pytest

from consumer.sandbox.mixpanel.profiles import Profiles, identity
from consumer.sandbox.mixpanel.updates import json_size, refusal

MISSING = None

# (properties before, or None for no profile; operation; properties after, or None)
EFFECTS = [
    (MISSING, {"$set": {"a": 1}}, {"a": 1}),
    ({"a": 1, "b": 2}, {"$set": {"a": [1], "c": None}}, {"a": [1], "b": 2, "c": None}),
    (MISSING, {"$set_once": {"a": 1}}, {"a": 1}),
    ({"a": 1, "n": None}, {"$set_once": {"a": 2, "b": 3, "n": 4}}, {"a": 1, "b": 3, "n": None}),
    (MISSING, {"$add": {"n": 2}}, {"n": 2}),
    ({"n": 2**53}, {"$add": {"n": 1, "m": 0.5}}, {"n": 2**53 + 1, "m": 0.5}),
    (
        {"n": "two", "b": True, "x": 1e308},
        {"$add": {"n": 1, "b": 1, "x": 1e308}},
        {"n": "two", "b": True, "x": 1e308},
    ),
    (MISSING, {"$union": {"l": ["a", "b", "a"]}}, {"l": ["a", "b"]}),
    ({"l": [1, True, "1"]}, {"$union": {"l": [1.0, "1", 2]}}, {"l": [1, True, "1", 2]}),
    ({"l": "scalar", "o": {}}, {"$union": {"l": ["a"], "o": ["a"]}}, {"l": "scalar", "o": {}}),
    (MISSING, {"$remove": {"l": "a"}}, MISSING),
    ({"l": ["a", "b", "a"]}, {"$remove": {"l": "a", "none": "a"}}, {"l": ["b"]}),
    ({"l": [1, True, "1", 1.0]}, {"$remove": {"l": True}}, {"l": [1, "1", 1.0]}),
    ({"l": [1, True, "1", 1.0]}, {"$remove": {"l": 1}}, {"l": [True, "1"]}),
    ({"l": ["a", ["a"], {"k": 1}]}, {"$remove": {"l": ["a"]}}, {"l": ["a", {"k": 1}]}),
    ({"l": ["a"]}, {"$remove": {"l": "a"}}, {"l": []}),
    ({"l": "a"}, {"$remove": {"l": "a"}}, {"l": "a"}),
    (MISSING, {"$unset": ["a"]}, MISSING),
    ({"a": 1, "b": 2}, {"$unset": ["a", "a", "never"]}, {"b": 2}),
    ({"a": 1}, {"$unset": ["a"]}, {}),
    (MISSING, {"$delete": ""}, MISSING),
    ({"a": 1}, {"$delete": ""}, MISSING),
    ({"a": 1}, {"$delete": None}, MISSING),
    ({"a": 1}, {"$delete": "null"}, MISSING),
    ({"a": 1}, {"$delete": {}}, MISSING),
]


@pytest.mark.parametrize(("before", "operation", "after"), EFFECTS)
def test_effect(update, before, operation, after):
    """Each operation changes a profile as the table says, and creates one only where it says so."""
    profiles = Profiles()
    if before is not None:
        assert profiles.apply(update(set={"seed": 0} | before)) is None
        assert profiles.apply(update(unset=["seed"])) is None

    assert profiles.apply(update() | operation) is None

    found = profiles.get("token", "company", "acme")
    assert identity(found) == identity(after)


REFUSED = [
    ([], "update, not an object"),
    ({}, "$token, missing or empty"),
    ({"$token": "t", "$group_key": "", "$group_id": "g", "$set": {"a": 1}}, "$group_key, missing or empty"),
    ({"$token": "t", "$group_key": "k", "$group_id": None, "$set": {"a": 1}}, "$group_id, missing or empty"),
    ({"$token": "t", "$group_key": "k", "$group_id": 7, "$set": {"a": 1}}, "$group_id, not a string"),
]
REFUSED_OPERATIONS = [
    ({}, "operation, missing"),
    ({"$set": {"a": 1}, "$unset": ["b"]}, "operation, more than one: $set, $unset"),
    ({"$append": {"a": 1}}, "$append, not supported in group profiles"),
    ({"$set": {}}, "$set, missing or empty"),
    ({"$set": None}, "$set, not an object"),
    ({"$set_once": [1]}, "$set_once, not an object"),
    ({"$add": {"a": 1, "b": "2"}}, "$add, b is not a number"),
    ({"$add": {"a": True}}, "$add, a is not a number"),
    ({"$union": {"a": "scalar"}}, "$union, a is not an array of strings and numbers"),
    ({"$union": {"a": []}}, "$union, a is not an array of strings and numbers"),
    ({"$union": {"a": ["x", False]}}, "$union, a is not an array of strings and numbers"),
    ({"$remove": {}}, "$remove, missing or empty"),
    ({"$unset": {"a": 1}}, "$unset, not an array"),
    ({"$unset": []}, "$unset, missing or empty"),
    ({"$unset": ["a", 1]}, "$unset, names must be strings"),
    ({"$set": {str(n): n for n in range(256)}}, "$set, more than 255 properties"),
    ({"$unset": [str(n) for n in range(256)]}, "$unset, more than 255 properties"),
    ({"$set": {"a": "é" * 500_000}}, "update, exceeds 1000000 bytes"),
]


@pytest.mark.parametrize(("wrong", "words"), REFUSED)
def test_refused_envelope(wrong, words):
    """An update without a whole identity is refused, in the words of Mixpanel's own answers."""
    assert Profiles().apply(wrong) == words


@pytest.mark.parametrize(("operation", "words"), REFUSED_OPERATIONS)
def test_refused_operation(update, operation, words):
    """An operation that the reference does not allow is refused, and nothing of it is applied."""
    profiles = Profiles()

    assert profiles.apply(update() | operation) == words
    assert profiles.snapshot() == []


def test_limits_are_taken_whole(update):
    """255 properties and exactly 1,000,000 bytes are taken; one more of either is not."""
    full = update(set={"a": ""})
    full["$set"]["a"] = "x" * (1_000_000 - json_size(full))

    assert refusal(full) is None
    full["$set"]["a"] += "x"
    assert refusal(full) == "update, exceeds 1000000 bytes"
    assert refusal(update(set={str(n): n for n in range(255)})) is None


def test_depth_is_limited(update):
    """A value nested so deep that it could not be shown is refused rather than kept."""
    deep: object = "bottom"
    for _ in range(200):
        deep = [deep]

    assert refusal(update(set={"a": deep})) == "$set, a is not nested less than 64 deep"


def test_profiles_are_apart(update):
    """Token, group key, group id and company together name a profile."""
    profiles = Profiles()
    others = [{"$token": "other"}, {"$group_key": "team"}, {"$group_id": "umbrella"}]
    for changed in ({}, *others, {"$company_id": "acme"}, {"$company_id": "umbrella"}):
        profiles.apply(update(add={"n": 1}) | changed)

    assert [profile["properties"] for profile in profiles.snapshot()] == [{"n": 1}] * 6


def test_a_user_in_two_companies_is_two_profiles(update):
    """Neither sees what is done to the other; a deletion takes one of them."""
    profiles = Profiles()
    ann = {"$group_id": "ann", "$group_key": "$user_id"}
    profiles.apply(update(set={"x": 1}) | ann | {"$company_id": "acme"})
    profiles.apply(update(set={"x": 2}) | ann | {"$company_id": "umbrella"})
    profiles.apply(update(delete="") | ann | {"$company_id": "acme"})

    assert profiles.get("token", "$user_id", "ann", "acme") is None
    assert profiles.get("token", "$user_id", "ann", "umbrella") == {"x": 2}
    named = {"token": "token", "group_key": "$user_id", "group_id": "ann"}
    assert profiles.snapshot() == [{**named, "company_id": "umbrella", "properties": {"x": 2}}]
    assert [profile["company_id"] for profile in profiles.changes(0, 10)["deleted"]] == ["acme"]
    assert [profile["company_id"] for profile in profiles.changes(0, 10, "brella")["profiles"]] == ["umbrella"]


def test_changes_are_told_newest_first(update):
    """A page that asks since a version learns what changed after it, newest first, and what was deleted."""
    profiles = Profiles()
    for name in ("a", "b", "c"):
        profiles.apply(update(name, set={"x": 1}))
    seen = profiles.changes(0, 10)
    profiles.apply(update("a", set={"x": 2}))
    profiles.apply(update("b", delete=""))

    news = profiles.changes(seen["version"], 10)

    assert [profile["group_id"] for profile in seen["profiles"]] == ["c", "b", "a"]
    assert [profile["group_id"] for profile in news["profiles"]] == ["a"]
    assert [profile["group_id"] for profile in news["deleted"]] == ["b"]
    assert news["total"] == 2
    assert len(profiles.changes(0, 1)["profiles"]) == 1
    assert profiles.changes(news["version"], 10)["profiles"] == []
    assert [profile["group_id"] for profile in profiles.changes(0, 10, "c")["profiles"]] == ["c"]
    profiles.apply(update("b", set={"x": 3}))
    assert profiles.changes(seen["version"], 10)["deleted"] == []


def test_a_snapshot_stays_as_it_was(update):
    """What was handed out does not change when the profile does."""
    profiles = Profiles()
    profiles.apply(update(union={"l": ["a"]}))
    before = profiles.snapshot()
    profiles.apply(update(union={"l": ["b"]}))
    profiles.apply(update(set={"m": 1}))

    assert before[0]["properties"] == {"l": ["a"]}
