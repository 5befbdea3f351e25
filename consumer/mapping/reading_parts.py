"""What a rule is made of, beside its properties: conditions, ids and choices."""

from typing import Final

from consumer.mapping.rules import Choice, Condition, Identity
from consumer.mapping.tables import FileReading, Place
from consumer.mapping.words import CONVERSIONS, EXISTS, ID, IN, IS_THERE, NOT_IN, RAW

CONDITION_KEYS: Final = ("path", "is", "in", "not_in", "exists")


def read_condition(reading: FileReading, debezium: bool, found: object, place: Place, where: str) -> Condition | None:
    """One of them; None where it is none."""
    table = reading.table(found, place, where)
    reading.known(table, CONDITION_KEYS, place, where)
    tests = [key for key in CONDITION_KEYS[1:] if key in table]
    if len(tests) != 1:
        reading.fault(place, where, "a condition has a path, and one of is, in, not_in, exists")
        return None
    test = tests[0]
    how = EXISTS if test == "exists" else RAW
    take = reading.take(table.get("path"), how, (*place, "path"), where, debezium)
    if test == "exists":
        return Condition(take, IS_THERE, [], reading.flag(table, "exists", place, where))
    wanted = [table[test]] if test == "is" else table[test]
    if not isinstance(wanted, list) or not wanted or not all(isinstance(item, (str, int)) for item in wanted):
        reading.fault((*place, test), where, f"{test} compares text, whole numbers and booleans")
        return None
    return Condition(take, NOT_IN if test == "not_in" else IN, wanted, True)


def read_identity(reading: FileReading, debezium: bool, found: object, place: Place, where: str) -> Identity:
    """A path, `{ join, with }` or `{ from, as }`."""
    line = reading.line(place)
    if not isinstance(found, dict):
        return Identity([reading.take(found, ID, place, where, debezium)], "", line)
    if "join" in found:
        reading.known(found, ("join", "with"), place, where)
        parts = reading.texts(found["join"], (*place, "join"), where)
        takes = [reading.take(part, ID, (*place, "join"), where, debezium) for part in parts]
        separator = reading.text(found, "with", place, where)
        if "with" not in found:
            reading.fault(place, where, "the parts of an id are joined with a text that tells them apart: with")
        return Identity(takes, separator, line)
    reading.known(found, ("from", "as"), place, where)
    named = reading.one_of(found, "as", CONVERSIONS, place, where, "")
    if named == "hash" and not reading.hash_key:
        reading.fault((*place, "as"), where, "hash needs the secret MAPPING_HASH_KEY")
    if named not in ("", "text", "lower", "hash"):
        reading.fault((*place, "as"), where, "an id is text: as is text, lower or hash")
    how = CONVERSIONS.index(named) if named else ID
    return Identity([reading.take(found.get("from"), how, (*place, "from"), where, debezium)], "", line)


def read_choice(reading: FileReading, debezium: bool, found: object, place: Place, where: str) -> Choice:
    """`{ from = PATH, values = { ... } }`."""
    table = reading.table(found, place, where)
    reading.known(table, ("from", "values"), place, where)
    take = None
    if "from" in table:
        take = reading.take(table["from"], RAW, (*place, "from"), where, debezium)
    values: dict[str, str] | None = None
    if "values" in table:
        rows = reading.table(table["values"], (*place, "values"), where)
        values = {key: value for key, value in rows.items() if isinstance(value, str) and value}
        if len(values) != len(rows) or not rows:
            reading.fault((*place, "values"), where, "values give a name for each value")
    return Choice(take, values, reading.line(place))
