"""A run of one group's operations becomes updates that commute.

Mixpanel does not say in which order it applies the updates of one request, so any two of them must give the
same profile either way round: folding leaves each property to one verb. What cannot be folded is a barrier:
it waits, with all that follows it, until the updates before it are decided.

`Fold.add` takes the operations in order, each as a whole or not at all. `Fold.updates` says what to send.
`restricted` gives the part of an operation that touches given properties: what is sent again, record by
record, when a folded update was refused.
"""

from typing import Final, final

import orjson

from consumer.core.model import ADD, DELETE, REMOVE, SET, SET_ONCE, UNION, UNSET, Operation

# Mixpanel's limits for one update (DOC: reference/limits, data-type): below 1 MB, at most 255 properties.
MAX_BYTES: Final = 1_000_000
MAX_PROPERTIES: Final = 255
# Sums stay below this, since a JSON reader may keep numbers as doubles.
EXACT: Final = 2**53
# JSON needs at most this many bytes for one byte of Avro (a control character becomes \u0000).
GROWTH: Final = 6
# Room for the envelope: token, group key, group id and the verbs.
ENVELOPE: Final = 4096


@final
class Slot:
    """What one property becomes: a verb and its value; `items` by identity where several were joined."""

    __slots__ = ("items", "value", "verb")

    def __init__(self, verb: int, value: object) -> None:
        self.verb = verb
        self.value = value
        self.items: dict[object, object] | None = None

    def gathered(self) -> dict[object, object]:
        """The items of a $union or $remove so far, the first occurrence in its place."""
        if self.items is None:
            values = self.value if isinstance(self.value, list) else [self.value]
            self.items = {}
            gather(self.items, values)
        return self.items


