"""What the sandbox's registry keeps: schemas, what they refer to, versions of subjects, and how it says no."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

Json = dict[str, Any]
KINDS: Final = ("AVRO", "JSON", "PROTOBUF")


class ApiError(Exception):
    """An answer other than 200: its HTTP status, Confluent's error code, and a message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Reference:
    """That a schema uses what is defined in another one."""

    name: str
    subject: str
    version: int

    def as_json(self) -> Json:
        """The reference as clients send and read it."""
        return {"name": self.name, "subject": self.subject, "version": self.version}


@dataclass(frozen=True)
class Schema:
    """One schema. Only those of Avro are looked into; the text of others, `rules` and `metadata` are kept (JSON)."""

    id: int
    text: str
    kind: str = "AVRO"
    references: tuple[Reference, ...] = ()
    rules: str = ""
    metadata: str = ""

    @property
    def guid(self) -> str:
        """Confluent's: the MD5 of text and references. Without references it is the same as a real registry's."""
        total = hashlib.md5(self.text.encode())  # a name, and no secret
        for reference in self.references:
            total.update(reference.name.encode() + reference.subject.encode() + reference.version.to_bytes(4, "big"))
        return str(UUID(bytes=total.digest()))

    def as_json(self) -> Json:
        """The schema as `/schemas/ids/...` answers it."""
        shown: Json = {"schema": self.text, "guid": self.guid}
        if self.kind != "AVRO":
            shown["schemaType"] = self.kind
        if self.references:
            shown["references"] = [reference.as_json() for reference in self.references]
        if self.rules:
            shown["ruleSet"] = json.loads(self.rules)
        if self.metadata:
            shown["metadata"] = json.loads(self.metadata)
        return shown


@dataclass
class Version:
    """One version of a subject."""

    subject: str
    number: int
    schema: Schema
    deleted: bool = False

    def as_json(self) -> Json:
        """The version as `/subjects/...` answers it."""
        shown: Json = {"subject": self.subject, "version": self.number, "id": self.schema.id}
        if self.deleted:
            shown["deleted"] = True
        return shown | self.schema.as_json()


def reference(asked: Any) -> Reference:
    """The reference that a client sends. Raises 42201."""
    try:
        return Reference(str(asked["name"]), str(asked["subject"]), int(asked["version"]))
    except (TypeError, KeyError, ValueError):
        raise ApiError(422, 42201, "a reference has name, subject and version") from None
