"""What may surprise in a mapping, given the registered schemas: it runs all the same."""

from collections.abc import Mapping, Sequence
from typing import Final

from consumer.avro.schema import ARRAY, LONG, RECORD, UNION, Type
from consumer.event.model import SET
from consumer.mapping.faults import Fault
from consumer.mapping.fits import parts_of
from consumer.mapping.layout import branches, located_in, taken
from consumer.mapping.meanings import DECIMAL, INTEGER, TEXT, TIME, UUID_TEXT, meaning_of
from consumer.mapping.paths import Found, Lost
from consumer.mapping.rules import Rule, Take
from consumer.mapping.words import ACTIONS, AS_IS, DEBEZIUM, DELETE, EVENT

FAITHFUL: Final = 15  # digits that a double keeps
DEBEZIUM_DATE: Final = TIME + "Date"
DEBEZIUM_ENUM: Final = "io.debezium.data.Enum"


def note(line: int, rule: Rule, what: str, message: str) -> Fault:
    """One note on a rule."""
    return Fault(line, f"rule {rule.name}, {what}", message)


def of_group(rule: Rule) -> list[Fault]:
    """Groups that the record key may not decide."""
    if rule.id is None or all(take.path.of_key for take in rule.id.takes):
        return []
    says = "the id is not taken from the record key: where the key does not decide it, changes have no order"
    return [note(rule.line, rule, "group", says)]


def of_versions(rule: Rule, take: Take, kind: Type, older: Sequence[Type]) -> list[Fault]:
    """Versions before that lack the path."""
    for version in older:
        for branch in branches(version):
            if branch.name == kind.name and isinstance(located_in(branch, take.path), Lost):
                return [note(take.line, rule, take.path.text, "older versions lack it: their records go without")]
    return []


def of_values(rule: Rule, found: dict[int, Found]) -> list[Fault]:
    """Numbers that readers of JSON do not keep."""
    notes = []
    for item in rule.properties:
        for take in item.takes:
            place = found.get(take.number)
            if place is None or take.how != AS_IS:
                continue
            for part in parts_of(place.type):
                name = take.path.parts[-1].lower() if take.path.parts else ""
                if part.kind == LONG and meaning_of(part) == INTEGER and name.endswith("id") and item.verb == SET:
                    says = 'a long that looks like an id: above 2^53 it needs as = "text"'
                    notes.append(note(take.line, rule, take.path.text, says))
                precision = part.annotation.precision if part.annotation is not None else 0
                if meaning_of(part) == DECIMAL and precision > FAITHFUL:
                    says = f'{precision} digits, and readers of JSON keep {FAITHFUL}: as = "text" keeps all'
                    notes.append(note(take.line, rule, take.path.text, says))
    return notes


def of_hidden(rule: Rule, found: dict[int, Found]) -> list[Fault]:
    """Lists of which Debezium writes null where an update leaves a large one alone, for want of a placeholder."""
    if rule.format != DEBEZIUM or rule.before_whole:
        return []
    notes = []
    for item in rule.properties:
        for take in item.takes:
            place = found.get(take.number)
            if place is not None and any(unmarked(part) for part in parts_of(place.type)):
                says = (
                    "Debezium writes null for a large array of this type that an update leaves alone: give the table "
                    'REPLICA IDENTITY FULL and say before = "whole", or leave it out'
                )
                notes.append(note(take.line, rule, take.path.text, says))
    return notes


def unmarked(kind: Type) -> bool:
    """Whether it is an array for which Debezium's PostgreSQL connector has no placeholder."""
    if kind.kind != ARRAY:
        return False
    item = next(iter(parts_of(kind.items[0])), None)
    if item is None:
        return False
    name = item.annotation.name if item.annotation is not None else ""
    marked = meaning_of(item) in (TEXT, UUID_TEXT, INTEGER) or name == DEBEZIUM_DATE
    return not marked or name == DEBEZIUM_ENUM


def of_fields(rule: Rule, kind: Type) -> list[Fault]:
    """Fields that are not mapped, and nulls that a default may hide."""
    row = row_of(kind) if rule.format == DEBEZIUM else kind
    if row is None or row.kind != RECORD or rule.copy is not None:
        return []
    notes = []
    mapped = {take.path.parts[0] for take in rule.takes() if take.path.of_value and take.path.parts}
    for field in row.fields:
        hides = field.type.kind == UNION and field.has_default and field.default is not None
        if field.name in mapped and hides and rule.format != EVENT:
            says = "nullable with a default: writers may put the default for null"
            notes.append(note(rule.line, rule, field.name, says))
    left = [field.name for field in row.fields if field.name not in mapped and not field.name.startswith("__")]
    if left:
        notes.append(note(rule.line, rule, "fields", f"not mapped: {', '.join(left)}"))
    return notes


def row_of(envelope: Type) -> Type | None:
    """The record of a table's row."""
    for field in envelope.fields:
        if field.name == "after":
            return next(iter(parts_of(field.type)), None)
    return None


def of_topics(rules: Sequence[Rule], topics: Mapping[str, Sequence[Sequence[Type]]]) -> list[Fault]:
    """Registered records that no rule takes."""
    notes = []
    for topic, values in topics.items():
        takers = [rule for rule in rules if topic in rule.topics]
        for versions in values:
            left = [kind for kind in branches(versions[-1]) if not any(taken(rule, kind) for rule in takers)]
            for kind in left if takers else []:
                says = f"no rule takes its record {kind.name}"
                notes.append(Fault(takers[0].line, f"topic {topic}", says))
    return notes


def of_deletes(rules: Sequence[Rule]) -> list[Fault]:
    """Rules that end the profiles of one group key, each by itself."""
    first: dict[str, Rule] = {}
    notes = []
    for rule in rules:
        if deletes(rule):
            other = first.setdefault(rule.group_key, rule)
            if other is not rule:
                says = f"rule {other.name} deletes groups of {rule.group_key}, too: one delete ends the whole profile"
                notes.append(note(rule.line, rule, "deletes", says))
    return notes


def deletes(rule: Rule) -> bool:
    """Whether the rule may end a profile."""
    if rule.format != EVENT:
        return rule.deletes == DELETE or rule.leaves == DELETE
    return rule.action is not None and ACTIONS[DELETE] in (rule.action.values or {}).values()