@final
class Fold:
    """The operations of a run so far, property by property."""

    __slots__ = ("_creating", "_deleted", "_depth", "_exact", "_limit", "_loose", "_slots", "_verbs")

    def __init__(self, max_updates: int) -> None:
        self._limit = max_updates
        self._slots: dict[str, Slot] = {}
        self._deleted = False
        self._verbs = 0  # a bit for each verb other than $remove that was ever used
        self._depth = 0  # the most scalars that one property is to lose: as many updates
        self._creating = 0  # properties whose verb creates a missing profile
        self._exact = 0  # the size of the fold when it was last measured
        self._loose = 0  # bytes of Avro added since

    def add(self, operation: Operation, size: int) -> bool:
        """Take the whole operation, or none of it and return False: a barrier, after which nothing is added.

        `size` is the length of the record's Avro value, in bytes.
        """
        if self._deleted:
            return False
        verb = operation.verb
        if verb == DELETE:
            self._slots.clear()
            self._verbs = 0
            self._depth = 0
            self._deleted = True
            return True
        if not self._fits(operation, size):
            return False
        if verb == SET:
            self._set(operation)
            return True
        if verb == UNSET:
            return self._unset(operation)
        return self._merge(operation)

    def updates(self, group_key: str, group_id: str) -> list[Operation]:
        """The updates to send: no two of them touch one property, but for several `$remove`s of it."""
        if self._deleted:
            return [Operation(group_key, group_id, DELETE, {})]
        by_verb: dict[int, dict[str, object]] = {}
        removes: list[dict[str, object]] = []
        for name, slot in self._slots.items():
            verb = slot.verb
            if verb == REMOVE:
                for position, item in enumerate(slot.gathered().values()):
                    if position == len(removes):
                        removes.append({})
                    removes[position][name] = item
                continue
            values = by_verb.get(verb)
            if values is None:
                values = by_verb[verb] = {}
            values[name] = slot.value if slot.items is None else list(slot.items.values())
        found = [Operation(group_key, group_id, verb, values) for verb, values in by_verb.items()]
        found.extend([Operation(group_key, group_id, REMOVE, values) for values in removes])
        return found

    def _set(self, operation: Operation) -> None:
        """The later value replaces whatever came before on that property."""
        slots = self._slots
        for name, value in operation.values.items():
            before = slots.get(name)
            if before is None or not creates(before.verb):
                self._creating += 1
            slots[name] = Slot(SET, value)

    def _unset(self, operation: Operation) -> bool:
        """Replaces what came before, unless nothing would be left that creates the profile."""
        slots = self._slots
        absorbed = 0
        for name in operation.values:
            before = slots.get(name)
            if before is not None and creates(before.verb):
                absorbed += 1
        if absorbed and absorbed == self._creating:
            return False
        self._creating -= absorbed
        for name in operation.values:
            slots[name] = Slot(UNSET, None)
        return True

    def _merge(self, operation: Operation) -> bool:
        """$set_once, $add, $union and $remove: each joins its own kind, or is a barrier."""
        verb = operation.verb
        slots = self._slots
        totals: dict[str, object] = {}
        depth = self._depth
        for name, value in operation.values.items():
            before = slots.get(name)
            if before is None:
                if verb == REMOVE:
                    depth = max(depth, 1)
            elif before.verb != verb and not (verb == SET_ONCE and before.verb == SET):
                return False
            elif verb == ADD:
                total = add(before.value, value)
                if total is None:
                    return False
                totals[name] = total
            elif verb == REMOVE and identity(value) not in before.gathered():
                depth = max(depth, len(before.gathered()) + 1)
        if depth + verbs_in(self._verbs) > self._limit:
            return False
        self._depth = depth
        for name, value in operation.values.items():
            before = slots.get(name)
            if before is None:
                slots[name] = Slot(verb, value)
                if verb != REMOVE:
                    self._creating += 1
            elif verb == ADD:
                before.value = totals[name]
            elif verb == UNION:
                gather(before.gathered(), value)
            elif verb == REMOVE:
                before.gathered().setdefault(identity(value), value)
        return True

    def _fits(self, operation: Operation, size: int) -> bool:
        """Whether the fold with this operation surely stays below Mixpanel's limits."""
        if not self._slots:
            self._loose = size
            self._note(operation.verb)
            return True
        if len(self._slots) + len(operation.values) > MAX_PROPERTIES:
            fresh = 0
            for name in operation.values:
                if name not in self._slots:
                    fresh += 1
            if len(self._slots) + fresh > MAX_PROPERTIES:
                return False
        if self._exact + (self._loose + size) * GROWTH + ENVELOPE > MAX_BYTES:
            self._exact = self._measure()
            self._loose = 0
            if self._exact + size * GROWTH + ENVELOPE > MAX_BYTES:
                return False
        if verbs_in(self._verbs | bit(operation.verb)) + self._depth > self._limit:
            return False
        self._loose += size
        self._note(operation.verb)
        return True

    def _note(self, verb: int) -> None:
        self._verbs |= bit(verb)

    def _measure(self) -> int:
        """The size of everything in the fold as JSON, in bytes."""
        return len(
            orjson.dumps(
                [
                    [name, slot.value if slot.items is None else list(slot.items.values())]
                    for name, slot in self._slots.items()
                ]
            )
        )


def creates(verb: int) -> bool:
    """Whether the verb creates a missing profile (DOC: $set, $set_once, $add, $union do)."""
    return verb == SET or verb == SET_ONCE or verb == ADD or verb == UNION


def bit(verb: int) -> int:
    """The verb as one bit; none for $remove, whose updates are counted by depth."""
    return 0 if verb == REMOVE else 1 << verb


def verbs_in(bits: int) -> int:
    """How many bits are set."""
    count = 0
    while bits:
        count += bits & 1
        bits >>= 1
    return count


def gather(items: dict[object, object], values: object) -> None:
    """Add the values that are not there yet."""
    assert isinstance(values, list)
    for item in values:
        items.setdefault(identity(item), item)


def identity(value: object) -> object:
    """What makes two scalars the same to a fold: kind and value, so that true is not 1, nor 1.0."""
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


def restricted(operation: Operation, owned: set[str] | None) -> Operation | None:
    """The part of the operation on the properties `owned` (None: all of it); None where nothing is left."""
    if owned is None:
        return operation
    if operation.verb == DELETE:
        return None
    values = {name: value for name, value in operation.values.items() if name in owned}
    if not values:
        return None
    return Operation(operation.group_key, operation.group_id, operation.verb, values)
