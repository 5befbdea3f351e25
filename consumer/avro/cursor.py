"""A place in Avro bytes, and the reading of what has no parts: numbers, text, bytes.

Every length is checked before it is believed. What has no place in valid data raises `InvalidDatum`; bytes that end
early may raise IndexError, and text that is not UTF-8 UnicodeDecodeError: `Decoder` makes one sentence of each.
"""

from struct import Struct
from typing import Final, final

from consumer.avro.errors import InvalidDatum, Unsayable
from consumer.compiling import mypyc_attr

# Items that take no bytes (nulls in an array, empty records) that one record may have beyond what its length earns.
FREE_ITEMS: Final = 4096
FREE_ITEMS_PER_BYTE: Final = 16

ENDS_EARLY: Final = "the value ends early"

INT_MIN: Final = -(2**31)
INT_MAX: Final = 2**31 - 1

unpack_float: Final = Struct("<f").unpack_from
unpack_double: Final = Struct("<d").unpack_from


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Cursor:
    """A place in the bytes. `trail` gathers the names of the fields around a fault, innermost first."""

    __slots__ = ("budget", "data", "end", "pos", "trail")

    def __init__(self, data: bytes, start: int) -> None:
        self.data = data
        self.pos = start
        self.end = len(data)
        self.budget = FREE_ITEMS + FREE_ITEMS_PER_BYTE * len(data)
        self.trail: tuple[str, ...] = ()  # a list of its own would cost each record


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
            raise InvalidDatum("a number of more than ten bytes")
    if shift == 63 and byte > 1:
        raise InvalidDatum("a number of more than 64 bits")
    cursor.pos = pos
    return (number >> 1) ^ -(number & 1)


def read_int(cursor: Cursor) -> int:
    """A zigzag varint that is a 32-bit integer."""
    number = read_long(cursor)
    if number < INT_MIN or number > INT_MAX:
        raise InvalidDatum("an int of more than 32 bits")
    return number


def read_double(cursor: Cursor) -> float:
    """Eight bytes, a finite number."""
    start = cursor.pos
    if start + 8 > cursor.end:
        raise InvalidDatum(ENDS_EARLY)
    cursor.pos = start + 8
    number: float = unpack_double(cursor.data, start)[0]
    return finite(number)


def read_float(cursor: Cursor) -> float:
    """Four bytes, a finite number."""
    start = cursor.pos
    if start + 4 > cursor.end:
        raise InvalidDatum(ENDS_EARLY)
    cursor.pos = start + 4
    number: float = unpack_float(cursor.data, start)[0]
    return finite(number)


def finite(number: float) -> float:
    """The number, which JSON must be able to say."""
    if number - number != 0.0:
        raise Unsayable("a number that is not finite (NaN or infinity)")
    return number


def read_string(cursor: Cursor) -> str:
    """A length and as many bytes of UTF-8."""
    size = read_long(cursor)
    start = cursor.pos
    end = start + size
    if size < 0:
        raise InvalidDatum("a negative length")
    if end > cursor.end:
        raise InvalidDatum("a length beyond the end of the value")
    cursor.pos = end
    return cursor.data[start:end].decode("utf-8")


def read_bytes(cursor: Cursor, size: int) -> bytes:
    """As many bytes."""
    start = cursor.pos
    end = start + size
    if size < 0:
        raise InvalidDatum("a negative length")
    if end > cursor.end:
        raise InvalidDatum("a length beyond the end of the value")
    cursor.pos = end
    return cursor.data[start:end]
