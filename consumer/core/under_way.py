"""The requests of one destination that are under way, and what they count as on the wire that all share."""

from array import array
from typing import Final, final

from consumer.core.batch import Batch
from consumer.core.clock import NEVER
from consumer.core.room import Share
from consumer.core.wire import Wire

# Groups that came back wait for those of another request for so long at most, in seconds, and not for a late one:
# one that takes so many times as long as others.
JOIN_WITHIN: Final = 0.25
LATE: Final = 1.5
# Of so many it is kept how long they took.
LAST: Final = 16


@final
class UnderWay:
    """`started` counts the requests so far: the place of a batch among them says what came before it. `expected` is
    how long one takes of late, in seconds.

    Groups that came back go on with those of the next request to come back, if it does by `joins_at`: what
    faults tore apart grows together again, and few large requests meet fewer of them than many small ones.
    """

    __slots__ = ("_latencies", "_share", "_wire", "batches", "expected", "joins_at", "started")

    def __init__(self, wire: Wire, share: Share) -> None:
        self.batches: set[Batch] = set()
        self.started = 0
        self.joins_at = 0.0
        self.expected = 0.0
        self._wire = wire
        self._share = share
        # In one piece: objects made while much is open hold what was around them for as long as they live.
        self._latencies = array("d")

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

    def join(self, joined: bool, now: float, longest: float) -> None:
        """One came back: its groups join those that waited for it; else they wait for the next, at most so long."""
        self.joins_at = now if joined else min(now + min(longest, JOIN_WITHIN), self._next_back(now))

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
        if len(self._latencies) > LAST:
            del self._latencies[0]
        self.expected = max(self._latencies)  # not where it is asked for: each project is asked in each turn

    def _next_back(self, now: float) -> float:
        """When the next of them should be back that is not late; now where there is none."""
        most = LATE * self._usual()
        soonest = NEVER
        for batch in self.batches:
            due = batch.sent_at + most
            if now < due < soonest:
                soonest = due
        return now if soonest == NEVER else soonest

    def _usual(self) -> float:
        """How long one takes as a rule, in seconds: half of the last ones took longer."""
        return sorted(self._latencies)[len(self._latencies) // 2] if self._latencies else 0.0
