"""A stretch of one group's entries becomes updates: the front of a lane, or a step of a replay."""

from typing import final

from consumer.core.fold import Fold, restricted
from consumer.core.model import Assignment
from consumer.core.runs import Entry, Run, Update
from consumer.event.encode import operation_of, update_tail
from consumer.event.model import DELETE, Operation


@final
class Folded:
    """What the entries up to `end` make: their operations folded, or one update as its record has it."""

    __slots__ = ("_entry", "_operations", "end")

    def __init__(self, end: int, operations: list[Operation], entry: Entry | None) -> None:
        self.end = end
        self._operations = operations
        self._entry = entry

    def updates(self, run: Run, start: int) -> list[Update]:
        """The updates, of the run's entries from `start` up to the end; they have begun."""
        entry = self._entry
        if entry is not None:
            run.began(1)
            return [Update(run, entry.verb, entry.json, start, self.end)]
        made: list[Update] = []
        for operation in self._operations:
            made.append(Update(run, operation.verb, update_tail(operation), start, self.end))  # noqa: PERF401
        run.began(len(made))
        return made


def fold_waiting(waiting: list[Entry], assignment: Assignment, max_updates: int) -> Folded:
    """Fold as many entries from the front as make one run."""
    count = 0
    first = operation_of(waiting[0].json)
    fold = Fold(max_updates)
    for entry in waiting:
        if entry.record.assignment is not assignment:
            break
        operation = first if count == 0 else operation_of(entry.json)
        if not fold.add(operation, len(entry.json)):
            break
        count += 1
    if count == 1:
        return Folded(1, [], waiting[0])
    return Folded(count, fold.updates(first.group_key, first.group_id, first.company_id), None)


def deleting(waiting: list[Entry], assignment: Assignment, deleted: int) -> int:
    """How many of the waiting entries the last `$delete` among them replaces, itself included; 0 without one.

    What a barrier would part is one run all the same, where the group is deleted after it. `deleted` is the order
    of the lane's last `$delete`.
    """
    count = 0
    for place, entry in enumerate(waiting):
        if entry.order > deleted or entry.record.assignment is not assignment:
            break
        if entry.verb == DELETE:
            count = place + 1
    return count


def step_of(run: Run, max_updates: int) -> list[Update]:
    """The updates of the run's next step. What does not fold with the rest of it is a step of its own, the next.

    What only the profile's creation made a barrier is none here: creation is seen to when all steps are through.
    """
    blame = run.blame
    assert blame is not None
    step = blame.take_step()
    names = step.names()
    if names is None:
        place = last_delete(run, step.start, step.end)
        if place >= 0:
            blame.push(place + 1, step.end, None)
            run.began(1)
            return [Update(run, DELETE, run.entries[place].json, step.start, place + 1)]
    fold = Fold(max_updates, keeps_creation=False)
    end = step.end
    first: Operation | None = None
    for place in range(step.start, step.end):
        if place in blame.rejected:
            continue
        entry = run.entries[place]
        part = restricted(operation_of(entry.json), names)
        if part is None:
            continue
        if not fold.add(part, len(entry.json)):
            end = place
            blame.push(place, step.end, step.owned)
            break
        first = first or part
    operations = fold.updates(first.group_key, first.group_id, first.company_id) if first is not None else []
    return Folded(end, operations, None).updates(run, step.start)


def last_delete(run: Run, start: int, end: int) -> int:
    """The place of the last `$delete` of the stretch that is not refused; -1 where there is none."""
    assert run.blame is not None
    for place in range(end - 1, start - 1, -1):
        if run.entries[place].verb == DELETE and place not in run.blame.rejected:
            return place
    return -1
