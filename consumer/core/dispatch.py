"""Who of one destination goes next, and when: retries, pieces, fresh batches, probes, suspects.

    start     the next batch to send now       wait, cut, suspect    what an answer left to be sent
    wake_at   when there is one                replay                the next step of a run

Which fault waits how long is in `retry`, how much may go at once in `throttle`, `wire` and `halt`. Suspects hold no
place, go one at a time, and block their own groups alone.
"""

from collections import deque
from typing import Final, final

from consumer.core.batch import Batch, pieces
from consumer.core.clock import NEVER
from consumer.core.halt import Halt
from consumer.core.history import History
from consumer.core.lanes import Lanes
from consumer.core.limits import Limits
from consumer.core.queues import Pieces, Waiting
from consumer.core.retry import CAPACITY, HALTING, RetryBudget
from consumer.core.room import Share
from consumer.core.runs import OVER, Run, Update
from consumer.core.throttle import BodyCap, Throttle
from consumer.core.wire import Wire

# After so many failures a few updates, fresh ones or of the batch itself, are to tell whose fault it is ...
LONE_FAILURES: Final = 3
# ... so many.
PROBED_UPDATES: Final = 8
# A batch that asked so often is no better probe than a part of it.
ASKED_TWICE: Final = 2
# A suspect is cut in so many pieces: fewer time-outs one after the other than with halves.
PIECES: Final = 8


