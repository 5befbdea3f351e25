"""An update as JSON, and the operation read back from it: nothing is lost on the way."""

import json
import math

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.event.encode import (
    SEPARATORS,
    exact_number,
    group_part,
    opening_of,
    operation_of,
    request_json,
    tail_with,
    update_tail,
    values_of,
)
from consumer.event.model import DELETE, UNSET, VERB_NAMES, Operation

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
# What a search for the values could stumble over: as text it stands in names, groups and values.
PITFALLS = [
    *VERB_NAMES,
    *[
        f"{before}{one.decode()}{after}"
        for one in SEPARATORS
        for before in ("", '"', "\\")
        for after in ("", "{", '"')
    ],
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4))
)


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    """Any operation that a change can ask for, and more."""
    verb = draw(st.integers(0, len(VERB_NAMES) - 1))
    values: dict[str, object] = draw(st.dictionaries(TEXT, VALUES, max_size=6))
    if verb == DELETE:
        values = {}
    elif verb == UNSET:
        values = dict.fromkeys(values)
    return Operation(draw(TEXT), draw(TEXT), verb, values, draw(st.none() | TEXT))


def exactly(value: object) -> object:
    """What tells two values apart: kinds, the sign of zero, the order of names."""
    if isinstance(value, dict):
        return [(name, exactly(item)) for name, item in value.items()]
    if isinstance(value, list):
        return [exactly(item) for item in value]
    return type(value), value, math.copysign(1, value) if isinstance(value, float) else 0


@settings(deadline=None, max_examples=800)
@given(operation=operations())
def test_what_is_written_is_read_back(operation):
    """Kinds, order and every digit of the values are the same, and so are verb and group."""
    again = operation_of(update_tail(operation))
    assert (again.group_key, again.group_id, again.verb) == (operation.group_key, operation.group_id, operation.verb)
    assert again.company_id == operation.company_id
    assert exactly(again.values) == exactly(operation.values)


@settings(deadline=None, max_examples=800)
@given(operation=operations(), pitfall=st.sampled_from(PITFALLS), where=st.integers(0, 31), long=st.booleans())
def test_values_alone_are_read_and_written_as_with_their_group(operation, pitfall, where, long):
    """What folding reads and writes is what the whole update has, whatever its texts are, and to the last digit."""
    group, name = pitfall if where & 1 else operation.group_key, pitfall if where & 2 else operation.group_id
    company = pitfall if where & 4 else operation.company_id
    values = dict(operation.values)
    if operation.verb != DELETE and where & 24:
        value = exact_number("12345678901234567890.1") if long else {pitfall: [pitfall]}
        values[pitfall if where & 8 else "name"] = None if operation.verb == UNSET else value
    tail = update_tail(Operation(group, name, operation.verb, values, company))
    again = operation_of(tail)
    alone = values_of(tail, operation.verb)
    assert update_tail(Operation(group, name, operation.verb, alone, company)) == tail
    if not long:
        assert exactly(alone) == exactly(again.values) == exactly(values)
    if operation.verb != DELETE:
        assert tail_with(group_part(tail, operation.verb), operation.verb, alone) == tail


@settings(deadline=None, max_examples=300)
@given(operation=operations(), token=TEXT)
def test_it_is_one_compact_object_for_any_reader(operation, token):
    """Put together of parts, it is what a JSON library would have written in one go, its keys in Mixpanel's order."""
    written = opening_of(token) + update_tail(operation)
    said = json.loads(written)
    company = [] if operation.company_id is None else ["$company_id"]
    assert list(said) == ["$token", "$group_key", "$group_id", *company, VERB_NAMES[operation.verb]]
    assert said["$token"] == token
    assert orjson.dumps(said) == written


@given(made=st.lists(operations(), min_size=1, max_size=4), token=TEXT)
def test_a_request_is_the_array_of_its_updates(made, token):
    """The body is valid JSON, for any number of them, each with the token."""
    tails = [update_tail(operation) for operation in made]
    opening = opening_of(token)
    assert json.loads(request_json(opening, tails)) == [json.loads(opening + tail) for tail in tails]
