"""Where a writer's schema has what the rules read: one layout for each record that they take."""

from collections.abc import Sequence
from typing import Final, final

from consumer.avro.schema import NULL, UNION, Type
from consumer.mapping.entries import Entries
from consumer.mapping.errors import Hold, Misfit
from consumer.mapping.fits import SILENT, copyable, holds_json, silent_null, unfitting
from consumer.mapping.paths import ROW_ROOT, VALUE, Found, Lost, Path, locate
from consumer.mapping.placeholders import Form, Placeholder, form_of
from consumer.mapping.readers import DatumReader, reader_of
from consumer.mapping.rules import Rule, Take
from consumer.mapping.walk import Walk
from consumer.mapping.walks import Marks, Walks
from consumer.mapping.words import AS_JSON, COPY, DEBEZIUM, EVENT, EXISTS, RAW, ROW

ENVELOPE: Final = ("before", "after", "op")


@final
class Spot:
    """Where one path leads in one schema, and how what is there is read.

    `slot` is its slot, `old` that of the same column in `before`, -1 where it is not asked for. `guard` and
    `old_guard` are those of the map that the path goes through, which may be the placeholder itself.
    """

    __slots__ = ("entries", "form", "guard", "guard_form", "old", "old_guard", "reader", "slot")

    def __init__(self, slot: int, reader: DatumReader) -> None:
        self.slot = slot
        self.reader = reader
        self.old = -1
        self.guard = -1
        self.old_guard = -1
        self.form: Form | None = None
        self.guard_form: Form | None = None
        self.entries: Entries | None = None  # of a copy


@final
class Layout:
    """One record type and the rules that take it. `spots` are by the number of the take; one that is None there is
    left out, since only a later version has it."""

    __slots__ = ("after", "before", "deleted", "left_out", "op", "rules", "slots", "spots", "walk")

    def __init__(self, rules: list[Rule], takes: int) -> None:
        self.rules = rules
        self.spots: list[Spot | None] = [None] * takes
        self.left_out: list[Take] = []
        self.walk: Walk | None = None
        self.slots = 0
        self.op: Spot | None = None  # of an envelope
        self.before: Spot | None = None
        self.after: Spot | None = None
        self.deleted: Spot | None = None  # of a row that says so itself


def branches(writer: Type) -> list[Type]:
    """The types that a datum of the schema may have."""
    return writer.items if writer.kind == UNION else [writer]


def taken(rule: Rule, kind: Type) -> bool:
    """Whether the rule takes records of this type."""
    if kind.kind == NULL or (rule.records and kind.name not in rule.records):
        return False
    if rule.format == DEBEZIUM:
        names = {field.name for field in kind.fields}
        return all(name in names for name in ENVELOPE)
    return True


