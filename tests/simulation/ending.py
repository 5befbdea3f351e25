"""What must hold once faults have stopped and everything is quiet.

The profiles equal the sandbox's model applied to the input, in order per group, less the dead-lettered records.
Where they may differ is said narrowly:

- a group that a request given up by its sender was applied to after a newer request: not compared;
- a property of an $add that was applied more or less than once over all epochs: not compared;
- a property of a record that became a dead letter after a part of it was applied: not compared. That happens where
  a later change replaced the bad value and was refused itself, and to a $remove, whose scalars may go out in several
  updates of which one is refused;
- lists of a group with records applied in two epochs: compared without their order, since `UNION a, REMOVE a,
  UNION a, UNION b` done twice moves `a` behind `b`;
- records that retention removed before they were accepted: their groups are not compared.
"""

from typing import TYPE_CHECKING, Any

import orjson

from consumer.sandbox.mixpanel.profiles import Profiles

from .ledger import Item
from .traffic import GROUP_KEY, Meant, parted, project_of, token_of
from .world import Violation

if TYPE_CHECKING:
    from .history import History


def check_ending(history: "History") -> None:
    """Everything is settled and committed, nothing is open, and the profiles are right."""
    check_quiet(history)
    check_profiles(history)


def check_quiet(history: "History") -> None:
    """Everything is settled and committed, and nothing is open."""
    for partition, log in history.broker.logs.items():
        if log.committed < log.end:
            raise Violation(f"ending: {partition} is committed up to {log.committed}, and ends at {log.end}")
    for instance in history.running():
        pipeline = instance.loop.pipeline
        records, size = pipeline.partitions.open_records(), pipeline.partitions.open_bytes()
        if (
            records
            or size
            or pipeline.destinations.in_flight()
            or len(pipeline.destinations.by_name["default"].dispatch.lanes)
        ):
            raise Violation(f"ending: {instance} keeps {records} records, {size} bytes")


def check_profiles(history: "History") -> None:
    """The profiles are those of the model."""
    fates = fates_of(history)
    lost = lost_to_retention(history, fates)
    for group in history.groups:
        if group not in history.oracle.unsure and group not in lost:
            check_profile(history, group, fates)


def fates_of(history: "History") -> dict[int, list[Item]]:
    """Each record in all its epochs."""
    fates: dict[int, list[Item]] = {}
    for epoch in history.oracle.epochs:
        for number, item in epoch.items.items():
            fates.setdefault(number, []).append(item)
    return fates


def lost_to_retention(history: "History", fates: dict[int, list[Item]]) -> set[str]:
    """Groups with a record that retention removed before it was settled."""
    gone = set()
    for log in history.broker.logs.values():
        for meant in log.records:
            settled = any(item.accepted or item.confirmed for item in fates.get(meant.number, []))
            if not settled:
                if meant.offset >= log.start:
                    raise Violation(
                        f"ending: record {meant.number} at {meant.partition}@{meant.offset} was never settled"
                    )
                gone.add(meant.group)
    return gone


def check_profile(history: "History", group: str, fates: dict[int, list[Item]]) -> None:
    """The profile of one group is the model's."""
    applications = history.oracle.applications
    model = Profiles()
    blurred: set[str] = set()
    epochs: set[int] = set()
    records = [meant for meant in history.broker.logs[history.groups[group]].records if meant.group == group]
    for meant in records:
        items = fates[meant.number]
        lettered = any(item.lettered for item in items)
        count = applications.get(meant.number, 0)
        absorbed = meant.number in history.oracle.absorbed
        partly = lettered and (count > 0 or meant.verb == "$remove")
        if partly or (meant.verb == "$add" and count != 1 and not (absorbed and count == 0)):
            if meant.verb == "$delete":
                return
            blurred.update(names_of(meant))
        if history.journaling and meant.verb == "$add" and not (count or lettered or absorbed):
            raise Violation(f"ending: {group}: the $add of record {meant.number} was not applied, and nobody said so")
        epochs.update(item.epoch.number for item in items if item.run is not None)
        if not lettered:
            words = model.apply(meant.update)
            assert words is None, words
    token = token_of(project_of(group))
    expected = model.get(token, GROUP_KEY, *parted(group))
    found = history.mixpanel.profiles.get(token, GROUP_KEY, *parted(group))
    if blurred and (expected is None or found is None):
        expected, found = expected or {}, found or {}
    ordered = len(epochs) < 2
    wanted, got = shown(expected, blurred, ordered), shown(found, blurred, ordered)
    if wanted != got:
        raise Violation(f"ending: {group}: {difference(wanted, got)}; not compared: {sorted(blurred)}")


def difference(wanted: Any, got: Any) -> str:
    """Where two profiles differ."""
    if wanted is None or got is None:
        return f"is {got}, and should be {wanted}"
    names = [name for name in wanted.keys() | got.keys() if wanted.get(name) != got.get(name)]
    return ", ".join(f"{name} is {got.get(name)}, and should be {wanted.get(name)}" for name in sorted(names))


def names_of(meant: Meant) -> list[str]:
    """The properties that the record names."""
    return list(meant.update[meant.verb])


def shown(properties: dict[str, Any] | None, blurred: set[str], ordered: bool) -> Any:
    """What is compared of a profile."""
    if properties is None:
        return None
    found = {}
    for name, value in properties.items():
        if name not in blurred:
            listed = isinstance(value, list) and not ordered
            found[name] = sorted(orjson.dumps(item) for item in value) if listed else orjson.dumps(value)
    return found
