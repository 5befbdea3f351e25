"""One `[[rule]]` of a mapping file, but for its properties."""

import re
from typing import Final, final

from consumer.mapping.faults import Fault, nearest
from consumer.mapping.reading_parts import read_choice, read_condition, read_identity
from consumer.mapping.reading_properties import PropertyReader
from consumer.mapping.rules import Choice, Condition, Rule
from consumer.mapping.tables import FileReading, Place
from consumer.mapping.words import (
    ACTIONS,
    CLEAR,
    DEBEZIUM,
    EVENT,
    FORMATS,
    IGNORE,
    KEY_FORMATS,
    KEY_SCHEMA,
    NULLS,
    UNSAID,
    WILD,
    WRITE,
)

RULE_KEYS: Final = (
    "name", "topics", "format", "record", "key", "group", "project", "where", "leaves", "action", "deletes", "before",
    "null", "send", "set", "set_once", "add", "union", "remove", "copy",
)  # fmt: skip
ENDINGS: Final = ("delete", "clear", "ignore")


@final
class RuleReader:
    """The reader of one table."""

    def __init__(
        self, reading: FileReading, table: dict[str, object], defaults: dict[str, object], position: int
    ) -> None:
        self.reading = reading
        self.table = table
        self.defaults = defaults
        self.place: Place = ("rule", position)
        name = table.get("name")
        self.rule_name = name if isinstance(name, str) else ""
        self.where = f"rule {self.rule_name or position + 1}"
        self.position = position

    def fault(self, key: str, message: str, near: str = "") -> None:
        """Something is wrong with this key of the rule."""
        self.reading.fault((*self.place, key), f"{self.where}, {key}", message, near)

    def one_of(self, key: str, known: tuple[str, ...], default: str) -> int:
        """The position of what the rule says among those known."""
        found = self.reading.one_of(self.table, key, known, self.place, f"{self.where}, {key}", default)
        return known.index(found) if found in known else 0

    def rule(self) -> Rule:
        """The rule that the table is."""
        reading = self.reading
        reading.known(self.table, RULE_KEYS, self.place, self.where)
        rule = Rule(self.rule_name, self.position, reading.line(self.place))
        if not rule.name or "," in rule.name:
            self.fault("name", "a rule has a name, a text without a comma")
        rule.format = self.one_of("format", FORMATS, "event")
        rule.key = self.one_of("key", KEY_FORMATS, "schema")
        self.topics(rule)
        if "record" in self.table:
            records = reading.texts(self.table["record"], (*self.place, "record"), f"{self.where}, record")
            rule.records = frozenset(records)
        rule.null = self.null()
        rule.where = self.conditions(rule)
        self.group(rule)
        rule.project = self.project(rule)
        self.endings(rule)
        rule.action = self.action(rule)
        PropertyReader(reading, self.table, self.place, self.where, rule).properties()
        self.whole(rule)
        return rule

    def topics(self, rule: Rule) -> None:
        """Names, or one pattern that matches whole names."""
        found = self.reading.texts(self.table.get("topics"), (*self.place, "topics"), f"{self.where}, topics")
        known = self.reading.topics
        patterns = [topic for topic in found if topic.startswith("^")]
        if not patterns:
            for topic in dict.fromkeys(found):
                if topic in known:
                    rule.topics.append(topic)
                else:
                    says = f"{topic} is not in KAFKA_TOPICS, and rules never subscribe"
                    self.fault("topics", says, nearest(topic, known))
            return
        rule.pattern = patterns[0]
        if len(found) > 1:
            self.fault("topics", "topics are names, or one pattern alone")
        try:
            pattern = re.compile(rule.pattern)
        except re.error as fault:
            self.fault("topics", f"not a pattern: {fault}")
            return
        rule.topics = [topic for topic in known if pattern.fullmatch(topic)]
        if not rule.topics:
            self.fault("topics", f"{rule.pattern} matches none of KAFKA_TOPICS", nearest(rule.pattern, known))

    def null(self) -> int:
        """The rule's own, else that of the defaults."""
        if "null" in self.table:
            return self.one_of("null", NULLS, "skip")
        if "null" in self.defaults:
            found = self.reading.one_of(self.defaults, "null", NULLS, ("defaults",), "defaults, null", "skip")
            return NULLS.index(found)
        return UNSAID

    def conditions(self, rule: Rule) -> list[Condition]:
        """All of `where`."""
        found = self.table.get("where", [])
        if not isinstance(found, list):
            self.fault("where", "where is a list of conditions")
            return []
        conditions = []
        for at, table in enumerate(found):
            place: Place = (*self.place, "where", at)
            item = read_condition(self.reading, rule.format == DEBEZIUM, table, place, f"{self.where}, where")
            if item is not None:
                conditions.append(item)
        return conditions

    def group(self, rule: Rule) -> None:
        """Key, id and company."""
        place: Place = (*self.place, "group")
        where = f"{self.where}, group"
        table = self.reading.table(self.table.get("group", {}), place, where)
        self.reading.known(table, ("key", "id", "company"), place, where)
        inherited = self.reading.table(self.defaults.get("group", {}), ("defaults", "group"), "defaults, group")
        if self.position == 0:
            self.reading.known(inherited, ("key",), ("defaults", "group"), "defaults, group")
        source = table if "key" in table else inherited
        rule.group_key = self.reading.text(source, "key", place, where)
        if not rule.group_key:
            self.reading.fault(place, where, "a group has a key, as company")
        if "id" in table:
            rule.id = read_identity(self.reading, rule.format == DEBEZIUM, table["id"], (*place, "id"), where)
        else:
            self.reading.fault(place, where, "a group has an id")
        if "company" in table:
            rule.company = read_identity(
                self.reading, rule.format == DEBEZIUM, table["company"], (*place, "company"), where
            )

    def project(self, rule: Rule) -> Choice | None:
        """The rule's own, else that of the defaults."""
        own = "project" in self.table
        if not own and "project" not in self.defaults:
            if not self.reading.default_project:
                says = "none, and there is no default one: name one of MIXPANEL_PROJECTS_FILE, or set MIXPANEL_TOKEN"
                self.fault("project", says)
            return None
        place: Place = (*self.place, "project") if own else ("defaults", "project")
        found = (self.table if own else self.defaults)["project"]
        where = f"{self.where}, project"
        if isinstance(found, str) and found:
            choice = Choice(None, {WILD: found}, self.reading.line(place))
        else:
            choice = read_choice(self.reading, rule.format == DEBEZIUM, found, place, where)
            if choice.take is None:
                self.reading.fault(place, where, "a project is a name, or { from, values }")
        known = self.reading.projects
        for name in (choice.values or {}).values():
            if name not in known:
                says = f"MIXPANEL_PROJECTS_FILE has no project {name}"
                self.reading.fault(place, where, says, nearest(name, known))
        return choice

    def endings(self, rule: Rule) -> None:
        """What ends a group, and what is known of the row before."""
        for key in ("leaves", "deletes"):
            if key in self.table and rule.format == EVENT:
                self.fault(key, f'{key} is for format = "row" and "debezium"')
        rule.leaves = ACTIONS.index(ENDINGS[self.one_of("leaves", ENDINGS, "ignore")])
        rule.deletes = ACTIONS.index(ENDINGS[self.one_of("deletes", ENDINGS, "delete")])
        if "before" in self.table and rule.format != DEBEZIUM:
            self.fault("before", 'before is for format = "debezium"')
        rule.before_whole = self.one_of("before", ("key", "whole"), "key") == 1
        rule.changed = self.one_of("send", ("all", "changed"), "all") == 1
        if rule.changed and not rule.before_whole:
            self.fault("send", 'changed needs format = "debezium" and before = "whole": only that says what changed')

    def action(self, rule: Rule) -> Choice | None:
        """What an event asks for."""
        if "action" not in self.table:
            return None
        if rule.format != EVENT:
            self.fault("action", 'action is for format = "event": rows have deletes and leaves')
            return None
        place: Place = (*self.place, "action")
        choice = read_choice(
            self.reading, rule.format == DEBEZIUM, self.table["action"], place, f"{self.where}, action"
        )
        if choice.values is None:
            self.fault("action", "action has values, one of write, delete, clear, ignore for each")
        elif choice.take is None and set(choice.values) != {WILD}:
            self.fault("action", 'action without from has one row, "*"')
        for name in (choice.values or {}).values():
            if name not in ACTIONS:
                self.fault("action", f"{name} is none of {', '.join(ACTIONS)}", nearest(name, ACTIONS))
        return choice

    def whole(self, rule: Rule) -> None:
        """What only the whole rule shows."""
        done = actions(rule)
        if CLEAR in done and rule.copy is not None:
            self.fault("copy", "clear needs the names of all properties, and copy does not give them")
        writes = bool(rule.properties) or rule.copy is not None
        if not writes and (CLEAR in done or (rule.format == EVENT and WRITE in done)):
            self.fault("name", "the rule has no property to write or clear")
        if rule.format != EVENT and rule.deletes != IGNORE and not rule.before_whole:
            self.deletable(rule)
        for take in rule.takes() if rule.key != KEY_SCHEMA else ():
            if take.path.of_key and take.path.parts:
                says = f"{take.path.text}: a key written as {KEY_FORMATS[rule.key]} has no parts, it is key"
                self.reading.faults.append(Fault(take.line, f"{self.where}, key", says))

    def deletable(self, rule: Rule) -> None:
        """A deleted row has its key for certain, and nothing else."""
        for take in rule.deciding():
            if take.path.of_value:
                where = (
                    f"{self.where}, {'group' if rule.project is None or take is not rule.project.take else 'project'}"
                )
                says = (
                    f"{take.path.text}: a deleted row is known by its key alone, so group and project come from key."
                )
                also = ', or before = "whole"' if rule.format == DEBEZIUM else ""
                self.reading.faults.append(
                    Fault(take.line, where, f'{says} or constants (or deletes = "ignore"{also})')
                )


def actions(rule: Rule) -> set[int]:
    """All that the rule may do with a record."""
    if rule.format == EVENT:
        names = {"write"} if rule.action is None else set((rule.action.values or {}).values())
        return {ACTIONS.index(name) for name in names if name in ACTIONS}
    return {WRITE, rule.deletes, rule.leaves}
