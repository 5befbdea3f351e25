"""What is said of a schema that was asked for: one union, and where what is said waits."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from consumer.core.schemas import Need, Reader, Unfitting
from consumer.core.sealed import Seal
from consumer.event.decode import Decoder
from consumer.mapping.changes import Changes


@dataclass(frozen=True)
class SchemaKnown:
    """Records of this schema can be read; those with encrypted fields once their `seal` opened them."""

    ref: Need
    reader: Reader
    seal: Seal | None = None
    changes: Changes | None = None  # what a mapped topic's schema means to its rules, where that is known

    @property
    def decoder(self) -> Decoder:
        """How to read the built-in event by a schema that was asked for by itself."""
        assert isinstance(self.reader, Decoder)
        return self.reader


@dataclass(frozen=True)
class SchemaRefused:
    """Records of this schema are rejects: `reason` is unknown_schema or incompatible_schema."""

    ref: Need
    reason: str
    detail: str


@dataclass(frozen=True)
class SchemaFailing:
    """An attempt failed, and the next will come by itself.

    `cause` is one word: connection, dns, tls, proxy, timeout, unreadable, request, internal, or status_NNN; of a data
    key key_registry, key_unknown, key_other or kms.
    """

    ref: Need
    cause: str


@dataclass(frozen=True)
class SchemaHeld:
    """Records of this schema must wait: `rules` for reading them are not run here. It is asked for again."""

    ref: Need
    rules: tuple[str, ...]


@dataclass(frozen=True)
class SchemaUnfitting:
    """Records of this schema must wait: their topic's mapping does not fit it. It is asked for again."""

    ref: Need
    unfitting: Unfitting
    subject: str


SchemaFact: TypeAlias = SchemaKnown | SchemaRefused | SchemaFailing | SchemaHeld | SchemaUnfitting


class SchemaResults(Protocol):
    """Where what comes back waits: the loop's queue."""

    def put(self, item: SchemaFact, /) -> None: ...
