"""What Debezium writes where a large column did not change, in every form that it gives it."""

import hashlib
from base64 import b64encode, urlsafe_b64encode
from typing import Final, final

from consumer.avro.cursor import Cursor
from consumer.avro.schema import ARRAY, BYTES, DOUBLE, FLOAT, INT, LONG, MAP, STRING, UNION, Type
from consumer.avro.varint import varint
from consumer.mapping.readers import DatumReader, read, reader_of
from consumer.mapping.scalars import canonical
from consumer.mapping.words import RAW

BYTES_AN_ITEM: Final = 16  # of a list that stands for the placeholder, at most
ROOM: Final = 64


@final
class Placeholder:
    """The placeholder of one topic."""

    __slots__ = ("objects", "octets", "text", "texts")

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        try:
            self.text = octets.decode("utf-8")
        except UnicodeDecodeError:
            self.text = ""
        encoded = {b64encode(octets).decode(), urlsafe_b64encode(octets).decode(), octets.hex()}
        self.texts = frozenset(encoded | ({self.text, f'{{"{self.text}":"{self.text}"}}'} if self.text else set()))
        digest = bytearray(hashlib.md5(octets, usedforsecurity=False).digest())
        digest[6] = digest[6] & 0x0F | 0x30
        digest[8] = digest[8] & 0x3F | 0x80
        self.objects: list[object] = [
            [octets],
            [canonical(digest.hex())],
            [bytes(digest)],
            list(octets),
            [byte.to_bytes(2 if byte > 127 else 1, "big") for byte in octets],
            [byte - 256 if byte > 127 else byte for byte in octets],
        ]
        if self.text:
            self.objects += [[self.text], {self.text: self.text}, {self.text: octets}]


@final
class Form:
    """The placeholder in the places of one type."""

    __slots__ = ("limit", "reader", "sizes", "slices", "whole")

    def __init__(self, kind: Type, whole: Placeholder) -> None:
        self.whole = whole
        self.slices = frozenset(slices_of(kind, whole))
        self.sizes = frozenset(len(data) for data in self.slices)
        self.limit = BYTES_AN_ITEM * len(whole.octets) + ROOM
        self.reader: DatumReader | None = reader_of(kind, RAW, b"", True) if listed(kind) else None

    def at(self, data: bytes, start: int, end: int) -> bool:
        """Whether the datum there is the placeholder."""
        size = end - start
        if size in self.sizes and data[start:end] in self.slices:
            return True
        if self.reader is None or size > self.limit:
            return False
        cursor = Cursor(data, start)
        try:
            found = read(self.reader, cursor, 0)
        except UnicodeDecodeError:
            return False
        return found in self.whole.objects


def form_of(kind: Type, whole: Placeholder | None) -> Form | None:
    """How the placeholder looks in places of this type; None where it has no form there."""
    if whole is None:
        return None
    form = Form(kind, whole)
    return form if form.slices or form.reader is not None else None


def slices_of(kind: Type, whole: Placeholder) -> list[bytes]:
    """The Avro bytes of the placeholder as text and as bytes."""
    if kind.kind == UNION:
        return [varint(at) + data for at, branch in enumerate(kind.items) for data in slices_of(branch, whole)]
    if kind.kind == STRING:
        return [varint(len(data)) + data for data in (text.encode() for text in whole.texts)]
    return [varint(len(whole.octets)) + whole.octets] if kind.kind == BYTES else []


def listed(kind: Type) -> bool:
    """Whether the placeholder may be a list or a map in places of this type."""
    if kind.kind == UNION:
        return any(listed(branch) for branch in kind.items)
    if kind.kind == ARRAY:
        items = kind.items[0].items if kind.items[0].kind == UNION else kind.items
        return all(item.kind in (0, INT, LONG, FLOAT, DOUBLE, BYTES, STRING) or item.size == 16 for item in items)
    if kind.kind == MAP:
        values = kind.items[0].items if kind.items[0].kind == UNION else kind.items
        return any(value.kind in (STRING, BYTES) for value in values)
    return False
