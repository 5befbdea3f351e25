"""What becomes of each record of a replay is noted, and nothing more is sent before it is.

`Recorder` stands where the service has its dead-letter producer: a record that is refused again gets no second
dead letter, but a receipt that says so. `Gate` stands before the pool.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from consumer.commands.dlq.receipts import REFUSED, SENDING, SETTLED, Receipt, Receipts, RecordIdentity
from consumer.core.batch import Batch
from consumer.core.model import Assignment, DeadLetter, Record
from consumer.event.errors import AMBIGUOUS_ADD
from consumer.event.model import ADD
from consumer.kafka.dead_letter_format import words_of

MOST_WORDS: Final = 2_048


class Sending(Protocol):
    """The pool that posts; see mixpanel/pool.py."""

    def send(self, batch: Batch) -> None: ...
    def withdraw(self, gone: Collection[Assignment]) -> int: ...
    def close(self, timeout: float) -> None: ...


class Gate:
    """Holds a request back until every receipt that was written before it is confirmed.

    So a crash repeats no more than the requests at once may hold. With `at_most_once` each `$add` is announced by a
    receipt before it goes: what was announced, and not heard of again, is ambiguous.
    """

    def __init__(
        self,
        pool: Sending,
        receipts: Receipts,
        identities: Mapping[Record, RecordIdentity],
        *,
        at_most_once: bool,
    ) -> None:
        self._pool = pool
        self._receipts = receipts
        self._identities = identities
        self._at_most_once = at_most_once
        self._waiting: deque[tuple[Batch, int]] = deque()
        self._announced: set[RecordIdentity] = set()

    def send(self, batch: Batch) -> None:
        """Post the batch as soon as it may go."""
        if self._at_most_once:
            for identity in self._adds(batch):
                if identity not in self._announced:
                    self._announced.add(identity)
                    receipt = Receipt(SENDING, now_ms(), AMBIGUOUS_ADD, topic_id=identity.topic_id)
                    self._receipts.write(identity.name, receipt)
        self._waiting.append((batch, self._receipts.last))
        self.turn()

    def turn(self) -> None:
        """Let go what may go by now; what was revoked meanwhile never does."""
        while self._waiting and self._waiting[0][1] <= self._receipts.confirmed:
            batch, _ = self._waiting.popleft()
            if any(update.run.live for update in batch.updates):
                self._pool.send(batch)

    def withdraw(self, gone: Collection[Assignment]) -> int:
        """Begin nothing of these any more: the lock is lost, and with it all partitions at once."""
        return len(self._waiting) + self._pool.withdraw(gone)

    def close(self, timeout: float) -> None:
        """Cut off what is under way."""
        self._waiting.clear()
        self._pool.close(timeout)

    def forget(self, identity: RecordIdentity) -> None:
        """The record is settled or refused: its announcement is over."""
        self._announced.discard(identity)

    def _adds(self, batch: Batch) -> list[RecordIdentity]:
        """The records whose `$add` is in the batch."""
        identities: list[RecordIdentity] = []
        for update in batch.updates:
            if update.verb == ADD:
                run = update.run
                adders = [run.entries[place].record for place in run.contributors(update, len(run.entries))]
                identities.extend(self._identities[record] for record in adders if record in self._identities)
        return identities


class Recorder:
    """Notes what is accepted and what is refused; for the loop it is the dead-letter producer."""

    def __init__(
        self,
        receipts: Receipts,
        identities: dict[Record, RecordIdentity],
        only: dict[Record, frozenset[str]],
        gate: Gate,
        scrub: Callable[[str], str] = str,
    ) -> None:
        """`scrub` takes the secrets out of what others said."""
        self._receipts = receipts
        self._scrub = scrub
        self._identities = identities
        self._only = only
        self._confirmed: list[DeadLetter] = []
        self._gate = gate
        self.accepted = 0  # and has its receipt
        self.refused = 0

    def settled(self, records: Sequence[Record]) -> None:
        """Mixpanel has accepted these."""
        for record in records:
            self._note(record, Receipt(SETTLED, now_ms()), None)

    def produce(self, dead_letter: DeadLetter) -> None:
        """The record is refused again."""
        detail, error = self._scrub(dead_letter.detail)[:MOST_WORDS], words_of(dead_letter, self._scrub)[:MOST_WORDS]
        self._note(
            dead_letter.record,
            Receipt(REFUSED, now_ms(), dead_letter.reason, detail, error, dead_letter.status),
            dead_letter,
        )

    def poll(self) -> tuple[list[DeadLetter], list[DeadLetter]]:
        """The refusals whose receipt is confirmed; none fails, they are tried until they are."""
        self._receipts.poll()
        self._gate.turn()
        confirmed, self._confirmed = self._confirmed, []
        return confirmed, []

    def pending(self) -> int:
        """How many receipts are on their way."""
        return self._receipts.pending()

    def forget(self, assignments: Sequence[Assignment]) -> None:
        """Nothing: a receipt says what has happened, whoever has the lock."""

    def flush(self, timeout: float) -> bool:
        """Wait for the receipts that are on their way."""
        return self._receipts.flush(timeout)

    def close(self) -> None:
        """Nothing is left to do."""

    def _note(self, record: Record, receipt: Receipt, dead_letter: DeadLetter | None) -> None:
        identity = self._identities.pop(record)
        self._only.pop(record, None)
        self._gate.forget(identity)

        def confirmed() -> None:
            if dead_letter is None:
                self.accepted += 1
            else:
                self.refused += 1
                self._confirmed.append(dead_letter)

        self._receipts.write(identity.name, replace(receipt, topic_id=identity.topic_id), confirmed)


def now_ms() -> int:
    """The time of a receipt."""
    return time.time_ns() // 1_000_000
