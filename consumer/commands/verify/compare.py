"""What differs between a group as the topic has it and its profile: one `Finding` for each property.

missing profile, missing, other, left over      faults
altered                                         as Mixpanel is known to alter: cut texts, rounded numbers, dates
waiting                                         right once the records that are not committed are applied
unknown                                         the topic cannot tell
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from consumer.commands.verify.model import Absent, Group, Known, Name, State, Unknown, identity, is_number

MISSING_PROFILE: Final = "missing profile"
MISSING: Final = "missing"
OTHER: Final = "other"
LEFT_OVER: Final = "left over"
ALTERED: Final = "altered"
WAITING: Final = "waiting"
UNKNOWN: Final = "unknown"
UNREAD: Final = "unread"
FAULTS: Final = (MISSING_PROFILE, MISSING, OTHER, LEFT_OVER)
KINDS: Final = (*FAULTS, UNREAD, ALTERED, WAITING, UNKNOWN)
# Mixpanel cuts names and texts after so many characters.
CUT: Final = 255
# Numbers are doubles there: what is nearer than this, in proportion, is the same number.
NEAR: Final = 1e-12
# A project's time zone moves a date by no more.
ZONES: Final = timedelta(hours=14)


@dataclass(frozen=True)
class Finding:
    """One thing that differs or cannot be told. `property` is None where it is the profile as a whole."""

    kind: str
    group_key: str
    group_id: str
    property: str | None = None
    expected: object = None
    found: object = None
    why: str = ""
    company_id: str | None = None

    def name(self) -> Name:
        """The name of the group that it is about."""
        return self.group_key, self.group_id, self.company_id


def judge(group: Group, profile: Mapping[str, object] | None) -> list[Finding]:
    """What differs, property by property; only those that the topic's events touch."""
    if profile is None and group.exists:
        late = any(existed is not True for existed in group.existed)
        why = waits(group) if late else ""
        kind = WAITING if late else MISSING_PROFILE
        return [Finding(kind, group.key, group.id, why=why, company_id=group.company)]
    findings = []
    for name, state in group.states.items():
        at = name if profile is not None and name in profile else name[:CUT]
        there = profile is not None and at in profile
        kind, why = kind_of(group, name, there, profile[at] if profile is not None and there else None)
        if kind:
            actual = profile[at] if profile is not None and there else None
            expected = state.value if isinstance(state, Known) else None
            findings.append(Finding(kind, group.key, group.id, name, expected, actual, why, group.company))
    return findings


def kind_of(group: Group, name: str, there: bool, actual: object) -> tuple[str, str]:
    """The kind of difference of one property, empty for none, with the reason."""
    state = group.states[name]
    if fits(state, there, actual):
        return ("", "") if not isinstance(state, Unknown) else (UNKNOWN, state.why)
    if any(fits(earlier, there, actual) or nearly(earlier, actual) for earlier in group.earlier.get(name, ())):
        return WAITING, waits(group)
    more = f"{waits(group)}, and none of them explains it" if name in group.earlier else ""
    if not there:
        return MISSING, more
    if isinstance(state, Known):
        how = altered(state.value, actual)
        return (ALTERED, how) if how else (OTHER, more)
    return LEFT_OVER, more


def fits(state: State, there: bool, actual: object) -> bool:
    """Whether the profile is as the state has it."""
    if isinstance(state, Absent):
        return not there
    if isinstance(state, Unknown):
        return there or not state.present
    if not there:
        return False
    if state.loose and isinstance(state.value, list) and isinstance(actual, list):
        return set(map(identity, state.value)) == set(map(identity, actual))
    return identity(state.value) == identity(actual)


def nearly(state: State, actual: object) -> bool:
    """Whether the value is the state's, as Mixpanel is known to alter it."""
    return isinstance(state, Known) and bool(altered(state.value, actual))


def waits(group: Group) -> str:
    """How much of the group is not committed."""
    return f"{group.waiting} of its changes {'is' if group.waiting == 1 else 'are'} not committed"


def altered(expected: object, actual: object) -> str:
    """How Mixpanel is known to have altered the value; empty where it is another one."""
    if is_number(expected) and is_number(actual):
        assert isinstance(expected, int | float)
        assert isinstance(actual, int | float)
        return "rounded number" if rounded(expected, actual) else ""
    if isinstance(expected, str) and isinstance(actual, str):
        if len(expected) > CUT and len(actual) < len(expected) and expected.startswith(actual) and len(actual) >= CUT:
            return f"text cut after {len(actual)} characters"
        return "date written otherwise" if same_date(expected, actual) else ""
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return of_parts([(old, new) for old, new in zip(expected, actual, strict=True)])
    if isinstance(expected, dict) and isinstance(actual, dict) and expected.keys() == actual.keys():
        return of_parts([(expected[name], actual[name]) for name in expected])
    return ""


def rounded(expected: float, actual: float) -> bool:
    """Whether both are the same double, or nearly so where sums of fractions may be added in another order."""
    try:
        near = 0.0 if isinstance(expected, int) else NEAR
        return math.isclose(float(expected), float(actual), rel_tol=near)
    except OverflowError:
        return False


def of_parts(pairs: list[tuple[object, object]]) -> str:
    """How the parts were altered; empty where one is another value."""
    hows = [altered(old, new) for old, new in pairs if identity(old) != identity(new)]
    return hows[0] if hows and all(hows) else ""


def same_date(expected: str, actual: str) -> bool:
    """Whether both are one time: with or without its zone, which the project's may have taken the place of."""
    try:
        first, second = datetime.fromisoformat(expected), datetime.fromisoformat(actual)
    except ValueError:
        return False
    if first.tzinfo and second.tzinfo:
        return first == second
    if first.tzinfo is None and second.tzinfo is None:
        return first.replace(microsecond=0) == second.replace(microsecond=0)
    apart = abs(first.replace(tzinfo=None, microsecond=0) - second.replace(tzinfo=None, microsecond=0))
    return apart <= ZONES and apart.total_seconds() % 900 == 0
