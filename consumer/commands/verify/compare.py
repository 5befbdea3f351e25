"""What differs between a group as the topic has it and its profile: one `Finding` for each property.

missing profile, missing, other, left over      faults
altered                                         as Mixpanel is known to alter: cut texts, rounded numbers, dates
waiting                                         right once the records that are not committed are applied
unknown                                         the topic cannot tell
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from consumer.commands.verify.alterations import altered, names_of
from consumer.commands.verify.model import Absent, Group, Known, Name, State, Unknown, identity

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
EMPTY: Final = "no property of it is left: whether Mixpanel shows such a profile nobody knows"
DELETED: Final = "the topic's last change deletes it"
# What a profile has that nobody wrote: it says nothing of whether it was deleted.
OWN: Final = frozenset(("$last_seen", "$city", "$region", "$country_code", "$timezone", "$mp_first_event_time"))


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


def judge(group: Group, profile: Mapping[str, object] | None, zone: tzinfo | None = None) -> list[Finding]:
    """What differs, property by property; only those that the topic's events touch. `zone` is the project's."""
    whole = judge_whole(group, profile)
    if whole is not None:
        kind, why = whole
        return [Finding(kind, group.key, group.id, why=why, company_id=group.company)]
    findings = []
    for name, state in group.states.items():
        at = next((at for at in names_of(name) if profile is not None and at in profile), None)
        actual = profile[at] if profile is not None and at is not None else None
        kind, why = kind_of(group, name, at is not None, actual, zone)
        if kind:
            expected = state.value if isinstance(state, Known) else None
            findings.append(Finding(kind, group.key, group.id, name, expected, actual, why, group.company))
    return findings


def judge_whole(group: Group, profile: Mapping[str, object] | None) -> tuple[str, str] | None:
    """What is said of the profile as a whole, kind and reason; None where its properties tell."""
    if profile is None and group.exists:
        if any(existed is not True for existed in group.existed):
            return WAITING, waits(group)
        if all(isinstance(state, Absent) for state in group.states.values()):
            return UNKNOWN, EMPTY
        return MISSING_PROFILE, ""
    if group.exists is False and not group.states and profile is not None and not profile.keys() <= OWN:
        return (WAITING, waits(group)) if group.waiting else (LEFT_OVER, DELETED)
    return None


def kind_of(group: Group, name: str, there: bool, actual: object, zone: tzinfo | None) -> tuple[str, str]:
    """The kind of difference of one property, empty for none, with the reason."""
    state = group.states[name]
    if fits(state, there, actual):
        return ("", "") if not isinstance(state, Unknown) else (UNKNOWN, state.why)
    if any(explains(earlier, there, actual, zone) for earlier in group.earlier.get(name, ())):
        return WAITING, waits(group)
    more = f"{waits(group)}, and none of them explains it" if name in group.earlier else ""
    if not there:
        return MISSING, more
    if isinstance(state, Known):
        how = altered(state, actual, zone)
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


def explains(state: State, there: bool, actual: object, zone: tzinfo | None) -> bool:
    """Whether the profile is as the state has it, but for what Mixpanel is known to alter."""
    return fits(state, there, actual) or (isinstance(state, Known) and there and bool(altered(state, actual, zone)))


def waits(group: Group) -> str:
    """How much of the group is not committed."""
    return f"{group.waiting} of its changes {'is' if group.waiting == 1 else 'are'} not committed"
