"""What the changes of one group make of its profile, as far as the topic can tell.

Written apart from the core, which it judges. A property is `Known`, `ABSENT`, or `Unknown` with the reason: what was
there before the topic begins, or what happened in an order that nobody knows. What an operation does to an unknown
value is unknown, too, but a `$set` makes it known, and a `$delete` everything.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from consumer.event.model import ADD, DELETE, REMOVE, SET, SET_ONCE, UNION, UNSET

SEVERAL: Final = "it is changed from several partitions, whose order nobody knows"
# Numbers are doubles at Mixpanel: fractions that are nearer than this, in proportion, are one.
NEAR: Final = 1e-12
CREATING: Final = frozenset((SET, SET_ONCE, ADD, UNION))

Place: TypeAlias = tuple[str, int]
"""Topic and partition."""
Name: TypeAlias = tuple[str, str, str | None]
"""Group key and id, and the company that it belongs to."""


@dataclass(frozen=True)
class Known:
    """The property has this value.

    `loose`: a list that was put together: a set. `error`: what a sum of fractions may be off by, since Mixpanel may
    add them in another order.
    """

    value: object
    loose: bool = False
    error: float = 0.0


@dataclass(frozen=True)
class Unknown:
    """Its value cannot be told; `present`: but it is there."""

    why: str
    present: bool = False


@dataclass(frozen=True)
class Absent:
    """The profile does not have the property."""


ABSENT: Final = Absent()
State: TypeAlias = Known | Unknown | Absent


@dataclass
class Group:
    """One group. `earlier` has the states of a property that are right as long as its last changes wait.

    `exists` is None where the topic cannot tell; `existed` are its earlier values, likewise. `waiting` counts the
    records that are not committed.
    """

    key: str
    id: str
    company: str | None = None
    states: dict[str, State] = field(default_factory=dict)
    earlier: dict[str, list[State]] = field(default_factory=dict)
    exists: bool | None = None
    existed: list[bool | None] = field(default_factory=list)
    changes: int = 0
    waiting: int = 0
    _places: dict[str, set[Place]] = field(default_factory=dict)
    _all_places: set[Place] = field(default_factory=set)
    _deleting: set[Place] = field(default_factory=set)
    _deleted: bool = False
    _torn: dict[str, str] = field(default_factory=dict)
    _cloud: str = ""  # why nothing at all can be told any more

    @property
    def name(self) -> Name:
        """Its own among those of a project."""
        return self.key, self.id, self.company

    def apply(
        self, verb: int, values: dict[str, object], place: Place, *, gap: str = "", waiting: bool = False
    ) -> None:
        """Apply one operation. `gap`: why its place lacks earlier changes; `waiting`: it is not committed."""
        self._note(place, gap, waiting)
        if waiting:
            self.existed.append(self.exists)
        if verb == DELETE:
            self._delete(place, waiting)
        else:
            self._update(verb, values, place, gap, waiting)
        self._tear()

    def doubt(self, verb: int, values: dict[str, object], place: Place, why: str, *, gap: str, sticky: bool) -> None:
        """An operation that was applied or not, or nobody knows when (`sticky`: perhaps after all others)."""
        self._note(place, gap, waiting=False)
        for name in list(self.states) if verb == DELETE else values:
            before = self._before(name, gap)
            there = not sticky and (isinstance(before, Known) or (isinstance(before, Unknown) and before.present))
            self.states[name] = Unknown(why, there and verb not in (UNSET, DELETE))
            if sticky:
                self._torn[name] = why
        if verb == DELETE and sticky:
            self._cloud = why
        if verb == DELETE or self.exists is not True:
            self.exists = None

    def _update(self, verb: int, values: dict[str, object], place: Place, gap: str, waiting: bool) -> None:
        """An operation on properties."""
        for name, value in values.items():
            self._places.setdefault(name, set()).add(place)
            before = self._before(name, gap)
            self._change(name, before, effect(verb, before, value), waiting)
        if verb in CREATING:
            self.exists = True

    def _note(self, place: Place, gap: str, waiting: bool) -> None:
        if not self.changes and not gap:
            self.exists = False
        self.changes += 1
        self.waiting += waiting
        self._all_places.add(place)

    def _before(self, name: str, gap: str) -> State:
        """What the property is before this change."""
        if name not in self.states:
            return Unknown(gap) if gap and not self._deleted else ABSENT
        return self.states[name]

    def _change(self, name: str, before: State, after: State, waiting: bool) -> None:
        if waiting:
            self.earlier.setdefault(name, []).append(before)
        why = self._cloud or self._torn.get(name, "")
        self.states[name] = Unknown(why) if why else after

    def _delete(self, place: Place, waiting: bool) -> None:
        self._deleting.add(place)
        self._deleted = True
        for name in self.states:
            self._change(name, self.states[name], ABSENT, waiting)
        self.exists = False

    def _tear(self) -> None:
        """What more than one partition changes cannot be told, from then on."""
        if self._cloud:
            self.exists = None
        if len(self._all_places) < 2:
            return
        if self._deleting:
            self.exists = None
        for name, places in self._places.items():
            if len(places | self._deleting) > 1 and name not in self._torn:
                self._torn[name] = SEVERAL
                self.states[name] = Unknown(SEVERAL)


def effect(verb: int, before: State, value: object) -> State:
    """What one operation but `$delete` makes of a property."""
    if verb == SET:
        return Known(value)
    if verb == UNSET:
        return ABSENT
    if verb == REMOVE:
        return removed(before, value)
    if isinstance(before, Unknown):
        return Unknown(before.why, present=True)
    if verb == SET_ONCE:
        return Known(value) if isinstance(before, Absent) else before
    if verb == ADD:
        return added(before, value)
    return united(before, value)


def added(before: Known | Absent, value: object) -> State:
    """The sum; what is no number is kept."""
    old = before.value if isinstance(before, Known) else 0
    if not is_number(old) or not isinstance(old, int | float) or not isinstance(value, int | float):
        return before
    total = old + value
    if not math.isfinite(total):
        return before
    error = before.error if isinstance(before, Known) else 0.0
    if isinstance(total, float):
        error += NEAR * (abs(old) + abs(value))
    return Known(total, error=error)


def united(before: Known | Absent, value: object) -> State:
    """The list with the items that were not in it; what is no list is kept."""
    old = before.value if isinstance(before, Known) else []
    if not isinstance(old, list) or not isinstance(value, list):
        return before
    known = set(map(identity, old))
    return Known([*old, *(item for item in value if identity(item) not in known)], loose=True)


def removed(before: State, value: object) -> State:
    """The list without the item."""
    if not isinstance(before, Known) or not isinstance(before.value, list):
        return before
    gone = identity(value)
    return Known([item for item in before.value if identity(item) != gone], before.loose)


def is_number(value: object) -> bool:
    """Whether it is a JSON number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def identity(value: object) -> Hashable:
    """The same for JSON values that are equal: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return ("list", tuple(identity(item) for item in value))
    if isinstance(value, dict):
        return ("map", frozenset((name, identity(item)) for name, item in value.items()))
    return value
