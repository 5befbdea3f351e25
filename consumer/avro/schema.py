"""Avro schemas as types: JSON becomes a graph of `Type`, names resolved, annotations (logical types) left out.

It reads what writers register, so it is lenient where a record can be decoded all the same: names may have any
characters, defaults are looked at only when a reader needs one. What has no meaning is `IncompatibleSchema`.
"""

from collections.abc import Sequence
from typing import Final, final

from consumer.avro.errors import IncompatibleSchema

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
PRIMITIVES: Final = {
    "null": NULL,
    "boolean": BOOLEAN,
    "int": INT,
    "long": LONG,
    "float": FLOAT,
    "double": DOUBLE,
    "bytes": BYTES,
    "string": STRING,
}
# How deep a schema may nest: far above what people write, below what would exhaust the stack.
MAX_NESTING: Final = 64


@final
class Field:
    """One field of a record. `default` is JSON, and means something only where `has_default`."""

    __slots__ = ("aliases", "default", "has_default", "name", "type")

    def __init__(self, name: str, kind: "Type", aliases: list[str], has_default: bool, default: object) -> None:
        self.name = name
        self.type = kind
        self.aliases = aliases
        self.has_default = has_default
        self.default = default


@final
class Type:
    """One Avro type. `name` is the full name of a record, enum or fixed; `aliases` are unqualified.

    `items` are the branches of a union, or the one type of an array's items or a map's values. Compared by identity.
    """

    __slots__ = ("aliases", "default", "fields", "items", "kind", "name", "size", "symbols")

    def __init__(self, kind: int, name: str = "") -> None:
        self.kind = kind
        self.name = name
        self.aliases: list[str] = []
        self.fields: list[Field] = []
        self.items: list[Type] = []
        self.symbols: list[str] = []
        self.size = 0  # of a fixed, in bytes
        self.default: str | None = None  # of an enum

    def __str__(self) -> str:
        kind = KIND_NAMES[self.kind]
        return f"{kind} {self.name}" if self.name else kind


def parse(schema: object, references: Sequence[object] = ()) -> Type:
    """The type that this parsed JSON describes; `references` define names that it uses, dependencies first.

    Raises `IncompatibleSchema` for JSON that is not an Avro schema.
    """
    names = Names()
    for reference in references:
        names.parse(reference, "", 0)
    return names.parse(schema, "", 0)


@final
class Names:
    """The named types defined so far, by full name."""

    __slots__ = ("_types",)

    def __init__(self) -> None:
        self._types: dict[str, Type] = {}

    def parse(self, schema: object, namespace: str, depth: int) -> Type:
        """The type that the JSON describes, within this namespace."""
        if depth > MAX_NESTING:
            raise invalid(f"it nests more than {MAX_NESTING} levels")
        if isinstance(schema, str):
            return self._named(schema, namespace)
        if isinstance(schema, list):
            return self._union(schema, namespace, depth)
        if isinstance(schema, dict):
            return self._object(schema, namespace, depth)
        raise invalid("a type is a name, an object or an array")

    def _named(self, name: str, namespace: str) -> Type:
        kind = PRIMITIVES.get(name)
        if kind is not None:
            return Type(kind)
        if namespace and "." not in name:
            found = self._types.get(f"{namespace}.{name}")
            if found is not None:
                return found
        found = self._types.get(name)
        if found is None:
            raise invalid(f"the type {name} is not defined")
        return found

    def _union(self, schema: list[object], namespace: str, depth: int) -> Type:
        union = Type(UNION)
        for branch in schema:
            found = self.parse(branch, namespace, depth + 1)
            if found.kind == UNION:
                raise invalid("a union directly within a union")
            union.items.append(found)
        return union

    def _object(self, schema: dict[str, object], namespace: str, depth: int) -> Type:
        kind = schema.get("type")
        if not isinstance(kind, str):
            return self.parse(kind, namespace, depth + 1)
        if kind == "record" or kind == "error":
            return self._record(schema, namespace, depth)
        if kind == "enum":
            return self._enum(schema, namespace)
        if kind == "fixed":
            return self._fixed(schema, namespace)
        if kind == "array" or kind == "map":
            container = Type(ARRAY if kind == "array" else MAP)
            inner = "items" if kind == "array" else "values"
            if inner not in schema:
                raise invalid(f"{kind} without {inner}")
            container.items.append(self.parse(schema[inner], namespace, depth + 1))
            return container
        return self._named(kind, namespace)

    def _record(self, schema: dict[str, object], namespace: str, depth: int) -> Type:
        record = self._define(RECORD, schema, namespace)
        inner = space_of(record.name)
        fields = schema.get("fields")
        if not isinstance(fields, list):
            raise invalid(f"{record} without fields")
        seen: set[str] = set()
        for field in fields:
            if not isinstance(field, dict) or not isinstance(field.get("name"), str) or "type" not in field:
                raise invalid(f"a field of {record} without name or type")
            name = str(field["name"])
            if name in seen:
                raise invalid(f"{record} has two fields {name}")
            seen.add(name)
            aliases = texts(field.get("aliases"))
            kind = self.parse(field["type"], inner, depth + 1)
            record.fields.append(Field(name, kind, aliases, "default" in field, field.get("default")))
        return record

    def _enum(self, schema: dict[str, object], namespace: str) -> Type:
        enum = self._define(ENUM, schema, namespace)
        symbols = schema.get("symbols")
        enum.symbols = texts(symbols)
        if not isinstance(symbols, list) or len(symbols) != len(enum.symbols):
            raise invalid(f"{enum} without symbols")
        if len(set(enum.symbols)) != len(enum.symbols):
            raise invalid(f"{enum} has a symbol twice")
        default = schema.get("default")
        if isinstance(default, str):
            enum.default = default
        return enum

    def _fixed(self, schema: dict[str, object], namespace: str) -> Type:
        fixed = self._define(FIXED, schema, namespace)
        size = schema.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise invalid(f"{fixed} without a size")
        fixed.size = size
        return fixed

    def _define(self, kind: int, schema: dict[str, object], namespace: str) -> Type:
        """A new named type, known from here on: what is inside may refer to it."""
        name = schema.get("name")
        if not isinstance(name, str) or not name:
            raise invalid(f"{KIND_NAMES[kind]} without a name")
        if "." not in name:
            own = schema.get("namespace")
            space = own if isinstance(own, str) else namespace
            name = f"{space}.{name}" if space else name
        if name in self._types or name in PRIMITIVES:
            raise invalid(f"the type {name} is defined twice")
        defined = Type(kind, name)
        defined.aliases = [unqualified(alias) for alias in texts(schema.get("aliases"))]
        self._types[name] = defined
        return defined


def unqualified(name: str) -> str:
    """The name without its namespace."""
    return name[name.rfind(".") + 1 :]


def space_of(name: str) -> str:
    """The namespace of a full name; empty where it has none."""
    dot = name.rfind(".")
    return name[:dot] if dot > 0 else ""


def texts(value: object) -> list[str]:
    """The strings of a list; none where it is no list."""
    if not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, str)]


def invalid(what: str) -> IncompatibleSchema:
    """The writer's schema is no Avro schema."""
    return IncompatibleSchema(f"not an Avro schema: {what}")
