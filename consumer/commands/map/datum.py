"""Avro bytes of values that people write as JSON, in a test or a file of records, as a producer would write them.

A field that is left out has its default, else null, else what is empty of its type. Bytes are written as text, a
decimal as a number.
"""

import struct
from decimal import Decimal, InvalidOperation
from typing import Any, Final

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
    Field,
    Type,
    unqualified,
)
from consumer.avro.varint import varint
from consumer.mapping.faults import nearest
from consumer.mapping.meanings import DECIMAL, meaning_of

RANGES: Final = {INT: 2**31, LONG: 2**63}
EMPTY: Final[dict[int, Any]] = {
    NULL: None, BOOLEAN: False, INT: 0, LONG: 0, FLOAT: 0.0, DOUBLE: 0.0, BYTES: "", STRING: "", ARRAY: [], MAP: {},
    RECORD: {},
}  # fmt: skip


class NoDatum(Exception):
    """The JSON is no datum of the schema; the message says where and why."""


def encoded(kind: Type, value: Any, path: str) -> bytes:
    """The datum's bytes, without a frame. `path` is what its place is called. Raises `NoDatum`."""
    if kind.kind == UNION:
        at, inner = branch_for(kind, value, path)
        return varint(at) + encoded(kind.items[at], inner, path)
    if kind.kind == RECORD:
        return record(kind, value, path)
    if kind.kind == ARRAY and isinstance(value, list):
        items = b"".join(encoded(kind.items[0], item, f"{path}, item {at}") for at, item in enumerate(value, 1))
        return (varint(len(value)) + items if value else b"") + varint(0)
    if kind.kind == MAP and isinstance(value, dict):
        entries = b"".join(
            sized(name.encode()) + encoded(kind.items[0], v, f"{path}.{name}") for name, v in value.items()
        )
        return (varint(len(value)) + entries if value else b"") + varint(0)
    if not fits(kind, value):
        raise NoDatum(f"{path} is no {kind}")
    return scalar(kind, value, path)


def scalar(kind: Type, value: Any, path: str) -> bytes:
    """A value that fits its type, which has no parts."""
    if kind.kind == NULL:
        return b""
    if kind.kind == BOOLEAN:
        return b"\1" if value else b"\0"
    if kind.kind in RANGES:
        return varint(value)
    if kind.kind in (FLOAT, DOUBLE):
        return struct.pack("<f" if kind.kind == FLOAT else "<d", value)
    if kind.kind == ENUM:
        return varint(kind.symbols.index(value))
    data = value.encode() if isinstance(value, str) else unscaled(kind, value, path)
    if kind.kind != FIXED:
        return sized(data)
    if len(data) != kind.size:
        raise NoDatum(f"{path} has {len(data)} bytes, and {kind} has {kind.size}")
    return data


def record(kind: Type, value: Any, path: str) -> bytes:
    """Every field of the record, given or not."""
    if not isinstance(value, dict):
        raise NoDatum(f"{path} is no {kind}")
    names = [field.name for field in kind.fields]
    for name in value:
        if name not in names:
            near = nearest(name, names)
            raise NoDatum(f"{path}: {kind} has no field {name}" + (f" (nearest: {near})" if near else ""))
    return b"".join(
        encoded(field.type, value[field.name] if field.name in value else left_out(field), f"{path}.{field.name}")
        for field in kind.fields
    )


def left_out(field: Field) -> Any:
    """What a field has that nobody gave."""
    if field.has_default:
        return field.default
    if any(branch.kind == NULL for branch in field.type.items if field.type.kind == UNION):
        return None
    return empty(field.type)


def empty(kind: Type) -> Any:
    """What is empty of this type."""
    if kind.kind == UNION:
        return empty(kind.items[0])
    if kind.kind == ENUM:
        return kind.symbols[0]
    return "\0" * kind.size if kind.kind == FIXED else EMPTY[kind.kind]


def branch_for(union: Type, value: Any, path: str) -> tuple[int, Any]:
    """The union's branch for this value; `{"RecordName": {...}}` names a record of several."""
    if isinstance(value, dict) and len(value) == 1:
        (name,) = value
        for at, branch in enumerate(union.items):
            if branch.kind == RECORD and name in (branch.name, unqualified(branch.name)):
                return at, value[name]
    for at, branch in enumerate(union.items):
        if fits(branch, value):
            return at, value
    raise NoDatum(f"{path} is none of {', '.join(map(str, union.items))}")


def fits(kind: Type, value: Any) -> bool:
    """Whether the value may be one of this type, as far as its own kind says; a record also by its fields' names."""
    if kind.kind == RECORD:
        return isinstance(value, dict) and set(value) <= {field.name for field in kind.fields}
    if kind.kind in RANGES:
        return (
            isinstance(value, int) and not isinstance(value, bool) and -RANGES[kind.kind] <= value < RANGES[kind.kind]
        )
    if kind.kind in (FLOAT, DOUBLE):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind.kind in (BYTES, FIXED):
        amount = isinstance(value, int | float) and not isinstance(value, bool)
        return isinstance(value, str) or (amount and meaning_of(kind) == DECIMAL)
    if kind.kind == ENUM:
        return value in kind.symbols
    return isinstance(value, {NULL: type(None), BOOLEAN: bool, STRING: str, ARRAY: list, MAP: dict}[kind.kind])


def unscaled(kind: Type, value: float, path: str) -> bytes:
    """A decimal's number, as its bytes."""
    assert kind.annotation is not None
    try:
        whole = Decimal(str(value)).scaleb(kind.annotation.scale)
        if whole != whole.to_integral_value():
            raise NoDatum(f"{path} has more than {kind.annotation.scale} digits behind the point")
    except InvalidOperation:
        raise NoDatum(f"{path} is no number that a decimal can be") from None
    amount = int(whole)
    size = kind.size if kind.kind == FIXED else (amount + (amount < 0)).bit_length() // 8 + 1
    try:
        return amount.to_bytes(size, "big", signed=True)
    except OverflowError:
        raise NoDatum(f"{path} is too large for {kind}") from None


def sized(data: bytes) -> bytes:
    """Bytes behind their number."""
    return varint(len(data)) + data
