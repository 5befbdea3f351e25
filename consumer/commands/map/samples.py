"""The last records of a topic, and what they show of it that its schemas do not say."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from consumer.avro.cursor import Cursor
from consumer.avro.errors import InvalidDatum
from consumer.avro.schema import Type
from consumer.commands.dlq.scan import OffsetSpan, opened, read, spans_of
from consumer.commands.map.registered import RegisteredSchemas, UnreadableSchema
from consumer.event.decode import frame
from consumer.event.errors import Reject
from consumer.event.model import Headers, SchemaRef
from consumer.kafka.config import consumer_config
from consumer.kafka.headers import headers_of
from consumer.mapping.errors import Misfit, Unfit
from consumer.mapping.keys import key_frame
from consumer.mapping.layout import branches
from consumer.mapping.readers import read as read_datum
from consumer.mapping.readers import reader_of
from consumer.mapping.words import RAW
from consumer.registry.subjects import UnknownSchema
from consumer.settings import Settings

LAST: Final = 50
# Mail addresses, numbers of telephones, addresses of machines.
PERSONAL: Final = re.compile(
    r"[^@\s]+@[^@\s]+\.[^@\s]+|\+\d[\d ()/.-]{6,}|\d{1,3}(\.\d{1,3}){3}|[0-9a-f]*(:[0-9a-f]*){3,7}"
)


@dataclass(frozen=True)
class Sample:
    """One record, as it is written."""

    key: bytes | None
    value: bytes | None
    headers: Headers | None


@dataclass
class SampleFacts:
    """What the records show. `key` is how keys are written (empty: unknown), `deletes` that some values are null.

    `personal` are fields with values that look like personal data, `same` those that always have the key's value, by
    the full name of the record and the field's name. `values` and `key_type` are the records' own schemas.
    """

    records: int = 0
    key: str = ""
    deletes: bool = False
    personal: set[tuple[str, str]] = field(default_factory=set)
    same: set[tuple[str, str]] = field(default_factory=set)
    values: list[Type] = field(default_factory=list)
    key_type: Type | None = None


def sampled(settings: Settings, topic: str) -> list[Sample]:
    """The topic's last records. Raises `Failed`, `ClientFailed`."""
    consumer = opened(consumer_config(settings))
    try:
        spans = [
            OffsetSpan(span.partition, max(span.first, span.end - LAST), span.end)
            for span in spans_of(consumer, topic)
        ]
        messages = [message for batch in read(consumer, topic, spans) for message in batch]
    finally:
        consumer.close()
    messages.sort(key=lambda message: message.timestamp()[1])
    newest = messages[-LAST:]
    return [Sample(_raw(message.key()), _raw(message.value()), headers_of(message)[0]) for message in newest]


def seen(samples: Sequence[Sample], schemas: RegisteredSchemas) -> SampleFacts:
    """What they show. Records that cannot be read show nothing. Raises `RegistryError`."""
    facts = SampleFacts(len(samples), key_format(samples, schemas), any(item.value is None for item in samples))
    alike: Counter[tuple[str, str]] = Counter()
    rows: Counter[str] = Counter()
    for sample in samples:
        key = _key(sample, facts, schemas)
        read_value = _value(sample, facts, schemas)
        if read_value is None:
            continue
        name, row = read_value
        rows[name] += 1
        facts.personal |= {
            (name, column) for column, value in row.items() if any(map(PERSONAL.fullmatch, texts(value)))
        }
        alike.update((name, column) for column, value in row.items() if key and _text(value) == key)
    facts.same = {place for place, count in alike.items() if count == rows[place[0]]}
    return facts


def key_format(samples: Sequence[Sample], schemas: RegisteredSchemas) -> str:
    """How the keys are written: schema, text, int, long; empty where they do not say, or not all alike.

    A number may look like a schema's id: only one that the registry knows is. Raises `RegistryError`.
    """
    keys = [(sample.key, sample.headers) for sample in samples if sample.key]
    framed = {frame and frame[0] for frame in (key_frame(key, headers) for key, headers in keys)}
    if not keys:
        return ""
    if all(ref is not None and _known(ref, schemas) for ref in framed):
        return "schema"
    if all(_printable(key) for key, _ in keys):
        return "text"
    sizes = {len(key) for key, _ in keys}
    return {4: "int", 8: "long"}.get(sizes.pop(), "") if len(sizes) == 1 else ""


def texts(value: object) -> Iterator[str]:
    """Every text within the value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def _key(sample: Sample, facts: SampleFacts, schemas: RegisteredSchemas) -> str:
    """What the key is as text, where it is one scalar; else empty."""
    if not sample.key:
        return ""
    if facts.key == "text":
        return sample.key.decode()
    if facts.key in ("int", "long"):
        return str(int.from_bytes(sample.key, "big", signed=True))
    framed = key_frame(sample.key, sample.headers)
    if framed is None:
        return ""
    kind, datum = _read(sample.key, *framed, schemas)
    facts.key_type = kind or facts.key_type
    if isinstance(datum, dict) and len(datum) == 1:
        (datum,) = datum.values()
    return _text(datum)


def _value(sample: Sample, facts: SampleFacts, schemas: RegisteredSchemas) -> tuple[str, dict[str, Any]] | None:
    """The record's full name and its fields; of an envelope those of its row."""
    if sample.value is None:
        return None
    try:
        ref, start = frame(sample.value, sample.headers)
    except Reject:
        return None
    kind, datum = _read(sample.value, ref, start, schemas)
    if kind is not None and kind not in facts.values:
        facts.values.append(kind)
    if kind is None or not isinstance(datum, dict):
        return None
    row = datum.get("after") or datum.get("before") if {"before", "after", "op"} <= datum.keys() else datum
    records = branches(kind)
    return (records[0].name, row) if len(records) == 1 and isinstance(row, dict) else None


def _read(data: bytes, ref: SchemaRef, start: int, schemas: RegisteredSchemas) -> tuple[Type | None, object]:
    """The schema and the datum; None where there is none that can be read."""
    try:
        kind = schemas.type_of(ref)
        return kind, read_datum(reader_of(kind, RAW, b"", True), Cursor(data, start), 0)
    except (UnreadableSchema, UnknownSchema, Misfit):
        return None, None
    except (InvalidDatum, Unfit, IndexError, ValueError):
        return kind, None


def _known(ref: SchemaRef, schemas: RegisteredSchemas) -> bool:
    try:
        schemas.type_of(ref)
    except UnknownSchema:
        return False
    except UnreadableSchema:
        return True
    return True


def _text(value: object) -> str:
    """A text or whole number as an id has it; else empty."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _printable(key: bytes) -> bool:
    try:
        return key.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _raw(content: str | bytes | None) -> bytes | None:
    return content.encode() if isinstance(content, str) else content
