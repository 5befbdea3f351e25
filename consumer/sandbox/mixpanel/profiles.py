"""The group profiles of the sandbox's Mixpanel, and what the seven operations do to them.

Written from Mixpanel's reference alone and apart from the service's core: it is the oracle of the folding tests.
Values are JSON values: `true` is not 1, and 1 and 1.0 are the same number.

    operation    value                                         creates a profile   on a property that does not fit
    $set         object, not empty                             yes                 replaced
    $set_once    object, not empty                             yes                 kept: the first writer wins
    $add         object of numbers, not empty                  yes                 kept, where it is no number
    $union       object of arrays of strings and numbers       yes                 kept, where it is no list
    $remove      object, not empty: the element to take out    no                  kept, where it is no list
    $unset       array of names, not empty                     no                  -
    $delete      anything                                      no                  -

What an update must look like is said in `updates.py`. `$remove` takes out every element that is equal to its value;
a list given to it is one element: the list itself. Mixpanel cuts names and strings after 255 characters and takes
no more than 2,000 properties a profile: that is not modelled, since an update that was taken could then still fail.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable
from itertools import islice, takewhile
from threading import Lock
from typing import Any, Final, TypeAlias

from consumer.sandbox.mixpanel.updates import Group, group_of, is_number, refusal, verb_of

KEPT_DELETIONS: Final = 1_000

Properties: TypeAlias = dict[str, Any]


class Profiles:
    """All profiles, by token, group key, group id and company. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._profiles: dict[Group, Properties] = {}
        self._changed: OrderedDict[Group, int] = OrderedDict()  # least recently changed first
        self._deleted: deque[tuple[int, Group]] = deque(maxlen=KEPT_DELETIONS)
        self._version = 0

    def apply(self, update: Any) -> str | None:
        """Apply one update. None where it was applied, else why it was refused, and nothing is changed."""
        problem = refusal(update)
        if problem is None:
            self.change([update])
        return problem

    def change(self, updates: Iterable[dict[str, Any]]) -> None:
        """Apply updates that `refusal` has passed, in this order, and let nobody see half of them."""
        with self._lock:
            for update in updates:
                self._change(update)

    def get(self, token: str, group_key: str, group_id: str, company_id: str = "") -> Properties | None:
        """A copy of one profile's properties; None where there is no such profile."""
        with self._lock:
            properties = self._profiles.get((token, group_key, group_id, company_id))
            return None if properties is None else dict(properties)

    def snapshot(self) -> list[dict[str, Any]]:
        """Every profile: `token`, `group_key`, `group_id`, `company_id` where it has one, `properties`."""
        with self._lock:
            return [_profile(group, properties) for group, properties in self._profiles.items()]

    def changes(self, since: int, limit: int, match: str = "") -> dict[str, Any]:
        """What changed after version `since`, the newest first and no more than `limit`, and the version now.

        `profiles` are those whose group or company id contains `match`, `deleted` those that are gone, `total` counts
        all.
        """
        with self._lock:
            changed = ((group, self._changed[group]) for group in reversed(self._changed))
            news = takewhile(lambda change: change[1] > since, changed)
            profiles = [
                _profile(group, self._profiles[group]) | {"version": version}
                for group, version in islice((change for change in news if _matches(change[0], match)), limit)
            ]
            gone = [
                _name(group) | {"version": version}
                for version, group in islice(reversed(self._deleted), limit)
                if version > since and _matches(group, match) and group not in self._profiles
            ]
            return {"version": self._version, "total": len(self._profiles), "profiles": profiles, "deleted": gone}

    def clear(self) -> None:
        """Forget every profile."""
        with self._lock:
            self._profiles.clear()
            self._changed.clear()
            self._deleted.clear()
            self._version += 1

    def __len__(self) -> int:
        return len(self._profiles)

    def _change(self, update: dict[str, Any]) -> None:
        group = group_of(update)
        verb = verb_of(update)
        self._version += 1
        if verb == "$delete":
            if self._profiles.pop(group, None) is not None:
                del self._changed[group]
                self._deleted.append((self._version, group))
            return
        properties = self._profiles.get(group)
        if properties is None:
            if verb not in _CREATING:
                return
            properties = self._profiles[group] = {}
        _EFFECTS[verb](properties, update[verb])
        self._changed[group] = self._version
        self._changed.move_to_end(group)


def identity(value: object) -> Hashable:
    """The same for two JSON values exactly when they are equal as JSON values."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return ("list", tuple(identity(item) for item in value))
    if isinstance(value, dict):
        return ("object", frozenset((name, identity(item)) for name, item in value.items()))
    return value


def _matches(group: Group, text: str) -> bool:
    return text in group[2] or text in group[3]


def _name(group: Group) -> dict[str, Any]:
    token, group_key, group_id, company_id = group
    name = {"token": token, "group_key": group_key, "group_id": group_id}
    return name | {"company_id": company_id} if company_id else name


def _profile(group: Group, properties: Properties) -> dict[str, Any]:
    return _name(group) | {"properties": dict(properties)}


def _set(properties: Properties, values: Properties) -> None:
    properties.update(values)


def _set_once(properties: Properties, values: Properties) -> None:
    for name, value in values.items():
        properties.setdefault(name, value)


def _add(properties: Properties, values: Properties) -> None:
    for name, value in values.items():
        before = properties.get(name, 0)
        if is_number(before) and is_number(before + value):
            properties[name] = before + value


def _union(properties: Properties, values: Properties) -> None:
    for name, items in values.items():
        before = properties.get(name, [])
        if not isinstance(before, list):
            continue
        after = list(before)
        known = {identity(item) for item in before}
        for item in items:
            if identity(item) not in known:
                known.add(identity(item))
                after.append(item)
        properties[name] = after


def _remove(properties: Properties, values: Properties) -> None:
    for name, value in values.items():
        before = properties.get(name)
        if isinstance(before, list):
            gone = identity(value)
            properties[name] = [item for item in before if identity(item) != gone]


def _unset(properties: Properties, names: list[str]) -> None:
    for name in names:
        properties.pop(name, None)


_CREATING: Final = frozenset(("$set", "$set_once", "$add", "$union"))
_EFFECTS: Final[dict[str, Callable[[Properties, Any], None]]] = {
    "$set": _set,
    "$set_once": _set_once,
    "$add": _add,
    "$union": _union,
    "$remove": _remove,
    "$unset": _unset,
}
