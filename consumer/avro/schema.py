"""Avro schemas as types: a graph of `Type`, made by `parsing`, and not changed after."""

from typing import Final, final

from consumer.avro.annotations import Annotation

NULL: Final = 0
BOOLEAN: Final = 1
INT: Final = 2
LONG: Final = 3
FLOAT: Final = 4
DOUBLE: Final = 5
BYTES: Final = 6
STRING: Final = 7
FIXED: Final = 8
ENUM: Final = 9
ARRAY: Final = 10
MAP: Final = 11
UNION: Final = 12
RECORD: Final = 13

KIND_NAMES: Final = (
    "null",
    "boolean",
    "int",
    "long",
    "float",
    "double",
    "bytes",
    "string",
    "fixed",
    "enum",
    "array",
    "map",
    "union",
    "record",
)


@final
class Field:
    """One field of a record. `default` is JSON, and means something only where `has_default`.

    `tags` are what a data contract calls it: PII, say.
    """

    __slots__ = ("aliases", "default", "has_default", "name", "tags", "type")

    def __init__(self, name: str, kind: "Type", aliases: list[str], has_default: bool, default: object) -> None:
        self.name = name
        self.type = kind
        self.aliases = aliases
        self.has_default = has_default
        self.default = default
        self.tags: list[str] = []


@final
class Type:
    """One Avro type. `name` is the full name of a record, enum or fixed; `aliases` are unqualified.

    `items` are the branches of a union, or the one type of an array's items or a map's values. `annotation` is what
    the schema says of it at this place, else where it is defined. A reader's type that is `literal` takes no bytes,
    and no number that is annotated as a time. Compared by identity.
    """

    __slots__ = ("aliases", "annotation", "default", "fields", "items", "kind", "literal", "name", "size", "symbols")

    def __init__(self, kind: int, name: str = "") -> None:
        self.kind = kind
        self.name = name
        self.aliases: list[str] = []
        self.annotation: Annotation | None = None
        self.fields: list[Field] = []
        self.items: list[Type] = []
        self.symbols: list[str] = []
        self.literal = False
        self.size = 0  # of a fixed, in bytes
        self.default: str | None = None  # of an enum

    def __str__(self) -> str:
        kind = KIND_NAMES[self.kind]
        return f"{kind} {self.name}" if self.name else kind


def unqualified(name: str) -> str:
    """The name without its namespace."""
    return name[name.rfind(".") + 1 :]
