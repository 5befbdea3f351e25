"""From the bytes of one mapped place to its value, as the rule reads it."""

from typing import Final, final

from consumer.avro.cursor import Cursor, read_bytes, read_int, read_long, read_string, unpack_double, unpack_float
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
from consumer.mapping.errors import Misfit, Unfit
from consumer.mapping.meanings import (
    ANY_DECIMAL,
    CLOCK,
    DECIMAL,
    LIST,
    OBJECT,
    STAMP,
    TEXT,
    meaning_of,
    refusal,
    units_of,
)
from consumer.mapping.scalars import convert, digits, exact, hashed
from consumer.mapping.words import AS_HASH, AS_IS, AS_LIST, AS_NUMBER, AS_TEXT, COPY, EXISTS, ID, RAW

PLAIN: Final = 6  # meanings below are what their kind is


@final
class DatumReader:
    """How one place is read. Made by `reader_of`, and not changed after.

    `items` are the branches of a union, the fields of a record, or the one reader of an array's items or a map's
    values. `units` are a time's units a second, or a decimal's scale.
    """

    __slots__ = ("free", "how", "items", "kind", "meaning", "names", "plain", "secret", "size", "symbols", "units")

    def __init__(self, kind: int, meaning: int, how: int, secret: bytes) -> None:
        self.kind = kind
        self.meaning = meaning
        self.how = how
        self.secret = secret
        self.items: list[DatumReader] = []
        self.names: list[str] = []
        self.symbols: list[str] = []
        self.size = 0
        self.units = 0
        self.free = False
        text = meaning == TEXT and (how == ID or how == AS_TEXT)
        self.plain = text or how == RAW or ((how == AS_IS or how == COPY) and meaning < PLAIN)


def reader_of(kind: Type, how: int, secret: bytes, literal: bool = False) -> DatumReader:
    """The reader of this type. `literal` takes every kind as it is, annotations left out.

    Raises `Misfit`, which says what cannot be read so.
    """
    return DatumReaders(secret, literal).reader(kind, how, 0)


@final
class DatumReaders:
    """Makes readers, one for each named record, which is what lets types recurse."""

    __slots__ = ("_known", "_literal", "_secret")

    def __init__(self, secret: bytes, literal: bool) -> None:
        self._secret = secret
        self._literal = literal
        self._known: dict[Type, DatumReader] = {}

    def reader(self, kind: Type, how: int, depth: int) -> DatumReader:
        """The reader of one type."""
        if depth > MAX_DEPTH:
            raise Misfit(f"{kind} nests too deep")
        if kind.kind == UNION:
            union = DatumReader(UNION, 0, how, self._secret)
            union.items = [self.reader(branch, how, depth + 1) for branch in kind.items]
            return union
        known = self._known.get(kind)
        if known is not None:
            return known
        meaning = LIST if self._literal else meaning_of(kind)
        if kind.kind != NULL and not self._literal and (why := refusal(kind, meaning, how)):
            raise Misfit(why)
        found = DatumReader(kind.kind, meaning, how, self._secret)
        found.plain = found.plain or self._literal
        found.symbols = kind.symbols
        found.size = kind.size
        found.free = kind.kind == NULL or (kind.kind == FIXED and kind.size == 0)
        if meaning == STAMP or meaning == CLOCK:
            found.units = units_of(kind)
        elif meaning == DECIMAL and kind.annotation is not None:
            found.units = kind.annotation.scale
        if how != EXISTS:
            self._parts(kind, found, how, depth)
        return found

    def _parts(self, kind: Type, found: DatumReader, how: int, depth: int) -> None:
        if kind.kind == RECORD:
            self._known[kind] = found
            found.names = [field.name for field in kind.fields]
            if found.meaning == OBJECT or self._literal:
                found.items = [self.reader(field.type, how, depth + 1) for field in kind.fields]
                found.free = all(item.free for item in found.items)
        elif kind.kind == ARRAY or kind.kind == MAP:
            found.items = [self.reader(kind.items[0], how, depth + 1)]


def read(reader: DatumReader, cursor: Cursor, depth: int) -> object:
    """The value at the cursor. Raises `Unfit`; `InvalidDatum` and UnicodeDecodeError for what a walk does not see."""
    kind = reader.kind
    if kind == UNION:
        reader = reader.items[read_long(cursor)]
        kind = reader.kind
    if kind == NULL:
        return None
    if reader.how == EXISTS:
        return True
    if kind == ARRAY:
        return read_list(reader.items[0], cursor, depth + 1)
    if kind == MAP:
        return read_object(reader.items[0], cursor, depth + 1)
    if kind == RECORD:
        if reader.meaning == ANY_DECIMAL:
            return read_decimal(reader, cursor)
        if depth > MAX_DEPTH:
            raise InvalidDatum("nested too deep")
        return {name: read(reader.items[at], cursor, depth + 1) for at, name in enumerate(reader.names)}
    raw = read_scalar(reader, cursor)
    if reader.plain and not isinstance(raw, float):
        return raw
    return convert(raw, reader.meaning, reader.units, reader.how, reader.secret)


def read_scalar(reader: DatumReader, cursor: Cursor) -> object:
    """What has no parts, as it is written."""
    kind = reader.kind
    if kind == STRING:
        return read_string(cursor)
    if kind == LONG:
        return read_long(cursor)
    if kind == INT:
        return read_int(cursor)
    if kind == ENUM:
        return reader.symbols[read_long(cursor)]
    if kind == BYTES:
        return read_bytes(cursor, read_long(cursor))
    if kind == FIXED:
        return read_bytes(cursor, reader.size)
    start = cursor.pos
    if kind == BOOLEAN:
        cursor.pos = start + 1
        return cursor.data[start] == 1
    if kind == DOUBLE:
        cursor.pos = start + 8
        return unpack_double(cursor.data, start)[0]
    assert kind == FLOAT
    cursor.pos = start + 4
    return unpack_float(cursor.data, start)[0]


def read_list(item: DatumReader, cursor: Cursor, depth: int) -> list[object]:
    """The items of all blocks."""
    found: list[object] = []
    while True:
        count = read_long(cursor)
        if count == 0:
            return found
        read_block(cursor, count, item.free)
        for _ in range(count if count > 0 else -count):
            found.append(read(item, cursor, depth))  # noqa: PERF401  # compiled, the loop is the fastest


def read_object(value: DatumReader, cursor: Cursor, depth: int) -> dict[str, object]:
    """The entries of all blocks."""
    found: dict[str, object] = {}
    total = 0
    while True:
        count = read_long(cursor)
        if count == 0:
            break
        read_block(cursor, count, False)
        if count < 0:
            count = -count
        total += count
        for _ in range(count):
            key = read_string(cursor)
            found[key] = read(value, cursor, depth)
    if len(found) != total:
        raise Unfit("a map with the same key twice")
    return found


def read_decimal(reader: DatumReader, cursor: Cursor) -> object:
    """A record of a scale and the bytes of a number, in either order."""
    scale = 0
    data = b""
    for name in reader.names:
        if name == "scale":
            scale = read_int(cursor)
        else:
            data = read_bytes(cursor, read_long(cursor))
    if len(data) > 128:
        raise Unfit("a decimal out of proportion")
    value = int.from_bytes(data, "big", signed=True)
    how = reader.how
    if how == AS_IS or how == COPY or how == AS_NUMBER:
        return exact(value, scale)
    if how == AS_LIST:
        return [exact(value, scale)]
    text = digits(value, scale)
    return hashed(text, reader.secret) if how == AS_HASH else text
