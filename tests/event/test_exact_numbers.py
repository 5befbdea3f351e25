"""Decimals of more digits than a double keeps go through folding digit by digit, as JSON that anybody reads."""

import json
from decimal import Decimal

import orjson
import pytest

from consumer.core.fold import Fold
from consumer.event.encode import EXACT, operation_of, update_tail, values_of
from consumer.event.model import ADD, REMOVE, SET, UNION, Operation
from consumer.mapping.scalars import exact, text_of

LONG = ("12345678901234567890123456789012345678", "-0.12345678901234567890123456789012345678", "9007199254740993.5")


def value_of(text: str) -> object:
    """The value that a mapped decimal of this text is."""
    scale = len(text.partition(".")[2])
    return exact(int(text.replace(".", "")), scale)


def folded(verb: int, *values: object) -> list[bytes]:
    """The updates of one operation for each value, read back and folded."""
    fold = Fold(10)
    for number, value in enumerate(values):
        tail = update_tail(Operation("company", "acme", verb, {"a": value, f"b{number}": value}))
        if not fold.add(verb, values_of(tail, verb), len(tail)):
            return []
    return [update_tail(Operation("company", "acme", *update)) for update in fold.updates()]


@pytest.mark.parametrize("text", LONG)
def test_every_digit_is_sent(text: str) -> None:
    value = value_of(text)
    [update] = folded(SET, 0.1, value)
    found = json.loads(b"{" + update, parse_float=Decimal, parse_int=Decimal)["$set"]
    assert (found["a"], found["b0"], found["b1"]) == (Decimal(text), Decimal("0.1"), Decimal(text))
    assert orjson.loads(b"{" + update)["$set"]["a"] == float(text)
    assert text_of(value) == text


def test_one_item_is_gathered_once() -> None:
    """Of a list, and of what is removed one by one."""
    long = [value_of(text) for text in LONG]
    [update] = folded(UNION, [*long, 1.5], [*long, 1.5])
    assert len(json.loads(b"{" + update)["$union"]["a"]) == 4
    assert len(folded(REMOVE, long[0], long[0])) == 1


def test_a_sum_without_an_exact_value_is_none() -> None:
    assert folded(ADD, value_of(LONG[0]), 1) == []


def test_other_numbers_are_read_as_ever() -> None:
    """No text, name or double is written with the mark."""
    values = {"tab\there": "a\tb", "n": 2**64 - 1, "f": 1e-7, "g": 0.1234567890123456, "h": 1.5e300}
    tail = update_tail(Operation("company", "ac\tme", SET, values))
    assert EXACT not in tail
    beside = update_tail(Operation("company", "ac\tme", SET, values | {"d": value_of(LONG[1])}))
    again = operation_of(beside)
    assert {name: again.values[name] for name in values} == values
    assert update_tail(again) == beside
