"""Records found by place or by group, and what became of each."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson
from confluent_kafka import KafkaException, Message, TopicPartition

from consumer.commands.dlq.event import fields
from consumer.commands.dlq.receipts import REFUSED, SENDING, SETTLED
from consumer.commands.dlq.scan import (
    TIMEOUT,
    Failed,
    OffsetSpan,
    UnreadableRecords,
    opened,
    partitions_of,
    read,
    spans_of,
)
from consumer.commands.map.registered import UnreadableSchema
from consumer.commands.map.trial import updates_of
from consumer.commands.status.instances import Instances
from consumer.commands.verify.dead_letters import DeadLettersByRecord, read_dead_letters
from consumer.commands.verify.decoding import Decoding
from consumer.event.convert import convert
from consumer.event.encode import update_json, update_tail
from consumer.event.errors import UNMAPPED, Reject
from consumer.event.model import Change, Operation
from consumer.kafka.broker_errors import BrokerError
from consumer.kafka.brokers import Brokers
from consumer.kafka.config import consumer_config
from consumer.kafka.dead_letter_format import Origin
from consumer.mapping.errors import Hold
from consumer.mapping.mapper import TopicMap
from consumer.settings import Settings
from consumer.terminal.progress import bar

APPLIED: Final = "applied"
DEAD: Final = "dead letter"
REPLAYED: Final = "replayed"
WAITING: Final = "waiting"
IGNORED: Final = "ignored"
# What became of a dead letter by its last replay, where that did not settle it.
SINCE: Final = {
    REFUSED: "; a replay of it was refused again",
    SENDING: "; a replay of it has begun, and nobody knows whether it was applied",
}


@dataclass(frozen=True)
class Traced:
    """One record. `update` is what Mixpanel gets of it without `$token`, of a mapped topic a list of them, each
    with its rule; `problem` why there is none, or not all."""

    place: str
    timestamp: int
    event: dict[str, Any] | None
    update: dict[str, Any] | list[dict[str, Any]] | None
    problem: str
    fate: str
    why: str

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


@dataclass(frozen=True)
class Wanted:
    """A group by its key and id, in one company or, where that is None, in every one."""

    key: str
    id: str
    company: str | None

    def names(self, key: str, group_id: str, company: str | None) -> bool:
        """Whether it is this one."""
        return (key, group_id) == (self.key, self.id) and self.company in (None, company)

    def __call__(self, operation: Operation) -> bool:
        """Whether the operation is on it."""
        return self.names(operation.group_key, operation.group_id, operation.company_id)

    def keyed(self, key: bytes | None) -> bool:
        """Whether a record that nobody can read has its key."""
        return key == f"{self.key}:{self.id}".encode()


class Tracer:
    """Finds records. Joins no group and commits nothing; `close` ends the connections.

    `unread` says which records could not be read while a group's changes were looked for.
    """

    def __init__(self, settings: Settings, mapped: Mapping[str, TopicMap], instances: Instances) -> None:
        """`mapped` are the topics of a mapping file; `instances` are asked why a record waits."""
        self.unread: list[str] = []
        self._without_schema: set[str] = set()
        self._settings = settings
        self._instances = instances
        self._committed: dict[tuple[str, int], int] = {}
        self._dead_letters = DeadLettersByRecord()
        self._decoding = Decoding(settings, mapped)
        self._consumer = opened(consumer_config(settings))

    def at(self, origin: Origin) -> Traced:
        """The record at this place. Raises `Failed` where there is none."""
        if origin.partition not in partitions_of(self._consumer, origin.topic):
            raise Failed(f"{origin.topic} has no partition {origin.partition}")
        self._prepare([origin.topic])
        (span,) = spans_of(self._consumer, origin.topic, {origin.partition: 0})
        if span.first > origin.offset:
            why = f"it is gone by retention: the partition begins at {span.first}"
            raise Failed(f"{origin} is not in the topic any more: {why}")
        if span.end <= origin.offset:
            why = f"what can be read of the partition ends at {span.end}"
            raise Failed(f"{origin} is not written yet, or stands behind an open transaction: {why}")
        try:
            for messages in read(
                self._consumer, origin.topic, [OffsetSpan(origin.partition, origin.offset, origin.offset + 1)]
            ):
                return self._traced(messages[0], origin.topic)
        except UnreadableRecords as unreadable:
            committed = self._committed.get((origin.topic, origin.partition), -1)
            if origin.offset < committed:
                raise
            return Traced(str(origin), -1, None, None, str(unreadable), WAITING, self._reason(origin, committed))
        raise Failed(f"{origin} is no record: it was compacted away, or belongs to a transaction")

    def of_group(self, group: tuple[str, str], company: str | None, since: int) -> Iterator[Traced]:
        """The group's changes since this time (ms), partition by partition in their order. Raises `Failed`.

        It is named by key and id, and meant in every company where none is given.
        """
        wanted = Wanted(*group, company)
        self._prepare(self._settings.kafka_topics)
        for topic in self._settings.kafka_topics:
            spans = spans_of(self._consumer, topic, self._begin(topic, since))
            with bar(f"Reading {topic}", sum(span.end - span.first for span in spans)) as moved:
                for messages in read(self._consumer, topic, spans, moved, self._end_at):
                    for message in messages:
                        if self._is_of(message, topic, wanted):
                            yield self._traced(message, topic, wanted)

    def close(self) -> None:
        """End the connections."""
        self._decoding.close()
        self._consumer.close()

    def _prepare(self, topics: Collection[str]) -> None:
        """Ask what is committed, then read the dead letters: those of what is committed are there by then."""
        try:
            with Brokers(self._settings) as brokers:
                for name in topics:
                    for place in brokers.offsets(self._settings.kafka_group_id, brokers.topic(name)):
                        self._committed[name, place.partition] = place.committed
        except BrokerError as failure:
            raise Failed(f"what is committed of {', '.join(topics)} is not told: {failure}") from failure
        self._dead_letters = read_dead_letters(self._settings)

    def _begin(self, topic: str, since: int) -> Mapping[int, int]:
        """The offset of each partition's first record that is not older."""
        since = max(0, since)  # brokers know no time before 1970: to them -1 is the end
        asked = [TopicPartition(topic, partition, since) for partition in partitions_of(self._consumer, topic)]
        try:
            begins = self._consumer.offsets_for_times(asked, timeout=TIMEOUT)
        except KafkaException as failure:
            raise Failed(f"the offsets of {topic} are not told: {failure.args[0].str()}") from failure
        return {place.partition: place.offset if place.offset >= 0 else 2**62 for place in begins}

    def _end_at(self, unreadable: UnreadableRecords) -> None:
        """A partition ends here."""
        self.unread.append(f"{unreadable}; what stands behind it in the partition is not shown")

    def _is_of(self, message: Message, topic: str, wanted: Wanted) -> bool:
        try:
            if self._decoding.is_mapped(topic):
                parts = self._decoding.mapped(message, topic).parts
                return any(wanted(operation) for part in parts for operation in part.operations)
            change = self._decoding.change(message)
        except (Reject, UnreadableSchema):
            return wanted.keyed(message.key())
        except (Hold, Failed) as failed:
            if str(failed) not in self._without_schema:
                self._without_schema.add(str(failed))
                where = f"{topic}:{message.partition()}:{message.offset()}"
                self.unread.append(
                    f"{where}: {failed}; such records are shown where their key is {wanted.key}:{wanted.id}"
                )
            return wanted.keyed(message.key())
        return wanted.names(change.group_key, change.group_id, change.company_id)

    def _traced(self, message: Message, topic: str, wanted: Wanted | None = None) -> Traced:
        """The record; of one with several updates only those of the wanted group, where one is given."""
        place = Origin(topic, message.partition() or 0, message.offset() or 0)
        if self._decoding.is_mapped(topic):
            updates, problem, ignored = self._mapped(message, topic, wanted)
            fate, why = self._fate(message, place, frozenset(update["rule"] for update in updates or ()))
            if fate == APPLIED and ignored:
                fate, why = IGNORED, f"{why}; {ignored}"
            return Traced(str(place), message.timestamp()[1], None, updates, problem, fate, why)
        event, update, problem = self._read(message)
        fate, why = self._fate(message, place)
        return Traced(str(place), message.timestamp()[1], event, update, problem, fate, why)

    def _mapped(
        self, message: Message, topic: str, wanted: Wanted | None
    ) -> tuple[list[dict[str, Any]] | None, str, str]:
        """The updates that rules make of it, and what they refuse; where they do neither, who ignores it and why."""
        try:
            mapped = self._decoding.mapped(message, topic)
        except Reject as reject:
            return None, f"{reject.reason}: {reject.detail}", ""
        except (Hold, UnreadableSchema, Failed) as failure:
            return None, str(failure), ""
        updates = [
            {"rule": part.rule, **update}
            for part in mapped.parts
            for operation, update in zip(part.operations, updates_of(part), strict=True)
            if wanted is None or wanted(operation)
        ]
        problems = [f"{refusal.reason}: {refusal.detail}" for refusal in mapped.refusals]
        if mapped.unmapped:
            problems.append(UNMAPPED)
        if mapped.parts or problems:
            return updates or None, "; ".join(problems), ""
        rules = [f"rule {item.rule} ignores it: {item.why}" if item.rule else item.why for item in mapped.ignored]
        return None, "", "; ".join(rules)

    def _read(self, message: Message) -> tuple[dict[str, Any] | None, dict[str, Any] | None, str]:
        """The event, its update, and what is wrong with it."""
        change: Change | None = None
        try:
            change = self._decoding.change(message)
            update = orjson.loads(update_json(update_tail(convert(change))))
            return fields(change), update, ""
        except Reject as reject:
            return fields(change) if change else None, None, f"{reject.reason}: {reject.detail}"
        except Failed as failed:
            return None, None, str(failed)

    def _fate(self, message: Message, place: Origin, rules: frozenset[str] = frozenset()) -> tuple[str, str]:
        """What became of the record, or of what these rules of a mapping made of it: in a word, and more."""
        buried = self._dead_letters.of(message, place.topic)
        if buried is not None and buried.rules and rules and not buried.rules & rules:
            buried = None
        committed = self._committed.get((place.topic, place.partition), -1)
        if buried is not None:
            receipt = self._dead_letters.receipts.get(buried.identity)
            whose = f" of rule {', '.join(sorted(buried.rules))}" if buried.rules else ""
            where = f"{buried.reason}{whose}, at {buried.place} of {self._settings.kafka_dead_letter_topic}"
            if receipt is not None and receipt.state == SETTLED:
                return REPLAYED, f"was {where}; a replay of it was accepted"
            others = sorted(rules - buried.rules) if buried.rules else []
            rest = f"; what {', '.join(others)} made of it was applied" if others else ""
            return DEAD, where + (SINCE.get(receipt.state, "") if receipt is not None else "") + rest
        if place.offset < committed:
            return APPLIED, f"committed is {committed}, and it has no dead letter"
        return WAITING, self._reason(place, committed)

    def _reason(self, place: Origin, committed: int) -> str:
        """Why it is not committed, as far as an instance says."""
        begin = f"committed is {committed}" if committed >= 0 else "nothing of the partition is committed"
        if place.topic not in self._settings.kafka_topics:
            return f"{begin}; KAFKA_TOPICS does not have the topic"
        return f"{begin}; {self._instances.reason(place)}"
