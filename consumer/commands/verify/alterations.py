"""How Mixpanel is known to alter values: cut texts, rounded numbers, dates written in another way.

Each function says how in a few words, and nothing where the value is another one. `zone` is the project's time zone,
None where it is not known.
"""

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from consumer.commands.verify.model import NEAR, Known, identity, is_number

# Mixpanel cuts names and texts after so many characters, or, by another page of its, after so many bytes of UTF-8.
CUT: Final = 255
TORN: Final = "\N{REPLACEMENT CHARACTER}"  # what the half of a character may be shown as
# A project's time zone moves a date by no more.
ZONES: Final = timedelta(hours=14)
MILLISECOND: Final = 1000


def altered(state: Known, actual: object, zone: tzinfo | None = None) -> str:
    """How the property's value was altered."""
    expected = state.value
    if is_number(expected) and is_number(actual) and near(expected, actual, state.error):
        return "rounded number"
    if state.loose and isinstance(expected, list) and isinstance(actual, list):
        return altered_set(expected, actual, zone)
    return altered_value(expected, actual, zone)


def altered_value(expected: object, actual: object, zone: tzinfo | None = None) -> str:
    """How one value was altered, wherever it stands."""
    if is_number(expected) and is_number(actual):
        return "rounded number" if near(expected, actual) else ""
    if isinstance(expected, str) and isinstance(actual, str):
        return cut_text(expected, actual) or ("date written otherwise" if same_date(expected, actual, zone) else "")
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return of_parts(zip(expected, actual, strict=True), zone)
    if isinstance(expected, dict) and isinstance(actual, dict) and expected.keys() == actual.keys():
        return of_parts(((expected[name], actual[name]) for name in expected), zone)
    return ""


def altered_set(expected: list[object], actual: list[object], zone: tzinfo | None) -> str:
    """How the items of a list without an order were altered: each that differs is there in another form."""
    wanted, there = set(map(identity, expected)), set(map(identity, actual))
    missing = [item for item in expected if identity(item) not in there]
    strange = [item for item in actual if identity(item) not in wanted]
    hows = [next(filter(None, (altered_value(item, other, zone) for other in strange)), "") for item in missing]
    hows += [next(filter(None, (altered_value(other, item, zone) for other in missing)), "") for item in strange]
    return hows[0] if hows and all(hows) else ""


def of_parts(pairs: Iterable[tuple[object, object]], zone: tzinfo | None) -> str:
    """How the parts were altered; nothing where one is another value."""
    hows = [altered_value(old, new, zone) for old, new in pairs if identity(old) != identity(new)]
    return hows[0] if hows and all(hows) else ""


def near(expected: object, actual: object, error: float = 0.0) -> bool:
    """Whether both are the same double, or a fraction nearly so; `error` is what sums of fractions may be off by."""
    assert isinstance(expected, int | float)
    assert isinstance(actual, int | float)
    try:
        close = 0.0 if isinstance(expected, int) else NEAR
        return math.isclose(float(expected), float(actual), rel_tol=close, abs_tol=error)
    except OverflowError:
        return False


def cut_text(expected: str, actual: str) -> str:
    """After how much the text was cut."""
    if len(expected) > CUT and CUT <= len(actual) < len(expected) and expected.startswith(actual):
        return f"text cut after {len(actual)} characters"
    whole = cut_in_bytes(expected)
    return f"text cut after {CUT} bytes" if whole != expected and actual.rstrip(TORN) == whole else ""


def cut_in_bytes(text: str) -> str:
    """The whole characters of the text's first bytes."""
    return text.encode("utf-8", "surrogatepass")[:CUT].decode("utf-8", "ignore")


def names_of(name: str) -> tuple[str, ...]:
    """The names under which a property may be found, its own first."""
    return (name, name[:CUT], cut_in_bytes(name)) if len(name) * 4 > CUT else (name,)


def same_date(expected: str, actual: str, zone: tzinfo | None) -> bool:
    """Whether both are one time: with or without its zone, which the project's may have taken the place of.

    Dates without a zone are in UTC. Nobody knows whether they come back so or in the project's zone.
    """
    try:
        first, second = datetime.fromisoformat(expected), datetime.fromisoformat(actual)
    except ValueError:
        return False
    if not same_fraction(first.microsecond, second.microsecond):
        return False
    first, second = first.replace(microsecond=0), second.replace(microsecond=0)
    if first.tzinfo is None and second.tzinfo is None:
        return second in (first, moved(first, zone))
    if first.tzinfo and second.tzinfo:
        return first == second
    apart = abs(first.replace(tzinfo=None) - second.replace(tzinfo=None))
    return apart <= ZONES and apart.total_seconds() % 900 == 0


def moved(date: datetime, zone: tzinfo | None) -> datetime:
    """The date in UTC as this zone has it."""
    try:
        return date.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) if zone is not None else date
    except OverflowError:
        return date


def same_fraction(first: int, second: int) -> bool:
    """Whether both fractions of a second are one, or one of them was cut: to milliseconds, or to none."""
    more, less = max(first, second), min(first, second)
    return less in (more, more // MILLISECOND * MILLISECOND, 0)
