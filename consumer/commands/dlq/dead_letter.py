"""A dead letter as it is read back: the record that it was, and what was said of it."""

import hashlib
from typing import Final

from consumer.event.model import Headers
from consumer.kafka.dead_letter_format import (
    COMPANY,
    PROJECT,
    REASON,
    RULE,
    SCHEMA_GUID,
    SCHEMA_ID,
    TOPIC_ID,
    Origin,
    origin_of,
    parted,
    text_of,
    timestamp_of,
)

FOREIGN: Final = "(foreign)"  # in the place of a reason: nothing says why this record is here


class StoredDeadLetter:
    """One record of the dead-letter topic. `appended` has the appended headers by name, `headers` the record's own.

    `origin` is None for a foreign record: one that no service of ours wrote. `timestamp` is the record's own, in
    milliseconds, -1 for none.
    """

    __slots__ = ("appended", "headers", "key", "offset", "origin", "partition", "timestamp", "value")

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
        self.headers, self.appended = parted(headers or [])
        self.timestamp = timestamp_of(self.appended, timestamp)
        self.origin = origin_of(self.appended)

    @property
    def place(self) -> str:
        """Where it is in the dead-letter topic."""
        return f"{self.partition}:{self.offset}"

    @property
    def reason(self) -> str:
        """Why it is a dead letter."""
        return FOREIGN if self.origin is None else self.text(REASON)

    def text(self, name: str) -> str:
        """An appended header as text; empty where there is none."""
        return text_of(self.appended, name)

    @property
    def schema(self) -> str:
        """The id or GUID of the writer's schema, empty where no frame was read."""
        return self.text(SCHEMA_ID) or self.text(SCHEMA_GUID)

    @property
    def project(self) -> str:
        """The name of the project that it was for, empty where the record did not come so far."""
        return self.text(PROJECT)

    @property
    def company(self) -> str:
        """The id of the company that its group belongs to, empty where it has none."""
        return self.text(COMPANY)

    @property
    def rules(self) -> frozenset[str]:
        """The rules of a mapping file that refused it; none where it came to no rule, or carried the event."""
        text = self.text(RULE)
        return frozenset(text.split(",")) if text else frozenset()

    @property
    def topic_id(self) -> str:
        """The id of the source topic, empty where it was not known: a recreated topic has another."""
        return self.text(TOPIC_ID)

    @property
    def size(self) -> int:
        """The bytes of the record that it was, its headers included."""
        size = len(self.key or b"") + len(self.value or b"")
        return size + sum(len(name) + len(value or b"") for name, value in self.headers)

    @property
    def identity(self) -> str:
        """The name of the record that it was: the same for each dead letter of that one record.

        A record is written there more than once when it is read again after a crash. A digest is part of the name
        because a topic that was recreated gives the same offsets to other records.
        """
        assert self.origin is not None
        return identity_of(self.origin, self.key, self.value)


def identity_of(origin: Origin, key: bytes | None, value: bytes | None) -> str:
    """The name of the record at this place with this key and value; see `StoredDeadLetter.identity`."""
    digest = hashlib.blake2b(value or b"", digest_size=8, key=(key or b"")[:64]).hexdigest()
    return f"{origin}:{digest}"
