"""What `verify` makes of changes, beside the sandbox's profiles; and what it says of profiles that differ."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from consumer.commands.verify.alterations import altered_value
from consumer.commands.verify.compare import Finding, judge
from consumer.commands.verify.model import ABSENT, Group, Known, State, Unknown
from consumer.event.model import ADD, DELETE, REMOVE, SET, SET_ONCE, UNION, UNSET, VERB_NAMES
from consumer.sandbox.mixpanel.profiles import Profiles

HERE = ("changes", 0)
THERE = ("changes", 1)
GONE = "the topic's earlier records are gone"

scalars = some.sampled_from([0, 1, 2.5, "a", "b", True, None])
items = some.sampled_from([1, 1.0, "a", "b"])
names = some.sampled_from(["x", "y"])
operations = some.one_of(
    some.tuples(
        some.sampled_from([SET, SET_ONCE]),
        some.dictionaries(names, some.one_of(scalars, some.lists(items, max_size=3)), min_size=1),
    ),
    some.tuples(some.just(ADD), some.dictionaries(names, some.sampled_from([1, -1, 0.5]), min_size=1)),
    some.tuples(some.just(UNION), some.dictionaries(names, some.lists(items, min_size=1, max_size=3), min_size=1)),
    some.tuples(some.just(REMOVE), some.dictionaries(names, items, min_size=1)),
    some.tuples(some.just(UNSET), some.dictionaries(names, some.none(), min_size=1)),
    some.tuples(some.just(DELETE), some.just({})),
)


def group(*changes: tuple[Any, ...], **more: Any) -> Group:
    """A group after these changes: group((SET, {"a": 1}), ...)."""
    made = Group("company", "acme")
    for verb, values in changes:
        made.apply(verb, values, HERE, **more)
    return made


def written(changes: list[tuple[int, dict[str, Any]]]) -> dict[str, Any] | None:
    """What the sandbox's Mixpanel makes of them."""
    profiles = Profiles()
    for verb, values in changes:
        value: Any = "" if verb == DELETE else list(values) if verb == UNSET else values
        profiles.change([{"$token": "t", "$group_key": "company", "$group_id": "acme", VERB_NAMES[verb]: value}])
    return profiles.get("t", "company", "acme")


def kinds(found: list[Finding]) -> dict[str | None, str]:
    """The kind of each finding."""
    return {finding.property: finding.kind for finding in found}


@given(some.lists(operations, max_size=8))
def test_a_whole_history_is_told_exactly(changes: list[tuple[int, dict[str, Any]]]) -> None:
    """The sandbox's profile has no difference, and every property is known."""
    made = group(*changes)
    assert judge(made, written(changes)) == []
    assert not any(isinstance(state, Unknown) for state in made.states.values())


@given(some.lists(operations, max_size=4), some.lists(operations, min_size=1, max_size=5))
def test_after_retention_nothing_right_is_called_wrong(
    gone: list[tuple[int, dict[str, Any]]], kept: list[tuple[int, dict[str, Any]]]
) -> None:
    """Whatever was before: what the topic has left either fits or is unknown."""
    found = judge(group(*kept, gap=GONE), written(gone + kept))
    assert {finding.kind for finding in found} <= {"unknown"}


@given(some.lists(operations, max_size=4), some.lists(operations, min_size=1, max_size=4), some.integers(0, 4))
def test_what_waits_is_never_called_lost(
    done: list[tuple[int, dict[str, Any]]], waiting: list[tuple[int, dict[str, Any]]], applied: int
) -> None:
    """However many of the waiting changes have been applied already."""
    made = group(*done)
    for verb, values in waiting:
        made.apply(verb, values, HERE, waiting=True)
    assert {finding.kind for finding in judge(made, written(done + waiting[:applied]))} <= {"waiting"}


def test_each_kind_of_fault() -> None:
    """Missing, other, left over, and the profile itself."""
    made = group((SET, {"a": 1, "b": 2, "c": 3}), (UNSET, {"c": None}))
    assert kinds(judge(made, {"b": 3, "c": 3, "foreign": 1})) == {"a": "missing", "b": "other", "c": "left over"}
    assert kinds(judge(made, None)) == {None: "missing profile"}
    assert kinds(judge(group((SET, {"a": 1}), (DELETE, {})), {"a": 1})) == {"a": "left over"}
    assert kinds(judge(group((SET, {"a": True})), {"a": 1})) == {"a": "other"}
    assert judge(group((SET, {"a": 1}), (DELETE, {})), {"foreign": 1}) == []


