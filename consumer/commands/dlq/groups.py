"""Which group a record changes, so that a replay can tell what is newer: decoded, or else by the record's key."""

from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, Self

import orjson

from consumer.app import registry
from consumer.commands.dlq.index import digest
from consumer.commands.dlq.scan import Failed
from consumer.event.decode import Decoder, frame
from consumer.event.errors import Reject
from consumer.event.model import DEFAULT, Headers, SchemaRef
from consumer.registry.fetcher import SchemaFact, SchemaHeld, SchemaKnown, SchemaRefused
from consumer.settings import Settings

PATIENCE: Final = 30.0  # the registry is given up after so many seconds


class Groups:
    """Names the group of a record by project, group key, id and company.

    `with` closes the registry.
    """

    def __init__(self, settings: Settings) -> None:
        self._results: SimpleQueue[SchemaFact] = SimpleQueue()
        self._registry = registry(settings, self._results)
        self._decoders: dict[SchemaRef, Decoder | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._registry.close()

    def names(self, key: bytes | None, value: bytes | None, headers: Headers | None) -> tuple[bytes, ...]:
        """The names that the record goes by, 16 bytes each: its group's, then its key's.

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
            found = self._results.get(timeout=PATIENCE)
        except Empty:
            found = None
        if isinstance(found, SchemaKnown):
            return found.decoder
        if isinstance(found, SchemaRefused | SchemaHeld):
            return None
        cause = getattr(found, "cause", "no answer")
        raise Failed(
            f"--skip-newer compares groups, and the schema registry cannot be asked for schema {schema} ({cause}): "
            "check SCHEMA_REGISTRY_URL, or try again"
        )
