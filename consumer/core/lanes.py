"""Order per group, and batches that are full all the same.

A lane is the queue of one group: a run that is to go next, or is under way, and what waits behind it. Lanes whose run
is not under way are idle. A batch drains idle lanes, the one with the oldest waiting record first. There is no number
of lanes to tune: a lane exists while its group has something open, and is forgotten after.

    push    a record's update waits behind its group's others
    take    what waits is folded into runs, as many as make a batch
    replay  the next step of a run is ready for one of the next batches
    release the run is over, and its group goes on
"""

from typing import final

from consumer.core.entry import Entry, Update
from consumer.core.model import Assignment, Group
from consumer.core.ready import Ready
from consumer.core.room import Share
from consumer.core.runs import Run
from consumer.core.stretch import front_of, step_of
from consumer.core.wire import PACE
from consumer.event.model import DELETE


@final
class Lanes:
    """All groups of one destination with something open."""

    __slots__ = ("_adding", "_adds_at", "_apart", "_fold", "_lanes", "_max_updates", "_plain", "_share", "opening")

    def __init__(self, opening: int, max_updates: int, fold: bool, share: Share, apart: bool = False) -> None:
        """`opening` is the length of what each update begins with, in bytes; `share` counts what is in the lanes.

        `apart`: groups with an `$add` go in requests of their own, where these are full: one with an `$add` is dear.
        """
        self.opening = opening
        self._max_updates = max_updates
        self._fold = fold
        self._share = share
        self._lanes: dict[Group, Run] = {}  # by the run at the front of each
        self._plain = Ready()
        self._adding = Ready()  # with an `$add`, where those are kept apart
        self._adds_at = 0.0  # when these may go with others, though those fill a request
        self._apart = apart

    def __len__(self) -> int:
        return len(self._lanes)

    def push(self, group: Group, entry: Entry) -> None:
        """Let the record's update wait behind its group's others. Its order is above that of any before."""
        run = self._lanes.get(group)
        if run is None:
            self._lanes[group] = run = Run(group, entry, entry.order if entry.verb == DELETE else -1)
        else:
            run.add(entry)
        self._share.add(1, entry.record.size)
        if not run.queued and not run.begun:
            run.queued = True
            self._queue_of(run).add(run)

    @property
    def ready(self) -> int:
        """How many lanes a batch may take from."""
        return self._plain.count + self._adding.count

    def fills(self, updates: int) -> bool:
        """Whether there is a request of so many updates, of one kind where two are kept apart."""
        if not self._apart:
            return self._plain.count >= updates
        return max(self._plain.count, self._adding.count) >= updates or self.ready >= 2 * updates

    def oldest(self) -> float:
        """When the oldest record that a batch may take was polled; -1 where there is none."""
        if not self.ready:
            return -1.0
        run = self._older().first()
        assert run is not None
        return run.first().record.polled_at

    def returned(self) -> bool:
        """Whether a group is ready that was in a request before."""
        return self._plain.any_returned() or self._adding.any_returned()

    def take(self, max_updates: int, max_bytes: int, now: float) -> list[Update]:
        """Drain idle lanes into one batch, oldest head first.

        At most so many updates, and bytes of body, unless a single run is larger.
        """
        updates: list[Update] = []
        size = 1
        source = self._source(max_updates, now)
        while len(updates) < max_updates:
            run = self._pop(source)
            if run is None:
                break
            taken = len(updates)
            self._begin(run, updates)
            for place in range(taken, len(updates)):
                size += len(updates[place].json) + self.opening + 1
            if taken and (size > max_bytes or len(updates) > max_updates):
                self._put_back(run, len(updates) - taken)
                del updates[taken:]
                break
        return updates

    def step(self, run: Run) -> list[Update]:
        """The updates of the run's next step, to be sent by themselves."""
        return step_of(run, self._max_updates)

    def replay(self, run: Run) -> None:
        """Send the next step of the run with one of the next batches."""
        self._return(run)

    def release(self, run: Run) -> None:
        """The run is over: what waited behind it is ready, or the group is forgotten."""
        self._forget(run)
        follower = run.over()
        if follower is not None:
            self._lanes[run.group] = follower
            self._return(follower)
        else:
            del self._lanes[run.group]

    def runs(self) -> list[Run]:
        """Everything that is under way."""
        return [run for run in self._lanes.values() if run.begun]

    def all(self) -> list[Run]:
        """The front of every lane, those of old first."""
        return list(self._lanes.values())

    def raise_to_last(self, bounds: dict[Assignment, int]) -> None:
        """Raise each of these bounds above the last record of its assignment that is under way."""
        for run in self.runs():
            bound = bounds.get(run.assignment)
            if bound is not None:
                bounds[run.assignment] = max(bound, run.entries[-1].record.offset + 1)

    def strip(self, bounds: dict[Assignment, int]) -> list[Entry]:
        """Forget waiting records of these assignments at or above the bound of each; return them."""
        dropped: list[Entry] = []
        for front in list(self._lanes.values()):
            run: Run | None = front
            if front.begun and not front.live and front.queued:
                self._forget(front)
                run = front.over()  # revoked between two steps of a replay
            if run is not None:
                dropped += run.keep(bounds)
            if run is None or not run.entries:
                del self._lanes[front.group]
            elif run is not front:
                self._lanes[front.group] = run
        for entry in dropped:
            self._share.add(-1, -entry.record.size)
        self._requeue()
        return dropped

    def _forget(self, run: Run) -> None:
        """Nothing of the run is open any more."""
        if run.alone is not None:
            self._share.add(-1, -run.alone.record.size)
            return
        size = 0
        entries = run.entries
        for entry in entries:
            size += entry.record.size
        self._share.add(-len(entries), -size)

    def _requeue(self) -> None:
        """Build the queue of ready lanes again, in order."""
        ready: list[tuple[int, Run]] = []
        for run in self._lanes.values():
            run.queued = run.queued or not run.begun
            if run.queued:
                ready.append((run.first().order, run))
        runs = [run for _, run in sorted(ready, key=by_order)]
        self._plain.replace([run for run in runs if self._queue_of(run) is self._plain])
        self._adding.replace([run for run in runs if self._queue_of(run) is self._adding])

    def _queue_of(self, run: Run) -> Ready:
        return self._adding if self._apart and run.adds else self._plain

    def _return(self, run: Run) -> None:
        run.queued = True
        self._queue_of(run).give_back(run)

    def _older(self) -> Ready:
        """The queue with the oldest head; one that is not empty, if there is one."""
        adding = self._adding.first()
        if adding is None:
            return self._plain
        plain = self._plain.first()
        return self._adding if plain is None or adding.first().order < plain.first().order else self._plain

    def _source(self, max_updates: int, now: float) -> Ready | None:
        """The queue that fills a batch by itself; None for both, by the age of their heads."""
        if not self._adding.count:
            return self._plain
        full = self._plain.count >= max_updates
        adds = self._adding.count >= max_updates and (not full or self._older() is self._adding)
        if full and not adds and now < self._adds_at:
            return self._plain
        self._adds_at = now + PACE  # a busy group with an `$add` is not to wait long for others of its kind
        return self._adding if adds else None

    def _pop(self, source: Ready | None) -> Run | None:
        """The first of this queue, or of both, which is ready no more; None where there is none."""
        while True:
            queue = source if source is not None else self._older()
            if not queue.count:
                return None
            run = queue.pop()
            if source is None or self._queue_of(run) is source:
                run.queued = False
                return run
            self._adding.give_back(run)  # an `$add` has come to it since

    def _begin(self, run: Run, updates: list[Update]) -> None:
        """Add the next step of the run to the updates, or begin it with all that folds."""
        if run.begun:
            updates.extend(step_of(run, self._max_updates))
        elif run.alone is not None or not self._fold:
            first = run.first()
            run.begin(1)
            run.made(first)
            updates.append(first)
        else:
            updates.extend(front_of(run, self._max_updates))

    def _put_back(self, run: Run, updates: int) -> None:
        """Undo `_pop` and `_begin`, which made so many updates: the lane is first again."""
        run.put_back(updates)
        run.queued = True
        self._queue_of(run).put_first(run)


def by_order(item: tuple[int, Run]) -> int:
    """The order of a lane's head."""
    return item[0]
