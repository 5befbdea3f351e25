"""The broker: partitions with gaps and retention, committed offsets, and a group coordinator that moves partitions.

Three ways to move them, as the group protocols do: `eager` (everybody gives up everything first), `cooperative`
(only what moves is given up) and `consumer` (the same, member by member). A member that was thrown out does not
know it until it polls; what it commits until then is fenced.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .traffic import Meant, Partition
from .world import World


@dataclass
class Log:
    """One partition."""

    records: list[Meant] = field(default_factory=list)
    start: int = 0
    end: int = 0
    committed: int = -1
    metadata: str = ""  # of the commit

    def append(self, meant: Meant, gap: int) -> None:
        """The record at the end of the log, after a gap as compaction and transaction markers leave it."""
        meant.offset = self.end + gap
        self.end = meant.offset + 1
        self.records.append(meant)


@dataclass
class Member:
    """What the coordinator knows of one instance; `inbox` is what its next poll will tell it."""

    instance: Any
    inbox: list[tuple[str, list[Partition]]] = field(default_factory=list)
    revoking: set[Partition] = field(default_factory=set)
    behind: int = 0  # so many of its next commits waited behind the join, and are of the older generation


class Broker:
    """All topics, and one consumer group."""

    def __init__(self, world: World, partitions: list[Partition], protocol: str) -> None:
        self.logs = {partition: Log() for partition in partitions}
        self.owners: dict[Partition, Any] = {}
        self.protocol = protocol
        self.commit_faults = 0.0
        self.on_committed: Callable[[Partition, int], None] = lambda partition, offset: None
        self._world = world
        self._members: dict[Any, Member] = {}
        self._target: dict[Partition, Any] = {}
        self._preparing = False

    # Records.

    def append(self, meant: Meant) -> None:
        """A producer wrote it."""
        random = self._world.random
        log = self.logs[meant.partition]
        log.append(meant, random.choice((0, 0, 0, 0, 1, 5)))
        log.end += random.choice((0, 0, 1))  # the marker of its transaction
        owner = self.owners.get(meant.partition)
        if owner is not None:
            owner.process.poke("records")

    def trim(self, partition: Partition, offset: int) -> None:
        """Retention removes everything below the offset."""
        log = self.logs[partition]
        log.start = max(log.start, offset)

    # The group.

    def members(self) -> list[Any]:
        """The instances that the coordinator knows."""
        return list(self._members)

    def join(self, instance: Any) -> None:
        """The instance is a member from now on."""
        self._members[instance] = Member(instance)
        self.rebalance()

    def leave(self, instance: Any) -> None:
        """The instance is gone: stopped, dead, or silent for too long. What it had is free."""
        if self._members.pop(instance, None) is None:
            return
        for partition, owner in list(self.owners.items()):
            if owner is instance:
                del self.owners[partition]
        self.rebalance()

    def rebalance(self) -> None:
        """Share the partitions again."""
        members = list(self._members)
        partitions = list(self.logs)
        self._world.random.shuffle(partitions)
        self._target = {p: members[index % len(members)] for index, p in enumerate(partitions)} if members else {}
        if self._world.tracing:
            self._world.note("broker", f"rebalance: {self._target}")
        self._preparing = self.protocol == "eager"
        for member in self._members.values():
            member.behind = 0 if self.protocol == "consumer" else self._world.random.choice((0, 1, 2))
            owned = [p for p, owner in self.owners.items() if owner is member.instance and p not in member.revoking]
            moving = [p for p in owned if self.protocol == "eager" or self._target[p] is not member.instance]
            if moving:
                member.revoking.update(moving)
                self._tell(member, "revoke", moving)
        self._settle()

    def give_again(self) -> None:
        """Take partitions away and give them to the same members at once: all under the eager protocol, else some."""
        if self._preparing:
            return
        self._preparing = self.protocol == "eager"
        for member in self._members.values():
            owned = [p for p, owner in self.owners.items() if owner is member.instance and p not in member.revoking]
            moving = owned if self.protocol == "eager" else [p for p in owned if self._world.chance(0.5)]
            if moving:
                member.revoking.update(moving)
                self._tell(member, "revoke", moving)
        self._settle()

    def news(self, instance: Any) -> tuple[str, list[Partition]] | None:
        """What the instance's poll has to tell it next; a member that was thrown out hears of that."""
        member = self._members.get(instance)
        if member is None:
            return ("out", [])
        return member.inbox.pop(0) if member.inbox else None

    def gave_up(self, instance: Any, partitions: list[Partition]) -> None:
        """The instance's revoke callback returned."""
        member = self._members.get(instance)
        if member is None:
            return
        for partition in partitions:
            member.revoking.discard(partition)
            if self.owners.get(partition) is instance:
                del self.owners[partition]
        self._settle()

    def commit(self, instance: Any, partition: Partition, offset: int, metadata: str) -> str:
        """`done`, `failed` and `behind` (try again), `fenced` (it is another's), `unknown` (no such member)."""
        if instance not in self._members:
            return "unknown"
        if self._members[instance].behind:
            self._members[instance].behind -= 1
            return "behind"
        if self.owners.get(partition) is not instance:
            return "fenced"
        if self._world.chance(self.commit_faults):
            return "failed"
        self.logs[partition].committed = offset
        self.logs[partition].metadata = metadata
        self.on_committed(partition, offset)
        return "done"

    def _settle(self) -> None:
        """Hand out what is free."""
        if self._preparing and self.owners:
            return
        self._preparing = False
        given: dict[Any, list[Partition]] = {}
        for partition, instance in self._target.items():
            if partition not in self.owners and instance in self._members:
                self.owners[partition] = instance
                given.setdefault(instance, []).append(partition)
        for instance, partitions in given.items():
            self._tell(self._members[instance], "assign", partitions)

    def _tell(self, member: Member, what: str, partitions: list[Partition]) -> None:
        member.inbox.append((what, partitions))
        member.instance.process.poke("records")