def test_what_retention_took() -> None:
    """Totals, unions and first values are unknown, but they are there; a $set and a $delete make an end of that."""
    made = group((ADD, {"n": 1}), (UNION, {"l": ["a"]}), (SET_ONCE, {"f": 1}), (SET, {"s": 1}), gap=GONE)
    assert made.states["n"] == Unknown(GONE, present=True)
    assert kinds(judge(made, {"n": 7, "l": ["b"], "f": 2, "s": 1})) == {
        "n": "unknown",
        "l": "unknown",
        "f": "unknown",
    }
    assert kinds(judge(made, {"s": 1})) == {"n": "missing", "l": "missing", "f": "missing"}
    made.apply(DELETE, {}, HERE, gap=GONE)
    made.apply(ADD, {"n": 1}, HERE, gap=GONE)
    counted: State = made.states["n"]
    assert counted == Known(1)
    assert made.states["s"] == ABSENT


def test_what_waits_and_what_does_not() -> None:
    """A value that no waiting change explains is a fault all the same."""
    made = group((SET, {"a": 1}))
    made.apply(SET, {"a": 2}, HERE, waiting=True)
    made.apply(SET, {"a": 3}, HERE, waiting=True)
    assert kinds(judge(made, {"a": 3})) == {}
    assert kinds(judge(made, {"a": 1})) == kinds(judge(made, {"a": 2})) == {"a": "waiting"}
    (found,) = judge(made, {"a": 0})
    assert (found.kind, found.why) == ("other", "2 of its changes are not committed, and none of them explains it")
    assert kinds(judge(made, None)) == {None: "missing profile"}
    fresh = Group("company", "new")
    fresh.apply(SET, {"a": 1}, HERE, waiting=True)
    assert kinds(judge(fresh, None)) == {None: "waiting"}


def test_several_partitions_have_no_order() -> None:
    """What both change is unknown; what one changes is not."""
    made = group((SET, {"a": 1, "b": 1}))
    made.apply(SET, {"a": 2, "c": 1}, THERE)
    made.apply(SET, {"a": 3}, HERE)
    assert kinds(judge(made, {"a": 1, "b": 1, "c": 1})) == {"a": "unknown"}
    made.apply(DELETE, {}, THERE)
    assert set(kinds(judge(made, None)).values()) <= {"unknown"}


def test_dead_letters_in_doubt() -> None:
    """An $add that may be applied is unknown until the next $set; a replayed one for good."""
    made = group((SET, {"n": 1}))
    made.doubt(ADD, {"n": 1}, HERE, "in doubt", gap="", sticky=False)
    assert made.states["n"] == Unknown("in doubt", present=True)
    made.apply(SET, {"n": 5}, HERE)
    later: State = made.states["n"]
    assert later == Known(5)
    made.doubt(SET, {"n": 1}, HERE, "replayed", gap="", sticky=True)
    made.apply(SET, {"n": 6}, HERE)
    assert made.states["n"] == Unknown("replayed")
    made.doubt(DELETE, {}, HERE, "replayed", gap="", sticky=True)
    made.apply(SET, {"m": 6}, HERE)
    assert set(kinds(judge(made, None)).values()) == {"unknown"}


@pytest.mark.parametrize(
    ("expected", "found", "how"),
    [
        ("x" * 300, "x" * 255, "text cut after 255 characters"),
        ("x" * 300, "x" * 254, ""),
        ("x" * 10, "x" * 9, ""),
        ("é" * 200, "é" * 127, "text cut after 255 bytes"),
        ("é" * 200, "é" * 127 + "\ufffd", "text cut after 255 bytes"),
        ("é" * 200, "é" * 126, ""),
        ("é" * 127, "é" * 126, ""),
        ("é" * 300, "é" * 255, "text cut after 255 characters"),
        (2**53 + 1, float(2**53), "rounded number"),
        (10**13, 10**13 + 1, ""),
        (0.1 + 0.2, 0.3, "rounded number"),
        (5, 5.5, ""),
        (1, True, ""),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05", "date written otherwise"),
        ("2026-01-02T03:04:05Z", "2026-01-01T19:04:05", "date written otherwise"),
        ("2026-01-02T03:04:05", "2026-01-02T05:04:05", ""),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:05:05", ""),
        ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05+00:00", "date written otherwise"),
        ("2026-01-02T03:04:05.678901", "2026-01-02T03:04:05.678", "date written otherwise"),
        ("2026-01-02T03:04:05.100", "2026-01-02T03:04:05.900", ""),
        ("2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", "date written otherwise"),
        (["y" * 256, 1], ["y" * 255, 1], "text cut after 255 characters"),
        ({"a": "y" * 256, "b": 1}, {"a": "y" * 255, "b": 2}, ""),
    ],
)
def test_known_alterations(expected: Any, found: Any, how: str) -> None:
    """Told apart from other values."""
    assert altered_value(expected, found) == how
    kind = "altered" if how else "other"
    assert kinds(judge(group((SET, {"a": expected})), {"a": found})) == {"a": kind}


