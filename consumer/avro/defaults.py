"""Defaults of a reader's schema: from the JSON that it gives to the datum that it stands for."""

from consumer.avro.errors import IncompatibleSchema
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
)


def default_of(kind: Type, value: object) -> object:
    """The datum that a reader's default stands for. Raises `IncompatibleSchema` where it does not fit."""
    if kind.kind == UNION:
        for branch in kind.items:
            try:
                return default_of(branch, value)
            except IncompatibleSchema:
                continue
    elif kind.kind == NULL and value is None:
        return None
    elif kind.kind == BOOLEAN and isinstance(value, bool):
        return value
    elif kind.kind == INT or kind.kind == LONG:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif kind.kind == FLOAT or kind.kind == DOUBLE:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    elif kind.kind == STRING:
        if isinstance(value, str):
            return value
    elif kind.kind == ENUM:
        if value in kind.symbols:
            return value
    elif (kind.kind == BYTES or kind.kind == FIXED) and isinstance(value, str):
        return value.encode("latin-1", "replace")
    elif kind.kind == ARRAY and isinstance(value, list):
        return [default_of(kind.items[0], item) for item in value]
    elif kind.kind == MAP and isinstance(value, dict):
        return {str(key): default_of(kind.items[0], item) for key, item in value.items()}
    elif kind.kind == RECORD and isinstance(value, dict):
        return {field.name: default_of(field.type, default_in(field, value)) for field in kind.fields}
    raise IncompatibleSchema(f"the reader's default does not fit its type, {kind}")


def default_in(field: Field, values: dict[str, object]) -> object:
    """What a record's default says of one field: its own default where it says nothing."""
    if field.name in values:
        return values[field.name]
    if field.has_default:
        return field.default
    raise IncompatibleSchema(f"the reader's default has no {field.name}")
