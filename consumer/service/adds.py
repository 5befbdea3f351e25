"""Holds a request with `$add`s back until it may go: at most once, also through the end of an instance.

announced, confirmed      a new owner of the partitions would read of it
proven                    the group has confirmed a commit of ours since: nobody owned them who has not read that
sent                      while the lease holds, which the pool looks at last
"""

from collections.abc import Callable, Collection, Mapping
from queue import SimpleQueue
from typing import Final, Protocol

from consumer.core.announced import Add, Note
from consumer.core.batch import Batch
from consumer.core.carried import Carried
from consumer.core.model import NOT_SENT, Answer, Assignment
from consumer.core.pipeline import Pipeline
from consumer.core.settlement import Delivered
from consumer.core.verdict import WITHHELD
from consumer.mixpanel.lease import Lease
from consumer.mixpanel.pool import Response
from consumer.service.ports import RequestPool, Result

# A commit that is refused, in a rebalance as a rule, is followed by another one after so many seconds.
PROVE_AGAIN: Final = 0.2


class Journal(Protocol):
    """See kafka/journal.py."""

    def announce(self, assignment: Assignment, adds: list[Add]) -> list[Note]: ...
    def written(self, note: Note) -> bool: ...
    def taken(self, assignment: Assignment, note: Note) -> None: ...
    def answered(
        self, assignment: Assignment, note: Note, applied: Collection[Add], gone: Collection[Add]
    ) -> None: ...
    def begin(self, assignment: Assignment, start: int, redone: int) -> None: ...
    def forget(self, assignments: list[Assignment]) -> None: ...
    def turn(self) -> bool: ...
    def close(self) -> None: ...


class Source(Protocol):
    """The Kafka consumer, as far as its group goes; see kafka/source.py."""

    def prove(self, offsets: Mapping[Assignment, int]) -> int: ...
    def proven(self, assignment: Assignment) -> int: ...
    def look(self, assignments: Collection[Assignment]) -> None: ...
    def journal_start(self, assignment: Assignment) -> tuple[int, int]: ...


class Announcement:
    """One request with `$add`s, from when it is announced until it is answered.

    `unwritten` are those of its notes that the broker may not have yet; `stamp` is that of its proof.
    """

    def __init__(self, batch: Batch, began: float, carried: Carried) -> None:
        self.batch = batch
        self.began = began
        self.carried = carried
        self.notes: dict[Assignment, list[Note]] = {}
        self.unwritten: list[Note] = []
        self.stamp = 0


