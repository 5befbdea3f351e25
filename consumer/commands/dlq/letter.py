"""A dead letter as it is read back: the record that it was, and what was said of it.

The headers that were appended are one block at the end, and begin with `__connect.errors.topic`: whatever stands
before is the record's own, even where it has the same names.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from consumer.event.model import Headers

CONNECT: Final = "__connect.errors."
TOPIC: Final = CONNECT + "topic"
PARTITION: Final = CONNECT + "partition"
OFFSET: Final = CONNECT + "offset"
APPENDED: Final = (
    TOPIC,
    PARTITION,
    OFFSET,
    CONNECT + "connector.name",
    CONNECT + "stage",
    CONNECT + "class.name",
    CONNECT + "exception.class.name",
    CONNECT + "exception.message",
    "mixpanel.reason",
    "mixpanel.detail",
    "mixpanel.http.status",
    "mixpanel.error",
    "mixpanel.update",
    "mixpanel.schema.id",
    "mixpanel.schema.guid",
    "mixpanel.consumer.version",
)
KNOWN: Final = frozenset(APPENDED)
FOREIGN: Final = "(foreign)"  # in the place of a reason: nothing says why this record is here


Said: TypeAlias = dict[str, bytes | None]


class Origin(NamedTuple):
    """Where the record came from."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


class Letter:
    """One record of the dead-letter topic. `said` has the appended headers by name, `headers` the record's own.

    `origin` is None for a foreign record: one that no service of ours wrote.
    """

    __slots__ = ("headers", "key", "offset", "origin", "partition", "said", "timestamp", "value")

    def __init__(
        self,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None,
        timestamp: int,
    ) -> None:
        self.partition = partition
        self.offset = offset
        self.key = key
        self.value = value
        self.timestamp = timestamp  # in milliseconds, -1 for none
        self.headers, self.said = parted(headers or [])
        self.origin = origin_of(self.said) if self.said.get("mixpanel.reason") else None

    @property
    def place(self) -> str:
        """Where it is in the dead-letter topic."""
        return f"{self.partition}:{self.offset}"

    @property
    def reason(self) -> str:
        """Why it is a dead letter."""
        return FOREIGN if self.origin is None else self.words("mixpanel.reason")

    def words(self, name: str) -> str:
        """An appended header as text; empty where there is none."""
        return (self.said.get(name) or b"").decode("utf-8", "replace")

    @property
    def schema(self) -> str:
        """The id or GUID of the writer's schema, empty where no frame was read."""
        return self.words("mixpanel.schema.id") or self.words("mixpanel.schema.guid")

    @property
    def size(self) -> int:
        """The bytes of the record that it was, its headers included."""
        size = len(self.key or b"") + len(self.value or b"")
        return size + sum(len(name) + len(value or b"") for name, value in self.headers)

    @property
    def identity(self) -> str:
        """The name of the record that it was: the same for each dead letter of that one record.

        A record is written there more than once when it is read again after a crash. A digest is part of the name
        because a topic that was made anew gives the same offsets to other records.
        """
        assert self.origin is not None
        return identity_of(self.origin, self.key, self.value)


def identity_of(origin: Origin, key: bytes | None, value: bytes | None) -> str:
    """The name of the record at this place with this key and value; see `Letter.identity`."""
    digest = hashlib.blake2b(value or b"", digest_size=8, key=(key or b"")[:64]).hexdigest()
    return f"{origin}:{digest}"


def parted(headers: Sequence[tuple[str, bytes | None]]) -> tuple[Headers, Said]:
    """The record's own headers, and the appended ones."""
    begin = len(headers)
    for index in range(len(headers) - 1, -1, -1):
        if headers[index][0] == TOPIC:
            begin = index
            break
    own = list(headers[:begin])
    said: Said = {}
    for name, value in headers[begin:]:
        if name in KNOWN:
            said[name] = value
        else:
            own.append((name, value))
    return own, said


def origin_of(said: Said) -> Origin | None:
    """Where the headers say that the record came from; None where they do not say it."""
    topic = (said.get(TOPIC) or b"").decode("utf-8", "replace")
    try:
        partition, offset = int(said.get(PARTITION) or b""), int(said.get(OFFSET) or b"")
    except ValueError:
        return None
    return Origin(topic, partition, offset) if topic and partition >= 0 and offset >= 0 else None
