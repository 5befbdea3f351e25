"""From a message to the operation that it asks for, by the code with which the service reads it."""

from queue import Empty, SimpleQueue
from typing import Final

from confluent_kafka import Message

from consumer.app import registry
from consumer.commands.dlq.scan import Failed
from consumer.event.convert import convert
from consumer.event.decode import Decoder, frame
from consumer.event.errors import Reject
from consumer.event.model import Operation, SchemaRef
from consumer.kafka.headers import headers_of
from consumer.registry.fetcher import SchemaFailing, SchemaHeld, SchemaKnown
from consumer.settings import Settings

PATIENCE: Final = 30.0  # the registry is given up after so many seconds


class Decoding:
    """Decodes messages; schemas are fetched as they are met. `close` ends the connections to the registry."""

    def __init__(self, settings: Settings) -> None:
        self._results: SimpleQueue[object] = SimpleQueue()
        self._registry = registry(settings, self._results)
        self._token_size = len(settings.mixpanel_token) + 2
        self._decoders: dict[SchemaRef, Decoder | None] = {}

    def operation(self, message: Message) -> Operation | None:
        """What the record asks for; None where it is a reject. Raises `Failed` where the registry is away."""
        value = message.value()
        try:
            ref, start = frame(value, headers_of(message)[0])
            decoder = self._decoder(ref)
            if decoder is None or value is None:
                return None
            return convert(decoder.decode(value, start), len(value), self._token_size)
        except Reject:
            return None

    def close(self) -> None:
        """End it."""
        self._registry.close()

    def _decoder(self, ref: SchemaRef) -> Decoder | None:
        if ref in self._decoders:
            return self._decoders[ref]
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
            self._decoders[ref] = found.decoder if isinstance(found, SchemaKnown) else None
            return self._decoders[ref]
