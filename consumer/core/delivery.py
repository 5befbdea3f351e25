"""What an answer decides: on updates, on their batch, and on whether a fault is Mixpanel's or the batch's own.

A fault that only one batch meets is that batch's own: it becomes a *suspect*, and is cut in pieces until the record
is alone that brings it about. It is never dead-lettered for a fault that passes elsewhere.
"""

from typing import Final, final

from consumer.core.answers import read
from consumer.core.backlog import PIECES
from consumer.core.batch import AMBIGUOUS, DIVIDED, REFUSED, Batch, Decision, Report, pieces
from consumer.core.blame import Refusal
from consumer.core.clock import NEVER
from consumer.core.dispatch import LONE_FAILURES, Dispatch
from consumer.core.entry import Update
from consumer.core.hints import Hints
from consumer.core.history import History
from consumer.core.model import Answer
from consumer.core.retry import (
    CAPACITY,
    HALTING,
    TRANSIENT,
    capacity_wait,
    suspect_wait,
    transient_wait,
)
from consumer.core.verdict import TOO_SLOW, WITHHELD, Accepted, Again, Halted, Opaque, Refused, TooLarge
from consumer.event.errors import AMBIGUOUS_ADD, REJECTED, TOO_LARGE
from consumer.event.model import ADD

# The same failure so often is a batch's own, where others succeeded meanwhile ...
SAME_FAILURES: Final = 2
# ... and failures of any kind so often: what breaks a server is answered by a reset, a 502, a time-out in turns ...
MIXED_FAILURES: Final = 4
# ... and so often a 429, since that is as a rule about all of a project ...
SAME_CAPACITY: Final = 4
# ... and a few of every batch ask for it after LONE_FAILURES without any success, and again after each so many.
MANY_FAILURES: Final = 8

REFUSED_DETAIL: Final = "Mixpanel refused this record's update"
AMBIGUOUS_WORDS: Final = "the outcome of the request is unknown, and an $add cannot be repeated safely"


