"""Whether data of one Avro schema can be read with another, by the resolution rules of the Avro specification."""

from typing import Final

from consumer.sandbox.registry.avro_schema import Field, Type

LEVELS: Final = (
    "NONE",
    "BACKWARD",
    "BACKWARD_TRANSITIVE",
    "FORWARD",
    "FORWARD_TRANSITIVE",
    "FULL",
    "FULL_TRANSITIVE",
)
_PROMOTIONS: Final = {
    ("long", "int"),
    ("float", "int"),
    ("float", "long"),
    ("double", "int"),
    ("double", "long"),
    ("double", "float"),
    ("string", "bytes"),
    ("bytes", "string"),
}
"""Reader, writer."""


def conflicts(new: Type, olds: list[Type], level: str) -> list[str]:
    """What a level forbids of a new schema, given the older ones, oldest first. Nothing: it may follow them."""
    against = olds if level.endswith("_TRANSITIVE") else olds[-1:]
    direction = level.removesuffix("_TRANSITIVE")
    found: list[str] = []
    for old in reversed(against):
        if direction in ("BACKWARD", "FULL"):
            found += incompatibilities(reader=new, writer=old)
        if direction in ("FORWARD", "FULL"):
            found += incompatibilities(reader=old, writer=new)
    return found


def incompatibilities(reader: Type, writer: Type) -> list[str]:
    """Why data of the writer cannot be read by the reader, one sentence for each place."""
    return _Comparison(set()).compare(reader, writer, "/")


class _Comparison:
    """One reader against one writer; types that hold themselves are compared once."""

    def __init__(self, seen: set[tuple[int, int]]) -> None:
        self._seen = seen

    def compare(self, reader: Type, writer: Type, path: str) -> list[str]:
        """The incompatibilities at one place and below."""
        pair = (id(reader), id(writer))
        if pair in self._seen:
            return []
        self._seen.add(pair)
        try:
            return self._compare(reader, writer, path)
        finally:
            if not reader.fields:  # a record stays: it is what can hold itself
                self._seen.discard(pair)

    def _compare(self, reader: Type, writer: Type, path: str) -> list[str]:
        if writer.kind == "union":
            found = []
            for position, branch in enumerate(writer.inner):
                found += self.compare(reader, branch, f"{path}{position}/")
            return found
        if reader.kind == "union":
            if any(not _Comparison(set(self._seen)).compare(branch, writer, path) for branch in reader.inner):
                return []
            return [f"MISSING_UNION_BRANCH at {path}: the reader's union has no branch for the writer's {writer}"]
        if reader.kind != writer.kind:
            if (reader.kind, writer.kind) in _PROMOTIONS:
                return []
            return [f"TYPE_MISMATCH at {path}: the reader has {reader}, the writer {writer}"]
        if reader.kind in ("array", "map"):
            inner = "items" if reader.kind == "array" else "values"
            return self.compare(reader.inner[0], writer.inner[0], f"{path}{inner}/")
        if reader.name and not _same_name(reader, writer):
            return [f"NAME_MISMATCH at {path}name: the reader has {reader}, the writer {writer}"]
        if reader.kind == "fixed" and reader.size != writer.size:
            return [f"FIXED_SIZE_MISMATCH at {path}size: the reader has {reader.size}, the writer {writer.size}"]
        if reader.kind == "enum":
            missing = [symbol for symbol in writer.symbols if symbol not in reader.symbols]
            if missing and reader.default is None:
                return [f"MISSING_ENUM_SYMBOLS at {path}symbols: the reader's {reader} lacks {', '.join(missing)}"]
        return self._fields(reader, writer, path) if reader.fields else []

    def _fields(self, reader: Type, writer: Type, path: str) -> list[str]:
        found = []
        for position, wanted in enumerate(reader.fields):
            place = f"{path}fields/{position}/"
            given = _field_of(writer, wanted)
            if given is not None:
                found += self.compare(wanted.type, given.type, f"{place}type/")
            elif not wanted.has_default:
                found.append(
                    f"READER_FIELD_MISSING_DEFAULT_VALUE at {place}: the writer lacks {wanted.name}, "
                    "and the reader has no default for it"
                )
        return found


def _same_name(reader: Type, writer: Type) -> bool:
    return reader.short == writer.short or writer.name in reader.aliases


def _field_of(writer: Type, wanted: Field) -> Field | None:
    names = [wanted.name, *wanted.aliases]
    by_name = {given.name: given for given in writer.fields}
    return next((by_name[name] for name in names if name in by_name), None)
