"""A record's key: which schema wrote it, or what it is without one."""

from typing import Final

from consumer.event.decode import header_ref, known
from consumer.event.errors import Reject
from consumer.event.model import Headers, SchemaRef
from consumer.mapping.words import KEY_INT, KEY_TEXT

KEY_HEADER: Final = "__key_schema_id"
# What Kafka Streams and ksqlDB put behind the key of a window: its start, and for some a number.
WINDOWS: Final = (8, 12)
WINDOWED: Final = (
    "bytes follow the key's own, as in a windowed table: no group has windows. Read a topic without windows, "
    'or take the id from the value and say deletes = "ignore"'
)


def key_frame(key: bytes, headers: Headers | None) -> tuple[SchemaRef, int] | None:
    """Which schema the key was written with, and where its data starts; None where it does not say."""
    found: bytes | None = None
    for name, content in headers or []:
        if name == KEY_HEADER and content is not None:
            found = content
    try:
        if found is not None:
            return header_ref(found), 0
        if len(key) >= 5 and key[0] == 0:
            return known(int.from_bytes(key[1:5], "big")), 5
    except Reject:
        return None
    return None


def windowed(key: bytes, how: int) -> bool:
    """Whether bytes of a window follow a key that no schema describes."""
    if how == KEY_TEXT:
        return b"\0" in key
    own = 4 if how == KEY_INT else 8
    return len(key) - own in WINDOWS


def plain_key(key: bytes, how: int) -> object:
    """The text or number that the key is. Raises ValueError, which says what it is not."""
    if how == KEY_TEXT:
        try:
            return key.decode("utf-8")
        except UnicodeDecodeError:
            raise ValueError("the key is not UTF-8") from None
    size = 4 if how == KEY_INT else 8
    if len(key) != size:
        raise ValueError(f"the key does not have the {size} bytes of a number")
    return int.from_bytes(key, "big", signed=True)
