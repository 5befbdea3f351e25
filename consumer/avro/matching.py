"""What of a reader's type a writer's is read as: which branch, which field, which kind; and what must not be."""

from typing import Final, final

from consumer.avro.annotations import is_time
from consumer.avro.nodes import BYTES_AS_STRING, INT_AS_DOUBLE, LONG_AS_DOUBLE, STRING_AS_BYTES
from consumer.avro.schema import BYTES, DOUBLE, FIXED, FLOAT, INT, LONG, STRING, Type, unqualified

# What a writer's kind is read as where the reader's is another: (writer, reader) -> kind of the node.
PROMOTIONS: Final = {
    (INT, LONG): INT,
    (INT, FLOAT): INT_AS_DOUBLE,
    (INT, DOUBLE): INT_AS_DOUBLE,
    (LONG, FLOAT): LONG_AS_DOUBLE,
    (LONG, DOUBLE): LONG_AS_DOUBLE,
    (FLOAT, DOUBLE): FLOAT,
    (STRING, BYTES): STRING_AS_BYTES,
    (BYTES, STRING): BYTES_AS_STRING,
}


@final
class Branches:
    """The branches of a reader's union, each found at once, however many there are."""

    __slots__ = ("_by_full_name", "_by_name", "_places", "_union")

    def __init__(self, union: Type) -> None:
        self._union = union
        self._by_full_name: dict[tuple[int, str], Type] = {}
        self._by_name: dict[tuple[int, str], Type] = {}
        self._places: dict[int, int] = {}
        for place, branch in enumerate(union.items):
            self._places.setdefault(branch.kind, place)
            self._by_full_name.setdefault((branch.kind, branch.name), branch)
            for name in (unqualified(branch.name), *branch.aliases):
                self._by_name.setdefault((branch.kind, name), branch)

    def best(self, writer: Type) -> Type | None:
        """The branch that the writer's type is read as: its very type, else its name, else the first promotion."""
        found = self._by_full_name.get((writer.kind, writer.name))
        if found is None:
            found = self._by_name.get((writer.kind, unqualified(writer.name)))
        if found is not None:
            return found
        first = len(self._union.items)
        for source, target in PROMOTIONS:
            if source == writer.kind:
                first = min(first, self._places.get(target, first))
        return self._union.items[first] if first < len(self._union.items) else None


def meaning(writer: Type) -> str:
    """Why the writer's values are not what their kind says, or nothing in JSON; empty where they are."""
    annotation = writer.annotation
    kind = f"{writer} with {annotation}" if annotation is not None else str(writer)
    if writer.kind == BYTES or writer.kind == FIXED:
        return f"a value of type {kind}: JSON has no bytes, write a string or a number"
    if (writer.kind == INT or writer.kind == LONG) and annotation is not None and is_time(annotation):
        return f"a value of type {kind}: it would arrive as a bare number, write a string"
    return ""


def same_name(writer: Type, reader: Type) -> bool:
    """Whether these named types match: by unqualified name, or by an alias of the reader's."""
    name = unqualified(writer.name)
    return name == unqualified(reader.name) or name in reader.aliases


def matched(writer: Type, reader: Type) -> dict[str, str]:
    """For each field of the reader the writer's field that feeds it: that of its name, else of an alias."""
    names = {field.name for field in writer.fields}
    sources = {field.name: field.name for field in reader.fields if field.name in names}
    free = names - set(sources)
    for field in reader.fields:
        if field.name in sources:
            continue
        for alias in field.aliases:
            if alias in free:
                sources[field.name] = alias
                free.discard(alias)
                break
    return sources
