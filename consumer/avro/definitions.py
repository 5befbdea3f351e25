"""The named types of a schema and of what it refers to: defined once, or more than once in the same words.

Imports and code generators write a shared type out wherever it is used. Definitions that read the same data, under
the same annotations, are one type with the tags of both; two that differ leave open which was meant.
"""

from typing import Final, final

from consumer.avro.annotations import Annotation
from consumer.avro.errors import IncompatibleSchema
from consumer.avro.schema import RECORD, Field, Type

# How many types a schema may have, with all that it refers to: far above what people write. A type stands for every
# place in the text that has one, by name or not.
MAX_TYPES: Final = 20_000


@final
class Definitions:
    """The named types so far. `path` leads to where the reader of the schema is."""

    __slots__ = ("_count", "_open", "_places", "_source", "_types", "path")

    def __init__(self) -> None:
        self._types: dict[str, Type] = {}
        self._places: dict[str, str] = {}
        self._open: set[str] = set()  # names whose definition has not ended
        self._source = ""
        self._count = 0
        self.path: list[str] = []

    def reading(self, source: str) -> None:
        """What is defined from here on stands in this schema (in words; empty for the one that refers to others)."""
        self._source = source
        self.path = []

    def count(self) -> None:
        """One more type. Raises `IncompatibleSchema` for one too many."""
        self._count += 1
        if self._count > MAX_TYPES:
            raise IncompatibleSchema(f"the schema has more than {MAX_TYPES} types, with all that it refers to")

    def find(self, name: str, namespace: str) -> Type | None:
        """The type of this name, in the namespace around it or as it stands."""
        if namespace and "." not in name:
            found = self._types.get(f"{namespace}.{name}")
            if found is not None:
                return found
        return self._types.get(name)

    def begin(self, defined: Type) -> None:
        """A definition begins: what is inside may refer to it, or to an earlier one of its name."""
        name = defined.name
        if name in self._open:
            raise IncompatibleSchema(f"not an Avro schema: the type {name} is defined again within itself")
        self._open.add(name)
        if name not in self._types:
            self._types[name] = defined
            self._places[name] = self._here()

    def end(self, defined: Type) -> Type:
        """A definition is complete: the type to go on with, which is an earlier one that reads the same.

        Raises `IncompatibleSchema` where the earlier one of its name is another.
        """
        name = defined.name
        self._open.discard(name)
        first = self._types[name]
        if first is defined:
            return first
        if same(first, defined):
            add_tags(first, defined)
            return first
        places = f"in {self._places[name]} and in {self._here()}"
        raise IncompatibleSchema(f"the type {name} is defined twice and not the same, {places}")

    def _here(self) -> str:
        """Where the reader is, in words."""
        if not self.path:
            return self._source or "the schema itself"
        path = "field " + ".".join(self.path)
        return f"{path} of {self._source}" if self._source else path


def add_tags(first: Type, again: Type) -> None:
    """What either definition says of a field holds: one that may be encrypted is never taken for clear."""
    for position, field in enumerate(first.fields):
        for tag in again.fields[position].tags:
            if tag not in field.tags:
                field.tags.append(tag)


def same(one: Type, other: Type) -> bool:
    """Whether both types read the same data, under the same annotations; records within them by identity."""
    if one is other:
        return True
    if one.kind != other.kind or one.name != other.name or one.size != other.size or one.symbols != other.symbols:
        return False
    if not same_annotation(one.annotation, other.annotation):
        return False
    if len(one.items) != len(other.items) or len(one.fields) != len(other.fields):
        return False
    for position, item in enumerate(one.items):
        if not same_part(item, other.items[position]):
            return False
    for position, field in enumerate(one.fields):
        if not same_field(field, other.fields[position]):
            return False
    return True


def same_field(one: Field, other: Field) -> bool:
    """Whether both fields are read the same."""
    return one.name == other.name and same_part(one.type, other.type)


def same_part(one: Type, other: Type) -> bool:
    """Whether both types, as parts of another, are the same; equal records have been made one before."""
    return one is other or (one.kind != RECORD and same(one, other))


def same_annotation(one: Annotation | None, other: Annotation | None) -> bool:
    """Whether both say the same."""
    if one is None or other is None:
        return one is other
    parts = (one.logical, one.connect, one.precision, one.scale)
    return parts == (other.logical, other.connect, other.precision, other.scale)
