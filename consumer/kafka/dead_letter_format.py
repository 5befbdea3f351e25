"""What a dead letter is in its topic: its headers written and read back, and the room that it needs.

The names are Kafka Connect's, so that its tools read them, and ours. All values are UTF-8 text, none comes twice. The
appended headers are one block at the end that begins with `TOPIC`: whatever stands before is the record's own, even
where it has the same names.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

import orjson

import consumer
from consumer.core.model import DeadLetter
from consumer.event.errors import REJECTED, TASK_PUT, TRANSFORMATION, VALUE_CONVERTER
from consumer.event.model import Headers

CONNECT: Final = "__connect.errors."
TOPIC: Final = CONNECT + "topic"
PARTITION: Final = CONNECT + "partition"
OFFSET: Final = CONNECT + "offset"
GROUP: Final = CONNECT + "connector.name"
STAGE: Final = CONNECT + "stage"
CLASS: Final = CONNECT + "class.name"
EXCEPTION: Final = CONNECT + "exception.class.name"
MESSAGE: Final = CONNECT + "exception.message"
REASON: Final = "mixpanel.reason"
DETAIL: Final = "mixpanel.detail"
STATUS: Final = "mixpanel.http.status"
ERROR: Final = "mixpanel.error"
UPDATE: Final = "mixpanel.update"
PROJECT: Final = "mixpanel.project"  # its name in the settings, where the record came so far
COMPANY: Final = "mixpanel.company_id"
RULE: Final = "mixpanel.rule"  # of the mapping, several with commas between
REFUSALS: Final = "mixpanel.refusals"  # of a record that made several updates: those that were refused, as JSON
SCHEMA_ID: Final = "mixpanel.schema.id"
SCHEMA_GUID: Final = "mixpanel.schema.guid"
TOPIC_ID: Final = "mixpanel.topic.id"  # of the source: a topic that was recreated has another
TIMESTAMP: Final = "mixpanel.record.timestamp"  # in milliseconds; only where the topic refused the record's own
HEADERS_LOST: Final = "mixpanel.headers.lost"
VERSION: Final = "mixpanel.consumer.version"
# In the order in which people are shown them.
APPENDED: Final[tuple[str, ...]] = (
    TOPIC,
    PARTITION,
    OFFSET,
    TOPIC_ID,
    GROUP,
    STAGE,
    CLASS,
    EXCEPTION,
    MESSAGE,
    REASON,
    DETAIL,
    PROJECT,
    COMPANY,
    RULE,
    STATUS,
    ERROR,
    UPDATE,
    REFUSALS,
    SCHEMA_ID,
    SCHEMA_GUID,
    TIMESTAMP,
    HEADERS_LOST,
    VERSION,
)
KNOWN: Final = frozenset(APPENDED)
TOKEN: Final = "$token"  # noqa: S105  # the property of an update that no dead letter has

# A longer update is left out: the record itself has all of it.
MAX_UPDATE: Final = 64 * 1024
# Of any text, in bytes.
MAX_TEXT: Final = 8 * 1024
# Of the rules, and of what is said of each refusal: left out where they are longer, for half of either says nothing.
MAX_RULES: Final = 6 * 1024
# Mixpanel's words on one of several refusals.
MAX_WORDS: Final = 256
# By how much the dead-letter topic's `max.message.bytes` must be above the source's: all that is appended fits in it.
ROOM: Final = 128 * 1024

# Public values, whatever the modules are called today.
STAGE_CLASSES: Final = {
    VALUE_CONVERTER: "consumer.core.decode",
    TRANSFORMATION: "consumer.core.convert",
    TASK_PUT: "consumer.shell.mixpanel",
}

Appended: TypeAlias = dict[str, bytes | None]


class Origin(NamedTuple):
    """Where the record came from."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


def headers_of(
    dead_letter: DeadLetter, group_id: str, scrub: Callable[[str], str] = str, *, own_time: bool = False
) -> list[tuple[str, bytes]]:
    """What is appended to the record's own headers; a header without a value is left out.

    `scrub` takes the secrets out of what others said. `own_time` says the record's timestamp, where the dead letter
    goes without it. Of a record with encrypted fields nothing is told that may be one of them in the clear.
    """
    texts = origin_texts(dead_letter, group_id) + cause_texts(dead_letter, scrub)
    texts += record_texts(dead_letter, own_time)
    headers = [(name, cut(text)) for name, text in texts if text]
    update = b"" if dead_letter.record.sealed else without_token(dead_letter.update)
    if update and len(update) <= MAX_UPDATE:
        headers.append((UPDATE, update))
    told = refusals(dead_letter.parts, scrub)
    if told and len(told) <= MAX_RULES:
        headers.append((REFUSALS, told))
    return headers


