"""Avro bytes written again with some of their texts and bytes changed, along the writer's schema alone.

    root = parts(writer, {"com.example.Person.name": 0})   -> what is changed, and how it is marked
    rewritten(root, cursor, change)                        -> the same datum, each marked leaf as `change` says

What is not marked is copied as it stands. Everything is checked as strictly as when it is read: a record costs time
and memory in proportion to its bytes.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, final

from consumer.avro.cursor import Cursor, read_bytes, read_long
from consumer.avro.datum import MAX_DEPTH, read_block
from consumer.avro.errors import InvalidDatum
from consumer.avro.schema import (
    ARRAY,
    BOOLEAN,
    BYTES,
    DOUBLE,
    ENUM,
    FIXED,
    FLOAT,
    INT,
    LONG,
    MAP,
    NULL,
    RECORD,
    STRING,
    UNION,
    Type,
)
from consumer.avro.varint import varint

UNMARKED: Final = -1

# What a leaf becomes: its mark, its bytes (UTF-8 where it is a text), whether it is a text.
Change: TypeAlias = Callable[[int, bytes, bool], bytes]


@final
class MarkedType:
    """How one place of the data is passed. `mark` is that of a leaf; `free` says that it takes no bytes at all."""

    __slots__ = ("free", "items", "kind", "mark", "names", "size")

    def __init__(self, kind: int, mark: int) -> None:
        self.kind = kind
        self.mark = mark
        self.items: list[MarkedType] = []
        self.names: list[str] = []  # of a record's fields
        self.size = 0  # of a fixed, in bytes
        self.free = False


@final
class Output:
    """The pieces of the new value. `copied` is up to where the old one is in them."""

    __slots__ = ("change", "copied", "pieces")

    def __init__(self, change: Change) -> None:
        self.change = change
        self.copied = 0
        self.pieces: list[bytes] = []


def tags_of(writer: Type) -> dict[str, list[str]]:
    """The tags of every field of every record in the type, by the names of both with a dot between."""
    found: dict[str, list[str]] = {}
    seen: set[Type] = set()
    waiting = [writer]
    while waiting:
        kind = waiting.pop()
        if kind in seen:
            continue
        seen.add(kind)
        waiting += kind.items
        for field in kind.fields:
            found[f"{kind.name}.{field.name}"] = field.tags
            waiting.append(field.type)
    return found


def parts(writer: Type, marks: Mapping[str, int]) -> MarkedType:
    """How to pass data of the type. `marks` are by field, as `tags_of` names them.

    A mark holds for every text and all bytes in the field, but for those in a record within it: its own fields are
    marked by themselves. Keys of maps, and what is neither text nor bytes, have none.
    """
    return part(writer, UNMARKED, marks, {})


def part(kind: Type, mark: int, marks: Mapping[str, int], known: dict[Type, MarkedType]) -> MarkedType:
    """The part for this type within a field of this mark."""
    if kind.kind == RECORD:
        found = known.get(kind)
        if found is not None:
            return found
        record = known[kind] = MarkedType(RECORD, UNMARKED)
        record.free = True
        for field in kind.fields:
            item = part(field.type, marks.get(f"{kind.name}.{field.name}", UNMARKED), marks, known)
            record.items.append(item)
            record.names.append(field.name)
            record.free = record.free and item.free
        return record
    made = MarkedType(kind.kind, mark if kind.kind == STRING or kind.kind == BYTES else UNMARKED)
    made.size = kind.size
    made.free = kind.kind == NULL or (kind.kind == FIXED and kind.size == 0)
    for item_type in kind.items:
        made.items.append(part(item_type, mark, marks, known))
    return made


def rewritten(root: MarkedType, cursor: Cursor, change: Change) -> bytes:
    """The whole value with the datum at the cursor changed; what is before the cursor stays.

    Raises what `change` does, and InvalidDatum or IndexError where there is no datum; the cursor's trail leads there.
    """
    output = Output(change)
    rewrite(root, cursor, output, 0)
    output.pieces.append(cursor.data[output.copied :])
    return b"".join(output.pieces)


def rewrite(at: MarkedType, cursor: Cursor, output: Output, depth: int) -> None:
    """Pass the datum at the cursor."""
    kind = at.kind
    if kind == UNION:
        index = read_long(cursor)
        if index < 0 or index >= len(at.items):
            raise InvalidDatum("a union branch that the writer's schema does not have")
        at = at.items[index]
        kind = at.kind
    if kind == STRING or kind == BYTES:
        leaf(at, cursor, output)
    elif kind == RECORD:
        rewrite_fields(at, cursor, output, depth + 1)
    elif kind == ARRAY or kind == MAP:
        rewrite_blocks(at, cursor, output, depth + 1)
    elif kind == LONG or kind == INT or kind == ENUM:
        read_long(cursor)
    elif kind == DOUBLE:
        read_bytes(cursor, 8)
    elif kind == FLOAT:
        read_bytes(cursor, 4)
    elif kind == FIXED:
        read_bytes(cursor, at.size)
    elif kind == BOOLEAN:
        read_bytes(cursor, 1)


def leaf(at: MarkedType, cursor: Cursor, output: Output) -> None:
    """Pass a text or bytes; change it where it is marked."""
    begin = cursor.pos
    found = read_bytes(cursor, read_long(cursor))
    if at.mark != UNMARKED:
        changed = output.change(at.mark, found, at.kind == STRING)
        output.pieces += [cursor.data[output.copied : begin], varint(len(changed)), changed]
        output.copied = cursor.pos


def rewrite_fields(at: MarkedType, cursor: Cursor, output: Output, depth: int) -> None:
    """Pass the fields of a record."""
    if depth > MAX_DEPTH:
        raise InvalidDatum("nested too deep")
    cursor.budget -= 1
    if cursor.budget < 0:
        raise InvalidDatum("more items without bytes than a record may have")
    position = 0
    try:
        for item in at.items:
            rewrite(item, cursor, output, depth)
            position += 1
    except Exception:
        cursor.trail += (at.names[position],)
        raise


def rewrite_blocks(at: MarkedType, cursor: Cursor, output: Output, depth: int) -> None:
    """Pass the blocks of an array or a map. One that gives its size is written without: what is in it may grow."""
    if depth > MAX_DEPTH:
        raise InvalidDatum("nested too deep")
    item = at.items[0]
    keyed = at.kind == MAP
    while True:
        begin = cursor.pos
        count = read_long(cursor)
        if count == 0:
            return
        ends = read_block(cursor, count, item.free and not keyed)
        if count < 0:
            count = -count
            output.pieces += [cursor.data[output.copied : begin], varint(count)]
            output.copied = cursor.pos
        for _ in range(count):
            if keyed:
                read_bytes(cursor, read_long(cursor))
            rewrite(item, cursor, output, depth)
        if ends >= 0 and cursor.pos != ends:
            raise InvalidDatum("a block of another size than it says")
