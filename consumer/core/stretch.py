"""A stretch of one group's entries becomes updates: the front of a lane, or a step of a replay."""

from consumer.core.entry import Update
from consumer.core.fold import Fold, restricted
from consumer.core.model import Group
from consumer.core.runs import Run
from consumer.event.encode import tail_with, values_of
from consumer.event.model import DELETE


def front_of(run: Run, max_updates: int) -> list[Update]:
    """The run begins with as many entries from its front as go together: the updates that they make."""
    entries = run.entries
    count = deleting(run)
    if count:
        last = entries[count - 1]
        return begun(run, count, [Update(last.verb, last.json, 0, count)])  # its own update says all of the run
    fold = Fold(max_updates)
    for entry in entries:
        if entry.record.assignment is not run.assignment:
            break
        if not fold.add(entry.verb, values_of(entry.json, entry.verb), len(entry.json)):
            break
        count += 1
    if count == 1:
        return begun(run, 1, [entries[0]])
    return begun(run, count, updates_of(fold, run.group, 0, count))


def begun(run: Run, count: int, updates: list[Update]) -> list[Update]:
    """The run began with so many of its entries, and these updates."""
    run.begin(count)
    for update in updates:
        run.made(update)
    return updates


def deleting(run: Run) -> int:
    """How many of the entries the last `$delete` among them replaces, itself included; 0 without one.

    What a barrier would part is one run all the same, where the group is deleted after it.
    """
    count = 0
    for place, entry in enumerate(run.entries):
        if entry.order > run.deleted or entry.record.assignment is not run.assignment:
            break
        if entry.verb == DELETE:
            count = place + 1
    return count


def updates_of(fold: Fold, group: Group, start: int, end: int) -> list[Update]:
    """What was folded of the group's entries from `start` up to `end`, as updates."""
    return [Update(verb, tail_with(group, verb, values), start, end) for verb, values in fold.updates()]


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
            update = Update(DELETE, run.entries[place].json, step.start, place + 1)
            run.made(update)
            return [update]
    fold = Fold(max_updates, keeps_creation=False)
    end = step.end
    for place in range(step.start, step.end):
        if place in blame.rejected:
            continue
        entry = run.entries[place]
        values = restricted(values_of(entry.json, entry.verb), names)
        if values is None:
            continue
        if not fold.add(entry.verb, values, len(entry.json)):
            end = place
            blame.push(place, step.end, step.owned)
            break
    updates = updates_of(fold, run.group, step.start, end)
    for update in updates:
        run.made(update)
    return updates


def last_delete(run: Run, start: int, end: int) -> int:
    """The place of the last `$delete` of the stretch that is not refused; -1 where there is none."""
    assert run.blame is not None
    for place in range(end - 1, start - 1, -1):
        if run.entries[place].verb == DELETE and place not in run.blame.rejected:
            return place
    return -1
