"""Batches of records that the client cannot read: too large once decompressed, or damaged. Each holds its partition.

The partition is paused, and read again once in a while: the batch may be gone by then, or whole.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError

from consumer.core.model import Assignment

log = logging.getLogger("consumer.source")

RECEIVE: Final = "receive.message.max.bytes"
# What the client says of one batch of one partition; it names the offset.
CODES: Final = frozenset(
    (
        KafkaError._BAD_COMPRESSION,
        KafkaError._BAD_MSG,
        KafkaError._NOT_IMPLEMENTED,
        KafkaError.INVALID_MSG,
        KafkaError.MSG_SIZE_TOO_LARGE,
    )
)
# Seconds from one try to the next. Each may decompress as much as the client receives.
AGAIN_AFTER: Final = 30.0


@dataclass
class UnreadableBatch:
    """One that could not be read, from `offset` on, for the first time at `since`; it is tried again at `due`."""

    offset: int
    since: float
    due: float


class UnreadableBatches:
    """All of them, one for each partition at most."""

    def __init__(self, config: Mapping[str, object]) -> None:
        """`config` is that of the consumer."""
        self._receives = config.get(RECEIVE)
        self.found: dict[Assignment, UnreadableBatch] = {}

    def refused(self, assignment: Assignment, offset: int, error: KafkaError, now: float) -> None:
        """The client cannot read the batch at `offset`: said once for each."""
        before = self.found.get(assignment)
        known = before is not None and before.offset == offset
        self.found[assignment] = UnreadableBatch(offset, before.since if before and known else now, now + AGAIN_AFTER)
        if not known:
            fields = {"partition": repr(assignment), "offset": offset, "cause": error.str()}
            line = "a batch of records cannot be read: its partition waits, the others go on"
            log.error(line, extra=fields | self._remedy(error))

    def read(self, assignment: Assignment) -> None:
        """The partition is read again."""
        if self.found.pop(assignment, None) is not None:
            log.info("the partition is read again", extra={"partition": repr(assignment)})

    def forget(self, assignment: Assignment) -> None:
        """It is not ours any more."""
        self.found.pop(assignment, None)

    def places(self) -> dict[Assignment, tuple[int, float]]:
        """The partitions that wait for one, each with its offset and since when."""
        return {assignment: (batch.offset, batch.since) for assignment, batch in self.found.items()}

    def due(self, assignment: Assignment, now: float) -> bool:
        """Whether it is time to try to read it."""
        batch = self.found.get(assignment)
        return batch is not None and now >= batch.due

    def _remedy(self, error: KafkaError) -> dict[str, object]:
        if error.code() == KafkaError._BAD_COMPRESSION:
            advice = (
                f"with zstd it takes more than {RECEIVE} ({self._receives}) once decompressed, or it is damaged:"
                " raise it in KAFKA_PROPERTIES_FILE, with the memory of the process, or delete the records"
            )
            return {"advice": advice}
        return {"advice": "its bytes are damaged on the broker: restore them, or delete the records"}
