"""Records found by place or by group, and what became of each."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from confluent_kafka import KafkaException, Message, TopicPartition

from consumer.commands.dlq.event import fields
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
from consumer.commands.trace.fates import APPLIED, IGNORED, RecordFates
from consumer.commands.verify.decoding import Decoding
from consumer.event.convert import convert
from consumer.event.encode import update_json, update_tail
from consumer.event.errors import UNMAPPED, Reject
from consumer.event.model import Change, Operation
from consumer.kafka.config import consumer_config
from consumer.kafka.dead_letter_format import Origin
from consumer.mapping.errors import Hold
from consumer.mapping.mapper import TopicMap
from consumer.mapping.outcome import RuleRefusal
from consumer.settings import Settings
from consumer.terminal.progress import bar


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

    def refused(self, refusal: RuleRefusal) -> bool:
        """Whether the rule that could not take a record would have written it."""
        return refusal.group is not None and self.names(*refusal.group)

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
        self._topics = settings.kafka_topics
        self._fates = RecordFates(settings, instances)
        self._decoding = Decoding(settings, mapped)
        self._consumer = opened(consumer_config(settings))

    def at(self, origin: Origin) -> Traced:
        """The record at this place. Raises `Failed` where there is none, and none of it is in the dead letters."""
        if origin.partition not in partitions_of(self._consumer, origin.topic):
            raise Failed(f"{origin.topic} has no partition {origin.partition}")
        self._fates.ask([origin.topic])
        (span,) = spans_of(self._consumer, origin.topic, {origin.partition: 0})
        if span.first > origin.offset:
            return self._gone(origin, f"is gone by retention: the partition begins at {span.first}")
        if span.end <= origin.offset:
            why = f"what can be read of the partition ends at {span.end}"
            raise Failed(f"{origin} is not written yet, or stands behind an open transaction: {why}")
        try:
            for messages in read(
                self._consumer, origin.topic, [OffsetSpan(origin.partition, origin.offset, origin.offset + 1)]
            ):
                return self._traced(messages[0], origin.topic)
        except UnreadableRecords as unreadable:
            if origin.offset < self._fates.committed(origin):
                raise
            return Traced(str(origin), -1, None, None, str(unreadable), *self._fates.of_waiting(origin))
        return self._gone(origin, "is no record: it was compacted away, or belongs to a transaction")

    def of_group(self, group: tuple[str, str], company: str | None, since: int) -> Iterator[Traced]:
        """The group's changes since this time (ms), partition by partition in their order. Raises `Failed`.

        It is named by key and id, and meant in every company where none is given.
        """
        wanted = Wanted(*group, company)
        self._fates.ask(self._topics)
        for topic in self._topics:
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
                mapped = self._decoding.mapped(message, topic)
                made = (operation for part in mapped.parts for operation in part.operations)
                return any(map(wanted, made)) or any(map(wanted.refused, mapped.refusals))
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
            fate, why = self._fates.of(message, place, frozenset(update["rule"] for update in updates or ()))
            if fate == APPLIED and ignored:
                fate, why = IGNORED, f"{why}; {ignored}"
            return Traced(str(place), message.timestamp()[1], None, updates, problem, fate, why)
        event, update, problem = self._read(message)
        fate, why = self._fates.of(message, place)
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
        problems = [
            f"{refusal.reason}: {refusal.detail}"
            for refusal in mapped.refusals
            if wanted is None or refusal.group is None or wanted.refused(refusal)
        ]
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

    def _gone(self, origin: Origin, why: str) -> Traced:
        """What became of a record of which its dead letter alone is left. Raises `Failed` where there is none."""
        fate = self._fates.of_gone(origin)
        if fate is None:
            committed = max(self._fates.committed(origin), 0)
            raise Failed(f"{origin} {why}; it has no dead letter, and committed is {committed}")
        return Traced(str(origin), -1, None, None, f"it {why}", *fate)
