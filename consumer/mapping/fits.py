"""Whether what a path leads to can become what a property's verb takes: known from the types alone."""

from typing import Final

from consumer.avro.schema import MAP, NULL, RECORD, UNION, Type
from consumer.event.model import ADD, REMOVE, SET
from consumer.event.model import UNION as UNITE
from consumer.mapping.meanings import INTEGER as WHOLE
from consumer.mapping.meanings import LIST, NUMBERS, OBJECT, TEXT, TRUTH, meaning_of, named
from consumer.mapping.paths import HEADER, Found
from consumer.mapping.rules import Property, Rule
from consumer.mapping.words import AS_IS, AS_JSON, AS_LIST, AS_LOWER, AS_NUMBER, AS_TEXT, UNSAID

SILENT: Final = "null may be there, and the rule does not say what it does: null = skip, unset or null"
NEEDS: Final = {ADD: "add needs a number", UNITE: "union needs a list of texts or numbers"}


def unfitting(item: Property, found: dict[int, Found]) -> str:
    """Why the property does not fit what its paths lead to; empty where it does. `found` is by the take's number."""
    for take in item.takes:
        place = found.get(take.number)
        if place is None:
            continue
        for kind in parts_of(place.type):
            why = misfit(item, kind, take.how)
            if why:
                return why
    if item.verb == SET and item.null == UNSAID and not item.has_default and nullable(item, found):
        return SILENT
    return ""


def misfit(item: Property, kind: Type, how: int) -> str:
    """Why values of this one type do not fit."""
    meaning = meaning_of(kind)
    if item.values is not None:
        matched = meaning in (TEXT, WHOLE, TRUTH) or how == AS_TEXT or how == AS_LOWER
        return "" if matched else f"values match text, enum, whole numbers and booleans, and {named(kind)} is there"
    if item.joined and meaning in (LIST, OBJECT):
        return f"join puts texts together, and {named(kind)} is there"
    if how == AS_JSON:
        return ""
    if item.verb == ADD and how != AS_NUMBER and (meaning not in NUMBERS or how != AS_IS):
        return f"add needs a number, and {named(kind)} is there"
    if item.verb == UNITE and how != AS_LIST:
        items = parts_of(kind.items[0]) if meaning == LIST else []
        if not items or any(meaning_of(part) in (LIST, OBJECT, TRUTH) for part in items):
            return f'union needs a list of texts or numbers (or as = "list"), and {named(kind)} is there'
    if item.verb == UNITE and how == AS_LIST and meaning == TRUTH:
        return f"union needs a list of texts or numbers, and {named(kind)} is there"
    if item.verb == REMOVE and (meaning in (LIST, OBJECT) or how == AS_LIST):
        return f"remove needs one text, number or boolean, and {named(kind)} is there"
    return ""


def nullable(item: Property, found: dict[int, Found]) -> bool:
    """Whether the property can come to null. What is left out comes to nothing."""
    may_be = False
    for take in item.takes:
        place = found.get(take.number)
        if place is None and take.path.of_value:
            continue  # left out
        by_itself = take.how == AS_JSON or take.path.root == HEADER
        if not by_itself and (place is None or not place.nullable):
            return False
        may_be = True
    return may_be


def silent_null(rule: Rule, kind: Type) -> str:
    """The field that a copy of this type may take a null from, where the rule does not say what null does."""
    if rule.null != UNSAID or rule.copy is None:
        return ""
    left_out = rule.copy.excluded | frozenset(rule.named)
    for part in parts_of(kind):
        if meaning_of(part) == TEXT or (part.kind == MAP and has_null(part.items[0])):
            return "its values"
        for field in part.fields:
            if has_null(field.type) and field.name not in left_out and not field.name.startswith("__"):
                return field.name
    return ""


def has_null(kind: Type) -> bool:
    """Whether null may be there."""
    return kind.kind == NULL or (kind.kind == UNION and any(branch.kind == NULL for branch in kind.items))


def parts_of(kind: Type) -> list[Type]:
    """The types that are not null."""
    branches = kind.items if kind.kind == UNION else [kind]
    return [branch for branch in branches if branch.kind != NULL]


def copyable(kind: Type) -> bool:
    """Whether it has fields or entries to copy, or is text, which may hold them as JSON."""
    parts = parts_of(kind)
    return bool(parts) and (all(part.kind == RECORD or part.kind == MAP for part in parts) or holds_json(kind))


def holds_json(kind: Type) -> bool:
    """Whether nothing but text is there."""
    parts = parts_of(kind)
    return bool(parts) and all(meaning_of(part) == TEXT for part in parts)
