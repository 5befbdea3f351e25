"""The Kafka consumer of one instance, as `consumer.shell.loop.Source` words it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consumer.core.model import Assignment, Record
from consumer.shell.loop import Loop

from .broker import Broker
from .traffic import Partition
from .world import World

COMMIT_TAKES = 0.01
ADOPTED_AFTER = 3.0


@dataclass
class Held:
    """A partition that this instance has."""

    assignment: Assignment
    position: int
    wanted: int = -1  # to be committed
    failed: bool = False


class Source:
    """Reads, pauses and commits; rebalances reach the loop from inside `poll` and `close`."""

    def __init__(self, world: World, broker: Broker, instance: Any, loop: Loop) -> None:
        self._world = world
        self._broker = broker
        self._instance = instance
        self._loop = loop
        self._held: dict[Partition, Held] = {}
        self._paused: set[Assignment] = set()
        self._fenced: list[Partition] = []
        self._orphans: dict[Partition, float] = {}
        self.member = False

    def poll(self, timeout: float, limit: int = 500) -> list[Record]:
        """Rebalance callbacks first, then what there is to read, in the order of each partition."""
        self._instance.polled()
        self._callbacks()
        records = self._fetch(limit)
        if not records and timeout > 0:
            self._instance.process.wait(timeout, "records")
            self._callbacks()
            records = self._fetch(limit)
        self._instance.read(records)
        return records

    def pause(self, wanted: Mapping[Assignment, str]) -> None:
        """Read nothing of these from now on, of all others again."""
        self._paused = set(wanted)
        self._instance.pausing()

    def paused(self) -> set[Assignment]:
        """What is paused now."""
        return self._paused

    def commit(self, offsets: Mapping[Assignment, int]) -> None:
        """Commit soon; a failed commit is tried again with what is wanted by then."""
        self._instance.committing(offsets)
        for assignment, offset in offsets.items():
            held = self._held.get((assignment.topic, assignment.partition))
            if held is not None and held.assignment is assignment and offset != held.wanted:
                held.wanted = offset
                self._request(held)

    def commit_now(self, offsets: Mapping[Assignment, int], timeout: float) -> bool:
        """Commit, and wait for the broker's word."""
        self._instance.committing(offsets)
        took = self._world.between(0.001, 0.05)
        self._instance.process.wait(min(took, timeout), "commit")
        if took > timeout or self._world.chance(self._broker.commit_faults):
            return False
        done = True
        for assignment, offset in offsets.items():
            partition = (assignment.topic, assignment.partition)
            said = self._broker.commit(self._instance, partition, offset)
            done = done and said == "done"
            if said == "fenced":
                self._fenced.append(partition)
        return done

    def verify(self, offsets: Mapping[Assignment, int], timeout: float) -> bool:
        """Whether the group said, to a commit, if it still knows us; what is not ours any more is lost."""
        known = self.commit_now(offsets, timeout)
        fenced = bool(self._fenced)
        self._lose_fenced()
        return known or fenced

    def close(self, timeout: float) -> None:
        """Leave the group."""
        mine = [held.assignment for held in self._held.values()]
        if mine:
            self._revoke(list(self._held))
        self._broker.leave(self._instance)

    def fence(self, partition: Partition) -> None:
        """Let the next word of the broker on a commit of this partition be that it is another's."""
        if partition in self._held:
            self._fenced.append(partition)
            self._instance.process.poke("records")

    def assignments(self) -> dict[Partition, Assignment]:
        """The epochs that hold now."""
        return {partition: held.assignment for partition, held in self._held.items()}

    # Commits.

    def _request(self, held: Held) -> None:
        assignment, offset = held.assignment, held.wanted

        def arrived() -> None:
            if self._instance.process.dead:
                return
            partition = (assignment.topic, assignment.partition)
            said = self._broker.commit(self._instance, partition, offset)
            if said == "failed":
                held.failed = True
            elif said == "fenced" and self._held.get(partition) is held:
                self._fenced.append(partition)

        self._world.after(COMMIT_TAKES, arrived)

    # Rebalances.

    def _callbacks(self) -> None:
        for held in self._held.values():
            if held.failed:
                held.failed = False
                self._request(held)
        if self._fenced:
            self._lose_fenced()
        news = self._broker.news(self._instance)
        while news is not None:
            what, partitions = news
            if what == "out":
                self._thrown_out()
            elif what == "assign":
                self._assign(partitions)
            else:
                self._revoke([p for p in partitions if p in self._held], partitions)
            news = self._broker.news(self._instance)
        if self._orphans:
            self._adopt()

    def _lose_fenced(self) -> None:
        fenced, self._fenced = list(dict.fromkeys(p for p in self._fenced if p in self._held)), []
        if fenced:
            self._lose(fenced)
            self._orphans.update(dict.fromkeys(fenced, self._world.now + ADOPTED_AFTER))

    def _adopt(self) -> None:
        """What was fenced, and is still ours by the coordinator's word, is taken up as a new assignment."""
        now = self._world.now
        for partition, when in list(self._orphans.items()):
            if self._broker.owners.get(partition) is not self._instance:
                del self._orphans[partition]
            elif now >= when:
                del self._orphans[partition]
                self._assign([partition])

    def _thrown_out(self) -> None:
        if self.member:
            self._lose(list(self._held))
        self._orphans.clear()
        self.member = True
        self._broker.join(self._instance)

    def _assign(self, partitions: list[Partition]) -> None:
        fresh = []
        for topic, number in partitions:
            log = self._broker.logs[topic, number]
            assignment = Assignment(topic, number)
            start = log.committed if log.committed >= 0 else log.start
            self._held[topic, number] = Held(assignment, start)
            self._orphans.pop((topic, number), None)
            self._instance.assigned(assignment, (topic, number), start)
            fresh.append(assignment)
        self._loop.assigned(fresh)

    def _revoke(self, mine: list[Partition], told: list[Partition] | None = None) -> None:
        assignments = [self._held[partition].assignment for partition in mine]
        began = self._world.now
        if assignments:
            self._loop.revoked(assignments)
        self._instance.revoked(assignments, self._world.now - began)
        for partition, assignment in zip(mine, assignments, strict=True):
            held = self._held.get(partition)
            if held is not None and held.assignment is assignment:
                del self._held[partition]
        for partition in told or mine:
            self._orphans.pop(partition, None)
        self._broker.gave_up(self._instance, told or mine)

    def _lose(self, partitions: list[Partition]) -> None:
        assignments = [self._held.pop(partition).assignment for partition in partitions]
        if assignments:
            self._loop.lost(assignments)
            self._instance.lost(assignments)

    # Reading.

    def _fetch(self, limit: int) -> list[Record]:
        records: list[Record] = []
        now = self._world.now
        partitions = [partition for partition, held in self._held.items() if self._has_more(partition, held)]
        if not partitions:
            return records
        self._world.random.shuffle(partitions)
        for partition in partitions:
            held = self._held[partition]
            log = self._broker.logs[partition]
            held.position = max(held.position, log.start)
            for meant in log.records[place(log.records, held.position) :]:
                if len(records) == limit:
                    return records
                record = Record(
                    held.assignment, meant.offset, meant.key, meant.value, meant.headers, meant.number, now
                )
                records.append(record)
                held.position = meant.offset + 1
        return records

    def _has_more(self, partition: Partition, held: Held) -> bool:
        return held.position < self._broker.logs[partition].end and held.assignment not in self._paused


def place(records: list[Any], offset: int) -> int:
    """The index of the first record at the offset or after it."""
    low, high = 0, len(records)
    while low < high:
        middle = (low + high) // 2
        if records[middle].offset < offset:
            low = middle + 1
        else:
            high = middle
    return low
