"""The life of a batch: sent, answered, decided; or again later, split, halted.

At most `max_in_flight` slots: a batch that waits for its next attempt keeps its slot, so a failing Mixpanel
never sees more requests than a healthy one. Retries, probes and halves go before new batches.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final, final

from consumer.core.batch import (
    AMBIGUOUS,
    CAPACITY,
    HALTED,
    NEVER,
    REFUSED,
    TRANSIENT,
    Batch,
    Decision,
    Report,
    cut,
)
from consumer.core.lanes import Lanes
from consumer.core.model import Answer
from consumer.core.runs import Update
from consumer.core.verdict import Accepted, Again, Halt, Opaque, Refused, TooLarge, read
from consumer.event.errors import REJECTED, TOO_LARGE
from consumer.event.model import ADD

# Waits in seconds: equal jitter, so the first is 1 to 2 s, and none is above 30 s.
FIRST_WAIT: Final = 2.0
LONGEST_WAIT: Final = 30.0
LONGEST_CAPACITY_WAIT: Final = 60.0
# A longer Retry-After is a mistake of a proxy, not a wish of Mixpanel.
LONGEST_RETRY_AFTER: Final = 3600.0
PROBE_AFTER: Final = 5.0
SAME_ERRORS: Final = 8
# The half of a batch that was split for it, once others have succeeded: it is this batch, and not Mixpanel.
SAME_ERRORS_OF_SUSPECTS: Final = 2
SMALLEST_CAP: Final = 65_536


@final
class Delivery:
    """Every batch that is not yet decided. `halted` is the cause while sending is halted, else empty."""

    __slots__ = (
        "_allowed",
        "_lanes",
        "_latencies",
        "_linger",
        "_max_bytes",
        "_max_in_flight",
        "_max_updates",
        "_number",
        "_probe",
        "_probe_at",
        "_resend_adds",
        "_resume_at",
        "_split",
        "_successes",
        "_waiting",
        "deadline",
        "draining",
        "flying",
        "halted",
    )

    def __init__(
        self,
        lanes: Lanes,
        max_updates: int,
        max_bytes: int,
        linger: float,
        max_in_flight: int,
        resend_adds: bool,
    ) -> None:
        self._lanes = lanes
        self._max_updates = max_updates
        self._max_bytes = max_bytes
        self._linger = linger
        self._max_in_flight = max_in_flight
        self._resend_adds = resend_adds
        self._allowed = max_in_flight
        self._waiting: list[Batch] = []
        self._split: deque[Batch] = deque()
        self._latencies: deque[float] = deque(maxlen=16)
        self._number = 0
        self._successes = 0
        self._probe: Batch | None = None
        self._probe_at = 0.0
        self._resume_at = 0.0
        self.flying: set[Batch] = set()
        self.halted = ""
        self.draining = False
        self.deadline = NEVER

    # What may go now.

    def start(self, now: float) -> Batch | None:
        """The next batch to send now, or None. It is in flight until `answered`."""
        if now + self.expected() > self.deadline or now < self._resume_at:
            return None
        if self.halted:
            return self._start_probe(now)
        if len(self.flying) >= self._allowed:
            return None
        batch = self._due(now)
        if batch is None and len(self.flying) + len(self._waiting) < self._allowed:
            batch = self._half() or self._fresh(now)
        return self._fly(batch)

    def wake_at(self, now: float) -> float:
        """When `start` may have something without a new fact; in the past where it may have now."""
        if now + self.expected() > self.deadline:
            return NEVER
        soonest = NEVER
        if self.halted:
            if self._probe is None:
                soonest = max(self._probe_at, min(self._free_at(self._waiting, now), self._next_at(now)))
        elif len(self.flying) < self._allowed:
            for batch in self._waiting:
                if batch.due > now or self._free(batch):
                    soonest = min(soonest, batch.due)
            if len(self.flying) + len(self._waiting) < self._allowed:
                soonest = min(soonest, self._next_at(now))
        return soonest if soonest == NEVER else max(soonest, self._resume_at)

    def expected(self) -> float:
        """How long a request takes of late, in seconds."""
        return max(self._latencies) if self._latencies else 0.0

    def pending(self) -> list[Batch]:
        """Batches that are not in flight: they wait for an attempt or for a slot."""
        return self._waiting + list(self._split)

    def slowed(self, now: float) -> bool:
        """Whether Mixpanel asked for fewer requests."""
        return now < self._resume_at or self._allowed < self._max_in_flight

    def _start_probe(self, now: float) -> Batch | None:
        """While halted one batch asks, every 5 to 10 s, whether it is over."""
        if self._probe is not None or now < self._probe_at:
            return None
        batch: Batch | None = None
        for waiting in self._waiting:
            if self._free(waiting):
                batch = waiting
                self._waiting.remove(waiting)
                break
        else:
            batch = self._half() or self._fresh(now)
        self._probe = batch
        return self._fly(batch)

    def _due(self, now: float) -> Batch | None:
        """The waiting batch that is due longest, if none of its groups is in flight."""
        found: Batch | None = None
        for batch in self._waiting:
            if batch.due <= now and (found is None or batch.due < found.due) and self._free(batch):
                found = batch
        if found is not None:
            self._waiting.remove(found)
        return found

    def _half(self) -> Batch | None:
        """The next half whose groups are not in flight with another half."""
        for _ in range(len(self._split)):
            batch = self._split.popleft()
            if self._free(batch):
                return batch
            self._split.append(batch)
        return None

    def _fresh(self, now: float) -> Batch | None:
        """A new batch, if it is time for one."""
        if now < self._fresh_at(now):
            return None
        return self._batch(self._lanes.take(self._max_bytes))

    def _fresh_at(self, now: float) -> float:
        """When there is a new batch: it is full, its oldest record has waited for the linger, or it is a drain."""
        oldest = self._lanes.oldest()
        if oldest < 0:
            return NEVER
        if self.draining or self._lanes.ready >= self._max_updates:
            return now
        return oldest + self._linger

    def _next_at(self, now: float) -> float:
        """When `_half` or `_fresh` has a batch."""
        return min(self._free_at(self._split, now), self._fresh_at(now))

    def _free_at(self, batches: Iterable[Batch], now: float) -> float:
        """Now, if a group of batches has one that may go; else with the next answer."""
        for batch in batches:
            if self._free(batch):
                return now
        return NEVER

    def _free(self, batch: Batch) -> bool:
        """Whether no group of the batch is in another request."""
        for update in batch.updates:
            if update.run.flying:
                return False
        return True

    def _fly(self, batch: Batch | None) -> Batch | None:
        if batch is not None:
            for update in batch.updates:
                update.run.flying += 1
            self.flying.add(batch)
        return batch

    def _batch(self, updates: list[Update]) -> Batch:
        self._number += 1
        return Batch(self._number, updates)

    # What an answer decides.

    def answered(self, batch: Batch, answer: Answer, now: float, jitter: float) -> Report:
        """The batch came back. Decides what it can; the rest waits or is split. `jitter` is in [0, 1)."""
        self.flying.discard(batch)
        for update in batch.updates:
            update.run.flying -= 1
        was_probe = batch is self._probe
        if was_probe:
            self._probe = None
        verdict = read(answer, len(batch.updates))
        if isinstance(verdict, Halt):
            return self._halt(batch, verdict, now, jitter, was_probe)
        if isinstance(verdict, Again):
            return self._again(batch, verdict, answer, now, jitter)
        self._latencies.append(answer.seconds)
        self._recovered(now)
        if isinstance(verdict, Accepted):
            report = Report("accepted")
            report.accepted = self._living(batch.updates)
            return report
        if isinstance(verdict, Refused):
            return self._refused(batch, verdict, answer.status)
        if isinstance(verdict, TooLarge):
            return self._too_large(batch, verdict, answer.status)
        return self._opaque(batch, verdict, answer.status)

    def _decide(self, report: Report, update: Update, kind: int, reason: str = "") -> None:
        if self._living([update]):
            report.decisions.append(Decision(update, kind, reason))

    def _refuse(self, report: Report, update: Update, status: int, words: str, reason: str) -> None:
        update.status = status
        update.error = words
        self._decide(report, update, REFUSED, reason)

    def _refused(self, batch: Batch, verdict: Refused, status: int) -> Report:
        report = Report("partial")
        accepted: list[Update] = []
        for index, update in enumerate(batch.updates):
            words = verdict.words.get(index)
            if words is None:
                accepted.append(update)
            else:
                self._refuse(report, update, status, words, REJECTED)
        report.accepted = self._living(accepted)
        return report

    def _too_large(self, batch: Batch, verdict: TooLarge, status: int) -> Report:
        """Halve, and remember the size; a single update is refused."""
        report = Report("too_large")
        if len(batch.updates) == 1:
            self._refuse(report, batch.updates[0], status, verdict.words, TOO_LARGE)
            return report
        self._max_bytes = min(self._max_bytes, max(len(batch.body) // 2, SMALLEST_CAP))
        self._halve(batch, batch.updates)
        return report

    def _opaque(self, batch: Batch, verdict: Opaque, status: int) -> Report:
        """Bisect; `$add`s that may have been applied leave the halves: alone once more, or ambiguous."""
        report = Report("opaque")
        if len(batch.updates) == 1:
            self._refuse(report, batch.updates[0], status, verdict.words, REJECTED)
            return report
        rest: list[Update] = []
        for update in batch.updates:
            if update.verb != ADD or verdict.none_applied:
                rest.append(update)
            elif self._resend_adds:
                self._requeue([update], 0, -1)
            else:
                self._decide(report, update, AMBIGUOUS)
        self._halve(batch, rest)
        return report

    def _again(self, batch: Batch, verdict: Again, answer: Answer, now: float, jitter: float) -> Report:
        """Wait and send again, slot kept; the same server error again and again splits the batch."""
        report = Report("retry", verdict.cause)
        updates = batch.updates
        if verdict.unknown and not self._resend_adds:
            for update in updates:
                if update.verb == ADD:
                    self._decide(report, update, AMBIGUOUS)
            updates = [update for update in updates if update.verb != ADD]
        batch.attempt += 1
        if verdict.capacity:
            report.wait = self._capacity_wait(batch.attempt, verdict.wait, jitter)
            self._resume_at = max(self._resume_at, now + report.wait)
            self._allowed = max(1, min(self._allowed, self._max_in_flight) // 2)
            self._wait(batch, updates, CAPACITY, now + report.wait)
            return report
        batch.same = batch.same + 1 if answer.status == batch.status else 1
        batch.status = answer.status
        if batch.same >= self._patience(batch) and answer.status >= 500 and len(updates) > 1:
            report.outcome = "split"
            batch.attempt = 0
            batch.suspect = self._successes
            self._halve(batch, updates)
            return report
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(batch.attempt - 1, 10))
        report.wait = longest / 2 + jitter * longest / 2
        self._wait(batch, updates, TRANSIENT, now + report.wait)
        if self.halted:
            self._probe_at = now + PROBE_AFTER * (1.0 + jitter)
        return report

    def _patience(self, batch: Batch) -> int:
        """How often the same error may come: less for a suspect beside which others succeed."""
        return SAME_ERRORS_OF_SUSPECTS if 0 <= batch.suspect < self._successes else SAME_ERRORS

    def _capacity_wait(self, attempt: int, asked: float | None, jitter: float) -> float:
        """What Retry-After says; else 2 s doubling to 60 s, and 1 to 5 s on top (DOC: Mixpanel's 429 page)."""
        if asked is not None:
            return min(max(asked, 0.5), LONGEST_RETRY_AFTER)
        return min(LONGEST_CAPACITY_WAIT, FIRST_WAIT * 2.0 ** min(attempt - 1, 10)) + 1.0 + 4.0 * jitter

    def _halt(self, batch: Batch, verdict: Halt, now: float, jitter: float, was_probe: bool) -> Report:
        """Nothing is sent but a probe; the batch keeps its slot."""
        if not self.halted or was_probe:
            self._probe_at = now + PROBE_AFTER * (1.0 + jitter)
        self.halted = verdict.cause
        self._wait(batch, batch.updates, HALTED, NEVER)
        return Report("halt", verdict.cause)

    def _recovered(self, now: float) -> None:
        """Mixpanel answered: a halt is over, waiting ends, and one more request at once is allowed.

        A batch whose wait was ended so and that failed again keeps to its own times: it is what fails.
        """
        self.halted = ""
        self._successes += 1
        if self._allowed < self._max_in_flight:
            self._allowed += 1
        for batch in self._waiting:
            if batch.waits_for == HALTED or (batch.waits_for == TRANSIENT and not batch.released):
                batch.due = min(batch.due, now)
                batch.released = batch.waits_for == TRANSIENT

    # What waits.

    def _wait(self, batch: Batch, updates: list[Update], waits_for: int, due: float) -> None:
        """The batch waits, less what is decided or revoked; an empty one gives its slot back."""
        living = self._living(updates)
        if not living:
            return
        if len(living) != len(batch.updates):
            batch.carry(living)
        batch.waits_for = waits_for
        batch.due = due
        self._waiting.append(batch)

    def _living(self, updates: list[Update]) -> list[Update]:
        """The one place where old epochs are ignored: what was revoked only frees its lane."""
        living: list[Update] = []
        for update in updates:
            run = update.run
            if run.live:
                living.append(update)
                continue
            run.undecided -= 1
            if run.undecided == 0:
                self._lanes.release(run)
        return living

    def _halve(self, batch: Batch, updates: list[Update]) -> None:
        """Two batches from one, cut between two groups where there are two."""
        if not updates:
            return
        if len(updates) == 1:
            self._requeue(updates, batch.attempt, batch.suspect)
            return
        middle = cut(updates)
        self._requeue(updates[:middle], batch.attempt, batch.suspect)
        self._requeue(updates[middle:], batch.attempt, batch.suspect)

    def _requeue(self, updates: list[Update], attempt: int, suspect: int) -> None:
        living = self._living(updates)
        if living:
            batch = self._batch(living)
            batch.attempt = attempt
            batch.suspect = suspect
            self._split.append(batch)

    def strip(self) -> None:
        """Take what was revoked out of every batch that is not in flight."""
        waiting = self._waiting
        self._waiting = []
        for batch in waiting:
            self._wait(batch, batch.updates, batch.waits_for, batch.due)
        split = self._split
        self._split = deque()
        for batch in split:
            self._requeue(batch.updates, batch.attempt, batch.suspect)
