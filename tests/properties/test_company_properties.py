"""Groups of several companies that share their ids are kept apart: never folded together, never in one lane."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.batch import Batch
from consumer.sandbox.mixpanel.profiles import Profiles
from tests.core.machine import TOKEN, Machine, body

# Two ids, each in no company and in three, one of which has the name of a group.
IDS = ("ann", "bob")
COMPANIES = (None, "acme", "other", "ann")
CHANGES = ("SET", "SET_ONCE", "ADD", "UNION", "DELETE")
Group = tuple[str, str | None]

GROUPS = st.tuples(st.sampled_from(IDS), st.sampled_from(COMPANIES))
STEPS = st.lists(st.tuples(GROUPS, st.sampled_from(CHANGES), st.integers(0, 3)), min_size=1, max_size=40)


def update_of(group: Group, operation: str, value: object) -> dict[str, object]:
    """The update that the change alone would be."""
    name, company = group
    found: dict[str, object] = {"$token": TOKEN, "$group_key": "company", "$group_id": name}
    return found | ({} if company is None else {"$company_id": company}) | {f"${operation.lower()}": value}


def value_of(operation: str, number: int, step: int) -> object:
    """What the change does: each group has other values, so that a mixture of two shows."""
    if operation == "DELETE":
        return None
    return {f"p{number}": [step] if operation == "UNION" else step}


@settings(deadline=None)
@given(STEPS, st.integers(1, 4), st.booleans())
def test_every_company_has_profiles_of_its_own(steps: list[tuple[Group, str, int]], updates: int, fold: bool):
    """Whatever is folded, cut into requests and answered late, each profile is what its own changes make of it."""
    machine = Machine(batch_updates=updates, max_in_flight=3, fold=fold)
    partition = machine.assign()
    expected, mixpanel = Profiles(), Profiles()
    flying: list[Batch] = []
    for step, (group, operation, number) in enumerate(steps):
        value = value_of(operation, number, step)
        assert expected.apply(update_of(group, operation, "" if value is None else value)) is None
        machine.read(partition, (operation, value, group[0], None, group[1]))
        flying += machine.work()
        held = [{(update["$group_id"], update.get("$company_id")) for update in told(batch)} for batch in flying]
        assert sum(map(len, held)) == len(set().union(*held)), "a group is in two requests at once"
        if number == 0 and flying:
            answer(machine, mixpanel, flying.pop(step % len(flying)))
    flying += machine.work()
    while flying:
        answer(machine, mixpanel, flying.pop(0))
        flying += machine.work()
    assert machine.commit(partition) == len(steps)
    assert named(mixpanel) == named(expected)


@given(GROUPS, GROUPS)
def test_a_group_waits_for_itself_alone(one: Group, other: Group):
    """What is under way for one group holds back the same group, and no other."""
    machine = Machine(max_in_flight=2)
    partition = machine.assign()
    machine.read(partition, ("SET", {"a": 1}, one[0], None, one[1]))
    machine.one()
    machine.read(partition, ("SET", {"a": 2}, other[0], None, other[1]))
    assert len(machine.work()) == (one != other)


def told(batch: Batch) -> list[dict[str, str]]:
    """The updates of a request, as they are posted."""
    found: list[dict[str, str]] = json.loads(body(batch))
    return found


def answer(machine: Machine, mixpanel: Profiles, batch: Batch) -> None:
    """Mixpanel takes the request."""
    for update in told(batch):
        assert mixpanel.apply(update) is None
    machine.answer(batch)


def named(profiles: Profiles) -> dict[tuple[str, str], object]:
    """Every profile, by the group's id and company."""
    return {(one["group_id"], one.get("company_id", "")): one["properties"] for one in profiles.snapshot()}
