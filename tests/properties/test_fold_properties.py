"""Folding loses nothing: the updates of a run, in any order, do what its changes do one by one.

The oracle is the sandbox's profile model, which was written apart from the core.
"""

import json
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.encode import update_json
from consumer.core.fold import EXACT, Fold
from consumer.core.model import ADD, DELETE, REMOVE, SET, SET_ONCE, UNION, UNSET, Operation
from consumer.sandbox.profiles import Profiles, identity

TOKEN = "t"
NAMES = st.sampled_from("abcd")
SCALARS = st.sampled_from([0, 1, 1.0, True, False, "", "x", "1", 2.5])
ITEMS = st.lists(st.sampled_from([0, 1, 1.0, "x", "1", 2.5, -1]), min_size=1, max_size=4)
# Anything that a profile may hold: each verb meets properties that do not fit it.
HELD = st.one_of(st.none(), SCALARS, ITEMS, st.just([True, ["x"], {"k": 1}]), st.just({"k": [1]}))
# Sums of each kind are exact beside any value held: whole numbers of any size, or small ones and quarters.
WHOLE = st.sampled_from([0, 1, -1, 7, EXACT - 1, 1 - EXACT, EXACT, 2**63 - 1, -(2**63)])
QUARTERS = st.integers(-8, 8).map(lambda number: number / 4) | st.integers(-8, 8)


def operations(numbers: st.SearchStrategy[object]) -> st.SearchStrategy[Operation]:
    """One operation of any verb on a few properties."""

    def of(verb: int, values: st.SearchStrategy[object]) -> st.SearchStrategy[Operation]:
        found = st.dictionaries(NAMES, values, min_size=1, max_size=3)
        return found.map(lambda properties: Operation("company", "acme", verb, properties))

    return st.one_of(
        of(SET, HELD | numbers),
        of(SET_ONCE, HELD | numbers),
        of(ADD, numbers),
        of(UNION, ITEMS),
        of(REMOVE, SCALARS),
        of(UNSET, st.none()),
        st.just(Operation("company", "acme", DELETE, {})),
    )


CASES = st.sampled_from([WHOLE, QUARTERS]).flatmap(
    lambda numbers: st.tuples(
        st.lists(operations(numbers), max_size=12),
        st.none() | st.dictionaries(NAMES, HELD | numbers | st.just([1, "x", True]), max_size=4),
    )
)


def profiles(before: dict[str, object] | None) -> Profiles:
    """The model, with a profile as it was before; None for a group that is new."""
    made = Profiles()
    if before is not None:
        apply(made, [Operation("company", "acme", SET, {"seed": 1, **before})])
        apply(made, [Operation("company", "acme", UNSET, {"seed": None})])
    return made


def apply(model: Profiles, updates: Sequence[Operation]) -> None:
    """Send each as it would be sent; none of them is refused."""
    for update in updates:
        assert model.apply(json.loads(update_json(update, TOKEN))) is None


def state(model: Profiles) -> object:
    """The profile, for comparison as JSON."""
    return identity(model.get(TOKEN, "company", "acme"))


def requests(run: list[Operation], cuts: set[int], limit: int) -> list[list[Operation]]:
    """The run as requests: it is folded, with a new request at every barrier and at these places."""
    found: list[list[Operation]] = []
    folded = Fold(limit)
    empty = True
    for place, operation in enumerate(run):
        if not empty and (place in cuts or not folded.add(operation, 100)):
            found.append(folded.updates("company", "acme"))
            folded = Fold(limit)
            empty = True
        if empty:
            assert folded.add(operation, 100)
            empty = False
    return found if empty else [*found, folded.updates("company", "acme")]


@settings(deadline=None, max_examples=600)
@given(case=CASES, cuts=st.sets(st.integers(0, 11)), limit=st.sampled_from([1, 2, 3, 2000]), random=st.randoms())
def test_a_folded_run_does_what_its_changes_do(case, cuts, limit, random):
    """For every cut into batches, every order within a batch, and every profile before, a missing one included."""
    run, before = case
    expected, found = profiles(before), profiles(before)
    apply(expected, run)
    for updates in requests(run, cuts, limit):
        assert len(updates) <= limit
        random.shuffle(updates)
        apply(found, updates)
    assert state(found) == state(expected)


@settings(deadline=None, max_examples=300)
@given(case=CASES, random=st.randoms())
def test_a_request_may_be_repeated(case, random):
    """A resend of a request without `$add`, after it was applied or not, changes nothing: at least once is safe."""
    run, before = case
    once, twice = profiles(before), profiles(before)
    for updates in requests(run, set(), 2000):
        if any(update.verb == ADD for update in updates):
            continue
        apply(once, updates)
        apply(twice, updates)
        random.shuffle(updates)
        apply(twice, updates)
    assert state(once) == state(twice)


@settings(deadline=None, max_examples=300)
@given(run=st.lists(operations(QUARTERS), min_size=1, max_size=12))
def test_updates_are_disjoint(run):
    """No two updates of a request touch one property, but for `$remove`s of it: so nothing depends on their order."""
    for updates in requests(run, set(), 2000):
        touched: dict[str, int] = {}
        for update in updates:
            for name in update.values:
                assert touched.setdefault(name, update.verb) == update.verb
                assert touched[name] == REMOVE or sum(name in other.values for other in updates) == 1
        assert DELETE not in [update.verb for update in updates] or len(updates) == 1
