"""What folds into what, property by property; what is a barrier; and what is sent again after a refusal."""

import pytest

from consumer.core.fold import Fold, restricted
from consumer.core.joined import EXACT
from consumer.event.encode import MAX_BYTES, opening_of, update_tail
from consumer.event.model import VERB_NAMES, VERBS, Operation

UNSAID = {"SET": 1, "SET_ONCE": 1, "ADD": 1, "UNION": ["x"], "REMOVE": "x"}


def operation(verb: str, values: object = None) -> Operation:
    """SET({"a": 1}), UNSET(["a"]) or DELETE()."""
    if isinstance(values, list):
        values = dict.fromkeys(values)
    assert values is None or isinstance(values, dict)
    return Operation("company", "acme", VERBS[verb], values or {})


def fold(*operations: tuple[str, object], limit: int = 2000) -> tuple[list[object], int]:
    """The updates of the run, as (verb, values), and how many operations it took before a barrier."""
    folded = Fold(limit)
    taken = 0
    for verb, values in operations:
        one = operation(verb, values)
        if not folded.add(one.verb, one.values, 100):
            break
        taken += 1
    updates: list[object] = []
    for number, found in folded.updates():
        name = VERB_NAMES[number]
        updates.append((name, list(found) if name == "$unset" else found))
    return updates, taken


def sent(verb: int, values: dict[str, object]) -> bytes:
    """The update as it goes out, with a token."""
    return opening_of("t" * 32) + update_tail(Operation("company", "acme", verb, values))


# (the run, the updates that it becomes): all of it folds.
FOLDS = [
    ([("SET", {"a": 1}), ("SET", {"a": 2, "b": 3})], [("$set", {"a": 2, "b": 3})]),
    ([("SET", {"a": 1}), ("SET", {"a": True})], [("$set", {"a": True})]),
    ([("SET", {"a": 1}), ("SET_ONCE", {"a": 2})], [("$set", {"a": 1})]),
    ([("SET", {"a": 1}), ("SET_ONCE", {"a": 2, "b": 3})], [("$set", {"a": 1}), ("$set_once", {"b": 3})]),
    ([("SET_ONCE", {"a": 1}), ("SET_ONCE", {"a": 2, "b": 3})], [("$set_once", {"a": 1, "b": 3})]),
    ([("ADD", {"a": 1}), ("ADD", {"a": 2, "b": -1})], [("$add", {"a": 3, "b": -1})]),
    ([("ADD", {"a": 0.5}), ("ADD", {"a": 0.25})], [("$add", {"a": 0.75})]),
    ([("ADD", {"a": 1}), ("ADD", {"a": -1})], [("$add", {"a": 0})]),
    ([("UNION", {"a": ["x", "y"]}), ("UNION", {"a": ["z", "x"]})], [("$union", {"a": ["x", "y", "z"]})]),
    ([("UNION", {"a": ["x", "x"]}), ("UNION", {"b": [1]})], [("$union", {"a": ["x"], "b": [1]})]),
    ([("UNION", {"a": [1]}), ("UNION", {"a": [1.0, "1"]})], [("$union", {"a": [1, 1.0, "1"]})]),
    ([("REMOVE", {"a": "x"}), ("REMOVE", {"a": "x"})], [("$remove", {"a": "x"})]),
    ([("REMOVE", {"a": 1}), ("REMOVE", {"a": True})], [("$remove", {"a": 1}), ("$remove", {"a": True})]),
    (
        [("REMOVE", {"a": "x", "b": 1}), ("REMOVE", {"a": "y"}), ("REMOVE", {"a": "z", "b": 2})],
        [("$remove", {"a": "x", "b": 1}), ("$remove", {"a": "y", "b": 2}), ("$remove", {"a": "z"})],
    ),
    ([("UNSET", ["a"]), ("UNSET", ["b", "a"])], [("$unset", ["a", "b"])]),
    ([("SET", {"a": 1, "b": 2}), ("UNSET", ["a"])], [("$set", {"b": 2}), ("$unset", ["a"])]),
    ([("UNSET", ["a"]), ("SET", {"a": 1})], [("$set", {"a": 1})]),
    ([("REMOVE", {"a": "x"}), ("UNSET", ["a"])], [("$unset", ["a"])]),
    *[([(verb, {"a": value}), ("SET", {"a": 9})], [("$set", {"a": 9})]) for verb, value in UNSAID.items()],
    *[
        ([(verb, {"a": value}), ("SET", {"b": 9}), ("UNSET", ["a"])], [("$set", {"b": 9}), ("$unset", ["a"])])
        for verb, value in UNSAID.items()
    ],
]


