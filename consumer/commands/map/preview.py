"""`map preview`: the last records of a topic, or those of a file, beside what the rules make of them."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import IO, Any, Final

from confluent_kafka import Message

from consumer.avro.schema import Type
from consumer.commands.dlq.scan import OffsetSpan, opened, read, spans_of
from consumer.commands.map.datum import NoDatum
from consumer.commands.map.findings import compacted_of
from consumer.commands.map.reader import RecordReader
from consumer.commands.map.registered import UnreadableSchema
from consumer.commands.map.trial import Written, tried, updates_of
from consumer.event.errors import UNMAPPED, Reject
from consumer.kafka.config import consumer_config
from consumer.kafka.headers import headers_of
from consumer.mapping.errors import Hold
from consumer.mapping.mapper import Mapper, TopicMap
from consumer.mapping.outcome import Mapped
from consumer.mapping.rules import Mapping
from consumer.mapping.seen import Incoming
from consumer.settings import Settings

UPDATE: Final = "update"
IGNORED: Final = "ignored"
HELD: Final = "held"
BAD_LINE: Final = "bad_line"
CUT: Final = 2_000  # characters of an update, for people
RECORD_KEYS: Final = ("key", "value", "headers", "record")


@dataclass(frozen=True)
class PreviewLine:
    """One rule and one record. `became` is update, ignored, held, bad_line, or the reason of a dead letter."""

    record: str
    rule: str
    became: str
    update: dict[str, Any] | None = None
    why: str = ""

    @property
    def bad(self) -> bool:
        """Whether the record would become a dead letter, or hold its partition."""
        return self.became not in (UPDATE, IGNORED)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)

    def cells(self) -> list[str]:
        """For people."""
        shown = self.why if self.update is None else json.dumps(self.update, ensure_ascii=False)
        more = len(shown) - CUT
        return [self.record, self.rule, self.became, f"{shown[:CUT]} … {more} characters more" if more > 0 else shown]


class Preview:
    """One topic under a mapping. Joins no group and commits nothing."""

    def __init__(self, settings: Settings, mapping: Mapping, secret: bytes, topic: str) -> None:
        """`topic` is one that a rule names. Raises `RegistryError`, `BrokerError`."""
        self._settings = settings
        self._topic = topic
        compacted = compacted_of(settings, [topic]) if settings.kafka_bootstrap_servers else set()
        rules = Mapper(mapping, secret, compacted).topic(topic)
        assert rules is not None
        self._rules: TopicMap = rules
        self._reader = RecordReader(settings, {topic: rules})
        self._registered = self._reader.registered(topic)

    def of_topic(self, last: int) -> list[PreviewLine]:
        """The topic's last records, oldest first. Raises `Failed`, `RegistryError`."""
        consumer = opened(consumer_config(self._settings))
        try:
            spans = [
                OffsetSpan(span.partition, max(span.first, span.end - last), span.end)
                for span in spans_of(consumer, self._topic)
            ]
            messages = [message for batch in read(consumer, self._topic, spans) for message in batch]
        finally:
            consumer.close()
        messages.sort(key=lambda message: message.timestamp()[1])
        return [line for message in messages[-last:] for line in self._of_message(message)]

    def of_file(self, file: IO[bytes]) -> list[PreviewLine]:
        """The records of the file, one JSON object a line. Raises `RegistryError`."""
        return [line for number, text in enumerate(file, 1) if text.strip() for line in self._of_text(number, text)]

    def _of_message(self, message: Message) -> Iterator[PreviewLine]:
        place = f"{message.partition()}:{message.offset()}"
        try:
            yield from lines_of(place, self._mapped(message))
        except Hold as hold:
            yield PreviewLine(place, hold.rule, HELD, why=str(hold))
        except UnreadableSchema as fault:
            yield PreviewLine(place, "", HELD, why=str(fault))
        except Reject as reject:
            yield PreviewLine(place, "", reject.reason, why=reject.detail)

    def _mapped(self, message: Message) -> Mapped:
        place = (message.partition() or 0, message.offset() or 0)
        key, value, headers = raw(message.key()), raw(message.value()), headers_of(message)[0]
        return self._reader.mapped(Incoming(self._topic, *place, message.timestamp()[1], key, value, headers))

    def _of_text(self, number: int, text: bytes) -> Iterator[PreviewLine]:
        place = f"line {number}"
        try:
            given = json.loads(text)
            if not isinstance(given, dict) or not set(given) <= set(RECORD_KEYS):
                raise NoDatum(f"a line is a JSON object of {', '.join(RECORD_KEYS)}")
            yield from lines_of(place, self._tried(given))
        except Hold as hold:
            yield PreviewLine(place, hold.rule, HELD, why=str(hold))
        except Reject as reject:
            yield PreviewLine(place, "", reject.reason, why=reject.detail)
        except (NoDatum, ValueError, RecursionError) as fault:
            yield PreviewLine(place, "", BAD_LINE, why=str(fault) if isinstance(fault, NoDatum) else "is not JSON")

    def _tried(self, given: dict[str, Any]) -> Mapped:
        headers = given.get("headers", {})
        if not isinstance(headers, dict):
            raise NoDatum("headers is a JSON object, from names to texts")
        written = Written(given.get("key"), given.get("value"), headers)
        record = str(given.get("record", ""))
        writer: Type | None = None
        if written.value is not None:
            writer = self._registered.newest(record)
            if writer is None:
                raise NoDatum(f"no schema of {record or self._topic} is registered")
        return tried(self._topic, self._rules, written, record, writer, self._registered.key)


def raw(content: str | bytes | None) -> bytes | None:
    """The bytes of a key or value; the client's types allow text, which is never read."""
    return content.encode() if isinstance(content, str) else content


def lines_of(place: str, mapped: Mapped) -> Iterator[PreviewLine]:
    """Everything that the record came to, by rule."""
    for part in mapped.parts:
        for update in updates_of(part):
            yield PreviewLine(place, part.rule, UPDATE, update)
    for refusal in mapped.refusals:
        yield PreviewLine(place, refusal.rule, refusal.reason, why=refusal.detail)
    for ignored in mapped.ignored:
        yield PreviewLine(place, ignored.rule, IGNORED, why=ignored.why)
    if mapped.unmapped:
        yield PreviewLine(place, "", UNMAPPED, why="no rule of the file has its topic and record name")
