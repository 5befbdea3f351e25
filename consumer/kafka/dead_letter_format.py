"""What a dead letter carries beside its own headers: Kafka Connect's names, so that its tools read them, and ours.

All are UTF-8 text, none comes twice, and together they stay below 128 KiB.
"""

import consumer
from consumer.core.model import DeadLetter
from consumer.event.errors import REJECTED, TASK_PUT, TRANSFORMATION, VALUE_CONVERTER

# A longer update is left out: the record itself has all of it.
MAX_UPDATE = 64 * 1024
# Words, in bytes: a detail has a path in it, and Mixpanel's own are cut to 2,048 characters before.
MAX_TEXT = 8 * 1024

CONNECT = "__connect.errors."
STAGE_CLASSES = {
    VALUE_CONVERTER: "consumer.core.decode",
    TRANSFORMATION: "consumer.core.convert",
    TASK_PUT: "consumer.shell.mixpanel",
}


def headers_of(letter: DeadLetter, group_id: str) -> list[tuple[str, bytes]]:
    """What is appended to the record's own headers; a header without a value is left out."""
    record = letter.record
    place = record.assignment
    error = letter.error or ("refused without a reason" if letter.reason == REJECTED else "")
    texts: list[tuple[str, str]] = [
        (CONNECT + "topic", place.topic),
        (CONNECT + "partition", str(place.partition)),
        (CONNECT + "offset", str(record.offset)),
        (CONNECT + "connector.name", group_id),
        (CONNECT + "stage", letter.stage),
        (CONNECT + "class.name", STAGE_CLASSES.get(letter.stage, "")),
        (CONNECT + "exception.class.name", f"consumer.core.errors.{letter.reason}"),
        (CONNECT + "exception.message", letter.detail),
        ("mixpanel.reason", letter.reason),
        ("mixpanel.detail", letter.detail),
        ("mixpanel.http.status", str(letter.status) if letter.status else ""),
        ("mixpanel.error", error),
        ("mixpanel.schema.id", str(letter.schema) if isinstance(letter.schema, int) else ""),
        ("mixpanel.schema.guid", letter.schema if isinstance(letter.schema, str) else ""),
        ("mixpanel.consumer.version", consumer.__version__),
    ]
    headers = [(name, cut(text)) for name, text in texts if text]
    if letter.update and len(letter.update) <= MAX_UPDATE:
        headers.append(("mixpanel.update", letter.update))
    return headers


def cut(text: str) -> bytes:
    """The text as UTF-8, whole characters only, no longer than `MAX_TEXT` bytes."""
    encoded = text.encode("utf-8", "replace")
    return encoded if len(encoded) <= MAX_TEXT else encoded[:MAX_TEXT].decode("utf-8", "ignore").encode()
