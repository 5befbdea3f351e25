"""Order per group, and batches that are full all the same.

A lane is the queue of one group. It is idle, or one run of it is under way; then the rest of it waits. A
batch drains idle lanes, the one with the oldest waiting record first. There is no number of lanes to tune:
a lane exists while its group has something open, and is forgotten after.
"""

import heapq
from collections import deque
from typing import final

from consumer.core.encode import update_json
from consumer.core.fold import Fold, creates, restricted
from consumer.core.model import ADD, DELETE, UNSET, Assignment, Operation, Record


@final
class Entry:
    """One record that waits in its lane, or is part of a run. `order` rises with every record admitted."""

    __slots__ = ("operation", "order", "record")

    def __init__(self, record: Record, operation: Operation, order: int) -> None:
        self.record = record
        self.operation = operation
        self.order = order


@final
class Lane:
    """The queue of one group. `run` is what is under way; `queued` whether a batch may take from it."""

    __slots__ = ("group", "queued", "run", "waiting")

    def __init__(self, group: tuple[str, str]) -> None:
        self.group = group
        self.waiting: list[Entry] = []
        self.run: Run | None = None
        self.queued = False


@final
class Run:
    """The front of a lane, of one assignment, folded into updates that go out together.

    `undecided` counts the updates without a verdict, `flying` those in a request right now. When an update
    that several records made is refused, the run is replayed: its operations go again one at a time,
    restricted to what the refused updates owned.
    """

    __slots__ = (
        "assignment",
        "created",
        "entries",
        "flying",
        "lane",
        "live",
        "refused",
        "rejected",
        "replay",
        "undecided",
    )

    def __init__(self, lane: Lane, assignment: Assignment, entries: list[Entry]) -> None:
        self.lane = lane
        self.assignment = assignment
        self.entries = entries
        self.undecided = 0
        self.flying = 0
        self.refused: list[Update] = []
        self.replay: deque[tuple[Entry, Operation]] = deque()
        self.rejected: set[int] = set()  # offsets that are dead letters already
        self.created = False  # an update that creates a missing profile was accepted
        self.live = True

    def contributors(self, update: "Update") -> list[Entry]:
        """The records whose operations the update may stem from."""
        if update.entry is not None:
            return [update.entry]
        if update.operation.verb == DELETE:
            return self.entries
        owned = update.operation.values
        found: list[Entry] = []
        for entry in self.entries:
            values = entry.operation.values
            for name in owned:
                if name in values:
                    found.append(entry)
                    break
        return found

    def adders(self, update: "Update") -> list[Entry]:
        """The records whose `$add`s the update carries."""
        return [entry for entry in self.contributors(update) if entry.operation.verb == ADD]

    def plan_replay(self) -> None:
        """Queue what the refused updates owned, record by record, in order; nothing else is sent again."""
        owned: set[str] | None = set()
        for update in self.refused:
            if update.operation.verb == DELETE:
                owned = None
                break
            assert owned is not None
            owned.update(update.operation.values)
        for entry in self.entries:
            if entry.record.offset in self.rejected:
                continue
            part = restricted(entry.operation, owned)
            if part is not None:
                self.replay.append((entry, part))
        self.refused = []

    def plan_creation(self) -> None:
        """Queue what an `$unset` absorbed, where it alone is left to create the profile; at most once.

        After SET{bad}, SET{a}, UNSET[a] the profile exists without a property, though SET{bad} was refused.
        """
        if self.created or not self.rejected:
            return
        self.created = True
        absorbed: set[str] = set()
        for entry in self.entries:
            if entry.operation.verb == UNSET:
                absorbed.update(entry.operation.values)
        for entry in self.entries:
            if entry.record.offset in self.rejected:
                continue
            part = restricted(entry.operation, absorbed)
            if part is not None and (self.replay or creates(part.verb)):
                self.replay.append((entry, part))


@final
class Update:
    """One JSON object for Mixpanel. `entry` is the record that it is alone the making of, else None."""

    __slots__ = ("entry", "error", "operation", "run", "status")

    def __init__(self, run: Run, operation: Operation, entry: Entry | None) -> None:
        self.run = run
        self.operation = operation
        self.entry = entry
        self.status = 0  # of the answer that refused it
        self.error = ""  # Mixpanel's words