@pytest.mark.parametrize(("run", "expected"), FOLDS)
def test_a_run_folds(run: list, expected: list):
    """The whole run becomes updates on disjoint properties, the later word on each as the design says."""
    assert fold(*run) == (expected, len(run))


# (a first operation, then one that must wait): on the same property.
BARRIERS = [
    *[
        ((first, {"a": UNSAID[first]}), (then, {"a": UNSAID[then]}))
        for first in UNSAID
        for then in UNSAID
        if first != then and then != "SET" and (first, then) != ("SET", "SET_ONCE")
    ],
    *[(("UNSET", ["a"]), (then, {"a": UNSAID[then]})) for then in UNSAID if then != "SET"],
    (("ADD", {"a": EXACT - 1}), ("ADD", {"a": 1})),
    (("ADD", {"a": -EXACT + 1}), ("ADD", {"a": -1})),
    (("ADD", {"a": 0.1}), ("ADD", {"a": 0.2})),
    (("ADD", {"a": 0.1}), ("ADD", {"a": 3})),
    (("ADD", {"a": 2**52}), ("ADD", {"a": 0.25})),
    (("ADD", {"a": float(EXACT)}), ("ADD", {"a": 1})),
    (("ADD", {"a": 1}), ("ADD", {"a": EXACT * 1.0})),
    (("ADD", {"a": 1e308}), ("ADD", {"a": 1e308})),
    (("ADD", {"a": 2.0**52}), ("ADD", {"a": 2.0**52})),
]


@pytest.mark.parametrize(("first", "then"), BARRIERS)
def test_what_cannot_be_folded_waits(first: tuple[str, object], then: tuple[str, object]):
    """A barrier leaves the fold as it was before it."""
    assert fold(first, then) == (fold(first)[0], 1)


def test_a_barrier_takes_nothing_of_its_operation():
    """An operation is folded as a whole or not at all."""
    run = [("ADD", {"n": 1}), ("UNION", {"l": ["x"]})]
    expected = ([("$add", {"n": 1}), ("$union", {"l": ["x"]})], 2)
    for barrier in ({"m": 1, "n": 2, "l": 3}, {"n": 5, "l": 1}):
        assert fold(*run, ("ADD", barrier)) == expected
    assert fold(*run, ("REMOVE", {"q": "y", "l": "x"})) == expected
    assert fold(*run, ("UNION", {"l": ["y"], "n": ["y"]})) == expected


def test_the_values_of_a_record_are_never_changed():
    """Folding builds lists and sums of its own: a refused update is unfolded from the records as they came."""
    first = operation("UNION", {"l": ["x"]})
    numbers = operation("ADD", {"n": 1})
    folded = Fold(2000)
    for taken in (first, numbers, operation("UNION", {"l": ["y"]}), operation("ADD", {"n": 1})):
        assert folded.add(taken.verb, taken.values, 10)
    assert folded.updates()[0][1] == {"l": ["x", "y"]}
    assert (first.values, numbers.values) == ({"l": ["x"]}, {"n": 1})


def test_exact_sums_of_whole_numbers_stay_whole():
    """The largest sum that is folded is 2^53 - 1, and no integer becomes a fraction on the way."""
    updates, taken = fold(("ADD", {"a": EXACT - 2}), ("ADD", {"a": 1}))
    assert (updates, taken) == ([("$add", {"a": EXACT - 1})], 2)
    assert type(updates[0][1]["a"]) is int


