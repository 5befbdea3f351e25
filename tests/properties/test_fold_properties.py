"""Folding loses nothing: the updates of a run, in any order, do what its changes do one by one.

The oracle is the sandbox's profile model, which was written apart from the core.
"""

import json
from collections.abc import Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.entry import Entry, Update
from consumer.core.fold import Fold
from consumer.core.joined import EXACT
from consumer.core.lanes import Lanes
from consumer.core.limits import Limits
from consumer.core.model import Assignment, Record
from consumer.core.room import Share
from consumer.event.encode import operation_of, update_tail
from consumer.event.model import ADD, DELETE, REMOVE, SET, SET_ONCE, UNION, UNSET, Operation
from consumer.sandbox.mixpanel.profiles import Profiles, identity

TOKEN = "t"
GROUP = b'"$group_key":"company","$group_id":"acme"'
NAMES = "abcd"
# Ten values for each verb, some of every kind that a profile may hold: each verb meets properties that do not fit it.
HELD = (None, 0, 1, True, "x", 2.5, [1, "x"], [True, ["x"], {"k": 1}, 1], {"k": [1]}, [])
ITEMS = (["x"], ["y", "x"], [1], [1.0, "1"], [0, -1, "x"], ["x", "x"], [2.5], ["", "z"], [2, 1, 0], ["1"])
SCALARS = ("x", "y", 1, 1.0, True, False, 0, "1", "", 2.5)
# Sums of each kind are exact beside any number held: whole numbers of any size, or small ones and quarters.
WHOLE = (0, 1, -1, 7, EXACT - 1, 1 - EXACT, EXACT, EXACT - 8, 2**63 - 1, -(2**63))
QUARTERS = (0, 1, -1, 0.25, -0.75, 2.5, 3, 8, 0.5, -2)


def chosen(values: Sequence[object], names: int, seed: int) -> dict[str, object]:
    """A value for each of the names whose bit is set."""
    return {name: values[seed // 10**place % 10] for place, name in enumerate(NAMES) if names >> place & 1}


def operation(numbers: Sequence[object], verb: int, names: int, seed: int) -> Operation:
    """One operation, from three small numbers: Hypothesis draws and shrinks them quickly."""
    held = numbers if seed % 7 == 0 else HELD
    values = {SET: held, SET_ONCE: held, ADD: numbers, UNION: ITEMS, REMOVE: SCALARS, UNSET: (None,) * 10}
    return Operation("company", "acme", verb, {} if verb == DELETE else chosen(values[verb], names, seed))


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Operation], dict[str, object] | None]:
    """A run, and the profile before it: None for a group that is new."""
    numbers = draw(st.sampled_from([WHOLE, QUARTERS]))
    drawn = st.tuples(st.integers(0, 6), st.integers(1, 15), st.integers(0, 9999))
    run = [operation(numbers, *parts) for parts in draw(st.lists(drawn, max_size=12))]
    names = draw(st.integers(-1, 15))
    seed = draw(st.integers(0, 9999))
    return run, None if names < 0 else chosen(numbers if seed % 3 == 0 else HELD, names, seed)


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
        assert model.apply({"$token": TOKEN} | json.loads(b"{" + update_tail(update))) is None


def state(model: Profiles) -> object:
    """The profile, for comparison as JSON."""
    return identity(model.get(TOKEN, "company", "acme"))


def requests(run: list[Operation], cuts: int, limit: int) -> list[list[Operation]]:
    """The run as requests: one may begin after each change whose bit is set, and what is left goes at the end."""
    return [[update.operation for update in updates] for updates in updates_of(run, cuts, limit)]


def updates_of(run: list[Operation], cuts: int, limit: int) -> list[list[Update]]:
    """The same, as they go out."""
    lanes = Lanes(14, limit, True, Share(Limits(), None))
    partition = Assignment("changes", 0)
    found: list[list[Update]] = []
    for place, operation in enumerate(run):
        record = Record(partition, place, None, b"x" * 100, None, -1, 0.0)
        lanes.push(GROUP, Entry(record, operation.verb, update_tail(operation), place))
        if cuts >> place & 1:
            found.append(request(lanes, limit))
    while lanes.ready:
        found.append(request(lanes, limit))
    assert len(lanes) == 0
    return found


def request(lanes: Lanes, limit: int) -> list[Update]:
    """The updates of one request, which is accepted."""
    updates = lanes.take(limit, 10**9, 0.0)
    lanes.release(updates[0].run)
    return updates


def with_their_group(run: list[Operation], limit: int) -> list[bytes]:
    """The updates of the run's first request, where each change is read and written as a whole, group and all."""
    fold = Fold(limit)
    taken = 0
    for change in run:
        again = operation_of(update_tail(change))
        if not fold.add(again.verb, again.values, len(update_tail(change))):
            break
        taken += 1
    if taken == 1:
        return [update_tail(run[0])]
    return [update_tail(Operation("company", "acme", *update)) for update in fold.updates()]


@settings(deadline=None, max_examples=800)
@given(case=cases(), cuts=st.integers(0, 2**12), limit=st.sampled_from([1, 2, 3, 2000]), seed=st.integers(0, 10**6))
def test_a_folded_run_does_what_its_changes_do(case, cuts, limit, seed):
    """For every cut into batches, every order within a batch, and every profile before, a missing one included."""
    run, before = case
    expected, found = profiles(before), profiles(before)
    apply(expected, run)
    shuffle = Random(seed).shuffle
    for updates in requests(run, cuts, limit):
        assert len(updates) <= limit
        shuffle(updates)
        apply(found, updates)
    assert state(found) == state(expected)


@settings(deadline=None, max_examples=500)
@given(case=cases(), limit=st.sampled_from([1, 2, 3, 2000]))
def test_folding_values_alone_is_folding_whole_operations(case, limit):
    """Every byte and every barrier is as if each record were read and each update written with its group."""
    run = [change for change in case[0] if change.verb != DELETE]
    while run:
        first = updates_of(run, 0, limit)[0]
        assert [update.json for update in first] == with_their_group(run, limit)
        run = run[first[0].end :]


@settings(deadline=None, max_examples=300)
@given(case=cases(), seed=st.integers(0, 10**6))
def test_a_request_may_be_repeated(case, seed):
    """A resend of a request without `$add`, after it was applied or not, changes nothing: at least once is safe."""
    run, before = case
    once, twice = profiles(before), profiles(before)
    for updates in requests(run, 0, 2000):
        if any(update.verb == ADD for update in updates):
            continue
        apply(once, updates)
        apply(twice, updates)
        Random(seed).shuffle(updates)
        apply(twice, updates)
    assert state(once) == state(twice)


@settings(deadline=None, max_examples=300)
@given(case=cases())
def test_updates_are_disjoint(case):
    """No two updates of a request touch one property, but for `$remove`s of it: so nothing depends on their order."""
    for updates in requests(case[0], 0, 2000):
        touched: dict[str, int] = {}
        for update in updates:
            for name in update.values:
                assert touched.setdefault(name, update.verb) == update.verb
                assert touched[name] == REMOVE or sum(name in other.values for other in updates) == 1
        assert DELETE not in [update.verb for update in updates] or len(updates) == 1