@final
class Delivery:
    """Reads the answers of one destination."""

    __slots__ = ("_hints", "_resend_adds", "dispatch")

    def __init__(self, dispatch: Dispatch, resend_adds: bool) -> None:
        self.dispatch = dispatch
        self._resend_adds = resend_adds
        self._hints = Hints()

    def answered(self, batch: Batch, answer: Answer, now: float, jitter: float) -> Report:
        """The batch came back. Decides what it can; the rest waits or is cut. `jitter` is in [0, 1)."""
        was_probe = self.dispatch.returned(batch, now)
        verdict = read(answer, len(batch.updates))
        if isinstance(verdict, Halted | Again):
            if was_probe:
                self.dispatch.halt.asked(batch, now, jitter)
            if isinstance(verdict, Halted):
                return self._halted(batch, verdict, now, jitter)
            return self._again(batch, verdict, now, jitter)
        self.dispatch.succeed(batch, answer.seconds, now)
        self._hints.heard(batch, verdict)
        if isinstance(verdict, TooLarge):
            return self._too_large(batch, verdict, answer.status, now)
        self.dispatch.body.accepted(batch.size(self.dispatch.lanes.opening), now)
        if isinstance(verdict, Accepted):
            report = Report("accepted")
            report.accepted = self.dispatch.backlog.living(batch.updates)
            return report
        if isinstance(verdict, Refused):
            return self._refused(batch, verdict, answer.status)
        return self._opaque(batch, verdict, answer.status)

    def _decide(self, report: Report, update: Update, kind: int, refusal: Refusal | None) -> None:
        if self.dispatch.backlog.living([update]):
            report.decisions.append(Decision(update, kind, refusal))

    def _refused(self, batch: Batch, verdict: Refused, status: int) -> Report:
        report = Report("partial")
        accepted: list[Update] = []
        for index, update in enumerate(batch.updates):
            message = verdict.messages.get(index)
            if message is None:
                accepted.append(update)
            else:
                self._decide(report, update, REFUSED, Refusal(REJECTED, REFUSED_DETAIL, status, message))
        report.accepted = self.dispatch.backlog.living(accepted)
        return report

    def _too_large(self, batch: Batch, verdict: TooLarge, status: int, now: float) -> Report:
        """Halve, and remember the size; a single update is refused."""
        report = Report("too_large")
        if len(batch.updates) == 1:
            refusal = Refusal(TOO_LARGE, REFUSED_DETAIL, status, verdict.message)
            self._decide(report, batch.updates[0], REFUSED, refusal)
            return report
        self.dispatch.body.refused(batch.size(self.dispatch.lanes.opening), now)
        for part in pieces(batch.updates, 2):
            self.dispatch.backlog.requeue(part, batch.history)
        return report

    def _opaque(self, batch: Batch, verdict: Opaque, status: int) -> Report:
        """Cut in two; `$add`s that may have been applied leave the parts: alone once more, or ambiguous."""
        report = Report("opaque")
        if len(batch.updates) == 1:
            refusal = Refusal(REJECTED, REFUSED_DETAIL, status, verdict.message, opaque=True)
            self._decide(report, batch.updates[0], REFUSED, refusal)
            return report
        going: list[Update] = []
        for update in batch.updates:
            if update.verb == ADD and not verdict.none_applied:
                self._add_in_doubt(report, update, batch.history)
            else:
                going.append(update)
        first, second, as_named = self._hints.cut(batch, going, {batch.updates[index] for index in verdict.named})
        self.dispatch.backlog.requeue(first, batch.history)
        self.dispatch.backlog.requeue(second, batch.history, as_named)
        return report

    def _add_in_doubt(self, report: Report, update: Update, history: History) -> None:
        if self._resend_adds:
            self.dispatch.backlog.requeue([update], history)
        else:
            self._decide(report, update, AMBIGUOUS, Refusal(AMBIGUOUS_ADD, AMBIGUOUS_WORDS))

    def _again(self, batch: Batch, verdict: Again, now: float, jitter: float) -> Report:
        """Wait and send again. A failure that this batch alone meets again makes it a suspect."""
        if verdict.cause == WITHHELD:
            self.dispatch.backlog.wait(batch, batch.updates, TRANSIENT, now)
            return Report("withheld")
        report = Report("retry", verdict.cause)
        updates = batch.updates
        if verdict.unknown and not self._resend_adds:
            for update in updates:
                if update.verb == ADD:
                    self._decide(report, update, AMBIGUOUS, Refusal(AMBIGUOUS_ADD, AMBIGUOUS_WORDS))
            updates = [update for update in updates if update.verb != ADD]
        self._note_failure(batch, verdict.cause, now)
        if verdict.kind == CAPACITY and not self._is_own_capacity(batch):
            report.wait = capacity_wait(batch.history.waits, verdict.wait, jitter)
            self.dispatch.throttle.over_capacity(now + report.wait)
            self._wait(batch, updates, CAPACITY, now + report.wait, now + report.wait)
            return report
        if verdict.cause in TOO_SLOW and not batch.suspect:
            too_many = self._is_too_many(batch)
            self.dispatch.throttle.took_too_long(len(batch.updates))
            if too_many:
                return self._beside_each_other(report, batch, updates)
        if self._is_suspect(batch) or (batch.suspect and len(updates) == 1 and batch.history.attempts > 1):
            if verdict.kind == CAPACITY:
                batch.history.asked_until = now + capacity_wait(1, verdict.wait, jitter)
            return self._suspected(report, batch, updates, now)
        report.wait = self._retry_wait(batch, verdict, jitter)
        self._wait(batch, updates, verdict.kind, now + report.wait, now)
        return report

    def _is_too_many(self, batch: Batch) -> bool:
        """Whether its size is what takes too long: it did again, and only clearly fewer updates were in time."""
        size = len(batch.updates)
        in_time = self.dispatch.throttle.in_time
        return size > max(1, in_time + in_time // PIECES) and self._is_suspect(batch)

    def _beside_each_other(self, report: Report, batch: Batch, updates: list[Update]) -> Report:
        """Send it in pieces that are no suspects yet: as a rule each is in time."""
        report.outcome = "split"
        for part in pieces(updates, PIECES):
            self.dispatch.backlog.requeue(part, batch.history)
        return report

    def _wait(self, batch: Batch, updates: list[Update], kind: int, due: float, parts_due: float) -> None:
        """Send it again when it is due; where nothing tells whose fault it is, a few of it before, by themselves."""
        batch.updates = updates
        if self._cannot_tell(batch) and self.dispatch.may_part(batch):
            for part in self.dispatch.backlog.parts_of(batch):
                self.dispatch.backlog.wait(part, part.updates, kind, parts_due)
        self.dispatch.backlog.wait(batch, batch.updates, kind, due)

    def _retry_wait(self, batch: Batch, verdict: Again, jitter: float) -> float:
        """The first retry comes at once while most requests succeed; that of an overload only within the budget."""
        attempts = batch.history.attempts
        budget = self.dispatch.budget
        if verdict.kind == TRANSIENT:
            return transient_wait(attempts, budget.most_succeed, jitter)
        if budget.most_succeed and budget.spend():
            batch.history.soon += 1
            return transient_wait(attempts, True, jitter)
        return capacity_wait(batch.history.waits, None, jitter)

    def _halted(self, batch: Batch, verdict: Halted, now: float, jitter: float) -> Report:
        """Nothing is sent but probes; where others succeed the answer is this batch's alone."""
        report = Report("halt", verdict.cause)
        self._note_failure(batch, verdict.cause, now)
        if batch.suspect or self._is_suspect(batch):
            return self._suspected(report, batch, batch.updates, now)
        budget = self.dispatch.budget
        soon = not self.dispatch.halt.cause and budget.most_succeed and budget.spend()
        self.dispatch.halt.begin(batch, verdict.cause, self.dispatch.under_way.started, now, jitter, soon)
        self.dispatch.backlog.wait(batch, batch.updates, HALTING, NEVER)
        return report

    # Whose fault it is.

    def _note_failure(self, batch: Batch, cause: str, now: float) -> None:
        batch.history.failed(cause, self.dispatch.under_way.started, now)
        if not batch.suspect:
            self.dispatch.fail()

    def _is_suspect(self, batch: Batch) -> bool:
        """Whether the fault is this batch's own: it met it again, and others that started later did not."""
        history = batch.history
        again = history.same >= SAME_FAILURES or history.failures >= MIXED_FAILURES
        return again and self.dispatch.succeeded > history.started

    def _is_own_capacity(self, batch: Batch) -> bool:
        """Whether a 429 is this batch's own: it waited as asked, went first, and met it again, as others did not."""
        same = SAME_FAILURES if batch.suspect else SAME_CAPACITY
        return batch.history.same >= same and self._is_suspect(batch)

    def _cannot_tell(self, batch: Batch) -> bool:
        """Whether it failed again and again, and nothing says if it is Mixpanel or this batch."""
        failures = batch.history.failures
        if batch.suspect or self.dispatch.succeeded > batch.history.started:
            return False
        return failures == LONE_FAILURES or failures % MANY_FAILURES == 0

    def _suspected(self, report: Report, batch: Batch, updates: list[Update], now: float) -> Report:
        """Cut the batch in pieces, down to one record; that one waits for longer and longer, and for nobody else."""
        batch.suspect = True
        living = self.dispatch.backlog.living(updates)
        if not living:
            return report
        if len(living) > 1:
            report.outcome = "split"
            self.dispatch.backlog.cut_suspect(living, batch.history, now)
        elif len(living[0].run.contributors(living[0], 2)) > 1:
            report.outcome = "split"
            report.decisions.append(Decision(living[0], DIVIDED, None, batch.history))
        else:
            report.wait = max(batch.history.asked_until - now, suspect_wait(batch.history.failed_alone()))
            self.dispatch.backlog.suspect(living, batch.history, now + report.wait)
        return report
