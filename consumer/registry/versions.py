"""Where a schema stands among the versions of its subject: what came before it, and after."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from consumer.avro.errors import IncompatibleSchema
from consumer.avro.parsing import parse
from consumer.avro.schema import Type
from consumer.event.model import SchemaRef
from consumer.mapping.layout import branches
from consumer.registry.client import Fetched, RegistryClient, SubjectVersion


@dataclass
class Standing:
    """The subject, and the versions of the same record before and after; the first that it may be where it is in
    none."""

    subject: str
    earlier: list[Type] = field(default_factory=list)
    later: list[Type] = field(default_factory=list)


def standing(
    client: RegistryClient, topic: str, ref: SchemaRef, fetched: Fetched, *, of_key: bool, newest: int = 0
) -> Standing:
    """Asks by all three strategies for naming subjects, for so many of the `newest` versions, 0 for all.

    Raises `Outage`.
    """
    writer = type_of(fetched)
    for subject in subjects_of(topic, writer, of_key=of_key):
        versions = [version for version in client.versions(subject, newest) if named_as(version, writer)]
        for place, version in enumerate(versions):
            if version.id == ref or version.fetched.schema == fetched.schema:
                earlier = [type_of(version.fetched) for version in versions[:place]]
                return Standing(subject, earlier, [type_of(version.fetched) for version in versions[place + 1 :]])
    return Standing(f"{topic}-key" if of_key else f"{topic}-value")


def subjects_of(topic: str, writer: Type, *, of_key: bool) -> Iterator[str]:
    """By topic, by topic and record, by record."""
    yield f"{topic}-key" if of_key else f"{topic}-value"
    for branch in branches(writer):
        if branch.name:
            yield f"{topic}-{branch.name}"
            yield branch.name


def named_as(version: SubjectVersion, writer: Type) -> bool:
    """Whether it is a version of the same record, or both are unions; one that cannot be read is none."""
    try:
        return type_of(version.fetched).name == writer.name
    except (IncompatibleSchema, ValueError, RecursionError):
        return False


def type_of(fetched: Fetched) -> Type:
    """The schema as a type. Raises `IncompatibleSchema`; ValueError or RecursionError where its text is no JSON."""
    return parse(json.loads(fetched.schema), [json.loads(text) for text in fetched.references])
