"""Avro schemas read: JSON becomes a graph of `Type`, names resolved, annotations kept.

It reads what writers register, so it is lenient where a record can be decoded all the same: names may have any
characters, defaults are looked at only when a reader needs one. What has no meaning is `IncompatibleSchema`.
"""

from collections.abc import Sequence
from typing import Final, final

from consumer.avro.annotations import Annotation, annotation_of
from consumer.avro.definitions import Definitions
from consumer.avro.errors import IncompatibleSchema
from consumer.avro.schema import (
    ARRAY,
    BOOLEAN,
    BYTES,
    DOUBLE,
    ENUM,
    FIXED,
    FLOAT,
    INT,
    KIND_NAMES,
    LONG,
    MAP,
    NULL,
    RECORD,
    STRING,
    UNION,
    Field,
    Type,
    unqualified,
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


def parse(schema: object, references: Sequence[object] = ()) -> Type:
    """The type that this parsed JSON describes; `references` define names that it uses, dependencies first.

    Raises `IncompatibleSchema` for JSON that is not an Avro schema, or that has more types than a schema may.
    """
    known = Definitions()
    names = Names(known)
    for number, reference in enumerate(references, 1):
        known.reading(f"reference {number}")
        names.parse(reference, "", 0)
    known.reading("")
    return names.parse(schema, "", 0)


@final
class Names:
    """Reads types, and knows those that have a name."""

    __slots__ = ("_known",)

    def __init__(self, known: Definitions) -> None:
        self._known = known

    def parse(self, schema: object, namespace: str, depth: int) -> Type:
        """The type that the JSON describes, within this namespace."""
        if depth > MAX_NESTING:
            raise invalid(f"it nests more than {MAX_NESTING} levels")
        self._known.count()
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
        found = self._known.find(name, namespace)
        if found is None:
            raise invalid(f"the type {name} is not defined")
        return found

    def _union(self, schema: list[object], namespace: str, depth: int) -> Type:
        union = Type(UNION)
        names: set[str] = set()
        for branch in schema:
            found = self.parse(branch, namespace, depth + 1)
            if found.kind == UNION:
                raise invalid("a union directly within a union")
            if found.name and found.name in names:
                raise invalid(f"a union has {found} twice")
            names.add(found.name)
            union.items.append(found)
        return union

    def _object(self, schema: dict[str, object], namespace: str, depth: int) -> Type:
        kind = schema.get("type")
        if not isinstance(kind, str):
            return annotated(self.parse(kind, namespace, depth + 1), annotation_of(schema))
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
            container.annotation = annotation_of(schema)
            return container
        return annotated(self._named(kind, namespace), annotation_of(schema))

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
            self._known.path.append(name)
            kind = annotated(self.parse(field["type"], inner, depth + 1), annotation_of(field))
            self._known.path.pop()
            read = Field(name, kind, aliases, "default" in field, field.get("default"))
            read.tags = texts(field.get("confluent:tags"))
            record.fields.append(read)
        return self._known.end(record)

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
        return self._known.end(enum)

    def _fixed(self, schema: dict[str, object], namespace: str) -> Type:
        fixed = self._define(FIXED, schema, namespace)
        size = schema.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise invalid(f"{fixed} without a size")
        fixed.size = size
        return self._known.end(fixed)

    def _define(self, kind: int, schema: dict[str, object], namespace: str) -> Type:
        """A new named type, known from here on: what is inside may refer to it."""
        name = schema.get("name")
        if not isinstance(name, str) or not name:
            raise invalid(f"{KIND_NAMES[kind]} without a name")
        if "." not in name:
            own = schema.get("namespace")
            space = own if isinstance(own, str) else namespace
            name = f"{space}.{name}" if space else name
        if name in PRIMITIVES:
            raise invalid(f"{name} is the name of a primitive type")
        defined = Type(kind, name)
        defined.annotation = annotation_of(schema)
        defined.aliases = [unqualified(alias) for alias in texts(schema.get("aliases"))]
        self._known.begin(defined)
        return defined


def annotated(kind: Type, annotation: Annotation | None) -> Type:
    """The type as it is at a place that annotates it: what has an annotation of its own keeps it.

    It is meant for the scalars of a union, and never changes what other places that name the same type see.
    """
    if annotation is None or kind.annotation is not None:
        return kind
    if kind.kind == UNION:
        kind.items = [annotated(branch, annotation) for branch in kind.items]
        return kind
    if kind.kind == FIXED:
        here = Type(FIXED, kind.name)
        here.aliases = kind.aliases
        here.size = kind.size
        here.annotation = annotation
        return here
    if kind.kind != NULL and kind.kind < FIXED:
        kind.annotation = annotation
    return kind


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
