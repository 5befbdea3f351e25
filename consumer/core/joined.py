"""How values of one verb become one, property by property: exact sums, and items that are gathered once each."""

from typing import Final

import orjson

# Sums stay below this, since a JSON reader may keep numbers as doubles.
EXACT: Final = 2**53


def sums(part: dict[str, object], values: dict[str, object]) -> dict[str, object] | None:
    """What each of these properties is to be raised by in all; None where a sum has no exact value."""
    found: dict[str, object] = {}
    for name, value in values.items():
        total = add(part[name], value) if name in part else value
        if total is None:
            return None
        found[name] = total
    return found


def gather(part: dict[str, object], name: str, values: object) -> None:
    """Add the items that the property does not have yet; the first occurrence keeps its place."""
    items = part.get(name)
    if items is None:
        items = part[name] = {}
    assert isinstance(items, dict)
    assert isinstance(values, list)
    for item in values:
        items.setdefault(identity(item), item)


def listed(items: object) -> list[object]:
    """What was gathered, in order."""
    assert isinstance(items, dict)
    return list(items.values())


def all_listed(part: dict[str, object]) -> dict[str, object]:
    """What was gathered, of each property."""
    return {name: listed(items) for name, items in part.items()}


def deepest(part: dict[str, object], values: dict[str, object]) -> int:
    """The most scalars that one of these properties is to lose, once these values are among them."""
    depth = 1
    for name, value in values.items():
        items = part.get(name)
        if items is not None:
            assert isinstance(items, dict)
            if identity(value) not in items:
                depth = max(depth, len(items) + 1)
    return depth


def one_by_one(part: dict[str, object]) -> list[dict[str, object]]:
    """$remove takes one scalar of a property: the first of every property, then the second, and so on."""
    found: list[dict[str, object]] = []
    for name, items in part.items():
        for position, item in enumerate(listed(items)):
            if position == len(found):
                found.append({})
            found[position][name] = item
    return found


def identity(value: object) -> object:
    """What makes two scalars the same to a fold: kind and value, so that true is not 1, nor 1.0."""
    if isinstance(value, orjson.Fragment):
        return ("number", orjson.dumps(value))
    return (type(value).__name__, value)


def add(before: object, value: object) -> object | None:
    """The exact sum, or None where it has none: beyond 2^53, or rounded."""
    if isinstance(before, int) and isinstance(value, int):
        total = before + value
        return total if -EXACT < total < EXACT else None
    if not isinstance(before, (int, float)) or not isinstance(value, (int, float)):
        return None
    if abs(before) >= EXACT or abs(value) >= EXACT:
        return None
    left = float(before)
    right = float(value)
    rounded = left + right
    # Knuth's two-sum: what rounding took away, itself without rounding.
    carried = rounded - left
    lost = (left - (rounded - carried)) + (right - carried)
    return rounded if lost == 0.0 and abs(rounded) < EXACT else None
