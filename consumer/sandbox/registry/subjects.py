"""What the sandbox's registry knows: subjects with their versions, schemas with their ids, compatibility levels.

One id for one schema, whatever its subjects. A version that was deleted softly keeps its number and its schema; one
that was deleted for good is forgotten. Errors are Confluent's, as `ApiError`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from consumer.sandbox.registry import avro_compatibility, avro_schema
from consumer.sandbox.registry.avro_schema import AvroType, InvalidSchema
from consumer.sandbox.registry.models import KINDS, ApiError, Json, Reference, Schema, Version, reference

DEFAULT_LEVEL = "BACKWARD"


@dataclass
class Subjects:
    """All of it. Not safe to use from several threads: the registry has one lock for it."""

    versions: dict[str, list[Version]] = field(default_factory=dict)
    schemas: dict[int, Schema] = field(default_factory=dict)
    level: str = DEFAULT_LEVEL
    levels: dict[str, str] = field(default_factory=dict)
    _next_id: int = 1

    def register(self, subject: str, asked: Json) -> Version:
        """The version of the subject that has this schema: a new one, where no living one has it."""
        schema = self.read(asked)
        known = self.find(subject, schema)
        if known is not None:
            return known
        conflicts = self.conflicts(schema, self.living(subject), self.levels.get(subject, self.level))
        if conflicts:
            message = f'Schema being registered is incompatible with an earlier schema for subject "{subject}"'
            raise ApiError(409, 409, f"{message}, details: {conflicts}")
        history = self.versions.setdefault(subject, [])
        number = history[-1].number + 1 if history else 1
        self.schemas[schema.id] = schema
        self._next_id = max(self._next_id, schema.id + 1)
        history.append(Version(subject, number, schema))
        return history[-1]

    def read(self, asked: Json) -> Schema:
        """The schema that a client sends, with its id, if it is a new one the next. Raises 42201."""
        text, kind = asked.get("schema"), asked.get("schemaType") or "AVRO"
        if not isinstance(text, str) or not text.strip():
            raise ApiError(422, 42201, "Empty schema")
        if kind not in KINDS:
            raise ApiError(422, 42201, f"Invalid schema type {kind}")
        references = tuple(reference(given) for given in asked.get("references") or ())
        if kind == "AVRO":
            try:
                texts = self.texts(references)
                text = avro_schema.canonical(avro_schema.parse(text, texts), texts)
            except InvalidSchema as error:
                raise ApiError(422, 42201, f"Invalid schema {text}, details: {error}") from None
        rules, metadata = (json.dumps(asked[part]) if asked.get(part) else "" for part in ("ruleSet", "metadata"))
        read = Schema(self._next_id, text, kind, references, rules, metadata)
        return next((known for known in self.schemas.values() if replace(known, id=read.id) == read), read)

    def texts(self, references: Sequence[Reference]) -> list[str]:
        """The texts of what is referred to, each once, dependencies first."""
        by_hash: dict[int, str] = {}
        for referred in references:
            try:
                schema = self.version(referred.subject, str(referred.version), deleted=True).schema
            except ApiError as error:
                message = f'No schema reference found for subject "{referred.subject}" and version {referred.version}'
                raise ApiError(422, 42201, message) from error
            for text in self.texts(schema.references):
                by_hash.setdefault(hash(text), text)
            by_hash.setdefault(hash(schema.text), schema.text)
        return list(by_hash.values())

    def set_level(self, subject: str | None, level: str) -> None:
        """Check compatibility like this from now on: of one subject, or of all that have no level of their own."""
        if subject is None:
            self.level = level
        else:
            self.levels[subject] = level

    def reset_level(self, subject: str | None) -> None:
        """Check it as it was from the beginning."""
        if subject is None:
            self.level = DEFAULT_LEVEL
        else:
            self.levels.pop(subject, None)

    def conflicts(self, schema: Schema, olds: list[Version], level: str) -> list[str]:
        """What the level forbids of this schema after these versions."""
        if level == "NONE" or not olds:
            return []
        if any(old.schema.kind != schema.kind for old in olds[-1:]):
            return [f"the schema is of type {schema.kind}, the latest of {olds[-1].schema.kind}"]
        if schema.kind != "AVRO":
            return []
        avro = [self.type_of(old.schema) for old in olds if old.schema.kind == "AVRO"]
        return avro_compatibility.conflicts(self.type_of(schema), avro, level)

    def type_of(self, schema: Schema) -> AvroType:
        """The Avro type of a known schema."""
        return avro_schema.parse(schema.text, self.texts(schema.references))

    def find(self, subject: str, schema: Schema, *, deleted: bool = False) -> Version | None:
        """The newest version of the subject with this schema."""
        versions = [
            version
            for version in self.versions.get(subject, ())
            if version.schema == schema and (deleted or not version.deleted)
        ]
        return versions[-1] if versions else None

    def living(self, subject: str) -> list[Version]:
        """The versions of a subject that are not deleted; none of one that nobody knows."""
        return [version for version in self.versions.get(subject, ()) if not version.deleted]

    def existing(self, subject: str, *, deleted: bool = False) -> list[Version]:
        """The versions of a subject. Raises 40401 where there are none."""
        versions = self.versions.get(subject, []) if deleted else self.living(subject)
        if not versions:
            raise ApiError(404, 40401, f"Subject '{subject}' not found.")
        return versions

    def version(self, subject: str, asked: str, *, deleted: bool = False) -> Version:
        """One version by its number, or `latest`. Raises 40401, 40402, 42202."""
        versions = self.existing(subject, deleted=deleted)
        if asked in ("latest", "-1"):
            return versions[-1]
        if not asked.isdecimal() or not 0 < int(asked) < 2**31:
            message = f"The specified version '{asked}' is not a valid version id. "
            allowed = 'Allowed values are between [1, 2^31-1] and the string "latest"'
            raise ApiError(422, 42202, message + allowed)
        for version in versions:
            if version.number == int(asked):
                return version
        raise ApiError(404, 40402, f"Version {asked} not found.")

    def schema(self, number: int) -> Schema:
        """One schema by its id. Raises 40403."""
        schema = self.schemas.get(number)
        if schema is None:
            raise ApiError(404, 40403, f"Schema {number} not found")
        return schema

    def by_guid(self, guid: str) -> Schema:
        """One schema by its GUID. Raises 40403."""
        for schema in self.schemas.values():
            if schema.guid == guid.lower():
                return schema
        raise ApiError(404, 40403, f"Schema {guid} not found")

    def users_of(self, schema: Schema, *, deleted: bool = False) -> list[Version]:
        """Every version that has this schema."""
        every = [version for history in self.versions.values() for version in history]
        return [version for version in every if version.schema.id == schema.id and (deleted or not version.deleted)]

    def referrers(self, version: Version) -> list[int]:
        """The ids of the schemas in use that refer to this version."""
        return [
            schema.id
            for schema in self.schemas.values()
            if any(
                (referred.subject, referred.version) == (version.subject, version.number)
                for referred in schema.references
            )
            and self.users_of(schema)
        ]

    def delete_subject(self, subject: str, *, permanent: bool) -> list[int]:
        """Delete all versions, softly, or for good what was deleted softly before.

        Raises 40401, 40404, 40405, 42206.
        """
        history = self.existing(subject, deleted=True)
        living = self.living(subject)
        if permanent and living:
            raise ApiError(404, 40405, f"Subject '{subject}' was not deleted first before being permanently deleted")
        if not permanent and not living:
            raise ApiError(
                404, 40404, f"Subject '{subject}' was soft deleted.Set permanent=true to delete permanently"
            )
        gone = list(history if permanent else living)
        for version in gone:
            self._not_referred_to(version)
        for version in gone:
            self._delete(version, permanent=permanent)
        self.levels.pop(subject, None)
        return [version.number for version in gone]

    def delete_version(self, subject: str, asked: str, *, permanent: bool) -> int:
        """Delete one version, likewise. Raises 40401, 40402, 40406, 40407, 42206."""
        version = self.version(subject, asked, deleted=asked != "latest" or permanent)
        name = f"Subject '{subject}' Version {version.number}"
        if permanent and not version.deleted:
            raise ApiError(404, 40407, f"{name} was not deleted first before being permanently deleted")
        if not permanent and version.deleted:
            raise ApiError(404, 40406, f"{name} was soft deleted.Set permanent=true to delete permanently")
        self._not_referred_to(version)
        self._delete(version, permanent=permanent)
        return version.number

    def _not_referred_to(self, version: Version) -> None:
        if self.referrers(version):
            message = (
                f"One or more references exist to the schema {{subject={version.subject},version={version.number}}}."
            )
            raise ApiError(422, 42206, message)

    def _delete(self, version: Version, *, permanent: bool) -> None:
        version.deleted = True
        if not permanent:
            return
        history = self.versions[version.subject]
        history.remove(version)
        if not history:
            del self.versions[version.subject]
        if not self.users_of(version.schema, deleted=True):
            del self.schemas[version.schema.id]
