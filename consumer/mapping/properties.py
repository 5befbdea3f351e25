"""What a rule's properties come to for one record: one operation for each verb."""

from typing import Final, final

import orjson

from consumer.event.convert import MAX_PROPERTIES
from consumer.event.errors import TOO_LARGE
from consumer.event.model import ADD, REMOVE, SET, UNION, UNSET, Operation
from consumer.mapping.entries import HIDDEN, PropertyEntry
from consumer.mapping.errors import Unfit
from consumer.mapping.layout import Spot
from consumer.mapping.readers import read
from consumer.mapping.rules import Copy, Property, Rule
from consumer.mapping.scalars import limited
from consumer.mapping.seen import LEFT_OUT, UNAVAILABLE, Body, Mark, Seen, at
from consumer.mapping.words import SEND_NULL, SKIP_NULL, UNSAID, UNSET_NULL, WILD

OMITTED: Final = Mark("omitted")
UNSETTING: Final = Mark("unset")


@final
class GroupOperations:
    """The operations on one group so far, by verb."""

    __slots__ = ("company", "group_id", "group_key", "verbs")

    def __init__(self, group_key: str, group_id: str, company: str | None) -> None:
        self.group_key = group_key
        self.group_id = group_id
        self.company = company
        self.verbs: dict[int, dict[str, object]] = {}

    def put(self, verb: int, name: str, value: object) -> None:
        """One property; `OMITTED` and `UNSETTING` stand for themselves."""
        if value is OMITTED:
            return
        if value is UNSETTING:
            verb, value = UNSET, None
        values = self.verbs.get(verb)
        if values is None:
            values = {}
            self.verbs[verb] = values
        values[name] = value

    def operations(self) -> list[Operation]:
        """One for each verb. Raises `Unfit` for more properties than Mixpanel takes."""
        found = []
        for verb, values in self.verbs.items():
            if len(values) > MAX_PROPERTIES:
                detail = f"{len(values)} properties, and Mixpanel takes at most {MAX_PROPERTIES}"
                raise Unfit(detail, TOO_LARGE)
            found.append(Operation(self.group_key, self.group_id, verb, values, self.company))
        return found


def write(rule: Rule, seen: Seen, changed: bool, writing: GroupOperations) -> None:
    """Put what the rule writes; with `changed` only columns that differ from what they were. Raises `Unfit`."""
    for item in rule.properties:
        if not changed or item_changed(item, seen):
            writing.put(item.verb, item.name, value_of(item, seen))
    copied = rule.copy is not None and copy(rule, rule.copy, seen, changed, writing)
    if changed and not copied and not any_column(rule, seen):
        writing.verbs.clear()


def item_changed(item: Property, seen: Seen) -> bool:
    """Whether a column of the property differs; one without columns goes along with the others."""
    columns = False
    for take in item.takes:
        spot = seen.spot(take)
        if spot is not None and spot.old >= 0:
            columns = True
            if seen.differs(take):
                return True
    return not columns


def any_column(rule: Rule, seen: Seen) -> bool:
    """Whether a column of any property differs."""
    for item in rule.properties:
        for take in item.takes:
            if seen.differs(take):
                return True
    return False


def value_of(item: Property, seen: Seen) -> object:
    """The property's value, or `OMITTED` or `UNSETTING`. Raises `Unfit`."""
    if item.has_constant:
        return item.constant
    value = joined(item, seen) if item.joined else first(item, seen)
    if value is OMITTED:
        return value
    if value is None:
        return item.default if item.has_default else null_of(item.null)
    if item.values is not None:
        return row_of(item.values, value)
    return sendable(item.verb, value)


def first(item: Property, seen: Seen) -> object:
    """The first path's value that is not null."""
    left_out = False
    for take in item.takes:
        value = seen.value(take)
        if value is UNAVAILABLE:
            return OMITTED
        if value is LEFT_OUT:
            left_out = True
        elif value is not None:
            return value
    return OMITTED if left_out else None