@final
class Dispatch:
    """Every batch of one destination that is in flight, or waits to be."""

    __slots__ = (
        "_latencies",
        "_limits",
        "_pieces",
        "_suspects",
        "_waiting",
        "_wire",
        "body",
        "budget",
        "deadline",
        "draining",
        "flying",
        "halt",
        "lanes",
        "name",
        "share",
        "started",
        "succeeded",
        "throttle",
    )

    def __init__(self, name: str, opening: int, wire: Wire, share: Share, limits: Limits) -> None:
        """`opening` is the length of what each update of this destination begins with, in bytes."""
        self.name = name
        self.share = share
        self.lanes = Lanes(opening, limits.batch_updates, limits.fold, share)
        self.halt = Halt()
        self.throttle = Throttle(limits.max_in_flight, limits.batch_updates)
        self.body = BodyCap(limits.batch_bytes)
        self.budget = RetryBudget()
        self.flying: set[Batch] = set()
        self.draining = False
        self.deadline = NEVER
        self.started = 0  # requests so far
        self.succeeded = 0  # the last of them that was answered well, by its place
        self._limits = limits
        self._wire = wire
        self._waiting = Waiting()
        self._pieces = Pieces()
        self._suspects = Waiting()
        self._latencies: deque[float] = deque(maxlen=16)

    # What may go now.

    def start(self, now: float, number: int) -> Batch | None:
        """The next batch to send now, with this number, or None. It is in flight until `answered`."""
        if now + self.expected() > self.deadline or now < self.throttle.resume_at:
            return None
        batch: Batch | None = None
        if self._wire.free(self.share.stands):
            batch = self._next_probe(now) if self.halt.cause else self._next(now)
        if batch is None and self._suspects_may_go():
            batch = self._suspects.take(now)
        if batch is None:
            return None
        return self._start(batch, number, now)

    def wake_at(self, now: float) -> float:
        """When `start` may have something without a new fact; in the past where it may have now."""
        if now + self.expected() > self.deadline:
            return NEVER
        soonest = NEVER
        if self._wire.free(self.share.stands):
            soonest = self._probe_at(now) if self.halt.cause else self._next_at(now)
        if self._suspects_may_go():
            soonest = min(soonest, self._suspects.ready_at(now))
        return soonest if soonest == NEVER else max(soonest, self.throttle.resume_at)

    def _next(self, now: float) -> Batch | None:
        """A retry, a piece, or a fresh batch: whatever has a place."""
        if self._in_flight() >= self._allowed():
            return None
        batch = self._waiting.take(now)
        if batch is None and self._has_place():
            batch = self._pieces.take() or self._fresh(now)
        if batch is None and self._nothing_gets_through():
            updates = self.lanes.take(PROBED_UPDATES, self.body.cap)
            batch = Batch(0, self.name, updates) if updates else None
        return batch

    def _next_at(self, now: float) -> float:
        """When `_next` has something."""
        if self._in_flight() >= self._allowed():
            return NEVER
        soonest = self._waiting.ready_at(now)
        if self._has_place():
            soonest = min(soonest, self._pieces.ready_at(now), self._fresh_at(now))
        if self._nothing_gets_through() and self.lanes.ready:
            soonest = now
        return soonest

    def _next_probe(self, now: float) -> Batch | None:
        """While halted one batch asks, and each time another, if there is one: it may be the batch, not Mixpanel."""
        if self.halt.probe is not None or now < self.halt.probe_at:
            return None
        batch = self._pieces.take() or self._fresh(now) or self._waiting.take_next() or self._suspects.take_next()
        if batch is not None and self._was_asked(batch):
            few = self.few_of(batch)
            self.wait(batch, batch.updates, HALTING, NEVER)
            batch = few
        self.halt.probe = batch
        return batch

    def _was_asked(self, batch: Batch) -> bool:
        """Whether a part of the batch may tell more than all of it: it asked before, and there is no other."""
        again = batch.history.same >= ASKED_TWICE or (batch.history.attempts > 0 and not len(self._waiting))
        return again and self.may_part(batch)

    def _probe_at(self, now: float) -> float:
        """When `_next_probe` has something."""
        if self.halt.probe is not None:
            return NEVER
        if self._waiting.any_free() or self._suspects.any_free():
            return self.halt.probe_at
        return max(self.halt.probe_at, min(self._pieces.ready_at(now), self._fresh_at(now)))

    def _in_flight(self) -> int:
        """Requests under way that are no suspects."""
        count = 0
        for batch in self.flying:
            if not batch.suspect:
                count += 1
        return count

    def _has_place(self) -> bool:
        """Whether one more batch may begin: those that wait hold a place each."""
        return self._in_flight() + len(self._waiting) < self._allowed()

    def _allowed(self) -> int:
        """How many requests there may be at once: where the wire is shared one alone asks before the first answer."""
        return 1 if self._wire.shared and not self.succeeded and not self.share.stands else self.throttle.allowed

    def _has_room_for_parts(self) -> bool:
        """Whether there may be more batches than places, for the sake of telling whose fault it is."""
        return len(self._waiting) + len(self.flying) < 2 * self._limits.max_in_flight

    def _nothing_gets_through(self) -> bool:
        """Whether what failed, some of it again and again, holds every place: a few fresh updates may ask beside."""
        if self._has_place() or not self._has_room_for_parts():
            return False
        most = 0
        for batch in self._waiting.batches:
            if self.succeeded > batch.history.started:
                return False
            most = max(most, batch.history.attempts)
        return most >= LONE_FAILURES

    def _suspects_may_go(self) -> bool:
        if self.draining or self.halt.cause or len(self._suspects) == 0:
            return False
        return self._wire.free_for_suspect(self.share.stands)

    def _fresh(self, now: float) -> Batch | None:
        """A new batch, if it is time for one."""
        if now < self._fresh_at(now):
            return None
        updates = self.lanes.take(self.throttle.fresh_updates, self.body.cap)
        self._wire.fresh(now)
        return Batch(0, self.name, updates) if updates else None

    def _fresh_at(self, now: float) -> float:
        """When there is a new batch: it is full, its oldest record has waited for the linger, or it is a drain.

        While nothing is under way and nothing fails waiting gains little: then it goes at the wire's pace.
        """
        oldest = self.lanes.oldest()
        if oldest < 0:
            return NEVER
        if self.draining or self.lanes.ready >= self.throttle.fresh_updates:
            return now
        latest = oldest + self._limits.linger
        if self.share.stands or self._in_flight():
            return latest
        return min(latest, max(oldest, self._wire.paced_at))

    def _start(self, batch: Batch, number: int, now: float) -> Batch:
        self.started += 1
        batch.number = batch.number or number
        batch.started = self.started
        batch.sent_at = now
        for update in batch.updates:
            update.run.sent()
        self.flying.add(batch)
        self._wire.started(self.share.stands, batch.suspect)
        return batch

    # What others may ask.

    def expected(self) -> float:
        """How long a request takes of late, in seconds."""
        return max(self._latencies) if self._latencies else 0.0

    def lingers(self, now: float) -> bool:
        """Whether the next fresh batch is not due yet."""
        return now < self._fresh_at(now)

    def pending(self) -> list[Batch]:
        """Batches that are not in flight: they wait for an attempt or for a slot."""
        return self._waiting.batches + list(self._pieces.batches) + self._suspects.batches

    def suspects(self) -> list[Batch]:
        """Batches whose fault is their own, in flight or not."""
        return self._suspects.batches + [batch for batch in self.flying if batch.suspect]

    # What came back.

    def returned(self, batch: Batch) -> bool:
        """The batch is in flight no more; whether it was the probe of a halt."""
        self.flying.discard(batch)
        self._wire.ended(self.share.stands, batch.suspect)
        for update in batch.updates:
            update.run.returned()
        was_probe = batch is self.halt.probe
        if was_probe:
            self.halt.probe = None
        return was_probe

    def fail(self) -> None:
        """A request failed that is no suspect: the destination stands until one is answered well."""
        self._turn(True)
        self.budget.failed()

    def _turn(self, stands: bool) -> None:
        """What its requests under way, and all that it has open, count as from now on."""
        if stands != self.share.stands:
            self.share.turn(stands)
            self._wire.turned(len(self.flying), stands)

    def succeed(self, batch: Batch, seconds: float, now: float) -> None:
        """Mixpanel answered: a halt is over, waiting ends, and more is allowed at once.

        A batch whose wait was ended so and that failed again keeps to its own times: it is what fails.
        """
        self._latencies.append(seconds)
        over = self.halt.ended_by(batch)
        self.succeeded = max(self.succeeded, batch.started)
        self._turn(bool(self.halt.cause) or now < self.throttle.resume_at)
        self.throttle.succeeded()
        self.budget.succeeded()
        for waiting in self._waiting.batches:
            ends = over if waiting.waits_for == HALTING else waiting.waits_for != CAPACITY and not waiting.released
            if ends:
                waiting.due = min(waiting.due, now)
                waiting.released = True
        if batch.suspect:  # what met the same fault may get through now, too
            for other in self._suspects.batches:
                if other.history.cause == batch.history.cause:
                    other.due = min(other.due, now)

    def token_changed(self, opening: int, now: float) -> None:
        """The token is another one: so many bytes begin each update from now on, and a halt may be over."""
        self.lanes.opening = opening
        self.halt.renew(self.started, now)

    # What is to be sent again.

    def replay(self, run: Run) -> None:
        """The next step of the run is to be sent: with one of the next batches, or alone."""
        blame = run.blame
        assert blame is not None
        if not blame.travels_alone:
            self.lanes.replay(run)
            return
        updates = self.lanes.step(run)
        if blame.suspected is None:
            self._pieces.batches.append(Batch(0, self.name, updates))
        else:
            self.suspect(updates, blame.suspected.of_part(), 0.0)

    def may_part(self, batch: Batch) -> bool:
        """Whether a few of it may ask for all: there are enough, and not many parts already."""
        return len(batch.updates) > 1 and self._has_room_for_parts()

    def few_of(self, batch: Batch) -> Batch:
        """A few updates out of the batch, in a batch of their own."""
        few = Batch(0, self.name, batch.updates[: min(PROBED_UPDATES, len(batch.updates) // 2)])
        few.history = batch.history.of_part()
        batch.updates = batch.updates[len(few.updates) :]
        return few

    def suspect(self, updates: list[Update], history: History, due: float) -> None:
        """The fault is these updates' own: they go when they are due, by themselves."""
        batch = Batch(0, self.name, updates)
        batch.history = history
        batch.suspect = True
        batch.due = due
        self._suspects.batches.append(batch)

    def cut_suspect(self, updates: list[Update], history: History, now: float) -> None:
        """The same, in pieces."""
        for part in pieces(updates, PIECES):
            self.suspect(part, history.of_part(), now)

    def wait(self, batch: Batch, updates: list[Update], kind: int, due: float) -> None:
        """The batch waits, less what is decided or revoked; an empty one gives its place back."""
        living = self.living(updates)
        if not living:
            return
        batch.updates = living
        batch.waits_for = kind
        batch.due = due
        queue = self._suspects if batch.suspect else self._waiting
        queue.batches.append(batch)

    def living(self, updates: list[Update]) -> list[Update]:
        """The one place where old epochs are ignored: what was revoked only frees its lane."""
        living: list[Update] = []
        for update in updates:
            if update.run.live:
                living.append(update)
            elif update.run.dropped() == OVER:
                self.lanes.release(update.run)
        return living

    def requeue(self, updates: list[Update], history: History) -> None:
        living = self.living(updates)
        if living:
            batch = Batch(0, self.name, living)
            batch.history = history.of_part()
            self._pieces.batches.append(batch)

    def strip(self) -> None:
        """Take what was revoked out of every batch that is not in flight."""
        for queue in (self._waiting, self._suspects):
            batches = queue.batches
            queue.batches = []
            for batch in batches:
                batch.updates = self.living(batch.updates)
                if batch.updates:
                    queue.batches.append(batch)
        kept: deque[Batch] = deque()
        for batch in self._pieces.batches:
            batch.updates = self.living(batch.updates)
            if batch.updates:
                kept.append(batch)
        self._pieces.batches = kept
