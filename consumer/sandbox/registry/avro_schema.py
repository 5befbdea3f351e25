"""Avro schemas as the sandbox's registry reads them: checked, comparable, and written in one way.

Written from the Avro specification alone, apart from the core: what it says of compatibility is held against it.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

PRIMITIVES: Final = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
NAMED: Final = ("record", "error", "enum", "fixed")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN: Final = {"type", "name", "namespace", "doc", "fields", "items", "values", "symbols", "size", "aliases"}
_OWN_OF_FIELD: Final = {"name", "type", "doc", "default", "order", "aliases"}
_DEEPEST: Final = 200


class InvalidSchema(Exception):
    """The text is no Avro schema; the message says where."""


@dataclass(eq=False)
class AvroType:
    """One type; `inner` are a union's branches, an array's items or a map's values."""

    kind: str
    name: str = ""
    aliases: list[str] = field(default_factory=list)
    doc: str | None = None
    fields: list["AvroField"] = field(default_factory=list)
    inner: list["AvroType"] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    default: str | None = None
    size: int = 0
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def short(self) -> str:
        """The name without its namespace."""
        return self.name.rpartition(".")[2]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" if self.name else self.kind


@dataclass(eq=False)
class AvroField:
    """One field of a record."""

    name: str
    type: AvroType
    asked: dict[str, Any]
    """The field as it was written."""

    @property
    def aliases(self) -> list[str]:
        """Names that a writer may have for it."""
        return list(self.asked.get("aliases") or [])

    @property
    def has_default(self) -> bool:
        """Whether a reader can do without it."""
        return "default" in self.asked


def parse(text: str, references: Iterable[str] = ()) -> AvroType:
    """The type that the text is; `references` are the texts of what it refers to, dependencies first.

    Raises `InvalidSchema`.
    """
    known: dict[str, AvroType] = {}
    for reference in references:
        _Parser(known).read(_loaded(reference), "", 0)
    return _Parser(known).read(_loaded(text), "", 0)


def canonical(schema: AvroType, references: Iterable[str] = ()) -> str:
    """The schema as Avro's Java library writes it, which is what Confluent's registry keeps.

    What `references` define is called by its name: who reads the schema reads them first.
    """
    known: dict[str, AvroType] = {}
    for reference in references:
        _Parser(known).read(_loaded(reference), "", 0)
    return json.dumps(_Writer(set(known)).write(schema, ""), ensure_ascii=False, separators=(",", ":"))


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if text in PRIMITIVES:
            return text
        raise InvalidSchema(f"not JSON: {error}") from None


