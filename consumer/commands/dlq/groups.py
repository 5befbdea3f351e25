"""Which group a record changes, so that a replay can tell what is newer: decoded, or else by the record's key."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, NamedTuple, Self

import orjson
from confluent_kafka import Message

from consumer.app import registry
from consumer.commands.dlq.dead_letter import StoredDeadLetter
from consumer.commands.dlq.index import Names, digest
from consumer.commands.dlq.scan import Failed
from consumer.commands.dlq.today import Today, incoming
from consumer.commands.map.registered import UnreadableSchema
from consumer.event.decode import Decoder, frame
from consumer.event.errors import Reject
from consumer.event.model import DEFAULT, Headers, SchemaRef
from consumer.kafka.headers import headers_of
from consumer.mapping.errors import Hold
from consumer.mapping.outcome import Mapped
from consumer.mapping.seen import Incoming
from consumer.registry.facts import SchemaFact, SchemaHeld, SchemaKnown, SchemaRefused
from consumer.registry.subjects import RegistryError
from consumer.settings import Settings

PATIENCE: Final = 30.0  # the registry is given up after so many seconds


class Named(NamedTuple):
    """The names of a dead letter's record: those that it goes by, and all, by which it is newer than others."""

    own: Names
    all: Names


class Groups:
    """Names the groups of a record by project, group key, id and company, and the record by its key.

    A dead letter goes by the groups of what was refused, by its key where it cannot be decoded, and by both where
    it is a row: what is newer says more than its updates.

    `with` closes the registry.
    """

    def __init__(self, settings: Settings, today: Today) -> None:
        self._today = today
        self._results: SimpleQueue[SchemaFact] = SimpleQueue()
        self._registry = registry(settings, self._results)
        self._decoders: dict[SchemaRef, Decoder | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._registry.close()

    def of_dead_letter(self, dead_letter: StoredDeadLetter) -> Named:
        """The names of a dead letter's record; of a mapped topic of what was refused. Raises `Failed`."""
        rows = dead_letter.origin is not None and self._today.of_rows(dead_letter.origin.topic)
        if dead_letter.origin is not None and self._today.takes(dead_letter.origin.topic):
            names = self._of_mapped(incoming(dead_letter), lambda: self._today.mapped(dead_letter))
        else:
            names = self.names(dead_letter.key, dead_letter.value, dead_letter.headers)
        return Named(names if rows else names[:-1] or names, names)

    def of_message(self, topic: str, message: Message) -> Names:
        """The names of a record of this topic. Raises `Failed`."""
        key, value, headers = message.key(), message.value(), headers_of(message)[0]
        if not self._today.takes(topic):
            return self.names(key, value, headers)
        place = (message.partition() or 0, message.offset() or 0)
        record = Incoming(topic, *place, message.timestamp()[1], key, value, headers)
        return self._of_mapped(record, lambda: self._today.of_record(record))

    def _of_mapped(self, record: Incoming, mapped: Callable[[], Mapped]) -> Names:
        by_key = digest(record.key)
        try:
            if self._today.is_ruled(record):  # what is encrypted names no group
                return (by_key,)
            parts = mapped().parts
        except (Reject, Hold, UnreadableSchema):
            return (by_key,)
        except RegistryError as failure:
            raise Failed(f"--skip-newer compares groups: {failure}") from failure
        groups = [
            (part.project or DEFAULT, operation.group_key, operation.group_id, operation.company_id)
            for part in parts
            for operation in part.operations
        ]
        return (*(digest(b"group" + orjson.dumps(group)) for group in dict.fromkeys(groups)), by_key)

    def names(self, key: bytes | None, value: bytes | None, headers: Headers | None) -> Names:
        """The names of the record: its group's, then its key's.

        What cannot be decoded has the key's alone. Raises `Failed` where the registry
        cannot be asked.
        """
        by_key = digest(key)
        try:
            schema, start = frame(value, headers)
            decoder = self._decoder(schema)
            if decoder is None or value is None:
                return (by_key,)
            change = decoder.decode(value, start)
        except Reject:
            return (by_key,)
        project = DEFAULT if change.project is None else change.project
        group = [project, change.group_key, change.group_id, change.company_id]
        return (digest(b"group" + orjson.dumps(group)), by_key)

    def _decoder(self, schema: SchemaRef) -> Decoder | None:
        """How to read records of the schema; None where nobody can."""
        if schema not in self._decoders:
            self._decoders[schema] = self._asked(schema)
        return self._decoders[schema]

    def _asked(self, schema: SchemaRef) -> Decoder | None:
        self._registry.fetch(schema)
        try:
            fact = self._results.get(timeout=PATIENCE)
        except Empty:
            fact = None
        if isinstance(fact, SchemaKnown):
            # What is encrypted names no group: encrypted twice it is another text.
            return fact.decoder if fact.seal is None else None
        if isinstance(fact, SchemaRefused | SchemaHeld):
            return None
        cause = getattr(fact, "cause", "no answer")
        raise Failed(
            f"--skip-newer compares groups, and the schema registry cannot be asked for schema {schema} ({cause}): "
            "check SCHEMA_REGISTRY_URL, or try again"
        )
