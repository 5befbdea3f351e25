"""Reading Avro data, strictly: a table of nodes is walked over the bytes by a cursor.

Every length and count is checked before it is believed, so a record costs time and memory in proportion to its
bytes, whatever it claims. Parts that the reader has no use for are read like all others, and dropped.

What has no place in valid data raises `Reject`; bytes that end early may raise IndexError, and text that is not
UTF-8 UnicodeDecodeError. `Decoder` makes one sentence of each.
"""

from struct import Struct
from typing import Any, Final, final

from consumer.core.errors import CORRUPT, INVALID_CHANGE, TRANSFORMATION, VALUE_CONVERTER, Reject
from consumer.core.schema import (
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
)

# Kinds of node beside the kinds of type: a writer's kind read as another, and what cannot be read.
INT_AS_DOUBLE: Final = 20
LONG_AS_DOUBLE: Final = 21
STRING_AS_BYTES: Final = 22
BYTES_AS_STRING: Final = 23
NEVER: Final = 24

# How deep arrays, maps and records may nest in one record: only a recursive writer's schema gets there.
MAX_DEPTH: Final = 128
# Items that take no bytes (nulls in an array, empty records) that one record may have beyond what its length earns.
FREE_ITEMS: Final = 4096
FREE_ITEMS_PER_BYTE: Final = 16

ENDS_EARLY: Final = "the value ends early"

INT_MIN: Final = -(2**31)
INT_MAX: Final = 2**31 - 1

unpack_float: Final = Struct("<f").unpack_from
unpack_double: Final = Struct("<d").unpack_from


@final
class Node:
    """How one place of the data is read. Made by `resolution`, and not changed after.

    `items` are the branches of a union, the fields of a record in the writer's order, or the one node of an
    array's items or a map's values. `free` says that it takes no bytes at all.
    """

    __slots__ = (
        "defaults",
        "free",
        "idle",
        "items",
        "kind",
        "missing",
        "names",
        "outputs",
        "possible",
        "size",
        "slots",
        "symbols",
    )

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.items: list[Node] = []
        self.free = False
        self.possible = False  # whether any data can pass
        self.missing = ""  # why none can, where this node is the reason
        self.size = 0  # of a fixed, in bytes
        self.symbols: list[str | None] = []  # of the writer's enum; None: the reader has no such symbol
        self.names: list[str] = []  # of the writer's fields
        self.slots: list[int] = []  # where each goes in the reader's record; -1: nowhere
        self.outputs: list[str] = []  # names of the reader's fields
        self.defaults: list[tuple[int, object]] = []  # of reader's fields that the writer has not
        self.idle = 0  # 1 for the record, and 1 for each field that takes no bytes


@final
class Cursor:
    """A place in the bytes. `trail` gathers the names of the fields around a fault, innermost first."""

    __slots__ = ("budget", "data", "end", "pos", "trail")

    def __init__(self, data: bytes, start: int) -> None:
        self.data = data
        self.pos = start
        self.end = len(data)
        self.budget = FREE_ITEMS + FREE_ITEMS_PER_BYTE * len(data)
        self.trail: list[str] = []


def corrupt(detail: str) -> Reject:
    """The bytes are no datum of the writer's schema, or none that the reader can take."""
    return Reject(CORRUPT, VALUE_CONVERTER, detail)


def read(node: Node, cursor: Cursor, depth: int) -> object:
    """The datum at the cursor."""
    kind = node.kind
    if kind == UNION:
        node = branch(node, cursor)
        kind = node.kind
    if kind == STRING:
        return read_string(cursor)
    if kind == LONG:
        return read_long(cursor)
    if kind == DOUBLE:
        return read_double(cursor)
    if kind == NULL:
        return None
    if kind == BOOLEAN:
        byte = cursor.data[cursor.pos]
        cursor.pos += 1
        if byte > 1:
            raise corrupt("a boolean that is neither 0 nor 1")
        return byte == 1
    if kind == MAP:
        return read_map(node.items[0], cursor, depth + 1)
    if kind == ARRAY:
        return read_array(node.items[0], cursor, depth + 1)
    if kind == ENUM:
        return read_enum(node, cursor)
    if kind == RECORD:
        return dict(zip(node.outputs, read_fields(node, cursor, depth + 1), strict=True))
    return read_rare(node, cursor)


def branch(union: Node, cursor: Cursor) -> Node:
    """The branch of the union that the data says it is."""
    index = read_long(cursor)
    branches = union.items
    if index < 0 or index >= len(branches):
        raise corrupt("a union branch that the writer's schema does not have")
    return branches[index]


def read_rare(node: Node, cursor: Cursor) -> object:
    """Kinds that the event schema itself does not use."""
    kind = node.kind
    if kind == INT:
        return read_int(cursor)
    if kind == FLOAT:
        return read_float(cursor)
    if kind == INT_AS_DOUBLE:
        return float(read_int(cursor))
    if kind == LONG_AS_DOUBLE:
        return float(read_long(cursor))
    if kind == BYTES:
        return read_bytes(cursor, read_long(cursor))
    if kind == BYTES_AS_STRING:
        return read_string(cursor)
    if kind == STRING_AS_BYTES:
        return read_string(cursor).encode()
    if kind == FIXED:
        return read_bytes(cursor, node.size)
    raise corrupt(node.missing)


