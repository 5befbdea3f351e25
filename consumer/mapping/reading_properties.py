"""The properties of one rule: the tables `set`, `set_once`, `add`, `union`, `remove` and `copy`."""

from typing import Final, final

from consumer.event.model import ADD, REMOVE, SET, SET_ONCE, UNION
from consumer.mapping.errors import Unfit
from consumer.mapping.rules import Copy, Property, Rule
from consumer.mapping.scalars import limited
from consumer.mapping.tables import FileReading, Place, constant
from consumer.mapping.words import AS_IS, AS_TEXT, CONVERSIONS, COPY, DEBEZIUM, EVENT, NULLS, SKIP_NULL

MAX_PROPERTIES: Final = 255
VERB_OF: Final = {"set": SET, "set_once": SET_ONCE, "add": ADD, "union": UNION, "remove": REMOVE}
SOURCE_KEYS: Final = ("from", "as", "null", "default", "values", "value", "join", "with")
# Names that Mixpanel keeps for itself, or that it takes for a part of the update.
RESERVED: Final = frozenset(
    ("$token", "$group_key", "$group_id", "$company_id", "$distinct_id", "$last_seen", "$time", "$bucket")
)


@final
class PropertyReader:
    """The reader of one rule's properties."""

    def __init__(self, reading: FileReading, table: dict[str, object], place: Place, where: str, rule: Rule) -> None:
        self.reading = reading
        self.table = table
        self.place = place
        self.where = where
        self.rule = rule
        self.debezium = rule.format == DEBEZIUM

    def properties(self) -> None:
        """Put them into the rule, in the file's order."""
        for key in self.table:
            if key in VERB_OF:
                self.verb(key)
        if "copy" in self.table:
            self.rule.copy = self.copy()

    def verb(self, key: str) -> None:
        """One of the tables."""
        place: Place = (*self.place, key)
        found = self.reading.table(self.table[key], place, f"{self.where}, {key}")
        if len(found) > MAX_PROPERTIES:
            self.reading.fault(place, f"{self.where}, {key}", f"more than {MAX_PROPERTIES} properties")
        if key == "add" and self.rule.format != EVENT:
            says = "add from rows would count a row again with each update: a total is set"
            self.reading.fault(place, f"{self.where}, add", says)
        for name, source in found.items():
            where = f"{self.where}, {key}.{name}"
            here: Place = (*place, name)
            if name in RESERVED or not name:
                self.reading.fault(here, where, "Mixpanel keeps this name for itself")
            if name in self.rule.named:
                says = f"the property stands in line {self.rule.named[name]}, too, and it has one verb in a rule"
                self.reading.fault(here, where, says)
            self.rule.named[name] = self.reading.line(here)
            self.rule.properties.append(self.property(name, VERB_OF[key], source, here, where))

    def property(self, name: str, verb: int, source: object, place: Place, where: str) -> Property:
        """One property, by what stands for its value."""
        found = Property(name, verb, self.rule.null if verb == SET else SKIP_NULL, self.reading.line(place))
        if not isinstance(source, dict):
            self.paths(found, source, AS_IS, place, where)
            return found
        self.reading.known(source, SOURCE_KEYS, place, where)
        forms = [key for key in ("from", "value", "join") if key in source]
        if len(forms) != 1:
            self.reading.fault(place, where, "a property has one of from, value, join")
            return found
        if forms[0] == "value":
            self.constant(found, source, place, where)
            return found
        if forms[0] == "join":
            parts = self.reading.texts(source["join"], (*place, "join"), where)
            self.paths(found, parts, AS_TEXT, (*place, "join"), where)
            found.joined = True
            joint = source.get("with", "")
            if isinstance(joint, str):
                found.separator = joint
            else:
                self.reading.fault((*place, "with"), where, "with is a text")
            self.only(source, ("join", "with", "null", "default"), place, where)
        else:
            named = self.reading.one_of(source, "as", CONVERSIONS, place, where, "")
            if named == "hash" and not self.reading.hash_key:
                self.reading.fault((*place, "as"), where, "hash needs the secret MAPPING_HASH_KEY")
            self.paths(found, source["from"], CONVERSIONS.index(named), (*place, "from"), where)
            self.only(source, ("from", "as", "null", "default", "values"), place, where)
        self.policies(found, source, place, where)
        return found

    def only(self, source: dict[str, object], keys: tuple[str, ...], place: Place, where: str) -> None:
        """Of what a property can have, these go with each other."""
        for key in source:
            if key in SOURCE_KEYS and key not in keys:
                self.reading.fault((*place, key), where, f"{key} does not go with {keys[0]}")

    def paths(self, found: Property, source: object, how: int, place: Place, where: str) -> None:
        """One path, or the first of several."""
        several = isinstance(source, list)
        texts = source if isinstance(source, list) else [source]
        if not texts:
            self.reading.fault(place, where, "a list of paths has at least one")
        for at, text in enumerate(texts):
            here: Place = (*place, at) if several else place
            found.takes.append(self.reading.take(text, how, here, where, self.debezium))

    def constant(self, found: Property, source: dict[str, object], place: Place, where: str) -> None:
        """A value that the file gives."""
        self.only(source, ("value",), place, where)
        found.has_constant = True
        found.constant = source["value"]
        self.sendable(found, source["value"], (*place, "value"), where)

    def policies(self, found: Property, source: dict[str, object], place: Place, where: str) -> None:
        """What null becomes, and the table of values."""
        if "null" in source:
            null = self.reading.one_of(source, "null", NULLS, place, where, "skip")
            found.null = NULLS.index(null)
            if found.verb != SET and null != "skip":
                self.reading.fault((*place, "null"), where, "null is skipped by every verb but set")
        if "default" in source:
            found.has_default = True
            found.default = source["default"]
            self.sendable(found, source["default"], (*place, "default"), where)
        if "values" in source:
            found.values = self.reading.table(source["values"], (*place, "values"), where)
            if not found.values:
                self.reading.fault((*place, "values"), where, "values has no row")
            for key, value in found.values.items():
                self.sendable(found, value, (*place, "values", key), where)

    def sendable(self, found: Property, value: object, place: Place, where: str) -> None:
        """The constant is JSON, and of a kind that the verb takes."""
        if not constant(value):
            says = "a constant is text, a finite number, a boolean, a list or a table; a date is written as text"
            self.reading.fault(place, where, says)
            return
        try:
            limited(value)
        except Unfit as unfit:
            self.reading.fault(place, where, f"a constant has {unfit.detail}")
            return
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if found.verb == ADD and not number:
            self.reading.fault(place, where, "add takes a number")
        elif found.verb == REMOVE and not isinstance(value, (str, int, float)):
            self.reading.fault(place, where, "remove takes one text, number or boolean")
        elif found.verb == UNION and not (isinstance(value, list) and value and all(map(unitable, value))):
            self.reading.fault(place, where, "union takes a list of texts or numbers")

    def copy(self) -> Copy:
        """`[rule.copy]`."""
        place: Place = (*self.place, "copy")
        where = f"{self.where}, copy"
        table = self.reading.table(self.table["copy"], place, where)
        self.reading.known(table, ("from", "except"), place, where)
        take = self.reading.take(table.get("from"), COPY, (*place, "from"), where, self.debezium)
        if take.path.text and not take.path.of_value:
            self.reading.fault(
                (*place, "from"), where, f"{take.path.text}: copy takes a record or a map of the value"
            )
        excluded: list[str] = []
        if "except" in table:
            excluded = self.reading.texts(table["except"], (*place, "except"), where)
        return Copy(take, frozenset(excluded), self.reading.line(place))


def unitable(item: object) -> bool:
    """Whether a list may have it for `union`."""
    return isinstance(item, (str, int, float)) and not isinstance(item, bool)