class _Parser:
    """Reads one schema; named types are known from their definition on."""

    def __init__(self, known: dict[str, AvroType]) -> None:
        self._known = known

    def read(self, schema: Any, space: str, depth: int) -> AvroType:
        """The type at one place of the schema, in this namespace."""
        if depth > _DEEPEST:
            raise InvalidSchema(f"types nested deeper than {_DEEPEST}")
        if isinstance(schema, str):
            return self._named(schema, space)
        if isinstance(schema, list):
            return self._union(schema, space, depth)
        if not isinstance(schema, dict) or "type" not in schema:
            raise InvalidSchema(f"no type: {json.dumps(schema)[:100]}")
        kind = schema["type"]
        if isinstance(kind, dict | list):
            return self.read(kind, space, depth + 1)
        if kind in PRIMITIVES:
            return AvroType(kind, properties=_others(schema, _OWN))
        if kind in ("array", "map"):
            inner = "items" if kind == "array" else "values"
            if inner not in schema:
                raise InvalidSchema(f"{kind} without {inner}")
            return AvroType(
                kind, inner=[self.read(schema[inner], space, depth + 1)], properties=_others(schema, _OWN)
            )
        if kind in NAMED:
            return self._definition(schema, kind, space, depth)
        return self._named(str(kind), space)

    def _named(self, name: str, space: str) -> AvroType:
        if name in PRIMITIVES:
            return AvroType(name)
        known = self._known.get(_full(name, space)) or self._known.get(name)
        if known is None:
            raise InvalidSchema(f'undefined name: "{name}"')
        return known

    def _union(self, branches: list[Any], space: str, depth: int) -> AvroType:
        union = AvroType("union", inner=[self.read(branch, space, depth + 1) for branch in branches])
        seen: set[str] = set()
        for branch in union.inner:
            if branch.kind == "union":
                raise InvalidSchema("a union directly in a union")
            key = branch.name or branch.kind
            if key in seen:
                raise InvalidSchema(f"a union with {key} twice")
            seen.add(key)
        return union

    def _definition(self, schema: dict[str, Any], kind: str, space: str, depth: int) -> AvroType:
        named = AvroType(kind, self._name_of(schema, kind, space), doc=schema.get("doc"))
        space = named.name.rpartition(".")[0]
        named.aliases = [_full(alias, space) for alias in schema.get("aliases") or []]
        named.properties = _others(schema, _OWN | ({"default"} if kind == "enum" else set()))
        self._known[named.name] = named
        if kind in ("record", "error"):
            self._fields(named, schema, space, depth)
        elif kind == "enum":
            self._symbols(named, schema)
        else:
            named.size = schema.get("size", -1)
            if type(named.size) is not int or named.size < 0:
                raise InvalidSchema(f"{named} without a size")
        return named

    def _name_of(self, schema: dict[str, Any], kind: str, space: str) -> str:
        name = schema.get("name")
        if not isinstance(name, str):
            raise InvalidSchema(f"{kind} without a name")
        full = _full(name, str(schema.get("namespace") if schema.get("namespace") is not None else space))
        if not all(_NAME.fullmatch(part) for part in full.split(".")):
            raise InvalidSchema(f"illegal name: {full}")
        if full in self._known or full in PRIMITIVES:
            raise InvalidSchema(f"cannot redefine {full}")
        return full

    def _fields(self, record: AvroType, schema: dict[str, Any], space: str, depth: int) -> None:
        fields = schema.get("fields")
        if not isinstance(fields, list):
            raise InvalidSchema(f"{record} without fields")
        for asked in fields:
            if not isinstance(asked, dict) or not isinstance(asked.get("name"), str) or "type" not in asked:
                raise InvalidSchema(f"a field of {record} without name or type")
            if not _NAME.fullmatch(asked["name"]):
                raise InvalidSchema(f"illegal name of a field of {record}: {asked['name']}")
            if any(known.name == asked["name"] for known in record.fields):
                raise InvalidSchema(f"{record} has field {asked['name']} twice")
            record.fields.append(AvroField(asked["name"], self.read(asked["type"], space, depth + 1), asked))

    def _symbols(self, enum: AvroType, schema: dict[str, Any]) -> None:
        symbols = schema.get("symbols")
        if not isinstance(symbols, list) or not all(
            isinstance(symbol, str) and _NAME.fullmatch(symbol) for symbol in symbols
        ):
            raise InvalidSchema(f"{enum} without symbols, or with an illegal one")
        if len(set(symbols)) != len(symbols):
            raise InvalidSchema(f"{enum} has a symbol twice")
        enum.symbols, enum.default = symbols, schema.get("default")
        if enum.default is not None and enum.default not in symbols:
            raise InvalidSchema(f"{enum} has a default that is none of its symbols")


class _Writer:
    """Writes a type with its attributes in Avro's order; a named type is written once, then called by its name."""

    def __init__(self, written: set[str]) -> None:
        self._written = written

    def write(self, schema: AvroType, space: str) -> Any:
        """The type as JSON, in this namespace."""
        if schema.kind == "union":
            return [self.write(branch, space) for branch in schema.inner]
        if schema.kind in PRIMITIVES:
            return {"type": schema.kind, **schema.properties} if schema.properties else schema.kind
        if schema.kind in ("array", "map"):
            inner = "items" if schema.kind == "array" else "values"
            return {"type": schema.kind, inner: self.write(schema.inner[0], space), **schema.properties}
        own_space = schema.name.rpartition(".")[0]
        if schema.name in self._written:
            return schema.short if own_space == space else schema.name
        self._written.add(schema.name)
        written: dict[str, Any] = {"type": schema.kind, "name": schema.short}
        if own_space != space:
            written["namespace"] = own_space
        if schema.doc is not None:
            written["doc"] = schema.doc
        if schema.kind == "enum":
            written["symbols"] = schema.symbols
            if schema.default is not None:
                written["default"] = schema.default
        elif schema.kind == "fixed":
            written["size"] = schema.size
        else:
            written["fields"] = [self._field(field, own_space) for field in schema.fields]
        written |= schema.properties
        if schema.aliases:
            written["aliases"] = [_relative(alias, own_space) for alias in schema.aliases]
        return written

    def _field(self, field: AvroField, space: str) -> dict[str, Any]:
        written: dict[str, Any] = {"name": field.name, "type": self.write(field.type, space)}
        for name in ("doc", "default"):
            if name in field.asked:
                written[name] = field.asked[name]
        if field.asked.get("order", "ascending") != "ascending":
            written["order"] = field.asked["order"]
        if field.aliases:
            written["aliases"] = field.aliases
        return written | _others(field.asked, _OWN_OF_FIELD)


def _full(name: str, space: str) -> str:
    return name if "." in name or not space else f"{space}.{name}"


def _relative(name: str, space: str) -> str:
    own_space, _, short = name.rpartition(".")
    return short if own_space == space else name


def _others(schema: dict[str, Any], own: set[str]) -> dict[str, Any]:
    """What is none of Avro's own attributes, such as logicalType."""
    return {name: value for name, value in schema.items() if name not in own}
