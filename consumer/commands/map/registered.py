"""What is registered for the topics of a mapping: by topic, by topic and record, by record, and the keys."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from consumer.avro.errors import IncompatibleSchema
from consumer.avro.parsing import parse
from consumer.avro.schema import Type
from consumer.event.model import SchemaRef
from consumer.mapping.check import Registered
from consumer.mapping.layout import branches
from consumer.mapping.rules import Rule
from consumer.registry.errors import Unusable
from consumer.registry.subjects import RegistryApi
from consumer.settings import Settings


class UnreadableSchema(Exception):
    """A schema is there, and is none that can be read; the message says why."""


@dataclass
class TopicSchemas:
    """Of one topic: versions of each record, oldest first, the key's newest, and what cannot be read, in words."""

    asked: list[str]
    values: list[list[Type]] = field(default_factory=list)
    key: Type | None = None
    problems: list[str] = field(default_factory=list)

    def registered(self, compacted: bool) -> Registered:
        """As the check takes it."""
        return Registered(self.values, self.key, compacted)

    def around(self, writer: Type) -> tuple[list[Type], list[Type]]:
        """The versions before and after this one; none where it is not one of those registered here."""
        for versions in self.values:
            for at, version in enumerate(versions):
                if version is writer:
                    return versions[:at], versions[at + 1 :]
        return [], []

    def newest(self, record: str) -> Type | None:
        """The newest schema that has this record, by its full name; empty: the one there is. None where none has."""
        for versions in self.values:
            if not record or any(kind.name == record for kind in branches(versions[-1])):
                return versions[-1]
        return None


class RegisteredSchemas:
    """Asks the registry; one schema is asked for once. Methods raise `RegistryError` where it gives no answer."""

    def __init__(self, settings: Settings) -> None:
        self._api = RegistryApi(settings)
        self._subjects: dict[str, list[Type]] = {}
        self._types: dict[SchemaRef, Type] = {}
        self._rules: dict[SchemaRef, tuple[str, ...]] = {}

    def of(self, topic: str, rules: Sequence[Rule]) -> TopicSchemas:
        """All that is registered for the topic, whose rules these are."""
        records = sorted({record for rule in rules for record in rule.records})
        asked = [f"{topic}-value", *(f"{topic}-{record}" for record in records), *records]
        schemas = TopicSchemas(asked)
        for subject in asked:
            schemas.values += by_record(self._versions(subject, schemas.problems))
        keys = self._versions(f"{topic}-key", schemas.problems)
        schemas.key = keys[-1] if keys else None
        return schemas

    def _versions(self, subject: str, problems: list[str]) -> list[Type]:
        """Every version of the subject, oldest first; none where there is no such subject."""
        if subject not in self._subjects:
            self._subjects[subject] = []
            for version in self._api.versions(subject) or []:
                try:
                    self._subjects[subject].append(self.type_of(version.id))
                except UnreadableSchema as fault:
                    problems.append(f"{subject}, version {version.version}: {fault}")
        return self._subjects[subject]

    def rules_of(self, ref: SchemaRef) -> tuple[str, ...]:
        """The names of its rules for reading; none where it cannot be read. Raises `RegistryError`."""
        with suppress(UnreadableSchema):
            self.type_of(ref)
        return self._rules.get(ref, ())

    def type_of(self, ref: SchemaRef) -> Type:
        """The schema of this id, one object for each. Raises `RegistryError`, `Unreadable`."""
        if ref not in self._types:
            try:
                fetched = self._api.fetched(ref)
                self._rules[ref] = fetched.rules
                self._types[ref] = parse(
                    json.loads(fetched.schema), [json.loads(text) for text in fetched.references]
                )
            except (Unusable, IncompatibleSchema, ValueError, RecursionError) as fault:
                raise UnreadableSchema(f"the schema cannot be read: {fault}") from None
        return self._types[ref]


def by_record(versions: Sequence[Type]) -> list[list[Type]]:
    """The versions of each record that one subject has; those of unions are of one kind."""
    by_name: dict[str, list[Type]] = {}
    for version in versions:
        by_name.setdefault(version.name, []).append(version)
    return list(by_name.values())
