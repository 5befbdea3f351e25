"""A run of one group's operations becomes updates that commute.

Mixpanel does not say in which order it applies the updates of one request, so any two of them must give the
same profile either way round: folding leaves each property to one verb. What cannot be folded is a barrier:
it waits, with all that follows it, until the updates before it are decided.

`Fold.add` takes the operations in order, each as a whole or not at all. `Fold.updates` says what to send. A
`$delete` never comes here: it replaces all before it, which is known without folding (`Lanes`).
`restricted` gives the part of an operation's values that touches given properties: what is sent again, record by
record, when a folded update was refused.
"""

from typing import Final, final

import orjson

from consumer.core.joined import all_listed, deepest, gather, one_by_one, sums
from consumer.event.encode import MAX_BYTES
from consumer.event.model import ADD, REMOVE, SET, SET_ONCE, UNION, UNSET, creates

# Mixpanel's limit for one update (DOC: data-type).
MAX_PROPERTIES: Final = 255
# Room for the envelope: token, group key, group id and the verbs.
ENVELOPE: Final = 4096


@final
class Fold:
    """The operations of a run so far, none of them a `$delete`: for each verb, the properties that are its own."""

    __slots__ = ("_depth", "_exact", "_keeps_creation", "_limit", "_loose", "_parts")

    def __init__(self, max_updates: int, keeps_creation: bool = True) -> None:
        """At most so many updates. `keeps_creation`: an `$unset` that leaves nothing to create the profile waits."""
        self._limit = max_updates
        self._keeps_creation = keeps_creation
        # By verb, the value of each property; of $union and $remove a dict of items by identity.
        self._parts: dict[int, dict[str, object]] = {}
        self._depth = 0  # the most scalars that one property is to lose: as many updates
        self._exact = 0  # the size of the fold when it was last measured
        self._loose = 0  # bytes of JSON added since

    def add(self, verb: int, values: dict[str, object], size: int) -> bool:
        """Take the whole operation, or none of it and return False: a barrier, after which nothing is added.

        `size` is the length of its update as JSON, in bytes.
        """
        if not self._fits(verb, values, size):
            return False
        if verb == SET:
            self._drop(values, SET)
        elif verb == UNSET:
            if self._keeps_creation and self._only_creates(values):
                return False
            self._drop(values, UNSET)
        elif self._taken(values, verb):
            return False
        return self._join(verb, values)

    def updates(self) -> list[tuple[int, dict[str, object]]]:
        """Verb and values of each update to send: no two touch one property, but for several `$remove`s of it."""
        updates: list[tuple[int, dict[str, object]]] = []
        removes: list[dict[str, object]] = []
        for verb, part in self._parts.items():
            if verb == REMOVE:
                removes = one_by_one(part)
            elif part:
                updates.append((verb, all_listed(part) if verb == UNION else part))
        for values in removes:
            updates.append((REMOVE, values))  # noqa: PERF401  # compiled, the fastest
        return updates

    def _join(self, verb: int, values: dict[str, object]) -> bool:
        """Let the operation join its own kind; False, and nothing is changed, where the two do not make one."""
        part = self._parts.get(verb)
        if part is None:
            part = {}
        if verb == SET or verb == UNSET:
            part.update(values)
        elif verb == SET_ONCE:
            sets = self._parts.get(SET)
            for name, value in values.items():
                if sets is None or name not in sets:
                    part.setdefault(name, value)
        elif verb == ADD:
            totals = sums(part, values)
            if totals is None:
                return False
            part.update(totals)
        elif verb == UNION:
            for name, value in values.items():
                gather(part, name, value)
        else:
            depth = max(self._depth, deepest(part, values))
            if depth + self._others(REMOVE) > self._limit:
                return False
            self._depth = depth
            for name, value in values.items():
                gather(part, name, [value])
        self._parts[verb] = part
        return True

    def _drop(self, values: dict[str, object], verb: int) -> None:
        """Forget what other verbs were to do with these properties: the later word replaces it."""
        for other, part in self._parts.items():
            if other != verb and part:
                for name in values:
                    part.pop(name, None)

    def _taken(self, values: dict[str, object], verb: int) -> bool:
        """Whether one of these properties is another verb's. A $set_once after a $set is none: it does nothing."""
        for other, part in self._parts.items():
            if other == verb or (verb == SET_ONCE and other == SET):
                continue
            for name in values:
                if name in part:
                    return True
        return False

    def _only_creates(self, values: dict[str, object]) -> bool:
        """Whether an $unset of these would leave nothing, of what there is, that creates a missing profile."""
        creating = 0
        absorbed = 0
        for verb, part in self._parts.items():
            if creates(verb):
                creating += len(part)
                for name in values:
                    if name in part:
                        absorbed += 1
        return absorbed > 0 and absorbed == creating

    def _fits(self, verb: int, values: dict[str, object], size: int) -> bool:
        """Whether the fold with this operation surely stays below Mixpanel's limits."""
        if not self._parts:
            self._loose = size
            return True
        properties = len(values)
        for part in self._parts.values():
            properties += len(part)
        if properties > MAX_PROPERTIES:
            for part in self._parts.values():
                for name in values:
                    if name in part:
                        properties -= 1
            if properties > MAX_PROPERTIES:
                return False
        if self._exact + self._loose + size + ENVELOPE > MAX_BYTES:
            self._exact = self._measure()
            self._loose = 0
            if self._exact + size + ENVELOPE > MAX_BYTES:
                return False
        if verb != REMOVE and self._others(verb) + 1 + self._depth > self._limit:
            return False
        self._loose += size
        return True

    def _others(self, verb: int) -> int:
        """How many verbs other than this one, and than $remove, there are: each is an update."""
        count = 0
        for other in self._parts:
            if other != verb and other != REMOVE:
                count += 1
        return count

    def _measure(self) -> int:
        """The size of everything in the fold as JSON, in bytes."""
        size = 0
        for verb, part in self._parts.items():
            joined = verb == UNION or verb == REMOVE
            size += len(orjson.dumps(all_listed(part) if joined else part))
        return size


def restricted(values: dict[str, object], owned: set[str] | None) -> dict[str, object] | None:
    """The part of an operation's values on the properties `owned` (None: all of it); None where nothing is left."""
    if owned is None:
        return values
    return {name: value for name, value in values.items() if name in owned} or None