@final
class Planner:
    """Makes layouts. `takes` is the number of all paths of the file."""

    __slots__ = ("_placeholder", "_secret", "_takes")

    def __init__(self, takes: int, secret: bytes, placeholder: Placeholder | None) -> None:
        self._takes = takes
        self._secret = secret
        self._placeholder = placeholder

    def value(
        self, rules: Sequence[Rule], kind: Type, earlier: Sequence[Type], later: Sequence[Type]
    ) -> Layout | None:
        """The layout of values of this type; None where no rule takes it.

        `earlier` and `later` are the registered versions before and after it. Raises `Hold`.
        """
        takers = [rule for rule in rules if taken(rule, kind)]
        if not takers:
            return None
        layout = Layout(takers, self._takes)
        marks = Marks()
        if takers[0].format == DEBEZIUM:
            layout.op = self._own(takers[0], kind, marks, "op", RAW)
            layout.before = self._own(takers[0], kind, marks, "before", EXISTS)
            layout.after = self._own(takers[0], kind, marks, "after", EXISTS)
        elif takers[0].format == ROW and any(field.name == "__deleted" for field in kind.fields):
            layout.deleted = self._own(takers[0], kind, marks, "__deleted", RAW)
        for rule in takers:
            found: dict[int, Found] = {}
            for take in rule.takes():
                if take.path.root == VALUE or take.path.root == ROW_ROOT:
                    place = self._place(rule, take, kind, earlier, later)
                    if place is None:
                        layout.left_out.append(take)
                        continue
                    found[take.number] = place
                    layout.spots[take.number] = self._spot(rule, take, kind, place, marks)
            self._fits(rule, found)
        layout.walk = Walks().root(kind, marks.root)
        layout.slots = marks.count
        return layout

    def key(self, rules: Sequence[Rule], kind: Type) -> Layout:
        """The layout of keys of this type. Raises `Hold`."""
        layout = Layout(list(rules), self._takes)
        marks = Marks()
        for rule in rules:
            for take in rule.takes():
                if take.path.root != VALUE and take.path.root != ROW_ROOT:
                    place = key_place(rule, take, kind)
                    if place is not None:
                        layout.spots[take.number] = self._spot(rule, take, kind, place, marks)
        layout.walk = Walks().root(kind, marks.root)
        layout.slots = marks.count
        return layout

    def _place(
        self, rule: Rule, take: Take, kind: Type, earlier: Sequence[Type], later: Sequence[Type]
    ) -> Found | None:
        """Where the path leads; None where only a later version has it, and the rule can do without."""
        place = located_in(kind, take.path)
        if isinstance(place, Found):
            return place
        has_later = any(has(other, kind, take.path) for other in later)
        if has_later and take not in rule.deciding() and not any(has(other, kind, take.path) for other in earlier):
            return None
        raise Hold(rule.name, take.path.text, place.why, True)

    def _spot(self, rule: Rule, take: Take, kind: Type, place: Found, marks: Marks) -> Spot:
        try:
            how = take.how
            if how == COPY:
                how = AS_JSON if holds_json(place.type) else EXISTS
            reader = reader_of(place.type, how, self._secret)
            entries = self._entries(rule, place.type) if take.how == COPY and how == EXISTS else None
        except Misfit as misfit:
            raise Hold(rule.name, take.path.text, str(misfit)) from None
        spot = Spot(marks.slot(place.steps), reader)
        spot.entries = entries
        if rule.format == EVENT or (take.path.root != VALUE and take.path.root != ROW_ROOT):
            return spot
        spot.form = form_of(place.type, self._placeholder)
        if place.map_at >= 0:
            spot.guard = marks.slot(place.steps[: place.map_at])
            spot.guard_form = form_of(place.map_type, self._placeholder) if place.map_type is not None else None
        if rule.before_whole and take.path.root == ROW_ROOT:
            old = locate(kind, ["before", *take.path.parts])
            if isinstance(old, Found):
                spot.old = marks.slot(old.steps)
                if old.map_at >= 0:
                    spot.old_guard = marks.slot(old.steps[: old.map_at])
        return spot

    def _entries(self, rule: Rule, kind: Type) -> Entries:
        excluded = frozenset(rule.named) | (rule.copy.excluded if rule.copy is not None else frozenset())
        return Entries(kind, excluded, self._secret, None if rule.format == EVENT else self._placeholder)

    def _own(self, rule: Rule, kind: Type, marks: Marks, name: str, how: int) -> Spot:
        """A field that the format itself has."""
        place = locate(kind, [name])
        if isinstance(place, Lost):
            raise Hold(rule.name, name, place.why)
        try:
            return Spot(marks.slot(place.steps), reader_of(place.type, how, b""))
        except Misfit as misfit:
            raise Hold(rule.name, name, str(misfit)) from None

    def _fits(self, rule: Rule, found: dict[int, Found]) -> None:
        for item in rule.properties:
            why = unfitting(item, found)
            if why:
                raise Hold(rule.name, ", ".join(take.path.text for take in item.takes), why)
        if rule.copy is not None and rule.copy.take.number in found:
            kind = found[rule.copy.take.number].type
            if not copyable(kind):
                raise Hold(rule.name, rule.copy.take.path.text, f"{kind} is no record, map or text of JSON")
            silent = silent_null(rule, kind)
            if silent:
                raise Hold(rule.name, rule.copy.take.path.text, f"{silent}: {SILENT}")


def steps_of(path: Path) -> list[str]:
    """The parts from the value on."""
    return ["after", *path.parts] if path.root == ROW_ROOT else path.parts


def located_in(kind: Type, path: Path) -> Found | Lost:
    """Where the path leads in this record."""
    place = locate(kind, steps_of(path))
    if isinstance(place, Found) and path.root == ROW_ROOT:
        place.nullable = nullable_in_row(kind, path.parts)
    return place


def nullable_in_row(envelope: Type, parts: list[str]) -> bool:
    """Whether null may be there in a row: one that is null itself is refused before."""
    for field in envelope.fields:
        if field.name == "after":
            for branch in branches(field.type):
                place = locate(branch, parts)
                if branch.kind != NULL and isinstance(place, Found):
                    return place.nullable
    return True


def has(writer: Type, kind: Type, path: Path) -> bool:
    """Whether this version of the record has the path."""
    for branch in branches(writer):
        if branch.kind == kind.kind and branch.name == kind.name:
            return isinstance(locate(branch, steps_of(path)), Found)
    return False


def key_place(rule: Rule, take: Take, kind: Type) -> Found | None:
    """Where the path leads in the key; None for one that is not of the key."""
    if not take.path.of_key:
        return None
    place = locate(kind, take.path.parts)
    if isinstance(place, Lost):
        raise Hold(rule.name, take.path.text, f"the key's schema: {place.why}")
    return place
