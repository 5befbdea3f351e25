"""Reading Avro data, strictly: a table of nodes is walked over the bytes by a cursor.

Every count is checked before it is believed, so a record costs time and memory in proportion to its bytes,
whatever it claims. Parts that the reader has no use for are read like all others, and dropped.
"""

from typing import Any, Final

from consumer.avro.cursor import (
    Cursor,
    read_bytes,
    read_double,
    read_float,
    read_int,
    read_long,
    read_string,
)
from consumer.avro.errors import InvalidDatum, Unsayable
from consumer.avro.nodes import (
    BYTES_AS_STRING,
    INT_AS_DOUBLE,
    LONG_AS_DOUBLE,
    MEANT_OTHERWISE,
    STRING_AS_BYTES,
    Node,
)
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
)

# How deep arrays, maps and records may nest in one record: only a recursive writer's schema gets there.
MAX_DEPTH: Final = 128


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
            raise InvalidDatum("a boolean that is neither 0 nor 1")
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
        raise InvalidDatum("a union branch that the writer's schema does not have")
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
    if kind == MEANT_OTHERWISE:
        raise Unsayable(node.missing)
    raise InvalidDatum(node.missing)


def read_enum(node: Node, cursor: Cursor) -> str:
    """The symbol, as the reader knows it."""
    index = read_long(cursor)
    symbols = node.symbols
    if index < 0 or index >= len(symbols):
        raise InvalidDatum("an enum symbol that the writer's schema does not have")
    symbol = symbols[index]
    if symbol is None:
        raise InvalidDatum("an enum symbol that the reader's schema does not have")
    return symbol


def read_block(cursor: Cursor, count: int, free: bool) -> int:
    """Where the block of this many items must end; -1 where it does not say. A negative count gives its bytes."""
    ends = -1
    if count < 0:
        count = -count
        size = read_long(cursor)
        ends = cursor.pos + size
        if size < 0 or ends > cursor.end:
            raise InvalidDatum("a block beyond the end of the value")
    if free:
        cursor.budget -= count
        if cursor.budget < 0:
            raise InvalidDatum("more items without bytes than a record may have")
    elif count > cursor.end - cursor.pos:
        raise InvalidDatum("a block of more items than the value has bytes")
    return ends


def read_array(item: Node, cursor: Cursor, depth: int) -> list[object]:
    """The items of all blocks."""
    if depth > MAX_DEPTH:
        raise InvalidDatum("nested too deep")
    found: list[object] = []
    while True:
        count = read_long(cursor)
        if count == 0:
            return found
        ends = read_block(cursor, count, item.free)
        for _ in range(count if count > 0 else -count):
            found.append(read(item, cursor, depth))  # noqa: PERF401  # compiled, the loop is the fastest
        if ends >= 0 and cursor.pos != ends:
            raise InvalidDatum("a block of another size than it says")


def read_map(value: Node, cursor: Cursor, depth: int) -> dict[str, object]:
    """The entries of all blocks. A key that comes twice is a reject: which value was meant would be a guess."""
    if depth > MAX_DEPTH:
        raise InvalidDatum("nested too deep")
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
            raise InvalidDatum("a block of another size than it says")
    if len(found) != total:
        raise InvalidDatum("a map with the same key twice")
    return found


def read_fields(node: Node, cursor: Cursor, depth: int) -> list[Any]:
    """The values of a record's fields, in the reader's order."""
    if depth > MAX_DEPTH:
        raise InvalidDatum("nested too deep")
    if node.missing:
        raise InvalidDatum(node.missing)
    cursor.budget -= node.idle
    if cursor.budget < 0:
        raise InvalidDatum("more items without bytes than a record may have")
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
        cursor.trail += (node.names[position],)
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
