"""The words of a mapping file, as small numbers: the compiled code compares them without a call."""

from typing import Final

# Formats of a record's value.
EVENT: Final = 0
ROW: Final = 1
DEBEZIUM: Final = 2
FORMATS: Final = ("event", "row", "debezium")

# How a record's key is written.
KEY_SCHEMA: Final = 0
KEY_TEXT: Final = 1
KEY_INT: Final = 2
KEY_LONG: Final = 3
KEY_FORMATS: Final = ("schema", "text", "int", "long")

# What a rule does with a record.
WRITE: Final = 0
DELETE: Final = 1
CLEAR: Final = 2
IGNORE: Final = 3
ACTIONS: Final = ("write", "delete", "clear", "ignore")

# What a null does in `set`.
SKIP_NULL: Final = 0
UNSET_NULL: Final = 1
SEND_NULL: Final = 2
UNSAID: Final = 3
NULLS: Final = ("skip", "unset", "null")

# How a value is read: the file's `as`, then what conditions and ids need.
AS_IS: Final = 0
AS_TEXT: Final = 1
AS_LOWER: Final = 2
AS_NUMBER: Final = 3
AS_JSON: Final = 4
AS_LIST: Final = 5
AS_BASE64: Final = 6
AS_HASH: Final = 7
AS_SECONDS: Final = 8
AS_MILLIS: Final = 9
AS_MICROS: Final = 10
AS_DAYS: Final = 11
CONVERSIONS: Final = (
    "",
    "text",
    "lower",
    "number",
    "json",
    "list",
    "base64",
    "hash",
    "seconds",
    "millis",
    "micros",
    "days",
)
RAW: Final = 12  # compared: text, enum, integer or boolean, as it is written
EXISTS: Final = 13  # only whether it is null
ID: Final = 14  # text, of what can name a group
COPY: Final = 15  # a record or a map, field by field

# Conditions.
IN: Final = 0
NOT_IN: Final = 1
IS_THERE: Final = 2

WILD: Final = "*"
