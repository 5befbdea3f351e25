"""A mapping held against the registered schemas, before anything runs: faults, which stop it, and notes.

Pure: the schemas come in as types, what is registered is the caller's to know.
"""

from collections.abc import Mapping, Sequence
from typing import final

from consumer.avro.schema import Type
from consumer.mapping.errors import Misfit
from consumer.mapping.faults import Fault, nearest
from consumer.mapping.fits import SILENT, copyable, parts_of, silent_null, unfitting
from consumer.mapping.layout import branches, located_in, taken
from consumer.mapping.notes import note, of_deletes, of_fields, of_group, of_hidden, of_topics, of_values, of_versions
from consumer.mapping.paths import Found, Lost, locate
from consumer.mapping.readers import reader_of
from consumer.mapping.rules import Mapping as File
from consumer.mapping.rules import Rule, Take
from consumer.mapping.words import AS_IS, COPY, EXISTS, IN, IS_THERE, KEY_SCHEMA


@final
class Registered:
    """What the registry has for one topic: versions of each record, oldest first, and the key's newest, or None."""

    __slots__ = ("compacted", "key", "values")

    def __init__(self, values: Sequence[Sequence[Type]], key: Type | None, compacted: bool) -> None:
        self.values = values
        self.key = key
        self.compacted = compacted


@final
class Findings:
    """What one check came to, each list by line."""

    __slots__ = ("faults", "notes")

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.notes: list[Fault] = []

    def sort(self) -> None:
        """By line, each but once."""
        for found in (self.faults, self.notes):
            kept = {(item.line, str(item)): item for item in found}
            found[:] = [kept[key] for key in sorted(kept)]


def check(file: File, topics: Mapping[str, Registered]) -> Findings:
    """Every fault and every note of the file, given what is registered. Topics that are not given are left out."""
    findings = Findings()
    for rule in file.rules:
        for topic in rule.topics:
            if topic in topics:
                Check(findings, rule, topic, topics[topic]).run()
    findings.notes += of_topics(file.rules, {topic: registered.values for topic, registered in topics.items()})
    findings.notes += of_deletes(file.rules)
    findings.sort()
    return findings


@final
class Check:
    """One rule and one topic."""

    def __init__(self, findings: Findings, rule: Rule, topic: str, registered: Registered) -> None:
        self.findings = findings
        self.rule = rule
        self.topic = topic
        self.registered = registered

    def fault(self, line: int, what: str, message: str, near: str = "") -> None:
        """Something is wrong, and records of this topic would hold."""
        self.findings.faults.append(Fault(line, f"rule {self.rule.name}, {what}", message, near))

    def run(self) -> None:
        """All that can be said of the rule here."""
        rule = self.rule
        if rule.changed and self.registered.compacted:
            self.fault(rule.line, "send", f"changed cannot be where {self.topic} is compacted: rows before are gone")
        taken_types = False
        for versions in self.registered.values:
            for kind in branches(versions[-1]):
                if taken(rule, kind):
                    taken_types = True
                    self.record(kind, versions)
        if not taken_types and self.registered.values:
            known = [kind.name for versions in self.registered.values for kind in branches(versions[-1])]
            near = nearest(next(iter(rule.records)), known) if rule.records else ", ".join(known)
            self.fault(rule.line, "record", f"no registered record of {self.topic} is one that the rule takes", near)
        if self.registered.key is not None and rule.key == KEY_SCHEMA:
            for take in rule.takes():
                if take.path.of_key:
                    self.place(take, locate(self.registered.key, take.path.parts), "the key's schema: ")
        elif rule.key == KEY_SCHEMA and any(take.path.of_key for take in rule.takes()):
            says = f"{self.topic} has no registered key schema: is key = text, int or long meant?"
            self.findings.notes.append(note(rule.line, rule, "key", says))
        self.findings.notes += of_group(rule)

    def record(self, kind: Type, versions: Sequence[Type]) -> None:
        """One record type in its newest version, beside the older ones."""
        rule = self.rule
        found: dict[int, Found] = {}
        for take in rule.takes():
            if not take.path.of_value or not take.path.text:
                continue  # one without a text is a fault of the file already
            place = located_in(kind, take.path)
            if self.place(take, place, "") and isinstance(place, Found):
                found[take.number] = place
                self.findings.notes += of_versions(rule, take, kind, versions[:-1])
        for item in rule.properties:
            why = unfitting(item, found)
            if why:
                self.fault(item.line, item.name, why)
        if rule.copy is not None and rule.copy.take.number in found:
            self.copied(rule.copy.take, found[rule.copy.take.number].type)
        self.guards(found)
        self.findings.notes += of_values(rule, found) + of_hidden(rule, found) + of_fields(rule, kind)

    def place(self, take: Take, place: Found | Lost, what: str) -> bool:
        """Whether the path leads somewhere, to what can be read as the rule says."""
        if isinstance(place, Lost):
            self.fault(take.line, take.path.text, f"{what}{place.why}", nearest(place.part, place.known))
            return False
        try:
            reader_of(place.type, EXISTS if take.how == COPY else take.how, b"")
        except Misfit as misfit:
            self.fault(take.line, take.path.text, f"{what}{misfit}")
            return False
        return True

    def copied(self, take: Take, kind: Type) -> None:
        """A record or map, and every field of it that is copied."""
        if not copyable(kind):
            self.fault(
                take.line, take.path.text, f"copy takes a record, a map or text that holds JSON, and {kind} is there"
            )
            return
        assert self.rule.copy is not None
        silent = silent_null(self.rule, kind)
        if silent:
            self.fault(take.line, f"copy of {silent}", SILENT)
        left_out = self.rule.copy.excluded | frozenset(self.rule.named)
        for part in parts_of(kind):
            for field in part.fields:
                if field.name.startswith("__") or field.name in left_out:
                    continue
                try:
                    reader_of(field.type, AS_IS, b"")
                except Misfit as misfit:
                    self.fault(take.line, f"copy of {field.name}", f"{misfit}, or put it into except")

    def guards(self, found: dict[int, Found]) -> None:
        """An id that may be null is asked for by a condition."""
        rule = self.rule
        guarded = {c.take.path.text for c in rule.where if c.kind == IS_THERE and c.expected}
        guarded |= {c.take.path.text for c in rule.where if c.kind == IN}
        for take in rule.id.takes if rule.id is not None else []:
            place = found.get(take.number)
            if place is not None and place.nullable and take.path.text not in guarded:
                says = (
                    f'null may be there, and an id is none: where = [{{ path = "{take.path.text}", exists = true }}]'
                )
                self.fault(take.line, take.path.text, says)
