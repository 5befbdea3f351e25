"""What a value of an Avro type means, by its annotation, and what may be made of it."""

from typing import Final

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
    Type,
    unqualified,
)
from consumer.mapping.words import (
    AS_BASE64,
    AS_DAYS,
    AS_HASH,
    AS_IS,
    AS_JSON,
    AS_LIST,
    AS_LOWER,
    AS_MICROS,
    AS_MILLIS,
    AS_NUMBER,
    AS_SECONDS,
    AS_TEXT,
    COPY,
    EXISTS,
    ID,
    RAW,
)

NOTHING: Final = 0
TRUTH: Final = 1
INTEGER: Final = 2
FLOATING: Final = 3
TEXT: Final = 4
OCTETS: Final = 5
DECIMAL: Final = 6
ANY_DECIMAL: Final = 7  # a record of a scale and bytes
STAMP: Final = 8
DATE: Final = 9
CLOCK: Final = 10
STAMP_TEXT: Final = 11
DATE_TEXT: Final = 12
CLOCK_TEXT: Final = 13
UUID_TEXT: Final = 14
UUID_OCTETS: Final = 15
LIST: Final = 16
OBJECT: Final = 17
STRUCTURED: Final = 18

CONNECT: Final = "org.apache.kafka.connect.data."
TIME: Final = "io.debezium.time."
# Units a second.
STAMPS: Final = {
    "timestamp-millis": 1_000,
    "timestamp-micros": 1_000_000,
    "timestamp-nanos": 1_000_000_000,
    "local-timestamp-millis": 1_000,
    "local-timestamp-micros": 1_000_000,
    "local-timestamp-nanos": 1_000_000_000,
    CONNECT + "Timestamp": 1_000,
    TIME + "Timestamp": 1_000,
    TIME + "MicroTimestamp": 1_000_000,
    TIME + "NanoTimestamp": 1_000_000_000,
}
CLOCKS: Final = {
    "time-millis": 1_000,
    "time-micros": 1_000_000,
    "time-nanos": 1_000_000_000,
    CONNECT + "Time": 1_000,
    TIME + "Time": 1_000,
    TIME + "MicroTime": 1_000_000,
    TIME + "NanoTime": 1_000_000_000,
}
DATES: Final = frozenset(("date", CONNECT + "Date", TIME + "Date"))
TEXTS: Final = {
    TIME + "IsoTimestamp": STAMP_TEXT,
    TIME + "ZonedTimestamp": STAMP_TEXT,
    TIME + "IsoDate": DATE_TEXT,
    TIME + "IsoTime": CLOCK_TEXT,
    TIME + "ZonedTime": CLOCK_TEXT,
    "uuid": UUID_TEXT,
    "io.debezium.data.Uuid": UUID_TEXT,
}
VARIABLE: Final = "io.debezium.data.VariableScaleDecimal"

SCALARS: Final = frozenset(range(TRUTH, LIST)) - {OCTETS}
NUMBERS: Final = frozenset((INTEGER, FLOATING, DECIMAL, ANY_DECIMAL))
# What each way of reading takes; `AS_IS` and `COPY` take all but what JSON cannot say.
TAKEN: Final = {
    AS_TEXT: SCALARS | {OCTETS},
    AS_LOWER: frozenset((TEXT, UUID_TEXT, UUID_OCTETS)),
    AS_NUMBER: NUMBERS | {TEXT},
    AS_JSON: frozenset((TEXT,)),
    AS_LIST: SCALARS,
    AS_BASE64: frozenset((OCTETS,)),
    AS_HASH: SCALARS | {OCTETS},
    AS_SECONDS: frozenset((INTEGER,)),
    AS_MILLIS: frozenset((INTEGER,)),
    AS_MICROS: frozenset((INTEGER,)),
    AS_DAYS: frozenset((INTEGER,)),
    RAW: frozenset((TRUTH, INTEGER, TEXT, STAMP, DATE, CLOCK, STAMP_TEXT, DATE_TEXT, CLOCK_TEXT, UUID_TEXT)),
    ID: frozenset((INTEGER, TEXT, UUID_TEXT, UUID_OCTETS, DECIMAL, ANY_DECIMAL)),
}
KINDS: Final = {
    NULL: NOTHING,
    BOOLEAN: TRUTH,
    INT: INTEGER,
    LONG: INTEGER,
    FLOAT: FLOATING,
    DOUBLE: FLOATING,
    STRING: TEXT,
    ENUM: TEXT,
    BYTES: OCTETS,
    FIXED: OCTETS,
    ARRAY: LIST,
    MAP: OBJECT,
    RECORD: OBJECT,
}


def meaning_of(kind: Type) -> int:
    """What a value of this type, which is no union, means. An annotation that does not fit its kind means nothing."""
    name = name_of(kind)
    number = kind.kind == INT or kind.kind == LONG
    octets = kind.kind == BYTES or kind.kind == FIXED
    if name:
        if unqualified(name).startswith("Structured") and name.startswith("io.debezium."):
            return STRUCTURED
        if number:
            if name in STAMPS:
                return STAMP
            if name in DATES:
                return DATE
            if name in CLOCKS:
                return CLOCK
        elif octets:
            if name == "decimal" or name == CONNECT + "Decimal":
                return DECIMAL
            if name == "uuid" and kind.kind == FIXED and kind.size == 16:
                return UUID_OCTETS
        elif kind.kind == STRING:
            return TEXTS.get(name, TEXT)
        elif kind.kind == RECORD and name == VARIABLE and has_scale(kind):
            return ANY_DECIMAL
    return KINDS[kind.kind]


def name_of(kind: Type) -> str:
    """The annotation's name; a record's own where it has none, since Connect names records by what they mean."""
    if kind.annotation is not None and kind.annotation.name:
        return kind.annotation.name
    return kind.name if kind.kind == RECORD else ""


def has_scale(kind: Type) -> bool:
    """Whether the record is a scale, and bytes of that scale."""
    kinds = {field.name: field.type.kind for field in kind.fields}
    return kinds.get("scale") == INT and kinds.get("value") == BYTES and len(kinds) == 2


def units_of(kind: Type) -> int:
    """How many units of this annotated number make a second."""
    name = name_of(kind)
    return STAMPS.get(name, CLOCKS.get(name, 1))


def refusal(kind: Type, meaning: int, how: int) -> str:
    """Why a value of this meaning cannot be read so; empty where it can."""
    if how == EXISTS:
        return ""
    if how == AS_IS or how == COPY:
        if meaning == OCTETS:
            return f'{named(kind)} is bytes: say as = "text", "base64" or "hash"'
        return f"{named(kind)} has no form in Mixpanel" if meaning == STRUCTURED else ""
    if meaning in TAKEN[how]:
        return ""
    if how == RAW:
        return f"{named(kind)} cannot be compared: text, enum, whole numbers and booleans can"
    if how == ID:
        return f"{named(kind)} cannot be an id: text, whole numbers, decimals and uuids can"
    return f"{named(kind)} cannot be converted so"


def named(kind: Type) -> str:
    """The type and its annotation, in words."""
    return f"{kind} ({kind.annotation.name})" if kind.annotation is not None else str(kind)
