"""From a message to the operation that it asks for, by the code with which the service reads it."""

from queue import Empty, SimpleQueue
from typing import Final

from confluent_kafka import Message

from consumer.app import registry
from consumer.commands.dlq.scan import Failed
from consumer.event.convert import convert
from consumer.event.decode import Decoder, frame
from consumer.event.errors import VALUE_CONVERTER, Reject
from consumer.event.model import DEFAULT, Change, Operation, SchemaRef
from consumer.kafka.headers import headers_of
from consumer.registry.fetcher import SchemaFact, SchemaFailing, SchemaHeld, SchemaKnown, SchemaRefused
from consumer.settings import Settings

PATIENCE: Final = 30.0  # the registry is given up after so many seconds


class Decoding:
    """Decodes messages; schemas are fetched as they are met. `close` ends the connections to the registry."""

    def __init__(self, settings: Settings) -> None:
        self._results: SimpleQueue[SchemaFact] = SimpleQueue()
        self._registry = registry(settings, self._results)
        self._decoders: dict[SchemaRef, Decoder | SchemaRefused] = {}

    def operation(self, message: Message, project: str) -> Operation | None:
        """What the record asks of the project; None where it is a reject, or another project's.

        Raises `Failed` where the registry is away.
        """
        try:
            change = self.change(message)
            return convert(change) if (change.project or DEFAULT) == project else None
        except Reject:
            return None

    def change(self, message: Message) -> Change:
        """The record decoded. Raises `Reject`, or `Failed` where the registry is away."""
        value = message.value()
        ref, start = frame(value, headers_of(message)[0])
        assert value is not None  # a null value has no frame
        return self._decoder(ref).decode(value, start)

    def close(self) -> None:
        """End it."""
        self._registry.close()

    def _decoder(self, ref: SchemaRef) -> Decoder:
        if ref not in self._decoders:
            self._decoders[ref] = self._fetched(ref)
        found = self._decoders[ref]
        if isinstance(found, SchemaRefused):
            raise Reject(found.reason, VALUE_CONVERTER, found.detail)
        return found

    def _fetched(self, ref: SchemaRef) -> Decoder | SchemaRefused:
        self._registry.fetch(ref)
        while True:
            try:
                found = self._results.get(timeout=PATIENCE)
            except Empty:
                raise Failed(f"the schema registry gives no answer about schema {ref}") from None
            if isinstance(found, SchemaFailing):
                raise Failed(f"the schema registry cannot be asked ({found.cause}): check SCHEMA_REGISTRY_URL")
            if isinstance(found, SchemaHeld):
                words = "has rules for reading that are not run, so the service holds its records"
                raise Failed(f"schema {ref} {words}: SCHEMA_RULES=ignore reads it as it is")
            if isinstance(found, SchemaKnown):
                return found.decoder
            if isinstance(found, SchemaRefused):
                return found