def joined(item: Property, seen: Seen) -> object:
    """All texts that are not null, put together; None where there is none."""
    texts = []
    for take in item.takes:
        value = seen.value(take)
        if value is UNAVAILABLE or value is LEFT_OUT:
            return OMITTED
        if value is not None:
            texts.append(str(value))
    return item.separator.join(texts) if texts else None


def null_of(policy: int) -> object:
    """What stands for a null."""
    if policy == SKIP_NULL:
        return OMITTED
    if policy == UNSET_NULL:
        return UNSETTING
    if policy == SEND_NULL:
        return None
    assert policy == UNSAID
    raise Unfit("null, and the rule does not say what null does")


def row_of(values: dict[str, object], value: object) -> object:
    """What the table has for the value. Raises `Unfit`."""
    text = key_of(value)
    if text in values:
        return values[text]
    if WILD in values:
        return values[WILD]
    raise Unfit("a value that has no row in values")


def key_of(value: object) -> str:
    """The value as a key of a table. Raises `Unfit`."""
    if isinstance(value, str):
        return value
    if value is True or value is False:
        return "true" if value is True else "false"
    if isinstance(value, int):
        return str(value)
    raise Unfit("a value that values cannot match")


def sendable(verb: int, value: object) -> object:
    """The value, which must be of a kind that the verb takes. Raises `Unfit`."""
    if isinstance(value, (dict, list)):
        limited(value)
    if verb == ADD:
        if isinstance(value, bool) or not isinstance(value, (int, float, orjson.Fragment)):
            raise Unfit("add needs a number")
    elif verb == UNION:
        if not isinstance(value, list):
            raise Unfit("union needs a list")
        items = [item for item in value if item is not None]
        for item in items:
            if isinstance(item, bool) or not isinstance(item, (str, int, float, orjson.Fragment)):
                raise Unfit("union needs texts or numbers in its list")
        return items or OMITTED
    elif verb == REMOVE and not isinstance(value, (str, int, float, orjson.Fragment)):
        raise Unfit("remove needs one text, number or boolean")
    return value


def copy(rule: Rule, found: Copy, seen: Seen, changed: bool, writing: GroupOperations) -> bool:
    """Every field of the record or map there, as properties to set; whether there was one, a null or not."""
    there = seen.value(found.take)
    spot = seen.spot(found.take)
    body = seen.data
    if there is None or isinstance(there, Mark) or spot is None or body is None:
        return False
    if spot.entries is None:
        return copy_json(rule, found, there, json_before(body, spot) if changed and spot.old >= 0 else None, writing)
    copied = False
    data = body.cursor.data
    before: dict[str, PropertyEntry] = {}
    if changed and spot.old >= 0 and body.places.starts[spot.old] >= 0:
        before = {entry.name: entry for entry in spot.entries.of(data, body.places.starts[spot.old])}
    for entry in spot.entries.of(data, body.places.starts[spot.slot]):
        if entry.form is not None and entry.form.at(data, entry.start, entry.end):
            continue
        if changed:
            old = before.get(entry.name)
            if old is not None and data[old.start : old.end] == data[entry.start : entry.end]:
                continue
        copied = True
        body.cursor.pos = entry.start
        value = read(entry.reader, body.cursor, 0)
        writing.put(SET, entry.name, null_of(rule.null) if value is None else sendable(SET, value))
    return copied


def json_before(body: Body, spot: Spot) -> object:
    """What the text held before; None where that was no JSON."""
    try:
        return at(body, spot, True)
    except Unfit:
        return None


def copy_json(rule: Rule, found: Copy, there: object, before: object, writing: GroupOperations) -> bool:
    """Every field of an object that a text holds, but those that are as they were `before`; whether there was one.

    Raises `Unfit`.
    """
    if not isinstance(there, dict):
        raise Unfit("text that holds no object of JSON")
    old = before if isinstance(before, dict) else {}
    copied = False
    for name, value in there.items():
        if name.startswith(HIDDEN) or name in found.excluded or name in rule.named:
            continue
        if name in old and orjson.dumps(old[name]) == orjson.dumps(value):
            continue
        copied = True
        writing.put(SET, name, null_of(rule.null) if value is None else sendable(SET, value))
    return copied