@pytest.mark.parametrize(
    ("expected", "found", "kind"),
    [
        ("2026-03-01T09:30:00", "2026-03-01T01:30:00", "altered"),
        ("2026-07-01T09:30:00", "2026-07-01T02:30:00", "altered"),
        ("2026-07-01T09:30:00", "2026-07-01T01:30:00", "other"),
        ("0001-01-01T00:00:00", "0001-01-01T08:00:00", "other"),
    ],
)
def test_a_date_in_the_projects_zone(expected: str, found: str, kind: str) -> None:
    """By its own offset on that day, and by no other; wherever it stands."""
    zone = ZoneInfo("America/Los_Angeles")
    made = group((SET, {"a": expected, "b": [{"c": expected}]}), (UNION, {"l": [expected]}))
    profile = {"a": found, "b": [{"c": found}], "l": [found]}
    assert kinds(judge(made, profile, zone)) == dict.fromkeys(("a", "b", "l"), kind)
    assert kinds(judge(made, profile, None)) == dict.fromkeys(("a", "b", "l"), "other")


def test_a_long_name_is_looked_for_cut() -> None:
    """As Mixpanel cuts names."""
    assert judge(group((SET, {"n" * 300: 1})), {"n" * 255: 1}) == []
    assert judge(group((SET, {"é" * 200: 1})), {"é" * 127: 1}) == []
    assert judge(group((SET, {"": 1})), {"": 1}) == []


def test_items_of_a_union_that_were_altered() -> None:
    """In whatever order they come; one that is another is a fault."""
    made = group((UNION, {"l": ["x" * 300, "b"]}), (UNION, {"l": [2**53 + 1]}))
    assert kinds(judge(made, {"l": ["b", float(2**53), "x" * 255]})) == {"l": "altered"}
    assert kinds(judge(made, {"l": ["b", float(2**53), "x" * 254]})) == {"l": "other"}
    assert kinds(judge(made, {"l": ["b", float(2**53), "x" * 255, "more"]})) == {"l": "other"}
    assert kinds(judge(group((SET, {"l": ["x" * 300, "b"]})), {"l": ["b", "x" * 255]})) == {"l": "other"}


def test_a_sum_of_fractions_in_another_order() -> None:
    """It may be off by a little of what was added, however little is left of it."""
    made = group(*((ADD, {"n": value}) for value in (0.1, 0.2, -0.3)))
    assert kinds(judge(made, {"n": 0.1 + (0.2 - 0.3)})) == {"n": "altered"}
    assert kinds(judge(made, {"n": 0})) == {"n": "altered"}
    assert kinds(judge(made, {"n": 1e-9})) == {"n": "other"}
    assert kinds(judge(group((ADD, {"n": 10**13}), (ADD, {"n": 1})), {"n": 10**13})) == {"n": "other"}


def test_a_profile_without_a_property_left() -> None:
    """Whether Mixpanel shows one after the last $unset nobody knows."""
    made = group((SET, {"a": 1}), (UNSET, {"a": None}))
    assert kinds(judge(made, None)) == {None: "unknown"}
    assert judge(made, {}) == []
    assert kinds(judge(made, {"a": 1})) == {"a": "left over"}


def test_a_profile_of_which_the_topic_has_the_end_alone() -> None:
    """It is left over, whatever it has; what Mixpanel itself notes on a profile does not tell."""
    made = group((DELETE, {}), gap=GONE)
    assert kinds(judge(made, {"plan": "pro"})) == {None: "left over"}
    assert judge(made, None) == judge(made, {"$last_seen": "2026-01-02T03:04:05"}) == []
    assert kinds(judge(group((DELETE, {}), waiting=True), {"plan": "pro"})) == {None: "waiting"}
    doubtful = Group("company", "acme")
    doubtful.doubt(DELETE, {}, HERE, "in doubt", gap="", sticky=False)
    assert judge(doubtful, {"plan": "pro"}) == []
