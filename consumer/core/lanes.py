"""Order per group, and batches that are full all the same.

A lane is the queue of one group. It is idle, or one run of it is under way; then the rest of it waits. A
batch drains idle lanes, the one with the oldest waiting record first. There is no number of lanes to tune:
a lane exists while its group has something open, and is forgotten after.

    push    a record's update is encoded, and waits behind its group's others
    take    what waits is folded into runs, as many as make a batch
    replay  the next step of a run is ready for one of the next batches
    release the run is over, and its group goes on
"""

import heapq
from collections import deque
from typing import final

from consumer.core.lane import Lane
from consumer.core.model import Assignment, Group
from consumer.core.room import Share
from consumer.core.runs import Entry, Run, Update
from consumer.core.stretch import deleting, fold_waiting, step_of
from consumer.event.model import DELETE


@final
class Lanes:
    """All groups of one destination with something open. `ready` counts the lanes that a batch may take from."""

    __slots__ = ("_fold", "_fresh", "_lanes", "_max_updates", "_returned", "_share", "opening", "ready")

    def __init__(self, opening: int, max_updates: int, fold: bool, share: Share) -> None:
        """`opening` is the length of what each update begins with, in bytes; `share` counts what is in the lanes."""
        self.opening = opening
        self._max_updates = max_updates
        self._fold = fold
        self._share = share
        self._lanes: dict[Group, Lane] = {}
        # Ready lanes in the order of their heads: new ones come in order, those that return out of it.
        self._fresh: deque[Lane] = deque()
        self._returned: list[tuple[int, Lane]] = []
        self.ready = 0

    def __len__(self) -> int:
        return len(self._lanes)

    def push(self, group: Group, entry: Entry) -> None:
        """Let the record's update wait behind its group's others. Its order is above that of any before."""
        lane = self._lanes.get(group)
        if lane is None:
            self._lanes[group] = lane = Lane(group, entry)
        else:
            lane.waiting.append(entry)
        self._share.add(1, entry.record.size)
        if entry.verb == DELETE:
            lane.deleted = entry.order
        if not lane.queued and lane.run is None:
            lane.queued = True
            self._fresh.append(lane)
            self.ready += 1

    def oldest(self) -> float:
        """When the oldest record that a batch may take was polled; -1 where there is none."""
        lane = self._peek()
        if lane is None:
            return -1.0
        return lane.first().record.polled_at

    def returned(self) -> bool:
        """Whether a group is ready that was in a request before."""
        return len(self._returned) > 0

    def take(self, max_updates: int, max_bytes: int) -> list[Update]:
        """Drain idle lanes into one batch, oldest head first.

        At most so many updates, and bytes of body, unless a single run is larger.
        """
        updates: list[Update] = []
        size = 1
        while self.ready and len(updates) < max_updates:
            lane = self._pop()
            taken = len(updates)
            replaying = lane.run is not None
            self._begin(lane, updates)
            for place in range(taken, len(updates)):
                size += len(updates[place].json) + self.opening + 1
            if taken and (size > max_bytes or len(updates) > max_updates):
                self._put_back(lane, updates[taken:], replaying)
                del updates[taken:]
                break
        return updates

    def step(self, run: Run) -> list[Update]:
        """The updates of the run's next step, to be sent by themselves."""
        return step_of(run, self._max_updates)

    def replay(self, run: Run) -> None:
        """Send the next step of the run with one of the next batches."""
        self._return(self._lanes[run.group])

    def release(self, run: Run) -> None:
        """The run is over: what waited behind it is ready, or the group is forgotten."""
        lane = self._lanes[run.group]
        self._forget(run)
        lane.run = None
        if lane.waiting:
            self._return(lane)
        else:
            del self._lanes[lane.group]

    def runs(self) -> list[Run]:
        """Everything that is under way."""
        return [lane.run for lane in self._lanes.values() if lane.run is not None]

    def all(self) -> list[Lane]:
        """Every lane, those of old first."""
        return list(self._lanes.values())

    def behind(self, run: Run) -> list[Entry]:
        """What waits for this run to be over."""
        return self._lanes[run.group].waiting

    def lane_of(self, group: Group) -> Lane | None:
        """The lane of the group, while something of it is open."""
        return self._lanes.get(group)

    def strip(self, bounds: dict[Assignment, int]) -> list[Entry]:
        """Forget waiting records of these assignments at or above the bound of each; return them."""
        dropped: list[Entry] = []
        for lane in list(self._lanes.values()):
            if lane.run is not None and not lane.run.live and lane.queued:
                self._forget(lane.run)
                lane.run = None  # revoked between two steps of a replay
            kept: list[Entry] = []
            for entry in lane.waiting:
                bound = bounds.get(entry.record.assignment)
                if bound is not None and entry.record.offset >= bound:
                    self._share.add(-1, -entry.record.size)
                    dropped.append(entry)
                else:
                    kept.append(entry)
            lane.waiting = kept
            if not kept and lane.run is None:
                del self._lanes[lane.group]
        self._requeue()
        return dropped

    def _forget(self, run: Run) -> None:
        """Nothing of the run is open any more."""
        size = 0
        for entry in run.entries:
            size += entry.record.size
        self._share.add(-len(run.entries), -size)

    def _requeue(self) -> None:
        """Build the queue of ready lanes again, in order."""
        found: list[tuple[int, Lane]] = []
        for lane in self._lanes.values():
            lane.queued = (lane.run is None or lane.queued) and bool(lane.waiting or lane.run)
            if lane.queued:
                found.append((lane.first().order, lane))
        self._fresh = deque([lane for _, lane in sorted(found, key=by_order)])
        self._returned = []
        self.ready = len(found)

    def _return(self, lane: Lane) -> None:
        lane.queued = True
        heapq.heappush(self._returned, (lane.first().order, lane))
        self.ready += 1

    def _peek(self) -> Lane | None:
        """The ready lane with the oldest head."""
        if self._returned_first():
            return self._returned[0][1]
        return self._fresh[0] if self._fresh else None

    def _returned_first(self) -> bool:
        """Whether that is one of those that returned."""
        if not self._returned:
            return False
        return not self._fresh or self._returned[0][0] <= self._fresh[0].first().order

    def _pop(self) -> Lane:
        """The same, which is ready no more."""
        lane = heapq.heappop(self._returned)[1] if self._returned_first() else self._fresh.popleft()
        lane.queued = False
        self.ready -= 1
        return lane

    def _begin(self, lane: Lane, updates: list[Update]) -> None:
        """Add the next step of the lane to the updates: a step of a replay, or a new run of all that folds."""
        run = lane.run
        if run is not None:
            updates.extend(step_of(run, self._max_updates))
            return
        waiting = lane.waiting
        first = waiting[0]
        assignment = first.record.assignment
        if len(waiting) == 1 or not self._fold:
            run = lane.run = Run(lane.group, assignment, lane.take(1))
            updates.append(Update(run, first.verb, first.json, 0, 1))
            run.began(1)
            return
        count = deleting(waiting, assignment, lane.deleted)
        if count:
            last = waiting[count - 1]
            run = lane.run = Run(lane.group, assignment, lane.take(count))
            updates.append(Update(run, last.verb, last.json, 0, count))  # its own update says all of the run
            run.began(1)
            return
        folded = fold_waiting(waiting, assignment, self._max_updates)
        run = lane.run = Run(lane.group, assignment, lane.take(folded.end))
        updates.extend(folded.updates(run, 0))

    def _put_back(self, lane: Lane, updates: list[Update], replaying: bool) -> None:
        """Undo `_pop` and `_begin`: the lane is first again."""
        run = lane.run
        assert run is not None
        run.unbegun(len(updates))
        if replaying:
            assert run.blame is not None
            run.blame.put_back()
        else:
            lane.waiting[:0] = run.entries
            lane.run = None
        lane.queued = True
        self._fresh.appendleft(lane)
        self.ready += 1


def by_order(item: tuple[int, Lane]) -> int:
    """The order of a lane's head."""
    return item[0]
