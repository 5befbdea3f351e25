"""Order per group, and batches that are full all the same.

A lane is the queue of one group. It is idle, or one run of it is under way; then the rest of it waits. A
batch drains idle lanes, the one with the oldest waiting record first. There is no number of lanes to tune:
a lane exists while its group has something open, and is forgotten after.
"""

import heapq
from collections import deque
from typing import final

from consumer.core.fold import Fold
from consumer.core.model import Assignment, Record
from consumer.core.runs import Entry, Lane, Run, Update
from consumer.event.encode import opening_of, operation_of, update_after
from consumer.event.model import DELETE, Operation


@final
class Lanes:
    """All groups with something open. `ready` counts the lanes that a batch may take from."""

    __slots__ = ("_fold", "_fresh", "_lanes", "_max_updates", "_opening", "_returned", "ready")

    def __init__(self, token: str, max_updates: int, fold: bool) -> None:
        self._opening = opening_of(token)
        self._max_updates = max_updates
        self._fold = fold
        self._lanes: dict[tuple[str, str], Lane] = {}
        # Ready lanes in the order of their heads: new ones come in order, those that return out of it.
        self._fresh: deque[Lane] = deque()
        self._returned: list[tuple[int, Lane]] = []
        self.ready = 0

    def __len__(self) -> int:
        return len(self._lanes)

    def push(self, record: Record, operation: Operation, order: int) -> Entry:
        """Let the record wait behind its group's others. `order` is above that of any record before."""
        entry = Entry(record, operation.verb, update_after(self._opening, operation), order)
        group = (operation.group_key, operation.group_id)
        lane = self._lanes.get(group)
        if lane is None:
            lane = self._lanes[group] = Lane(group)
        lane.waiting.append(entry)
        if operation.verb == DELETE:
            lane.deleted = order
        if not lane.queued and lane.run is None:
            lane.queued = True
            self._fresh.append(lane)
            self.ready += 1
        return entry

    def oldest(self) -> float:
        """When the oldest record that a batch may take was polled; -1 where there is none."""
        lane = self._peek()
        if lane is None:
            return -1.0
        return self._first(lane).record.polled_at

    def take(self, max_bytes: int) -> list[Update]:
        """Drain idle lanes into one batch, oldest head first.

        At most `max_updates` updates, and `max_bytes` bytes unless a single run is larger.
        """
        updates: list[Update] = []
        size = 1
        while self.ready and len(updates) < self._max_updates:
            lane = self._pop()
            taken = len(updates)
            run = self._begin(lane, updates)
            for place in range(taken, len(updates)):
                size += len(updates[place].json) + 1
            if taken and (size > max_bytes or len(updates) > self._max_updates):
                del updates[taken:]
                self._put_back(lane)
                break
            run.undecided += len(updates) - taken
        return updates

    def replay(self, run: Run) -> None:
        """Send the next step of the run's replay with one of the next batches."""
        self._return(run.lane)

    def release(self, run: Run) -> None:
        """The run is over: what waited behind it is ready, or the group is forgotten."""
        lane = run.lane
        lane.run = None
        if lane.waiting:
            self._return(lane)
        else:
            del self._lanes[lane.group]

    def runs(self) -> list[Run]:
        """Everything that is under way."""
        return [lane.run for lane in self._lanes.values() if lane.run is not None]

    def strip(self, bounds: dict[Assignment, int]) -> list[Entry]:
        """Forget waiting records of these assignments at or above the bound of each; return them."""
        dropped: list[Entry] = []
        for lane in list(self._lanes.values()):
            if lane.run is not None and not lane.run.live and lane.queued:
                lane.run = None  # revoked between two steps of a replay
            kept: list[Entry] = []
            for entry in lane.waiting:
                bound = bounds.get(entry.record.assignment)
                if bound is not None and entry.record.offset >= bound:
                    dropped.append(entry)
                else:
                    kept.append(entry)
            lane.waiting = kept
            if not kept and lane.run is None:
                del self._lanes[lane.group]
        self._requeue()
        return dropped

    def _requeue(self) -> None:
        """Build the queue of ready lanes anew, in order."""
        found: list[tuple[int, Lane]] = []
        for lane in self._lanes.values():
            order = self._head(lane)
            lane.queued = order >= 0 and (lane.run is None or lane.queued)
            if lane.queued:
                found.append((order, lane))
        self._fresh = deque([lane for _, lane in sorted(found, key=by_order)])
        self._returned = []
        self.ready = len(found)

    def _head(self, lane: Lane) -> int:
        """The order of what a batch would take from the lane; -1 for nothing."""
        if lane.run is None:
            return lane.waiting[0].order if lane.waiting else -1
        step = lane.run.next_step()
        return step[0].order if step is not None else -1

    def _first(self, lane: Lane) -> Entry:
        """The entry that a batch would take first from this ready lane."""
        if lane.run is None:
            return lane.waiting[0]
        step = lane.run.next_step()
        assert step is not None
        return step[0]

    def _return(self, lane: Lane) -> None:
        lane.queued = True
        heapq.heappush(self._returned, (self._first(lane).order, lane))
        self.ready += 1

    def _peek(self) -> Lane | None:
        """The ready lane with the oldest head."""
        if not self._returned:
            return self._fresh[0] if self._fresh else None
        order, lane = self._returned[0]
        if self._fresh and self._head(self._fresh[0]) < order:
            return self._fresh[0]
        return lane

    def _pop(self) -> Lane:
        lane = self._peek()
        assert lane is not None
        if self._fresh and self._fresh[0] is lane:
            self._fresh.popleft()
        else:
            heapq.heappop(self._returned)
        lane.queued = False
        self.ready -= 1
        return lane

    def _begin(self, lane: Lane, updates: list[Update]) -> Run:
        """Add the next step of the lane to the updates: a step of a replay, or a new run of all that folds."""
        run = lane.run
        if run is not None:
            step = run.next_step()
            assert step is not None
            updates.append(self._update(run, step[1], step[0]))
            return run
        waiting = lane.waiting
        first = waiting[0]
        assignment = first.record.assignment
        if len(waiting) == 1 or not self._fold:
            run = lane.run = Run(lane, assignment, self._front(lane, 1))
            updates.append(Update(run, first.verb, first.json, first))
            return run
        count = self._deleted(lane, assignment)
        folded: list[Operation] = []
        if not count:
            count, folded = self._folded(lane, assignment)
        last = waiting[count - 1]
        run = lane.run = Run(lane, assignment, self._front(lane, count))
        if count == 1 or last.verb == DELETE:  # its own update says all of the run
            updates.append(Update(run, last.verb, last.json, last if count == 1 else None))
            return run
        for operation in folded:
            updates.append(self._update(run, operation, None))  # noqa: PERF401  # compiled, the loop is the fastest
        return run

    def _update(self, run: Run, operation: Operation, entry: Entry | None) -> Update:
        return Update(run, operation.verb, update_after(self._opening, operation), entry)

    def _folded(self, lane: Lane, assignment: Assignment) -> tuple[int, list[Operation]]:
        """How many of the waiting entries make one run, and what they fold to."""
        waiting = lane.waiting
        count = 0
        folded = Fold(self._max_updates)
        for entry in waiting:
            if entry.record.assignment is not assignment:
                break
            if not folded.add(operation_of(entry.json), entry.record.size):
                break
            count += 1
        return count, folded.updates(lane.group[0], lane.group[1])

    def _deleted(self, lane: Lane, assignment: Assignment) -> int:
        """How many of the waiting entries the last `$delete` among them replaces, itself included; 0 without one.

        What a barrier would part is one run all the same, where the group is deleted after it.
        """
        count = 0
        for place, entry in enumerate(lane.waiting):
            if entry.order > lane.deleted or entry.record.assignment is not assignment:
                break
            if entry.verb == DELETE:
                count = place + 1
        return count

    def _front(self, lane: Lane, count: int) -> list[Entry]:
        """Take the first entries out of the lane."""
        waiting = lane.waiting
        if count == len(waiting):
            lane.waiting = []
            return waiting
        front = waiting[:count]
        del waiting[:count]
        return front

    def _put_back(self, lane: Lane) -> None:
        """Undo `_pop` and `_begin`: the lane is first again."""
        run = lane.run
        assert run is not None
        if run.next_step() is None:
            lane.waiting[:0] = run.entries
            lane.run = None
        lane.queued = True
        self._fresh.appendleft(lane)
        self.ready += 1


def by_order(item: tuple[int, Lane]) -> int:
    """The order of a lane's head."""
    return item[0]
