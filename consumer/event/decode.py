"""From a Kafka value to a `Change`: the frame names the writer's schema, the decoder reads what follows.

    frame(value, headers)    -> which schema, and where the data starts
    resolve(writer, reader)  -> a Decoder, once for each schema
    decoder.decode(value, start) -> Change

All of them are strict: what is not exactly one datum is a `Reject`, never a guess.
"""

from collections.abc import Sequence
from typing import Final, final

from consumer.avro.cursor import ENDS_EARLY, Cursor
from consumer.avro.datum import branch, read_fields
from consumer.avro.errors import InvalidDatum, Unsayable
from consumer.avro.nodes import Node
from consumer.avro.parsing import parse
from consumer.avro.resolution import plan
from consumer.avro.schema import ARRAY, ENUM, LONG, MAP, RECORD, STRING, UNION, Type
from consumer.event.errors import (
    CORRUPT,
    INVALID_CHANGE,
    NOT_FRAMED,
    TOMBSTONE,
    TRANSFORMATION,
    UNKNOWN_SCHEMA,
    VALUE_CONVERTER,
    Reject,
)
from consumer.event.foreign_frames import has_long_id, looks_like
from consumer.event.model import Change, Headers, SchemaRef

SCHEMA_HEADER: Final = "__value_schema_id"
# The fields of a Change, in its order, with the kind that the reader's schema must give each.
FIELDS: Final = (
    ("event_id", STRING),
    ("occurred_at", LONG),
    ("project", UNION),
    ("group_key", STRING),
    ("group_id", STRING),
    ("operation", ENUM),
    ("properties", MAP),
    ("property_names", ARRAY),
    ("company_id", UNION),
)


def frame(value: bytes | None, headers: Headers | None) -> tuple[SchemaRef, int]:
    """Which schema the value was written with (an id, or a GUID in lower case), and where its data starts.

    The header goes before the value's own frame, and the last header of its name counts, as in Confluent's clients.
    Raises `Reject`: tombstone, not_framed; unknown_schema for an id beyond those that a registry can give.
    """
    if value is None:
        raise Reject(TOMBSTONE, VALUE_CONVERTER, "the value is null, which is no change")
    if headers:
        found: bytes | None = None
        for name, header in headers:
            if name == SCHEMA_HEADER and header is not None:
                found = header
        if found is not None:
            return header_ref(found), 0
    if len(value) < 5 or value[0] != 0:
        raise Reject(NOT_FRAMED, VALUE_CONVERTER, looks_like(value, headers))
    schema = known(value[1] << 24 | value[2] << 16 | value[3] << 8 | value[4])
    if schema == 0 and has_long_id(value):
        raise Reject(NOT_FRAMED, VALUE_CONVERTER, looks_like(value, headers))
    return schema, 5


def header_ref(header: bytes) -> SchemaRef:
    """The schema that the header names: byte 1 and the 16 bytes of a GUID, or byte 0 and a 4-byte id."""
    if len(header) == 17 and header[0] == 1:
        text = header[1:].hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    if len(header) == 5 and header[0] == 0:
        return known(int.from_bytes(header[1:], "big"))
    detail = f"the header {SCHEMA_HEADER} is neither a GUID (byte 1 and 16 bytes) nor an id (byte 0 and 4 bytes)"
    raise Reject(NOT_FRAMED, VALUE_CONVERTER, detail)


def known(schema: int) -> int:
    """The id, if a registry can have given it: it is a positive 32-bit integer to all of them."""
    if schema > 0x7FFFFFFF:
        raise Reject(UNKNOWN_SCHEMA, VALUE_CONVERTER, f"no registry can know the schema id {schema}")
    return schema


def resolve(writer: object, reader: object, references: Sequence[object] = ()) -> "Decoder":
    """How to read the writer's records as the reader's GroupChange; both are parsed JSON.

    `references` are schemas that define named types of the writer's, dependencies first. Raises
    `IncompatibleSchema` where no record at all can be read.
    """
    return Decoder(plan(parse(writer, references), group_change(reader)))


def group_change(reader: object) -> Type:
    """The reader's type, with its fields in the order of a Change. Raises ValueError where it does not make one."""
    record = parse(reader)
    fields = {field.name: field for field in record.fields}
    for name, kind in FIELDS:
        if name not in fields or fields[name].type.kind != kind:
            raise ValueError(f"the reader's schema has no field {name} of the kind that a change needs")
    take_literally(fields["properties"].type)
    record.fields = [fields.pop(name) for name, _ in FIELDS] + list(fields.values())
    return record


def take_literally(kind: Type) -> None:
    """Have the reader's type and its parts take only what means what its kind says: nothing converts them later."""
    kind.literal = True
    for item in kind.items:
        take_literally(item)


@final
class Decoder:
    """Reads the records of one writer's schema."""

    __slots__ = ("_group_key", "_root")

    def __init__(self, root: Node) -> None:
        self._root = root
        self._group_key = ""  # the last one: a topic has few, and its open records share the object

    def decode(self, data: bytes, start: int) -> Change:
        """The change that the bytes from `start` to the end are.

        Raises `Reject` with the path to the field, never with a value: corrupt, or invalid_change where JSON
        cannot say what is meant (a number that is not finite; bytes and annotated times in the properties).
        """
        cursor = Cursor(data, start)
        try:
            change = self._read(cursor)
        except Unsayable as fault:
            raise Reject(INVALID_CHANGE, TRANSFORMATION, located(cursor, fault.detail)) from None
        except InvalidDatum as fault:
            raise corrupt(located(cursor, fault.detail)) from None
        except IndexError:
            raise corrupt(located(cursor, ENDS_EARLY)) from None
        except UnicodeDecodeError:
            raise corrupt(located(cursor, "text that is not UTF-8")) from None
        if cursor.pos != cursor.end:
            raise corrupt(f"{cursor.end - cursor.pos} bytes are left over")
        return change

    def _read(self, cursor: Cursor) -> Change:
        """The record at the cursor; the writer's schema may be a union of records."""
        node = self._root
        if node.kind == UNION:
            node = branch(node, cursor)
        if node.kind != RECORD:
            raise InvalidDatum(node.missing)
        values = read_fields(node, cursor, 1)
        key: str = values[3]
        if key == self._group_key:
            key = self._group_key
        else:
            self._group_key = key
        return Change(values[0], values[1], values[2], key, values[4], values[5], values[6], values[7], values[8])


def corrupt(detail: str) -> Reject:
    """The bytes are no datum of the writer's schema, or none that the reader can take."""
    return Reject(CORRUPT, VALUE_CONVERTER, detail)


def located(cursor: Cursor, detail: str) -> str:
    """The detail, with the path to the field that it is about."""
    if not cursor.trail:
        return detail
    return f"field {'.'.join(reversed(cursor.trail))}: {detail}"