def read_long(cursor: Cursor) -> int:
    """A zigzag varint of at most 64 bits."""
    data = cursor.data
    pos = cursor.pos
    byte = data[pos]
    pos += 1
    if byte < 0x80:
        cursor.pos = pos
        return (byte >> 1) ^ -(byte & 1)
    number = byte & 0x7F
    shift = 7
    while True:
        byte = data[pos]
        pos += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise corrupt("a number of more than ten bytes")
    if shift == 63 and byte > 1:
        raise corrupt("a number of more than 64 bits")
    cursor.pos = pos
    return (number >> 1) ^ -(number & 1)


def read_int(cursor: Cursor) -> int:
    """A zigzag varint that is a 32-bit integer."""
    number = read_long(cursor)
    if number < INT_MIN or number > INT_MAX:
        raise corrupt("an int of more than 32 bits")
    return number


def read_double(cursor: Cursor) -> float:
    """Eight bytes, a finite number."""
    start = cursor.pos
    if start + 8 > cursor.end:
        raise corrupt(ENDS_EARLY)
    cursor.pos = start + 8
    number: float = unpack_double(cursor.data, start)[0]
    return finite(number)


def read_float(cursor: Cursor) -> float:
    """Four bytes, a finite number."""
    start = cursor.pos
    if start + 4 > cursor.end:
        raise corrupt(ENDS_EARLY)
    cursor.pos = start + 4
    number: float = unpack_float(cursor.data, start)[0]
    return finite(number)


def finite(number: float) -> float:
    """The number, which JSON must be able to say."""
    if number - number != 0.0:
        raise Reject(INVALID_CHANGE, TRANSFORMATION, "a number that is not finite (NaN or infinity)")
    return number


def read_string(cursor: Cursor) -> str:
    """A length and as many bytes of UTF-8."""
    size = read_long(cursor)
    start = cursor.pos
    end = start + size
    if size < 0:
        raise corrupt("a negative length")
    if end > cursor.end:
        raise corrupt("a length beyond the end of the value")
    cursor.pos = end
    return cursor.data[start:end].decode("utf-8")


def read_bytes(cursor: Cursor, size: int) -> bytes:
    """As many bytes."""
    start = cursor.pos
    end = start + size
    if size < 0:
        raise corrupt("a negative length")
    if end > cursor.end:
        raise corrupt("a length beyond the end of the value")
    cursor.pos = end
    return cursor.data[start:end]


def read_enum(node: Node, cursor: Cursor) -> str:
    """The symbol, as the reader knows it."""
    index = read_long(cursor)
    symbols = node.symbols
    if index < 0 or index >= len(symbols):
        raise corrupt("an enum symbol that the writer's schema does not have")
    symbol = symbols[index]
    if symbol is None:
        raise corrupt("an enum symbol that the reader's schema does not have")
    return symbol


def read_block(cursor: Cursor, count: int, free: bool) -> int:
    """Where the block of this many items must end; -1 where it does not say. A negative count gives its bytes."""
    ends = -1
    if count < 0:
        count = -count
        size = read_long(cursor)
        ends = cursor.pos + size
        if size < 0 or ends > cursor.end:
            raise corrupt("a block beyond the end of the value")
    if free:
        cursor.budget -= count
        if cursor.budget < 0:
            raise corrupt("more items without bytes than a record may have")
    elif count > cursor.end - cursor.pos:
        raise corrupt("a block of more items than the value has bytes")
    return ends


def read_array(item: Node, cursor: Cursor, depth: int) -> list[object]:
    """The items of all blocks."""
    if depth > MAX_DEPTH:
        raise corrupt("nested too deep")
    found: list[object] = []
    while True:
        count = read_long(cursor)
        if count == 0:
            return found
        ends = read_block(cursor, count, item.free)
        for _ in range(count if count > 0 else -count):
            found.append(read(item, cursor, depth))  # noqa: PERF401  # compiled, the loop is the fastest
        if ends >= 0 and cursor.pos != ends:
            raise corrupt("a block of another size than it says")


def read_map(value: Node, cursor: Cursor, depth: int) -> dict[str, object]:
    """The entries of all blocks. A key that comes twice is a reject: which value was meant would be a guess."""
    if depth > MAX_DEPTH:
        raise corrupt("nested too deep")
    found: dict[str, object] = {}
    total = 0
    while True:
        count = read_long(cursor)
        if count == 0:
            break
        ends = read_block(cursor, count, False)
        if count < 0:
            count = -count
        total += count
        for _ in range(count):
            key = read_string(cursor)
            found[key] = read(value, cursor, depth)
        if ends >= 0 and cursor.pos != ends:
            raise corrupt("a block of another size than it says")
    if len(found) != total:
        raise corrupt("a map with the same key twice")
    return found


def read_fields(node: Node, cursor: Cursor, depth: int) -> list[Any]:
    """The values of a record's fields, in the reader's order."""
    if depth > MAX_DEPTH:
        raise corrupt("nested too deep")
    if node.missing:
        raise corrupt(node.missing)
    cursor.budget -= node.idle
    if cursor.budget < 0:
        raise corrupt("more items without bytes than a record may have")
    values: list[Any] = [None] * len(node.outputs)
    position = 0
    try:
        for item in node.items:
            value = read(item, cursor, depth)
            slot = node.slots[position]
            if slot >= 0:
                values[slot] = value
            position += 1
    except Exception:
        cursor.trail.append(node.names[position])
        raise
    for slot, default in node.defaults:
        values[slot] = fresh(default)
    return values


def fresh(value: object) -> object:
    """A default of its own for each record."""
    if isinstance(value, list):
        return [fresh(item) for item in value]
    if isinstance(value, dict):
        return {key: fresh(item) for key, item in value.items()}
    return value
