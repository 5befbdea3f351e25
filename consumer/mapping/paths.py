"""Paths of the mapping file: `value.company.name`, and where they lead in an Avro type."""

from collections.abc import Sequence
from typing import Final, final

from consumer.avro.schema import MAP, NULL, RECORD, UNION, Type, unqualified

VALUE: Final = 0
KEY: Final = 1
HEADER: Final = 2
RECORD_ROOT: Final = 3
ROW_ROOT: Final = 4
ROOTS: Final = ("value", "key", "header", "record", "row", "op", "source")
RECORD_PARTS: Final = ("topic", "partition", "offset", "timestamp")
SEVERAL_TYPES: Final = "a union of several types is there, and a path names one of its records"


class UnknownPart(ValueError):
    """A part that is none of those that can stand there."""

    def __init__(self, message: str, part: str, known: Sequence[str]) -> None:
        super().__init__(message)
        self.part = part
        self.known = known


@final
class Path:
    """A path as the file has it (`text`), its root, and the parts after it.

    `op` and `source` are the fields of the value that they are. `of_value` says that only a value has it, `of_key`
    that a key has.
    """

    __slots__ = ("of_key", "of_value", "parts", "root", "text")

    def __init__(self, text: str, root: int, parts: list[str]) -> None:
        self.text = text
        self.root = root
        self.parts = parts
        self.of_value = root == VALUE or root == ROW_ROOT
        self.of_key = root == KEY


def parse_path(text: str, debezium: bool) -> Path:
    """The path that the text is. Raises ValueError, which says what is wrong with it."""
    parts = split(text)
    root = parts[0]
    rest = parts[1:]
    if root == "value":
        return Path(text, VALUE, rest)
    if root == "key":
        return Path(text, KEY, rest)
    if root == "header":
        if len(rest) != 1:
            raise ValueError("a header is header.NAME, a name with a dot in quotes")
        return Path(text, HEADER, rest)
    if root == "record":
        if len(rest) != 1 or rest[0] not in RECORD_PARTS:
            part = rest[0] if rest else ""
            raise UnknownPart(f"of a record there are {', '.join(RECORD_PARTS)}", part, RECORD_PARTS)
        return Path(text, RECORD_ROOT, rest)
    if root in ("row", "op", "source"):
        if not debezium:
            raise ValueError(f'{root} is only where format is "debezium"')
        if root == "op" and rest:
            raise ValueError("op has no parts")
        return Path(text, ROW_ROOT, rest) if root == "row" else Path(text, VALUE, parts)
    known = ROOTS if debezium else ROOTS[:4]
    raise UnknownPart(f"a path begins with one of {', '.join(known)}", root, known)


def split(text: str) -> list[str]:
    """The parts of a path: names between dots, in double quotes where one has a dot."""
    parts: list[str] = []
    pos = 0
    while True:
        if text[pos : pos + 1] == '"':
            end = text.find('"', pos + 1)
            if end < 0:
                raise ValueError("a quote is not closed")
            part, pos = text[pos + 1 : end], end + 1
            if pos < len(text) and text[pos] != ".":
                raise ValueError("after a quoted part there is a dot, or nothing")
        else:
            end = text.find(".", pos)
            end = len(text) if end < 0 else end
            part, pos = text[pos:end], end
        if not part:
            raise ValueError("a part is empty")
        if any(sign in part for sign in "[]*"):
            raise ValueError("there are no indexes and no wildcards in a path")
        parts.append(part)
        if pos == len(text):
            return parts
        pos += 1


@final
class Found:
    """Where a path leads: the type there, whether null may be there, and the steps through the types before it.

    A step is a field's name, a map's key, or the number of a union's branch. `map_at` counts the steps to the first
    map on the way, -1 where there is none, and `map_type` is that map.
    """

    __slots__ = ("map_at", "map_type", "nullable", "steps", "type")

    def __init__(self, kind: Type, nullable: bool, steps: list[str], map_at: int, map_type: Type | None) -> None:
        self.type = kind
        self.nullable = nullable
        self.steps = steps
        self.map_at = map_at
        self.map_type = map_type


@final
class Lost:
    """Where a path ends too early: the part that is not there, what could be, or why there is no way on."""

    __slots__ = ("known", "part", "why")

    def __init__(self, part: str, known: list[str], why: str) -> None:
        self.part = part
        self.known = known
        self.why = why


def locate(root: Type, parts: list[str]) -> Found | Lost:
    """Follow the parts through record fields, map keys and the branch of a union."""
    here = root
    nullable = False
    steps: list[str] = []
    map_at = -1
    map_type: Type | None = None
    at = 0
    while True:
        if here.kind == UNION:
            nullable = nullable or any(branch.kind == NULL for branch in here.items)
        if at == len(parts):
            return Found(here, nullable, steps, map_at, map_type)
        part = parts[at]
        if here.kind == UNION:
            index = sole_branch(here)
            if index < 0:
                index = named_branch(here, part)
                if index < 0:
                    names = [unqualified(branch.name) for branch in here.items if branch.name]
                    return Lost(part, names, SEVERAL_TYPES)
                nullable = True
                at += 1
            steps.append(str(index))
            here = here.items[index]
            continue
        if here.kind == MAP and map_at < 0:
            map_at = len(steps)
            map_type = here
        nullable = nullable or here.kind == MAP
        onward = step(here, part)
        if isinstance(onward, Lost):
            return onward
        here = onward
        at += 1
        steps.append(part)


def step(here: Type, part: str) -> Type | Lost:
    """From a map or a record to what this part of the path names."""
    if here.kind == MAP:
        return here.items[0]
    if here.kind != RECORD:
        return Lost(part, [], f"{here} has no parts")
    for field in here.fields:
        if field.name == part:
            return field.type
    return Lost(part, [field.name for field in here.fields], f"{here} has no field {part}")


def sole_branch(union: Type) -> int:
    """The one branch that is not null; -1 where there are several, or none."""
    sole = -1
    for index, branch in enumerate(union.items):
        if branch.kind != NULL:
            if sole >= 0:
                return -1
            sole = index
    return sole


def named_branch(union: Type, name: str) -> int:
    """The branch of this name, full or without its namespace; -1 where none or several have it."""
    full = [index for index, branch in enumerate(union.items) if branch.name and branch.name == name]
    short = [index for index, branch in enumerate(union.items) if branch.name and unqualified(branch.name) == name]
    named = full or short
    return named[0] if len(named) == 1 else -1
