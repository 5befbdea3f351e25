"""The promises, checked at every step, by what was read, sent, told, applied and committed.

    1 contiguous commit     committing, committed
    2 order per group       sending (`order.py`)
    3 no array order        sending (`order.py`); requests are applied in random order
    4 revoked partitions    sending
    5 bounded memory        read
    6 classes of fault      sending (`pace.py`), lettering
    7 dead letters block    committing
    8 flood                 `isolated.py`
    9 ambiguity             applied, sending (`pace.py`), lettering

What the end state must be is in `ending.py`.
"""

from collections.abc import Mapping
from typing import Any

from consumer.core.limits import Limits
from consumer.core.model import Assignment, DeadLetter, Record

from .caps import check_caps
from .cost import check_blame, count_blame
from .ledger import Epoch, Item
from .memory import check_memory
from .mixpanel import AGAIN, CAPACITY, HALT, PARTIAL, TAKEN, Request
from .order import carried, check_commute, check_order
from .pace import AT_ONCE, check_alone, check_pace, check_share, check_wait
from .traffic import Meant, Partition, changed_by
from .world import Violation, World

# A request that is told so often to slow down, one time after the other, may be meant alone.
SAME_CAPACITY = 4


class Oracle:
    """Knows everything that happened, and says where a promise was broken."""

    def __init__(self, world: World, history: Any) -> None:
        self.world = world
        self.history = history
        self.meant: dict[Partition, dict[int, Meant]] = {}
        self.epochs: list[Epoch] = []
        self.live: dict[Assignment, Epoch] = {}
        self.letters: list[tuple[Item, DeadLetter]] = []
        self.applications: dict[int, int] = {}  # of each record, over all epochs
        self.accepted: set[int] = set()  # records that an owner heard to be so
        self.readers: dict[int, set[Epoch]] = {}  # of each record, the epochs that read it
        self.absorbed: set[int] = set()  # $adds that a $delete made needless
        self.applied_in: dict[str, list[tuple[int, int, Request]]] = {}  # group: epoch, request
        self.unsure: set[str] = set()  # groups that a late application may have left in an older state
        self.requests = 0

    def fail(self, promise: int, words: str) -> Violation:
        """A broken promise."""
        return Violation(f"promise {promise}: {words}")

    # Partitions and records.

    def woke(self, instance: Any) -> None:
        """The instance was frozen for so long that it must ask the group; what it lost is another's already."""
        for epoch in self.live.values():
            if epoch.instance is instance and self.history.broker.owners.get(epoch.partition) is not instance:
                epoch.stale = True

    def assigned(self, instance: Any, assignment: Assignment, partition: Partition, start: int) -> None:
        """A new epoch."""
        epoch = Epoch(len(self.epochs) + 1, instance, assignment, partition, start)
        self.epochs.append(epoch)
        self.live[assignment] = epoch

    def draining(self, epochs: list[Epoch]) -> None:
        """A drain begins: from now on only gaps below what was sent are closed."""
        for epoch in epochs:
            sent = max([item.meant.offset for item in epoch.order if item.run is not None], default=-1)
            epoch.bound = max(sent, epoch.instance.announcing_up_to(epoch.assignment))

    def ended(self, assignments: list[Assignment], lost: bool) -> None:
        """These epochs are over: the callback returned."""
        for assignment in assignments:
            epoch = self.live.pop(assignment, None)
            if epoch is not None:
                check_blame(self, epoch)
                epoch.live = False
                epoch.lost = lost

    def read(self, instance: Any, records: list[Record]) -> None:
        """The loop is given these records."""
        if not records:
            return
        for record in records:
            epoch = self.live.get(record.assignment)
            if epoch is None:
                raise self.fail(4, f"a record of {record.assignment} was read after it was revoked")
            if epoch in instance.barred:
                raise self.fail(5, f"{instance} reads on from {epoch}, and was at its limit at the last pause")
            item = epoch.read(self.meant[epoch.partition][record.timestamp], self.world.now)
            self.readers.setdefault(item.meant.number, set()).add(epoch)
            if self._left_out(item):
                self._accepted(item)  # or else named, which makes it open again

    def end_reached(self, assignment: Assignment, end: int) -> None:
        """The loop hears that the partition has no record before this offset but those that it was given."""
        epoch = self.live.get(assignment)
        if epoch is not None:
            epoch.reach(end, self.world.now)

    def pausing(self, instance: Any) -> None:
        """The loop says what it pauses: at the limit nothing may be read of what it has now."""
        mine = [epoch for epoch in self.live.values() if epoch.instance is instance]
        limits = instance.limits
        instance.barred = set()
        if at_limit(mine, limits):
            mine = [epoch for epoch in mine if not instance.stands(epoch)]
            if at_limit(mine, limits):
                instance.barred = set(mine)

    # Requests.

    def sending(self, request: Request) -> None:
        """A request starts."""
        instance = request.sender
        self.requests += 1
        if len(instance.flying) > instance.limits.max_in_flight:
            raise self.fail(6, f"{instance} has more than {instance.limits.max_in_flight} requests in flight")
        check_pace(self, request)
        check_share(self, request)
        by_group: dict[str, list[int]] = {}
        for index, update in enumerate(request.updates):
            by_group.setdefault(changed_by(update), []).append(index)
        request.covers = [[] for _ in request.updates]
        for group, indexes in by_group.items():
            for other in instance.flying:
                if other is not request and any(changed_by(update) == group for update in other.updates):
                    raise self.fail(2, f"{group} is in two requests at once: {other.number} and {request.number}")
            check_commute(self, request, [request.updates[index] for index in indexes])
            epoch = self._epoch_of(instance, group, request)
            request.epochs[group] = epoch.number
            request.assignments[group] = epoch.assignment
            covered: list[Item] = []
            for index in indexes:
                items = carried(self, epoch, group, request, index)
                request.covers[index] = items
                if "$add" in request.updates[index]:
                    check_alone(self, items, request)
                covered.extend(items)
            check_order(self, request, epoch, group, covered)
            count_blame(covered, request)
            for item in covered:
                check_wait(self, item, request)
                if epoch.bound is not None and item.meant.offset > epoch.bound:
                    raise self.fail(4, f"{item} is sent in a drain, and closes no gap: {epoch.bound} was the highest")
                item.run = item.run or request
                item.request = request

    def _epoch_of(self, instance: Any, group: str, request: Request) -> Epoch:
        partition = self.history.groups[group]
        for epoch in self.live.values():
            if epoch.partition == partition and epoch.instance is instance:
                if epoch.stale:
                    raise self.fail(
                        4, f"request {request.number} of {epoch} starts after a sleep in which it was lost"
                    )
                return epoch
        raise self.fail(4, f"request {request.number} with {group} starts, and {partition} is not {instance}'s")

    def applied(self, request: Request, indexes: list[int]) -> None:
        """Mixpanel applied these updates of the request."""
        for index in indexes:
            update = request.updates[index]
            group = changed_by(update)
            key = (request.epochs[group], request.number, request)
            for other in self.applied_in.get(group, ()):
                if other[2] is request or (other[0] <= key[0] and other[1] < key[1]):
                    continue
                self.unsure.add(group)
                first = request if request.number < other[2].number else other[2]
                if key[0] == other[0] and not first.given_up:
                    raise self.fail(2, f"{group}: request {first.number} is applied after a later one")
            self.applied_in.setdefault(group, []).append(key)
            for item in request.covers[index]:
                if "$delete" not in update:
                    self._count(item, request)
                elif item.meant.verb == "$add":
                    self.absorbed.add(item.meant.number)

    def _count(self, item: Item, request: Request) -> None:
        number = item.meant.number
        self.applications[number] = self.applications.get(number, 0) + 1
        if item.meant.verb != "$add":
            return
        item.epoch.adds[number] = item.epoch.adds.get(number, 0) + 1
        if self.history.journaling and self.applications[number] > 1:
            raise self.fail(
                9, f"{item} was applied {self.applications[number]} times, through the end of an instance"
            )
        allowed = request.sender.limits.resend_adds and item.meant.group in item.epoch.unknown_adds
        if item.epoch.adds[number] > 1 and not allowed:
            raise self.fail(9, f"{item} was applied {item.epoch.adds[number]} times in one epoch")

    def told(self, request: Request) -> None:
        """The loop took the answer out of its queue."""
        instance, now = request.sender, self.world.now
        pace = instance.paces[request.project]
        request.told_at = now
        pace.answers.heard(request)
        pace.body.heard(request, now)
        fault = request.told in (HALT, AGAIN, CAPACITY)
        pace.failed = pace.failed or fault
        if not request.suspect or not fault:
            pace.ill, pace.answered = fault, True
        if request.told in (HALT, AGAIN):
            request.failures = request.batch.history.attempts + 1
        if request.told == HALT:
            if request is pace.probe:
                pace.probe_after = now + 5.0
            elif not instance.is_halted(request.project):
                pace.probe_after = now + AT_ONCE
            if not request.batch.history.cause and not request.suspect:
                pace.must_halt = True
        elif request.told == CAPACITY:
            again = request.batch.history.same + 1 if request.batch.history.cause in ("429", "503") else 1
            if again < (2 if request.suspect else SAME_CAPACITY):  # else it may be the request's own, by itself
                pace.slow_until = max(pace.slow_until, now + request.wait)
                pace.slow_at_most = max(pace.slow_at_most, now + (request.asked or longest_wait(request)))
        if request.told == AGAIN:
            if request is pace.probe:
                pace.probe_after = now + 5.0
        elif request.told not in (HALT, CAPACITY):
            pace.well_at = now
            pace.must_halt = False
        if request.unknown:
            for update in request.updates:
                epoch = self.live.get(request.assignments[changed_by(update)])
                if "$add" in update and epoch is not None:
                    epoch.unknown_adds.add(changed_by(update))
        for index in request.accepted:
            for item in request.covers[index]:
                self._accepted(item)
        if request.told not in (TAKEN, PARTIAL) and len(request.updates) > 1:
            for items in request.covers:
                for item in items:
                    item.steps.add(request)
        for index in request.refused:
            items = request.covers[index]
            for item in items:
                item.again = item.again or len(items) > 1

    def _accepted(self, item: Item) -> None:
        if item.lettered:
            return
        item.decided = True
        self.accepted.add(item.meant.number)
        if not item.accepted:
            item.accepted = True
            item.epoch.settle(item, self.world.now)
        for epoch in self.live.values():  # an owner that was thrown out hears it after the next one has read it
            twin = epoch.items.get(item.meant.number)
            if twin is not None and not twin.accepted and twin.run is None and self._left_out(twin):
                self._accepted(twin)

    def _left_out(self, item: Item) -> bool:
        """Whether the journal calls the record's $add applied, so that its new owner leaves it out."""
        number = item.meant.number
        applied = item.meant.verb == "$add" and number in self.accepted and number in self.applications
        return self.history.journaling and applied

    # Dead letters.

    def lettering(self, instance: Any, letter: DeadLetter) -> None:
        """A dead letter is handed to its producer."""
        epoch = self.live.get(letter.record.assignment)
        if epoch is None:
            raise self.fail(4, f"a dead letter of {letter.record} is produced after the revoke")
        item = epoch.items[letter.record.timestamp]
        if item.lettered:
            raise self.fail(6, f"{item} becomes a second dead letter: {item.lettered}, then {letter.reason}")
        self._check_reason(item, letter)
        item.lettered = letter.reason
        item.decided = True
        if item.accepted:
            item.accepted = False  # a part of it was; the letter decides
            epoch.open += 1
        self.letters.append((item, letter))

    def _check_reason(self, item: Item, letter: DeadLetter) -> None:
        """The reason is the truth, and never a fault that passes."""
        meant, reason = item.meant, letter.reason
        right = reason == meant.verdict
        if meant.verdict == "late":
            right = reason == "unknown_schema"
        elif reason == "rejected":
            right = meant.verdict == "bad"
        elif reason == "too_large":
            right = meant.size > self.history.mixpanel.limit
        elif reason == "ambiguous_add":
            unknown = meant.group in item.epoch.unknown_adds
            if self.history.journaling:
                unknown = unknown or len(self.readers[meant.number]) > 1  # one that stood still announces late
            right = meant.verb == "$add" and not epoch_resends(item) and unknown
        if not right:
            raise self.fail(
                6, f"{item}, {meant.verdict}, becomes a dead letter: {reason} {letter.detail} {letter.error}"
            )

    def confirmed(self, letter: DeadLetter) -> None:
        """The loop heard that the letter is written."""
        epoch = self.live.get(letter.record.assignment)
        if epoch is None:
            return
        item = epoch.items[letter.record.timestamp]
        if not item.confirmed:
            item.confirmed = True
            epoch.settle(item, self.world.now)

    # Commits.

    def committing(self, instance: Any, offsets: Mapping[Assignment, int]) -> None:
        """The loop asks for this commit."""
        for assignment, offset in offsets.items():
            epoch = self.live.get(assignment)
            if epoch is None:
                raise self.fail(4, f"{assignment} is committed after it was revoked")
            stuck = epoch.order[epoch.settled] if epoch.settled < len(epoch.order) else None
            if offset > (stuck.meant.offset if stuck else epoch.committable):
                raise self.fail(1, f"{epoch} commits {offset}, and {stuck or 'no more'} is not settled")
            if offset < epoch.committed:
                raise self.fail(1, f"{epoch} commits {offset} after {epoch.committed}")
            epoch.committed = offset

    def turned(self, instance: Any) -> None:
        """A turn is over: what is settled is committed within a second, where nothing else is going on."""
        now = self.world.now
        check_caps(self, instance)
        if self.history.full:
            check_memory(self, instance)
        if self.history.alone:
            instance.heads.turned(self, instance)
        for project, pace in instance.paces.items():
            if pace.must_halt and not instance.is_halted(project):
                raise self.fail(6, f"{instance} was refused everything for the first time, and goes on")
            pace.must_halt = False
        for epoch in self.live.values():
            if (
                epoch.instance is not instance
                or epoch.committed >= epoch.committable
                or epoch.committable == epoch.start
            ):
                continue
            since = max(epoch.committable_since, instance.busy_at)
            if now - since > 1.5 + 2 * instance.oversleep and not instance.waits():
                raise self.fail(
                    1, f"{epoch} could commit {epoch.committable} for {now - since:.1f} s, not {epoch.committed}"
                )


def longest_wait(request: Request) -> float:
    """How long a project waits at most that is told to, and not for how long."""
    return min(60.0, 2.0 ** (request.batch.history.attempts + 1)) + 5.0


def at_limit(epochs: list[Epoch], limits: Limits) -> bool:
    """Whether these have as many open records, or bytes, as may be: half more where one of several projects fails."""
    share = 1.5 if epochs and len(epochs[0].instance.paces) > 1 else 1.0
    records, size = sum([epoch.open for epoch in epochs]), sum([epoch.open_bytes for epoch in epochs])
    return records >= limits.open_records * share or size >= limits.open_bytes * share


def epoch_resends(item: Item) -> bool:
    """Whether the instance of the record resends its $adds."""
    return bool(item.epoch.instance.limits.resend_adds)
