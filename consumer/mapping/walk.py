"""One pass over a record's bytes that finds where the mapped places are. Nothing is built, and no text is read.

All that `avro.datum` checks of lengths, counts, branches and symbols is checked here, too; text is not looked at. A
record is one loop over small numbers, one for each field, since most fields of a row are of no use to a rule.
"""

from typing import Final, final

from consumer.avro.cursor import Cursor, read_int, read_long
from consumer.avro.datum import MAX_DEPTH, read_block
from consumer.avro.errors import InvalidDatum

# Kinds of node.
RUN: Final = 0
CHOICE: Final = 1
ARRAY_OF: Final = 2
MAP_OF: Final = 3

# What a run does, with its argument: bytes of a fixed, symbols of an enum, the part, or the slot.
TRUTH: Final = 0
WHOLE: Final = 1
LONG_WHOLE: Final = 2
WIDTH: Final = 3
SIZED: Final = 4
SYMBOL: Final = 5
PART: Final = 6
BEGIN: Final = 7
END: Final = 8
# Added to one of the first six: in a union with null, which is its first branch, or its second.
NULL_FIRST: Final = 16
NULL_LAST: Final = 32

BEYOND: Final = "a length beyond the end of the value"


@final
class Walk:
    """How one place of the data is passed. Made by `walks`, and not changed after.

    `items` are the branches of a choice, or the one node of an array's items or a map's values; `parts` the nodes
    that a run steps into, `names` its fields. `keys` are the mapped keys of a map. `free` says that it has no bytes.
    """

    __slots__ = ("args", "free", "idle", "items", "keys", "kind", "names", "ops", "parts")

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.ops: list[int] = []
        self.args: list[int] = []
        self.names: list[str] = []
        self.parts: list[Walk] = []
        self.items: list[Walk] = []
        self.keys: dict[bytes, Walk] = {}
        self.free = False
        self.idle = 0  # 1 for a record, and 1 for each of its fields that has no bytes


@final
class Places:
    """Where each slot's datum starts and ends; -1 where the record does not have it."""

    __slots__ = ("ends", "starts")

    def __init__(self, slots: int) -> None:
        self.starts = [-1] * slots
        self.ends = [-1] * slots


def walk(node: Walk, cursor: Cursor, places: Places, depth: int) -> None:
    """Pass the datum at the cursor."""
    kind = node.kind
    if kind == CHOICE:
        index = read_long(cursor)
        if index < 0 or index >= len(node.items):
            raise InvalidDatum("a union branch that the writer's schema does not have")
        node = node.items[index]
        kind = node.kind
    if kind == RUN:
        run(node, cursor, places, depth)
    elif kind == CHOICE:
        walk(node, cursor, places, depth)
    else:
        walk_blocks(node, cursor, places, depth + 1)


def run(node: Walk, cursor: Cursor, places: Places, depth: int) -> None:
    """Pass the fields of a record, or one datum without parts."""
    if depth > MAX_DEPTH:
        raise InvalidDatum("nested too deep")
    cursor.budget -= node.idle
    if cursor.budget < 0:
        raise InvalidDatum("more items without bytes than a record may have")
    args = node.args
    at = 0
    try:
        for op in node.ops:
            if op < NULL_FIRST:
                step(node, op, args[at], cursor, places, depth)
            elif not is_null(op, cursor):
                step(node, op & 15, args[at], cursor, places, depth)
            at += 1
    except Exception:
        if node.names[at]:
            cursor.trail += (node.names[at],)
        raise


def step(node: Walk, op: int, arg: int, cursor: Cursor, places: Places, depth: int) -> None:
    """Do one thing of a run, the commonest first."""
    if op == SIZED:
        pass_sized(cursor)
    elif op == LONG_WHOLE:
        if cursor.data[cursor.pos] < 0x80:
            cursor.pos += 1
        else:
            read_long(cursor)
    elif op == WHOLE:
        if cursor.data[cursor.pos] < 0x80:
            cursor.pos += 1
        else:
            read_int(cursor)
    elif op == BEGIN:
        places.starts[arg] = cursor.pos
    elif op == END:
        places.ends[arg] = cursor.pos
    elif op == PART:
        walk(node.parts[arg], cursor, places, depth + 1)
    elif op == WIDTH:
        cursor.pos += arg
        if cursor.pos > cursor.end:
            raise InvalidDatum("the value ends early")
    elif op == TRUTH:
        if cursor.data[cursor.pos] > 1:
            raise InvalidDatum("a boolean that is neither 0 nor 1")
        cursor.pos += 1
    else:
        pass_symbol(cursor, arg)


def is_null(op: int, cursor: Cursor) -> bool:
    """Pass the branch of a union with null; whether null is it."""
    null = 2 if op >= NULL_LAST else 0
    byte = cursor.data[cursor.pos]
    if byte < 0x80:
        cursor.pos += 1
    else:
        byte = read_long(cursor) * 2
    if byte == null:
        return True
    if byte != 2 - null:
        raise InvalidDatum("a union branch that the writer's schema does not have")
    return False


def pass_sized(cursor: Cursor) -> None:
    """Pass text or bytes with their length."""
    size = cursor.data[cursor.pos]
    if size < 0x80:
        if size & 1:
            raise InvalidDatum("a negative length")
        cursor.pos += 1 + (size >> 1)
    else:
        size = read_long(cursor)
        if size < 0:
            raise InvalidDatum("a negative length")
        cursor.pos += size
    if cursor.pos > cursor.end:
        raise InvalidDatum(BEYOND)


def pass_symbol(cursor: Cursor, symbols: int) -> None:
    """Pass the index of an enum with so many symbols."""
    index = read_long(cursor)
    if index < 0 or index >= symbols:
        raise InvalidDatum("an enum symbol that the writer's schema does not have")


def walk_blocks(node: Walk, cursor: Cursor, places: Places, depth: int) -> None:
    """Pass the blocks of an array or a map."""
    if depth > MAX_DEPTH:
        raise InvalidDatum("nested too deep")
    item = node.items[0]
    is_map = node.kind == MAP_OF
    seen = 0
    while True:
        count = read_long(cursor)
        if count == 0:
            break
        ends = read_block(cursor, count, item.free and not is_map)
        if count < 0:
            count = -count
        if is_map:
            for _ in range(count):
                seen += walk_entry(node, cursor, places, depth)
        elif not item.free:
            for _ in range(count):
                walk(item, cursor, places, depth)
        if ends >= 0 and cursor.pos != ends:
            raise InvalidDatum("a block of another size than it says")
    if seen > len(node.keys):
        raise InvalidDatum("a map with the same key twice")


def walk_entry(node: Walk, cursor: Cursor, places: Places, depth: int) -> int:
    """Pass a key and its value; 1 where the key is mapped."""
    size = read_long(cursor)
    start = cursor.pos
    if size < 0:
        raise InvalidDatum("a negative length")
    if start + size > cursor.end:
        raise InvalidDatum(BEYOND)
    cursor.pos = start + size
    if node.keys:
        known = node.keys.get(cursor.data[start : start + size])
        if known is not None:
            walk(known, cursor, places, depth)
            return 1
    walk(node.items[0], cursor, places, depth)
    return 0