def origin_texts(dead_letter: DeadLetter, group_id: str) -> list[tuple[str, str]]:
    """Where the record came from, and who read it."""
    record = dead_letter.record
    place = record.assignment
    return [
        (TOPIC, place.topic),
        (PARTITION, str(place.partition)),
        (OFFSET, str(record.offset)),
        (TOPIC_ID, place.topic_id),
        (GROUP, group_id),
    ]


def cause_texts(dead_letter: DeadLetter, scrub: Callable[[str], str]) -> list[tuple[str, str]]:
    """Why it is a dead letter, and what of."""
    sealed = dead_letter.record.sealed
    detail = scrub(dead_letter.detail)
    error = words_of(dead_letter, scrub)
    if not error and dead_letter.reason == REJECTED:
        error = "refused without a reason"
    return [
        (STAGE, dead_letter.stage),
        (CLASS, STAGE_CLASSES.get(dead_letter.stage, "")),
        (EXCEPTION, f"consumer.core.errors.{dead_letter.reason}"),
        (MESSAGE, detail),
        (REASON, dead_letter.reason),
        (DETAIL, detail),
        (PROJECT, dead_letter.project),
        (COMPANY, "" if sealed else dead_letter.company_id or ""),
        (RULE, dead_letter.rule if len(dead_letter.rule.encode()) <= MAX_RULES else ""),
        (STATUS, str(dead_letter.status) if dead_letter.status else ""),
        (ERROR, error),
    ]


def record_texts(dead_letter: DeadLetter, own_time: bool) -> list[tuple[str, str]]:
    """What else is to be known of the record, and which release says so."""
    record = dead_letter.record
    schema = dead_letter.schema
    return [
        (SCHEMA_ID, str(schema) if isinstance(schema, int) else ""),
        (SCHEMA_GUID, schema if isinstance(schema, str) else ""),
        (TIMESTAMP, str(record.timestamp) if own_time else ""),
        (HEADERS_LOST, str(record.headers_lost) if record.headers_lost else ""),
        (VERSION, consumer.__version__),
    ]


def refusals(parts: Sequence[DeadLetter], scrub: Callable[[str], str]) -> bytes:
    """Why each part of a record was refused, as JSON; without Mixpanel's words where they make it too long."""
    if not parts:
        return b""
    rows = [
        {
            "rule": part.rule,
            "reason": part.reason,
            "status": part.status or None,
            "error": words_of(part, scrub)[:MAX_WORDS] or None,
        }
        for part in parts
    ]
    told = orjson.dumps(rows)
    return told if len(told) <= MAX_RULES else orjson.dumps([row | {"error": None} for row in rows])


def words_of(dead_letter: DeadLetter, scrub: Callable[[str], str]) -> str:
    """Mixpanel's words, as far as they may be told: they may repeat what came encrypted."""
    if dead_letter.record.sealed and dead_letter.error:
        return "not told: fields of the record came encrypted"
    return scrub(dead_letter.error)


def without_token(update: bytes) -> bytes:
    """The update, or the array of updates, without the project's token; as it is where it names none.

    Empty where it may name one and is no JSON that can be read.
    """
    if TOKEN.encode() not in update and b"\\u" not in update:
        return update
    try:
        content = orjson.loads(update)
    except orjson.JSONDecodeError:
        return b""
    for single in content if isinstance(content, list) else [content]:
        if isinstance(single, dict):
            single.pop(TOKEN, None)
    return orjson.dumps(content)


def cut(text: str) -> bytes:
    """The text as UTF-8, whole characters only, no longer than `MAX_TEXT` bytes."""
    encoded = text.encode("utf-8", "replace")
    return encoded if len(encoded) <= MAX_TEXT else encoded[:MAX_TEXT].decode("utf-8", "ignore").encode()


def parted(headers: Sequence[tuple[str, bytes | None]]) -> tuple[Headers, Appended]:
    """The record's own headers, and the appended ones by name."""
    begin = max([place for place, (name, _) in enumerate(headers) if name == TOPIC], default=len(headers))
    own = list(headers[:begin])
    appended: Appended = {}
    for name, value in headers[begin:]:
        if name in KNOWN:
            appended[name] = value
        else:
            own.append((name, value))
    return own, appended


def text_of(appended: Appended, name: str) -> str:
    """An appended header as text; empty where there is none."""
    return (appended.get(name) or b"").decode("utf-8", "replace")


def origin_of(appended: Appended) -> Origin | None:
    """Where the headers say that the record came from; None where they do not say it, nor why."""
    topic = text_of(appended, TOPIC)
    try:
        partition, offset = int(appended.get(PARTITION) or b""), int(appended.get(OFFSET) or b"")
    except ValueError:
        return None
    whole = topic and partition >= 0 and offset >= 0 and appended.get(REASON)
    return Origin(topic, partition, offset) if whole else None


def timestamp_of(appended: Appended, timestamp: int) -> int:
    """The record's own time in milliseconds: that of the header, where the topic refused it."""
    text = text_of(appended, TIMESTAMP)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else timestamp
