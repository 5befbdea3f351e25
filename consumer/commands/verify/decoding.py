"""From a message to the operation that it asks for, by the code with which the service reads it."""

import json
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

import orjson
from confluent_kafka import Message

from consumer.app import registry
from consumer.commands.dlq.scan import Failed
from consumer.commands.map.reader import RecordReader
from consumer.commands.map.registered import UnreadableSchema
from consumer.core.errors import KeyWanted
from consumer.event.convert import convert
from consumer.event.decode import frame
from consumer.event.errors import VALUE_CONVERTER, Reject
from consumer.event.model import DEFAULT, Change, Operation, SchemaRef
from consumer.kafka.headers import headers_of
from consumer.mapping.errors import Hold
from consumer.mapping.mapper import TopicMap
from consumer.mapping.outcome import Mapped
from consumer.mapping.seen import Incoming
from consumer.registry.advice import advice
from consumer.registry.facts import SchemaFact, SchemaFailing, SchemaHeld, SchemaKnown, SchemaRefused
from consumer.registry.rules import named
from consumer.registry.subjects import RegistryError
from consumer.settings import Settings

Value = TypeVar("Value")
PATIENCE: Final = 30.0  # the registry is given up after so many seconds


def plain(operation: Operation) -> Operation:
    """The operation with its values as a reader of its JSON has them: a number that is kept digit by digit, too."""
    values = json.loads(orjson.dumps(operation.values))
    return Operation(operation.group_key, operation.group_id, operation.verb, values, operation.company_id)


class Decoding:
    """Decodes messages; schemas are fetched as they are met. `close` ends the connections to the registry."""

    def __init__(self, settings: Settings, mapped: Mapping[str, TopicMap]) -> None:
        """`mapped` are the topics of a mapping file."""
        self._mapped = RecordReader(settings, mapped) if mapped else None
        self._results: SimpleQueue[SchemaFact] = SimpleQueue()
        self._registry = registry(settings, self._results)
        self._schemas: dict[SchemaRef, SchemaKnown | SchemaRefused] = {}
        self._failed: dict[SchemaRef | None, str] = {}  # why records of this schema cannot be read: asked for once
        self._hold_rules = settings.schema_rules == "hold"

    def operations(self, message: Message, topic: str, project: str) -> list[tuple[Operation, str]]:
        """What the record asks of the project, each with the rule that asks it; none where it is a reject.

        Raises `Failed` where the registry is away.
        """
        try:
            if self.is_mapped(topic):
                parts = [part for part in self.mapped(message, topic).parts if (part.project or DEFAULT) == project]
                return [(plain(operation), part.rule) for part in parts for operation in part.operations]
            change = self.change(message)
            return [(convert(change), "")] if (change.project or DEFAULT) == project else []
        except (Reject, Hold, UnreadableSchema):
            return []

    def is_mapped(self, topic: str) -> bool:
        """Whether a mapping file names the topic."""
        return self._mapped is not None and self._mapped.takes(topic)

    def mapped(self, message: Message, topic: str) -> Mapped:
        """What the rules of the topic make of the record. Raises `Reject`, `Hold`, `Unreadable`, `Failed`."""
        place = (message.partition() or 0, message.offset() or 0)
        key, value, headers = message.key(), message.value(), headers_of(message)[0]
        record = Incoming(topic, *place, message.timestamp()[1], key, value, headers)
        ref = None if value is None else frame(value, headers)[0]
        return self._once(ref, lambda: self._by_rules(record))

    def change(self, message: Message) -> Change:
        """The record decoded. Raises `Reject`, or `Failed` where the registry is away."""
        ref, start = frame(message.value(), headers_of(message)[0])
        return self._once(ref, lambda: self._decoded(message, ref, start))

    def close(self) -> None:
        """End it."""
        self._registry.close()

    def _once(self, ref: SchemaRef | None, read: Callable[[], Value]) -> Value:
        """What is read; a schema that the registry did not give once is not asked for again."""
        if ref in self._failed:
            raise Failed(self._failed[ref])
        try:
            return read()
        except Failed as failed:
            self._failed[ref] = str(failed)
            raise

    def _by_rules(self, record: Incoming) -> Mapped:
        assert self._mapped is not None
        try:
            rules = self._mapped.rules_of(record) if self._hold_rules else ()
            if rules:
                words = f"of {record.topic} a schema has rules for reading ({named(rules)}), which are not run here"
                raise Failed(f"{words}: SCHEMA_RULES=ignore reads it as it is")
            return self._mapped.mapped(record)
        except RegistryError as failure:
            raise Failed(str(failure)) from failure

    def _decoded(self, message: Message, ref: SchemaRef, start: int) -> Change:
        value = message.value()
        assert value is not None  # a null value has no frame
        known = self._known(ref)
        while known.seal is not None:
            try:
                return known.decoder.decode(known.seal.opened(value, start, message.topic() or ""), start)
            except KeyWanted:
                self._schemas[ref] = self._fetched(ref)
                known = self._known(ref)
        return known.decoder.decode(value, start)

    def _known(self, ref: SchemaRef) -> SchemaKnown:
        if ref not in self._schemas:
            self._schemas[ref] = self._fetched(ref)
        known = self._schemas[ref]
        if isinstance(known, SchemaRefused):
            raise Reject(known.reason, VALUE_CONVERTER, known.detail)
        return known

    def _fetched(self, ref: SchemaRef) -> SchemaKnown | SchemaRefused:
        self._registry.fetch(ref)
        while True:
            try:
                fact = self._results.get(timeout=PATIENCE)
            except Empty:
                raise Failed(f"the schema registry gives no answer about schema {ref}") from None
            if isinstance(fact, SchemaFailing):
                raise Failed(f"the schema registry cannot be asked ({fact.cause}): {advice(fact.cause)}")
            if isinstance(fact, SchemaHeld):
                why = "has rules for reading that are not run, so the service holds its records"
                raise Failed(f"schema {ref} {why}: SCHEMA_RULES=ignore reads it as it is")
            if isinstance(fact, SchemaKnown | SchemaRefused):
                return fact
