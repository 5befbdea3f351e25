"""From the text of a mapping file to a `Mapping`, or to all of its faults at once."""

import re
import tomllib
from collections.abc import Collection, Sequence
from typing import Final

from consumer.mapping.faults import Fault, nearest
from consumer.mapping.lines import lines_of
from consumer.mapping.reading_rule import RuleReader
from consumer.mapping.rules import Example, Mapping, Rule, TopicSettings
from consumer.mapping.tables import FileReading, Place

MAX_BYTES: Final = 256 * 1024
MAX_RULES: Final = 200

FILE_KEYS: Final = ("version", "defaults", "rule", "topic", "test")
DEFAULT_KEYS: Final = ("group", "null", "project")
TOPIC_KEYS: Final = ("unmatched", "unavailable")
TEST_KEYS: Final = ("rule", "record", "schema", "key", "value", "headers", "expect")
PLACEHOLDER: Final = b"__debezium_unavailable_value"


class InvalidMapping(Exception):
    """The file cannot be used; `faults` are all of them, by line.

    `mapping` is what could be understood, to be checked and never applied: a rule may lack its id, a take its path.
    None where the text is no TOML.
    """

    def __init__(self, faults: list[Fault], mapping: Mapping | None = None) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults
        self.mapping = mapping


def read(
    text: str, topics: Collection[str], projects: Collection[str], hash_key: bool, default_project: bool = True
) -> Mapping:
    """The mapping that the text is.

    `topics` are those that the service reads, `projects` the names of the settings; `hash_key` says that there is
    one for `as = "hash"`, and `default_project` that a rule need not name one. Raises `InvalidMapping`.
    """
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise InvalidMapping([Fault(1, "the file", f"it has more than {MAX_BYTES // 1024} KiB")])
    try:
        file = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise InvalidMapping([not_toml(str(fault))]) from None
    except RecursionError:
        raise InvalidMapping([not_toml("it nests too deep")]) from None
    reading = FileReading(lines_of(text), topics, projects, hash_key, default_project)
    mapping = whole(reading, file)
    if reading.faults:
        raise InvalidMapping(sorted(reading.faults, key=lambda fault: fault.line), mapping)
    return mapping


def not_toml(message: str) -> Fault:
    """What tomllib says, at its line."""
    found = re.search(r" \(at line (\d+), column \d+\)$", message)
    return Fault(int(found[1]) if found else 1, "the file", f"not TOML: {message}")


def whole(reading: FileReading, file: dict[str, object]) -> Mapping:
    """All parts of the file."""
    reading.known(file, FILE_KEYS, (), "the file")
    if file.get("version") != 1 or isinstance(file.get("version"), bool):
        reading.fault(("version",), "the file", "version = 1 is the version that this service reads")
    defaults = reading.table(file.get("defaults", {}), ("defaults",), "defaults")
    reading.known(defaults, DEFAULT_KEYS, ("defaults",), "defaults")
    tables = file.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        reading.fault(("rule",), "the file", "rules are tables, [[rule]]")
        tables = []
    if not tables:
        reading.fault(("rule",), "the file", "it has no rule")
    if len(tables) > MAX_RULES:
        reading.fault(("rule", MAX_RULES), "the file", f"it has more than {MAX_RULES} rules")
    rules = [RuleReader(reading, table, defaults, position).rule() for position, table in enumerate(tables)]
    check_names(reading, rules)
    check_agreement(reading, rules)
    named = {topic for rule in rules for topic in rule.topics}
    settings = topic_settings(reading, file.get("topic", {}), named)
    return Mapping(rules, settings, examples(reading, file.get("test", []), rules), reading.takes)


def check_names(reading: FileReading, rules: Sequence[Rule]) -> None:
    """A rule's name is its own: it stands in metrics and dead letters."""
    seen: set[str] = set()
    for rule in rules:
        if rule.name and rule.name in seen:
            reading.fault(("rule", rule.position, "name"), f"rule {rule.name}", "another rule has this name")
        seen.add(rule.name)


def check_agreement(reading: FileReading, rules: Sequence[Rule]) -> None:
    """The rules of one topic say the same of how its records are written."""
    first: dict[str, Rule] = {}
    for rule in rules:
        for topic in rule.topics:
            other = first.setdefault(topic, rule)
            for key, same in (("format", rule.format == other.format), ("key", rule.key == other.key)):
                if not same:
                    says = f"topic {topic} has another {key} in rule {other.name}, and a topic has one"
                    reading.fault(("rule", rule.position, key), f"rule {rule.name}", says)


def topic_settings(reading: FileReading, found: object, named: set[str]) -> dict[str, TopicSettings]:
    """The tables `[topic."name"]`."""
    settings: dict[str, TopicSettings] = {}
    for name, content in reading.table(found, ("topic",), "topic").items():
        place: Place = ("topic", name)
        where = f"topic {name}"
        table = reading.table(content, place, where)
        reading.known(table, TOPIC_KEYS, place, where)
        if name not in named:
            reading.fault(place, where, "no rule has this topic", nearest(name, named))
        unmatched = reading.one_of(table, "unmatched", ("dead-letter", "ignore"), place, where, "dead-letter")
        unavailable = PLACEHOLDER
        text = reading.text(table, "unavailable", place, where)
        if text.startswith("hex:"):
            try:
                unavailable = bytes.fromhex(text[4:])
            except ValueError:
                reading.fault((*place, "unavailable"), where, "after hex: there are pairs of hexadecimal digits")
        elif text:
            unavailable = text.encode()
        settings[name] = TopicSettings(unmatched == "ignore", unavailable, reading.line(place))
    return settings


def examples(reading: FileReading, found: object, rules: Sequence[Rule]) -> list[Example]:
    """The tables `[[test]]`."""
    if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
        reading.fault(("test",), "the file", "tests are tables, [[test]]")
        return []
    names = [rule.name for rule in rules]
    read_so_far = []
    for index, table in enumerate(found):
        place: Place = ("test", index)
        where = f"test {index + 1}"
        reading.known(table, TEST_KEYS, place, where)
        name = reading.text(table, "rule", place, where)
        if name and name not in names:
            reading.fault((*place, "rule"), where, f"there is no rule {name}", nearest(name, names))
        if not isinstance(table.get("expect"), list):
            reading.fault((*place, "expect"), where, "expect is the list of updates that must come of it")
        read_so_far.append(Example(table, reading.line(place)))
    return read_so_far