def test_an_unset_does_not_absorb_the_last_that_creates_the_profile():
    """SET{a}, UNSET[a] of a group that is new leaves a profile without properties: $unset alone would leave none."""
    assert fold(("SET", {"a": 1}), ("UNSET", ["a"])) == ([("$set", {"a": 1})], 1)
    assert fold(("SET", {"a": 1, "b": 1}), ("UNSET", ["b", "a"]))[1] == 1
    assert fold(("SET", {"a": 1, "b": 1}), ("UNSET", ["a"]), ("UNSET", ["b"]))[1] == 2
    assert fold(("SET", {"a": 1}), ("SET", {"a": 2}), ("UNSET", ["a"]))[1] == 2
    assert fold(("ADD", {"a": 1}), ("SET", {"b": 1}), ("UNSET", ["a"]), ("SET", {"a": 1}), ("UNSET", ["b"]))[1] == 5
    assert fold(("UNSET", ["a"]), ("UNSET", ["a", "b"]))[1] == 2
    assert fold(("REMOVE", {"a": 1}), ("UNSET", ["a", "b"]))[1] == 2


@pytest.mark.parametrize("verb", ["SET", "SET_ONCE", "ADD"])
def test_255_properties_are_the_most(verb: str):
    """An update never names more than 255: one more property is a barrier, one that is there already is none."""
    names = [f"p{number}" for number in range(256)]
    full = (verb, dict.fromkeys(names[:255], 1))
    assert fold(full, (verb, {"p255": 1}))[1] == 1
    assert fold(full, (verb, {"p0": 1, "p254": 2}))[1] == 2
    assert fold(full, (verb, {"p0": 1, "p255": 2}))[1] == 1
    assert fold((verb, dict.fromkeys(names[:254], 1)), (verb, {"p254": 1}))[1] == 2


@pytest.mark.parametrize("letter", ["x", "\0", "ä"])
@pytest.mark.parametrize("verb", ["SET", "UNION"])
def test_every_folded_update_stays_below_a_megabyte(letter: str, verb: str):
    """Records are folded up to nearly 1,000,000 bytes of JSON and not beyond, whatever they consist of."""
    folded = Fold(2000)
    text = letter * 5000
    count = 0
    while count <= 2000:
        value = text + str(count)
        one = operation(verb, {f"p{count % 50}": value if verb == "SET" else [value]})
        if not folded.add(one.verb, one.values, len(update_tail(one))):
            break
        count += 1
    largest = max(len(sent(*update)) for update in folded.updates())
    assert largest < MAX_BYTES
    if verb == "UNION":
        assert largest > MAX_BYTES * 0.9
    else:
        assert count > 2000 or letter == "\0"


def test_the_most_wasteful_json_stays_below_a_megabyte():
    """Control characters take six bytes of JSON each."""
    folded = Fold(2000)
    taken = []
    for number in range(10):
        one = operation("SET", {f"p{number}": "\0" * 16_665})
        taken.append(folded.add(one.verb, one.values, len(update_tail(one))))
    assert taken == [True] * 9 + [False]
    [update] = folded.updates()
    assert len(sent(*update)) < MAX_BYTES


def test_the_number_of_updates_stays_below_the_limit():
    """`BATCH_MAX_UPDATES` bounds the updates of one run too: one more verb, or one more $remove, is a barrier."""
    verbs = [("SET", {"a": 1}), ("ADD", {"b": 1}), ("UNION", {"c": [1]}), ("REMOVE", {"d": 1}), ("REMOVE", {"d": 2})]
    for limit in range(1, 6):
        updates, taken = fold(*verbs, limit=limit)
        assert (len(updates), taken) == (limit, limit)
    assert fold(("REMOVE", {"d": 1}), ("REMOVE", {"d": 1}), ("REMOVE", {"e": 2}), limit=1)[1] == 3
    assert fold(("REMOVE", {"d": 1}), ("REMOVE", {"d": 2}), limit=1)[1] == 1
    assert fold(("REMOVE", {"d": 1}), ("SET", {"e": 2}), limit=1)[1] == 1
    assert fold(("SET", {"e": 2}), ("REMOVE", {"d": 1}), limit=1)[1] == 1


def test_what_is_sent_again_touches_only_what_was_refused():
    """After a refusal an operation goes again restricted to the properties of the refused updates."""
    whole: dict[str, object] = {"a": 1, "b": 2}
    assert restricted(whole, {"b", "c"}) == {"b": 2}
    assert restricted(whole, {"c"}) is None
    assert restricted(whole, set()) is None
    assert restricted({}, {"a"}) is None


def test_after_a_refused_delete_all_of_it_is_sent_again():
    """`$delete` owned everything: nothing is restricted."""
    wholes: list[dict[str, object]] = [{"a": 1}, {}]
    for whole in wholes:
        assert restricted(whole, None) is whole
