"""The requests of one destination that are under way, and what they count as on the wire that all share."""

from collections import deque
from typing import final

from consumer.core.batch import Batch
from consumer.core.room import Share
from consumer.core.wire import Wire


@final
class UnderWay:
    """`started` counts the requests so far: the place of a batch among them says what came before it."""

    __slots__ = ("_latencies", "_share", "_wire", "batches", "started")

    def __init__(self, wire: Wire, share: Share) -> None:
        self.batches: set[Batch] = set()
        self.started = 0
        self._wire = wire
        self._share = share
        self._latencies: deque[float] = deque(maxlen=16)

    def start(self, batch: Batch, number: int, now: float) -> None:
        """The batch is sent: under this number, if it has none yet."""
        self.started += 1
        batch.number = batch.number or number
        batch.started = self.started
        batch.sent_at = now
        for update in batch.updates:
            update.run.sent()
        self.batches.add(batch)
        self._wire.started(self._share.stands, batch.suspect)

    def end(self, batch: Batch) -> None:
        """It came back."""
        self.batches.discard(batch)
        self._wire.ended(self._share.stands, batch.suspect)
        for update in batch.updates:
            update.run.returned()

    def turn(self, stands: bool) -> None:
        """What they, and all that the destination has open, count as from now on."""
        if stands != self._share.stands:
            self._share.turn(stands)
            self._wire.turned(len(self.batches), stands)

    def others(self) -> int:
        """How many are no suspects."""
        count = 0
        for batch in self.batches:
            if not batch.suspect:
                count += 1
        return count

    def suspects(self) -> list[Batch]:
        """Those whose fault is their own."""
        return [batch for batch in self.batches if batch.suspect]

    def took(self, seconds: float) -> None:
        """One that was answered well took so long."""
        self._latencies.append(seconds)

    def expected(self) -> float:
        """How long one takes of late, in seconds."""
        return max(self._latencies) if self._latencies else 0.0
