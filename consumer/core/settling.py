"""What comes of each update once Mixpanel has answered: blame is found, records settle, or become dead letters."""

from typing import Final, final

from consumer.core.batch import AMBIGUOUS, DIVIDED, Decision, Report
from consumer.core.breaker import ACCEPTED, REFUSED, Breaker
from consumer.core.delivery import Delivery
from consumer.core.model import DeadLetter, Record
from consumer.core.partition import Partition
from consumer.core.partitions import Partitions
from consumer.core.runs import OPEN, OVER, Run
from consumer.core.settlement import Delivered, dead_letters_of
from consumer.core.unconfirmed import Unconfirmed
from consumer.core.whole import Whole
from consumer.event.errors import AMBIGUOUS_ADD, QUARANTINED

# Rejects that say nothing of the records.
UNCOUNTED: Final = (AMBIGUOUS_ADD, QUARANTINED)


@final
class Settling:
    """Passes what was decided on to the records' partitions, and the dead letters to `unconfirmed`."""

    __slots__ = ("_breaker", "_names", "_partitions", "_unconfirmed")

    def __init__(self, partitions: Partitions, breaker: Breaker, unconfirmed: Unconfirmed, names: bool) -> None:
        """`names`: an answer names the records that it settled, which keeps them until it is forgotten."""
        self._names = names
        self._partitions = partitions
        self._breaker = breaker
        self._unconfirmed = unconfirmed

    def answered(self, delivery: Delivery, report: Report, now: float) -> Delivered:
        """Pass on what the answer decided on each update; what that settled."""
        delivered = Delivered(report)
        for update in report.accepted:
            delivered.counts[update.verb] += 1
            self._came_to(delivery, update.run, update.run.accepted(update), delivered, now)
        for decision in report.decisions:
            self._decided(delivery, decision, delivered, now)
        delivered.sum_up()
        self._breaker.count(ACCEPTED, delivered.settled, now)
        return delivered

    def _decided(self, delivery: Delivery, decision: Decision, delivered: Delivered, now: float) -> None:
        """One update is refused, ambiguous or divided: its record is to blame, or one of several, to be found."""
        update = decision.update
        if decision.kind == DIVIDED:
            assert decision.history is not None
            outcome = update.run.divided(update, decision.history)
        else:
            assert decision.refusal is not None
            if decision.kind == AMBIGUOUS:
                outcome = update.run.ambiguous(update, decision.refusal)
            else:
                outcome = update.run.refused(update, decision.refusal)
            self._blame(delivery, update.run, delivered, now)
        self._came_to(delivery, update.run, outcome, delivered, now)

    def _blame(self, delivery: Delivery, run: Run, delivered: Delivered, now: float) -> None:
        """Records of the run that are to blame become dead letters, once all of their parts are decided."""
        for entry, dead_letter in dead_letters_of(run, delivery.dispatch.name):
            if dead_letter.reason == AMBIGUOUS_ADD:
                delivered.ambiguous += 1
            whole = entry.whole
            if whole is None:
                self._dead_letter(dead_letter, dead_letter.reason != AMBIGUOUS_ADD, now)
            else:
                whole.refuse(entry.order, dead_letter)
                self._part_decided(whole, entry.record, delivered, now)

    def _dead_letter(self, dead_letter: DeadLetter, counts: bool, now: float) -> None:
        """One record is refused by Mixpanel; it stays open while the breaker is open."""
        if not self._breaker.open:
            self._unconfirmed.add(dead_letter)
        if counts:
            self._breaker.count(REFUSED, 1, now)

    def _part_decided(self, whole: Whole, record: Record, delivered: Delivered, now: float) -> None:
        """One part of the record is over; with the last the record is settled, or its dead letter is written."""
        partition = self._partitions.by_assignment[record.assignment]
        if not partition.decided(whole):
            return
        dead_letter = whole.dead_letter()
        if dead_letter is None:
            self._settled(partition, record, delivered)
        else:
            self._dead_letter(dead_letter, not whole.counted and dead_letter.reason not in UNCOUNTED, now)

    def _came_to(self, delivery: Delivery, run: Run, outcome: int, delivered: Delivered, now: float) -> None:
        """An update has its verdict; with the last of a step the run goes on, or is over."""
        if outcome == OPEN:
            return
        if outcome == OVER:
            if run.alone is not None and run.alone.whole is None and run.blame is None:  # as a rule
                partition = self._partitions.by_assignment[run.assignment]
                partition.reached = max(partition.reached, run.alone.record.offset)
                self._settled(partition, run.alone.record, delivered)
            else:
                self._settle(run, len(run.entries), delivered, now)
            delivery.dispatch.lanes.release(run)
        else:
            self._settle(run, run.through(), delivered, now)
            delivery.dispatch.backlog.replay(run)

    def _settle(self, run: Run, end: int, delivered: Delivered, now: float) -> None:
        """What stands before `end` in the run, and was not dead-lettered, is settled."""
        partition = self._partitions.by_assignment[run.assignment]
        rejected = run.blame.rejected if run.blame is not None else None
        entries = run.entries
        partition.reached = max(partition.reached, entries[-1].record.offset)
        for place in range(run.settled, end):
            if rejected is not None and place in rejected:
                continue
            entry = entries[place]
            if entry.whole is None:
                self._settled(partition, entry.record, delivered)
            else:
                self._part_decided(entry.whole, entry.record, delivered, now)
        run.settled = max(run.settled, end)

    def _settled(self, partition: Partition, record: Record, delivered: Delivered) -> None:
        """Mixpanel has all of the record."""
        partition.end(record)
        partition.ledger.settle(record.offset)
        delivered.settled += 1
        if self._names:
            delivered.records.append(record)
