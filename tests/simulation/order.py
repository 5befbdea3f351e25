"""Order per group, read off the requests: what each carries, and whether it may go now."""

from typing import TYPE_CHECKING, Any

from consumer.core.entry import Update

from .ledger import Epoch, Item
from .mixpanel import Request
from .traffic import changed_by

if TYPE_CHECKING:
    from .oracle import Oracle


def carried(oracle: "Oracle", epoch: Epoch, group: str, request: Request, index: int) -> list[Item]:
    """The records that an update carries: by their marks; for a $delete, which has none, all up to a DELETE."""
    update = request.updates[index]
    if "$delete" in update:
        return deleted(oracle, epoch, group, request.batch.updates[index])
    found = []
    for name in said(update):
        if name[0] == "#":
            item = epoch.items.get(int(name[1:]))
            if item is None:
                raise oracle.fail(2, f"record {name[1:]} of {group} is sent, and {epoch} never read it")
            if item.decided:
                what = item.lettered or "accepted"
                raise oracle.fail(2, f"{item} is sent again, and is {what} already")
            found.append(item)
    return found


def said(update: dict[str, Any]) -> list[str]:
    """The properties that the update names."""
    for verb in ("$set", "$set_once", "$add", "$union", "$remove", "$unset"):
        if verb in update:
            return list(update[verb])
    return []


def deleted(oracle: "Oracle", epoch: Epoch, group: str, update: Update) -> list[Item]:
    """What a $delete absorbs: everything open up to the DELETE that its sender names as the last."""
    last = epoch.items[update.run.entries[update.end - 1].record.timestamp]
    if last.meant.verb != "$delete" or last.meant.group != group or last.decided:
        raise oracle.fail(2, f"{group} is deleted for {last}, which is no open DELETE of it")
    return [item for item in epoch.undecided(group) if item.index <= last.index]


def check_commute(oracle: "Oracle", request: Request, updates: list[dict[str, Any]]) -> None:
    """No two updates of one group in one request touch one property, but for $removes."""
    if len(updates) == 1:
        return
    seen: dict[str, str] = {}
    for update in updates:
        if "$delete" in update:
            raise oracle.fail(3, f"request {request.number} deletes {changed_by(update)} and does more to it")
        verb = next(key for key in update if key not in ("$token", "$group_key", "$group_id", "$company_id"))
        for name in said(update):
            if name in seen and not seen[name] == verb == "$remove":
                raise oracle.fail(3, f"request {request.number} has {seen[name]} and {verb} on one property")
            seen[name] = verb


def check_order(oracle: "Oracle", request: Request, epoch: Epoch, group: str, covered: list[Item]) -> None:
    """Nothing overtakes, nothing older follows something newer, and a replay goes one by one."""
    if not covered:
        return
    mine = set(covered)
    fresh = {item.run for item in covered}
    if len(fresh) > 1:
        raise oracle.fail(2, f"request {request.number} joins records of {group} that went out apart")
    (run,) = fresh
    last = max(covered, key=lambda item: item.index)
    first = min(covered, key=lambda item: item.index)
    for item in epoch.undecided(group):
        if item.index < last.index and item not in mine and (run is None or item.run is not run):
            raise oracle.fail(2, f"{last} overtakes {item}")
    for item in epoch.groups[group][first.index + 1 :]:
        if item not in mine and item.run is not None and item.run is not run:
            raise oracle.fail(2, f"{first} is sent after {item}")
    if any(item.again for item in covered):
        for item in epoch.undecided(group):
            if item.again and item.run is run and item.index < last.index and item not in mine:
                if item.steps & last.steps:
                    continue  # updates of one step, which commute: an answer did not say which it refused
                raise oracle.fail(2, f"the replay of {last} overtakes that of {item}")
