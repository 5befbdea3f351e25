"""All projects that updates go to, and the requests at once that they share."""

from collections.abc import Mapping
from typing import Final, final

from consumer.core.batch import Batch
from consumer.core.clock import NEVER
from consumer.core.delivery import Delivery
from consumer.core.dispatch import Dispatch
from consumer.core.entry import Entry
from consumer.core.limits import Limits
from consumer.core.model import Assignment, Record
from consumer.core.room import Open, Share, half_of
from consumer.core.wire import Wire

# So many full requests wait, beyond those that are under way, for places that get free at once.
AHEAD: Final = 3


@final
class Suspect:
    """A record whose request alone brings its fault about: what was `answered`, how often, since and next when."""

    __slots__ = ("answered", "attempts", "next_at", "project", "record", "since")

    def __init__(
        self, record: Record, project: str, answered: str, attempts: int, since: float, next_at: float
    ) -> None:
        self.record = record
        self.project = project
        self.answered = answered
        self.attempts = attempts
        self.since = since
        self.next_at = next_at


@final
class Destinations:
    """One `Delivery` for each project, by its name."""

    __slots__ = ("_all", "_enough", "_enough_bytes", "_first", "_number", "_wire", "by_name", "standing")

    def __init__(self, openings: Mapping[str, int], limits: Limits) -> None:
        shared = len(openings) > 1
        self.standing: Open | None = half_of(limits) if shared else None  # what is open of those that stand
        self._wire = wire = Wire(limits.max_in_flight, shared)
        self.by_name = {
            name: Delivery(Dispatch(name, opening, wire, Share(limits, self.standing), limits), limits.resend_adds)
            for name, opening in openings.items()
        }
        self._all = [delivery.dispatch for delivery in self.by_name.values()]
        self._enough = AHEAD * limits.batch_updates
        self._enough_bytes = AHEAD * limits.batch_bytes
        self._first = 0  # who is asked first next time
        self._number = 0

    def start(self, now: float) -> list[Batch]:
        """The batches to send now, one of each destination in turn."""
        batches: list[Batch] = []
        count = len(self._all)
        self._contend()
        idle = 0
        while idle < count:
            dispatch = self._all[self._first]
            self._first = (self._first + 1) % count
            batch = dispatch.start(now, self._number + 1) if len(dispatch.lanes) else None
            if batch is None:
                idle += 1
            else:
                idle = 0
                self._number += 1
                batches.append(batch)
        return batches

    def supplied(self) -> bool:
        """Whether reading can wait, as the requests to come are full already.

        Only of one project alone, since more to read may be of another; only while its last answer was no fault; and
        only what could go at once counts, not what waits behind a change of its group.
        """
        if len(self._all) > 1:
            return False
        dispatch = self._all[0]
        ready = dispatch.lanes.ready
        if dispatch.share.stands or ready < dispatch.throttle.fresh_updates:
            return False
        return ready >= self._enough or dispatch.share.bytes_of(ready) >= self._enough_bytes

    def full(self, name: str) -> bool:
        """Whether nothing more for this destination is to be taken in now, for the sake of the others."""
        return self.by_name[name].dispatch.share.full()

    def still_goes(self, batch: Batch, now: float) -> bool:
        """Whether a batch that was started, and waited since, would be started now."""
        return self.by_name[batch.destination].dispatch.still_goes(batch, now)

    def wake_at(self, now: float) -> float:
        """When `start` may have something without a new fact."""
        soonest = NEVER
        self._contend()
        for dispatch in self._all:
            if len(dispatch.lanes):
                soonest = min(soonest, dispatch.wake_at(now))
        return soonest

    def _contend(self) -> None:
        """Tell the wire whether several have something to send that do not stand."""
        contenders = 0
        for dispatch in self._all:
            if len(dispatch.lanes) and not dispatch.share.stands:
                contenders += 1
        self._wire.contended = contenders > 1

    def drain(self, bounds: dict[Assignment, int], deadline: float) -> list[Entry]:
        """Send at once, and start nothing that cannot finish by then.

        Returns what waited of these assignments at or above the bound of each, and above all that is under way of it:
        it is forgotten.
        """
        for dispatch in self._all:
            dispatch.lanes.raise_to_last(bounds)
        dropped: list[Entry] = []
        for dispatch in self._all:
            dispatch.draining = True
            dispatch.deadline = deadline
            dropped += dispatch.lanes.strip(bounds)
        return dropped

    def forget(self, gone: set[Assignment]) -> int:
        """Nothing of these assignments is sent any more, and a drain is over; how many requests are given up."""
        given_up = 0
        for dispatch in self._all:
            dispatch.draining = False
            dispatch.deadline = NEVER
            for run in dispatch.lanes.runs():
                if run.assignment in gone:
                    run.abandoned()
            dispatch.backlog.strip()
            dispatch.lanes.strip(dict.fromkeys(gone, -1))
            given_up += sum(
                any(u.run.assignment in gone for u in batch.updates) for batch in dispatch.under_way.batches
            )
        return given_up

    def behind_suspects(self) -> dict[Assignment, int]:
        """How many open records of each assignment are a suspect's, or wait behind one in its group."""
        behind: dict[Assignment, int] = {}
        for dispatch in self._all:
            for run in {update.run for batch in dispatch.suspects() for update in batch.updates}:
                stuck = len(run.entries) - run.settled
                behind[run.assignment] = behind.get(run.assignment, 0) + stuck
                for entry in run.behind():
                    behind[entry.record.assignment] = behind.get(entry.record.assignment, 0) + 1
        return behind

    # What holds now, for readiness, metrics and logs.

    def halted(self) -> dict[str, str]:
        """The projects that refuse everything, with the answer that said so."""
        return {dispatch.name: dispatch.halt.cause for dispatch in self._all if dispatch.halt.cause}

    def busy(self) -> list[str]:
        """The projects with open records."""
        return [dispatch.name for dispatch in self._all if len(dispatch.lanes)]

    def suspects(self) -> list[Suspect]:
        """The records that are alone in a request whose fault is its own."""
        suspects: list[Suspect] = []
        for dispatch in self._all:
            for batch in dispatch.suspects():
                history = batch.history
                places = batch.updates[0].run.contributors(batch.updates[0], 2)
                if len(batch.updates) > 1 or len(places) != 1 or history.attempts == 0:
                    continue
                record = batch.updates[0].run.entries[places[0]].record
                suspects.append(
                    Suspect(record, dispatch.name, history.cause, history.attempts, history.since, batch.due)
                )
        return suspects

    def slowed(self, now: float) -> bool:
        """Whether Mixpanel asked for fewer requests."""
        return any(dispatch.throttle.slowed(now) for dispatch in self._all)

    def in_flight(self) -> int:
        """Requests under way."""
        count = 0
        for dispatch in self._all:
            count += len(dispatch.under_way.batches)
        return count