class Announcing:
    """Stands before the pool. One thread calls."""

    def __init__(
        self,
        pool: RequestPool,
        journal: Journal,
        source: Source,
        pipeline: Pipeline,
        results: SimpleQueue[Result],
        *,
        lease: Lease,
        clock: Callable[[], float],
        waited: Callable[[float], None],
    ) -> None:
        """`source` proves that the partitions of the `pipeline` are ours.

        `waited` is told of each request with `$add`s how many seconds it waited to be sent.
        """
        self._pool = pool
        self._journal = journal
        self._source = source
        self._pipeline = pipeline
        self._results = results
        self._lease = lease
        self._clock = clock
        self._waited = waited
        self._held: dict[Batch, Announcement] = {}
        self._sent: dict[Batch, Announcement] = {}
        self._prove_at = 0.0

    # As the pool.

    def send(self, batch: Batch) -> None:
        """Post the batch as soon as it may go; one without an `$add` goes at once."""
        announcement = self._announced(batch)
        if announcement is None:
            self._pool.send(batch)
        else:
            batch.announcing = True
            self._held[batch] = announcement

    def withdraw(self, gone: Collection[Assignment]) -> int:
        """Begin no request any more that has updates of these assignments; returns how many that were to begin."""
        self._journal.forget(list(gone))
        count = 0
        for batch in list(self._held):
            if any(update.run.assignment in gone for update in batch.updates):
                self._withhold(batch)
                count += 1
        return count + self._pool.withdraw(gone)

    def close(self, timeout: float) -> None:
        """Cut off what is under way."""
        self._pool.close(timeout)
        self._journal.close()

    # Each turn, and each rebalance.

    def assigned(self, assignments: list[Assignment]) -> None:
        """Have read what earlier owners of these announced."""
        for assignment in assignments:
            start, redone = self._source.journal_start(assignment)
            self._journal.begin(assignment, start, redone)

    def turn(self, *, draining: bool = False) -> bool:
        """Let go what may go by now; whether records that are held for the journal may go on.

        While `draining` the client brings no word on a commit: what the group has is looked up.
        """
        released = self._journal.turn()
        if self._held and self._lease.valid():
            self._let_go(draining)
        return released

    def answered(self, batch: Batch, delivered: Delivered) -> None:
        """Note what became of the `$add`s of the request; those of unknown outcome stay in doubt."""
        announcement = self._sent.pop(batch, None)
        if announcement is None:
            return
        fates = announcement.carried.fates(delivered.taken, delivered.in_doubt)
        for assignment, notes in announcement.notes.items():
            for note in notes:
                if fates is None:
                    self._journal.taken(assignment, note)
                else:
                    self._journal.answered(assignment, note, fates[assignment].applied, fates[assignment].gone)

    def pending(self) -> bool:
        """Whether a request waits to be sent."""
        return bool(self._held)

    def held(self) -> list[Batch]:
        """The requests that wait to be sent."""
        return list(self._held)

    # One request.

    def _announced(self, batch: Batch) -> Announcement | None:
        """Have its `$add`s announced; None where there is none."""
        carried = Carried(batch.updates)
        if not carried.places:
            return None
        announcement = Announcement(batch, self._clock(), carried)
        for assignment, adds in carried.places.items():
            notes = announcement.notes[assignment] = self._journal.announce(assignment, adds)
            announcement.unwritten += notes
        return announcement

    def _let_go(self, draining: bool) -> None:
        written = [announcement for announcement in self._held.values() if self._is_written(announcement)]
        if not written:
            return
        self._prove(written)
        if draining:
            self._source.look({assignment for announcement in written for assignment in announcement.notes})
        now = self._clock()
        for announcement in written:
            if min(map(self._source.proven, announcement.notes)) < announcement.stamp:
                continue
            if self._pipeline.destinations.still_goes(announcement.batch, now):
                self._release(announcement.batch)
                self._waited(now - announcement.began)
                self._pool.send(announcement.batch)
            else:
                self._withhold(announcement.batch)  # Mixpanel has asked for a pause since

    def _is_written(self, announcement: Announcement) -> bool:
        """Whether the broker has all of it; the last comes last."""
        unwritten = announcement.unwritten
        while unwritten and self._journal.written(unwritten[-1]):
            unwritten.pop()
        return not unwritten

    def _prove(self, written: list[Announcement]) -> None:
        """Ask the group whether it still knows us, by a commit that follows the announcements."""
        now = self._clock()
        fresh = [announcement for announcement in written if not announcement.stamp]
        if not fresh and now < self._prove_at:
            return
        self._prove_at = now + PROVE_AGAIN
        asked = {assignment for announcement in (fresh or written) for assignment in announcement.notes}
        every = self._pipeline.partitions.settled_or_first()
        offsets = {assignment: offset for assignment, offset in every.items() if assignment in asked}
        stamp = self._source.prove(offsets)
        for announcement in fresh:
            announcement.stamp = stamp

    def _withhold(self, batch: Batch) -> None:
        """It is not sent, and comes back as such."""
        self._release(batch)
        self._results.put(Response(batch, Answer(0, failure=NOT_SENT, cause=WITHHELD)))

    def _release(self, batch: Batch) -> None:
        batch.announcing = False
        self._sent[batch] = self._held.pop(batch)
