"""What a writer's schema that is new means to the rules: what they do not read, and what they read in vain."""

from collections.abc import Sequence
from typing import final

from consumer.avro.schema import ENUM, NULL, RECORD, Type
from consumer.mapping.layout import branches, located_in, taken
from consumer.mapping.paths import Found
from consumer.mapping.rules import Rule
from consumer.mapping.words import DEBEZIUM, WILD


@final
class Changes:
    """In words, each a path: `unmapped` fields that the version before did not have, mapped paths that are `gone` or
    `retyped`, and enum `symbols` that `values` has no row for."""

    __slots__ = ("gone", "retyped", "symbols", "unmapped")

    def __init__(self) -> None:
        self.unmapped: list[str] = []
        self.gone: list[str] = []
        self.retyped: list[str] = []
        self.symbols: list[str] = []

    def as_fields(self) -> dict[str, list[str]]:
        """Those that there are, by name."""
        named = {"unmapped": self.unmapped, "gone": self.gone, "retyped": self.retyped, "symbols": self.symbols}
        return {name: words for name, words in named.items() if words}


def changes_of(rules: Sequence[Rule], writer: Type, before: Type | None) -> Changes:
    """What is new in the writer's schema beside the version before it; None where there is none."""
    found = Changes()
    for kind in branches(writer):
        takers = [rule for rule in rules if taken(rule, kind)]
        if not takers:
            continue
        older = None if before is None else same_record(before, kind)
        mapped = set()
        copied = any(rule.copy is not None for rule in takers)
        for rule in takers:
            for take in rule.takes():
                if not take.path.of_value:
                    continue
                mapped.add(take.path.parts[0] if take.path.parts else "")
                compare(found, take.path.text, located_in(kind, take.path), older and located_in(older, take.path))
            unlisted(found, rule, kind)
        if older is not None and not copied:
            known = set(names_of(takers[0], older))
            found.unmapped += [name for name in names_of(takers[0], kind) if name not in known and name not in mapped]
    for words in (found.unmapped, found.gone, found.retyped, found.symbols):
        words[:] = dict.fromkeys(words)
    return found


def compare(found: Changes, text: str, now: object, before: object) -> None:
    """One mapped path, where it leads now and led before."""
    if not isinstance(now, Found):
        found.gone.append(text)
    elif isinstance(before, Found) and shape(now.type) != shape(before.type):
        found.retyped.append(text)


def shape(kind: Type) -> str:
    """What two types have in common that are read alike."""
    return ", ".join(sorted([named(one) for one in branches(kind) if one.kind != NULL]))


def named(kind: Type) -> str:
    """The type with its annotation."""
    annotation = kind.annotation
    return str(kind) if annotation is None else f"{kind} {annotation} {annotation.scale}"


def unlisted(found: Changes, rule: Rule, kind: Type) -> None:
    """Symbols of an enum that a property's `values` has no row for."""
    for item in rule.properties:
        if item.values is None or WILD in item.values:
            continue
        for take in item.takes:
            place = located_in(kind, take.path) if take.path.of_value else None
            if isinstance(place, Found):
                symbols = [symbol for one in branches(place.type) if one.kind == ENUM for symbol in one.symbols]
                found.symbols += [f"{take.path.text}: {symbol}" for symbol in symbols if symbol not in item.values]


def same_record(writer: Type, kind: Type) -> Type | None:
    """The record of the same name in another version."""
    for one in branches(writer):
        if one.kind == kind.kind and one.name == kind.name:
            return one
    return None


def names_of(rule: Rule, kind: Type) -> list[str]:
    """The fields that a rule could map: those of the row, or of the record itself."""
    row = kind
    if rule.format == DEBEZIUM:
        after = [field.type for field in kind.fields if field.name == "after"]
        rows = [one for one in branches(after[0]) if one.kind == RECORD] if after else []
        if not rows:
            return []
        row = rows[0]
    return [field.name for field in row.fields]
