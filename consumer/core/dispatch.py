"""Who of one destination goes next, and when: retries, pieces, fresh batches, probes, suspects.

    start     the next batch to send now       returned, succeed, fail    what came of one
    wake_at   when there is one

What an answer left to be sent is in `backlog`, which fault waits how long in `retry`, how much may go at once in
`throttle`, `wire` and `halt`. Suspects hold no place, go one at a time, and block their own groups alone.
"""

from typing import Final, final

from consumer.core.backlog import PROBED_UPDATES, Backlog
from consumer.core.batch import Batch
from consumer.core.clock import NEVER
from consumer.core.halt import Halt
from consumer.core.lanes import Lanes
from consumer.core.limits import Limits
from consumer.core.retry import HALTING, RetryBudget
from consumer.core.room import Share
from consumer.core.throttle import BodyCap, Throttle
from consumer.core.under_way import UnderWay
from consumer.core.wire import Wire

# After so many failures a few updates, fresh ones or of the batch itself, are to tell whose fault it is.
LONE_FAILURES: Final = 3
# A batch that asked so often is no better probe than a part of it.
ASKED_TWICE: Final = 2


@final
class Dispatch:
    """Every batch of one destination that is in flight, or waits to be."""

    __slots__ = (
        "_limits",
        "_wire",
        "backlog",
        "body",
        "budget",
        "deadline",
        "draining",
        "halt",
        "lanes",
        "name",
        "share",
        "succeeded",
        "throttle",
        "under_way",
    )

    def __init__(self, name: str, opening: int, wire: Wire, share: Share, limits: Limits) -> None:
        """`opening` is the length of what each update of this destination begins with, in bytes."""
        self.name = name
        self.share = share
        self.lanes = Lanes(opening, limits.batch_updates, limits.fold, share, limits.announces)
        self.backlog = Backlog(name, self.lanes)
        self.halt = Halt()
        self.throttle = Throttle(limits.max_in_flight, limits.batch_updates)
        self.body = BodyCap(limits.batch_bytes)
        self.budget = RetryBudget()
        self.under_way = UnderWay(wire, share)
        self.draining = False
        self.deadline = NEVER
        self.succeeded = 0  # the last request that was answered well, by its place
        self._limits = limits
        self._wire = wire

    # What may go now.

    def start(self, now: float, number: int) -> Batch | None:
        """The next batch to send now, with this number, or None. It is under way until `returned`."""
        if now + self.under_way.expected > self.deadline or now < self.throttle.resume_at:
            return None
        batch: Batch | None = None
        if self._wire.free(self.share.stands, len(self.under_way.batches)):
            batch = self._next_probe(now) if self.halt.cause else self._next(now)
        if batch is None and self._suspects_may_go():
            batch = self.backlog.suspects.take_suspect(now)
        if batch is None:
            return None
        self.under_way.start(batch, number, now)
        return batch

    def wake_at(self, now: float) -> float:
        """When `start` may have something without a new fact; in the past where it may have now."""
        if now + self.under_way.expected > self.deadline:
            return NEVER
        soonest = NEVER
        if self._wire.free(self.share.stands, len(self.under_way.batches)):
            soonest = self._probe_at(now) if self.halt.cause else self._next_at(now)
        if self._suspects_may_go():
            soonest = min(soonest, self.backlog.suspects.ready_at(now))
        return soonest if soonest == NEVER else max(soonest, self.throttle.resume_at)

    def _next(self, now: float) -> Batch | None:
        """A retry, a piece, or a fresh batch: whatever has a place."""
        if self.under_way.others() >= self._allowed():
            return None
        # With one place, and a 429 that ends for all at once, what failed would go first for ever.
        others_first = self.throttle.allowed == 1 and self.lanes.ready > 0 and self._nothing_gets_through()
        batch = None if others_first else self.backlog.waiting.take(now)
        if batch is None and self._has_place():
            others = now - self.lanes.oldest() - self._limits.linger if now >= self._fresh_at(now) else 0.0
            batch = self.backlog.pieces.take(others) or self._fresh(now, self.throttle.fresh_updates)
        if batch is None and self._nothing_gets_through():
            updates = self.lanes.take(PROBED_UPDATES, self.body.cap, now)
            batch = Batch(0, self.name, updates) if updates else None
        return batch

    def _next_at(self, now: float) -> float:
        """When `_next` has something."""
        if self.under_way.others() >= self._allowed():
            return NEVER
        soonest = self.backlog.waiting.ready_at(now)
        if self._has_place():
            soonest = min(soonest, self.backlog.pieces.ready_at(now), self._fresh_at(now))
        if self._nothing_gets_through() and self.lanes.ready:
            soonest = now
        return soonest

    def _next_probe(self, now: float) -> Batch | None:
        """While halted one batch asks, and each time another, if there is one: it may be the batch, not Mixpanel."""
        if self.halt.probe is not None or now < self.halt.probe_at:
            return None
        batch = self.backlog.pieces.take() or self._fresh(now, PROBED_UPDATES)
        batch = batch or self.backlog.waiting.take_next() or self.backlog.suspects.take_next()
        if batch is not None and self._was_asked(batch):
            few = self.backlog.few_of(batch)
            self.backlog.wait(batch, batch.updates, HALTING, batch.due if batch.suspect else NEVER)
            batch = few
        self.halt.probe = batch
        return batch

    def _was_asked(self, batch: Batch) -> bool:
        """Whether a part of the batch may tell more than all of it: it asked before, and there is no other."""
        history = batch.history
        again = history.failures >= ASKED_TWICE or (history.attempts > 0 and not len(self.backlog.waiting))
        return again and self.may_part(batch)

    def _probe_at(self, now: float) -> float:
        """When `_next_probe` has something."""
        if self.halt.probe is not None:
            return NEVER
        if self.backlog.waiting.any_free() or self.backlog.suspects.any_free():
            return self.halt.probe_at
        return max(self.halt.probe_at, min(self.backlog.pieces.ready_at(now), self._fresh_at(now)))

    def _has_place(self) -> bool:
        """Whether one more batch may begin: those that wait hold a place each."""
        return self.under_way.others() + len(self.backlog.waiting) < self._allowed()

    def _allowed(self) -> int:
        """How many requests there may be at once: where the wire is shared one alone asks before the first answer."""
        return 1 if self._wire.shared and not self.succeeded and not self.share.stands else self.throttle.allowed

    def _has_room_for_parts(self) -> bool:
        """Whether there may be more batches than places, for the sake of telling whose fault it is."""
        return len(self.backlog.waiting) + len(self.under_way.batches) < 2 * self._limits.max_in_flight

    def _nothing_gets_through(self) -> bool:
        """Whether what failed, some of it again and again, holds every place: a few fresh updates may ask beside."""
        if self._has_place() or not self._has_room_for_parts():
            return False
        most = 0
        for batch in self.backlog.waiting.batches:
            if self.succeeded > batch.history.started:
                return False
            most = max(most, batch.history.attempts)
        return most >= LONE_FAILURES

    def _suspects_may_go(self) -> bool:
        if self.draining or self.halt.cause or len(self.backlog.suspects) == 0:
            return False
        return self._wire.free_for_suspect(self.share.stands, len(self.under_way.batches))

    def _fresh(self, now: float, most: int) -> Batch | None:
        """A new batch of at most so many updates, if it is time for one."""
        if now < self._fresh_at(now):
            return None
        updates = self.lanes.take(min(most, self.throttle.fresh_updates), self.body.cap, now)
        self._wire.fresh(now)
        return Batch(0, self.name, updates) if updates else None

    def _fresh_at(self, now: float) -> float:
        """When there is a new batch: it is full, its oldest record has waited for the linger, or it is a drain.

        What came back lets another request catch up. While nothing is under way and nothing fails waiting gains
        little: then it goes at the wire's pace.
        """
        oldest = self.lanes.oldest()
        if oldest < 0:
            return NEVER
        if self.draining or self.lanes.fills(self.throttle.fresh_updates):
            return now
        latest = oldest + self._limits.linger
        if self.share.stands or self.under_way.others():
            return max(latest, self.under_way.joins_at)
        return min(latest, max(oldest, self._wire.paced_at))

    # What others may ask.

    def still_goes(self, batch: Batch, now: float) -> bool:
        """Whether a batch that was started, and waited since, would be started now."""
        if self.halt.cause and batch is not self.halt.probe:
            return False
        return now >= self.throttle.resume_at

    def lingers(self, now: float) -> bool:
        """Whether the next fresh batch is not due yet."""
        return now < self._fresh_at(now)

    def suspects(self) -> list[Batch]:
        """Batches whose fault is their own, in flight or not."""
        return self.backlog.suspects.batches + self.under_way.suspects()

    # What came back.

    def returned(self, batch: Batch, now: float) -> bool:
        """The batch is in flight no more; whether it was the probe of a halt."""
        self.under_way.end(batch)
        self.under_way.join(self.lanes.returned(), now, self._limits.linger)
        was_probe = batch is self.halt.probe
        if was_probe:
            self.halt.probe = None
        return was_probe

    def fail(self) -> None:
        """A request failed that is no suspect: the destination stands until one is answered well."""
        self.under_way.turn(True)
        self.budget.failed()

    def succeed(self, batch: Batch, seconds: float, now: float) -> None:
        """Mixpanel answered: a halt is over, waiting ends, and more is allowed at once."""
        self.under_way.took(seconds)
        over = self.halt.ended_by(batch)
        self.succeeded = max(self.succeeded, batch.started)
        self.under_way.turn(bool(self.halt.cause) or now < self.throttle.resume_at)
        self.throttle.succeeded(len(batch.updates))
        self.budget.succeeded()
        self.backlog.hurry(batch, over, now)

    def token_changed(self, opening: int, now: float) -> None:
        """The token is another one: so many bytes begin each update from now on, and a halt may be over."""
        self.lanes.opening = opening
        self.halt.renew(self.under_way.started, now)

    def may_part(self, batch: Batch) -> bool:
        """Whether a few of it may ask for all: there are enough, and not many parts already."""
        return len(batch.updates) > 1 and self._has_room_for_parts()
