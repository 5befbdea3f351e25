"""The entries of QUARANTINE: what is to become a dead letter, named by place, project, group or schema."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from consumer.settings.values import ValueKind, Wrong, topic_name

# A comma separates entries, unless a backslash stands before it; so does a line break.
SEPARATOR: Final = re.compile(r"(?<!\\),|\r?\n")
NUMBER: Final = re.compile(r"[0-9]{1,18}")
GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NAMED: Final = 20  # wrong entries, in one error
FORMS: Final = "topic:partition:offset, project:NAME, group:KEY:ID or schema:ID"


@dataclass(frozen=True)
class QuarantineEntries:
    """What is named. A place is (topic, partition, offset), a group (key, id), a schema an id or a GUID."""

    places: frozenset[tuple[str, int, int]] = frozenset()
    projects: frozenset[str] = frozenset()
    groups: frozenset[tuple[str, str]] = frozenset()
    schemas: frozenset[int | str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.places or self.projects or self.groups or self.schemas)


def quarantine() -> ValueKind[QuarantineEntries]:
    """Entries, comma separated or one a line; `\\,` is a comma within one."""

    def read(given: str) -> QuarantineEntries:
        texts = (part.replace("\\,", ",").lstrip() for part in SEPARATOR.split(given))
        return entries(text for text in texts if text)

    return ValueKind(read, "ENTRY,...", QuarantineEntries())


def entries(texts: Iterable[str]) -> QuarantineEntries:
    """The entries, by their form. Raises `Wrong`, which names every wrong one with the form that it was to have."""
    places: set[tuple[str, int, int]] = set()
    projects: set[str] = set()
    groups: set[tuple[str, str]] = set()
    schemas: set[int | str] = set()
    refused: list[str] = []
    for given in texts:
        text = given if given.startswith("group:") else given.rstrip()  # a group's id may end in a space
        form, _, rest = text.partition(":")
        try:
            if form == "project":
                projects.add(project(rest))
            elif form == "group":
                groups.add(group(rest))
            elif form == "schema":
                schemas.add(schema(rest))
            else:
                places.add(place(text))
        except Wrong as wrong:
            refused.append(f'{wrong}, which the entry "{text[:80]}" is not')
    if refused:
        more = f"; and {len(refused) - NAMED} more" if len(refused) > NAMED else ""
        raise Wrong(f"{'; '.join(refused[:NAMED])}{more} (\\, is a comma within an entry)")
    return QuarantineEntries(frozenset(places), frozenset(projects), frozenset(groups), frozenset(schemas))


def project(name: str) -> str:
    """A project's name. Raises `Wrong`."""
    if not name:
        raise Wrong("project:NAME")
    return name


def group(text: str) -> tuple[str, str]:
    """Key and id of a group. Raises `Wrong`."""
    key, _, name = text.partition(":")
    if not key or not name:
        raise Wrong("group:KEY:ID")
    return key, name


def schema(name: str) -> int | str:
    """A schema's id, or its GUID in lower case. Raises `Wrong`."""
    if NUMBER.fullmatch(name):
        return int(name)
    if GUID.fullmatch(name.lower()):
        return name.lower()
    raise Wrong("schema:ID, where ID is a number or a GUID")


def place(text: str) -> tuple[str, int, int]:
    """Topic, partition and offset. Raises `Wrong`."""
    parts = text.split(":")
    if len(parts) != 3:
        raise Wrong(FORMS)
    if not NUMBER.fullmatch(parts[1]) or not NUMBER.fullmatch(parts[2]):
        raise Wrong("topic:partition:offset")
    return topic_name(parts[0]), int(parts[1]), int(parts[2])