@final
class Lanes:
    """All groups with something open. `ready` counts the lanes that a batch may take from."""

    __slots__ = ("_fold", "_fresh", "_lanes", "_max_updates", "_returned", "_token", "ready")

    def __init__(self, token: str, max_updates: int, fold: bool) -> None:
        self._token = token
        self._max_updates = max_updates
        self._fold = fold
        self._lanes: dict[tuple[str, str], Lane] = {}
        # Ready lanes in the order of their heads: new ones come in order, those that return out of it.
        self._fresh: deque[Lane] = deque()
        self._returned: list[tuple[int, Lane]] = []
        self.ready = 0

    def __len__(self) -> int:
        return len(self._lanes)

    def push(self, entry: Entry) -> None:
        """Let the record wait behind its group's others."""
        operation = entry.operation
        group = (operation.group_key, operation.group_id)
        lane = self._lanes.get(group)
        if lane is None:
            lane = self._lanes[group] = Lane(group)
        lane.waiting.append(entry)
        if not lane.queued and lane.run is None:
            lane.queued = True
            self._fresh.append(lane)
            self.ready += 1

    def oldest(self) -> float:
        """When the oldest record that a batch may take was polled; -1 where there is none."""
        lane = self._peek()
        if lane is None:
            return -1.0
        if lane.run is not None:
            return lane.run.replay[0][0].record.polled_at
        return lane.waiting[0].record.polled_at

    def take(self, max_bytes: int) -> tuple[list[Update], bytes]:
        """Drain idle lanes into one batch, oldest head first: its updates, and the body to send.

        At most `max_updates` updates, and `max_bytes` bytes unless a single run is larger.
        """
        updates: list[Update] = []
        body = bytearray(b"[")
        while self.ready and len(updates) < self._max_updates:
            lane = self._pop()
            began = self._begin(lane)
            size = len(body)
            for update in began:
                body += update_json(update.operation, self._token)
                body += b","
            if updates and (len(body) > max_bytes or len(updates) + len(began) > self._max_updates):
                del body[size:]
                self._put_back(lane)
                break
            for update in began:
                update.run.undecided += 1
            updates.extend(began)
        body[-1:] = b"]"
        return updates, bytes(body)

    def replay(self, run: Run) -> None:
        """Send the next step of the run's replay with one of the next batches."""
        self._return(run.lane, run.replay[0][0].order)

    def release(self, run: Run) -> None:
        """The run is over: what waited behind it is ready, or the group is forgotten."""
        lane = run.lane
        lane.run = None
        if lane.waiting:
            self._return(lane, lane.waiting[0].order)
        else:
            del self._lanes[lane.group]

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
        if lane.run is not None:
            return lane.run.replay[0][0].order if lane.run.replay else -1
        return lane.waiting[0].order if lane.waiting else -1

    def _return(self, lane: Lane, order: int) -> None:
        lane.queued = True
        heapq.heappush(self._returned, (order, lane))
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

    def _begin(self, lane: Lane) -> list[Update]:
        """The next step of the lane: one step of a replay, or a new run of all that folds."""
        if lane.run is not None:
            entry, part = lane.run.replay[0]
            return [Update(lane.run, part, entry)]
        waiting = lane.waiting
        first = waiting[0]
        assignment = first.record.assignment
        count = 1
        folded: Fold | None = None
        if self._fold and len(waiting) > 1:
            folded = Fold(self._max_updates)
            folded.add(first.operation, first.record.size)
            while count < len(waiting):
                entry = waiting[count]
                if entry.record.assignment is not assignment:
                    break
                if not folded.add(entry.operation, entry.record.size):
                    break
                count += 1
        run = Run(lane, assignment, waiting[:count])
        lane.run = run
        del waiting[:count]
        if count == 1 or folded is None:
            return [Update(run, first.operation, first)]
        return [Update(run, operation, None) for operation in folded.updates(lane.group[0], lane.group[1])]

    def _put_back(self, lane: Lane) -> None:
        """Undo `_pop` and `_begin`: the lane is first again."""
        run = lane.run
        assert run is not None
        if not run.replay:
            lane.waiting[:0] = run.entries
            lane.run = None
        lane.queued = True
        self._fresh.appendleft(lane)
        self.ready += 1


def by_order(item: tuple[int, Lane]) -> int:
    """The order of a lane's head."""
    return item[0]
