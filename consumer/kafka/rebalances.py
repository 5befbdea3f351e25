"""Rebalances: partitions come and go, told from inside `poll` and `close`; and what of it can be done only after.

A commit that the group refuses as that of a stranger means that the partitions are another's: they are lost at
once. Where the group never takes them away after all, they are adopted again at their committed offset.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from confluent_kafka import TopicPartition

from consumer.core.model import Assignment
from consumer.kafka.assignments import Assignments, Place
from consumer.kafka.beginning import at, begin
from consumer.kafka.commits import Commits
from consumer.kafka.member import Member
from consumer.kafka.pauses import Pauses

log = logging.getLogger("consumer.source")

ADOPT_AFTER = 10.0


class Listener(Protocol):
    """Who hears of rebalances and of losses: the loop."""

    def assigned(self, assignments: list[Assignment]) -> None: ...
    def revoked(self, assignments: list[Assignment]) -> None: ...
    def lost(self, assignments: list[Assignment]) -> None: ...

    def gap(self, topic: str, partition: int, records: int) -> None:
        """Retention removed so many records before they were read."""

    def truncated(self, topic: str, partition: int) -> None:
        """The log lost what was read of it."""


class Rebalances:
    """What is ours, as the group gives and takes it."""

    listener: Listener

    def __init__(
        self,
        config: Mapping[str, object],
        member: Member,
        owned: Assignments,
        pauses: Pauses,
        commits: Commits,
        *,
        clock: Callable[[], float],
        forgotten: Callable[[list[TopicPartition]], None],
    ) -> None:
        """`forgotten` is told what is about to be ours no more."""
        self._incremental = incremental(config)
        self._member = member
        self._owned = owned
        self._pauses = pauses
        self._commits = commits
        self._clock = clock
        self._forgotten = forgotten
        self._fresh: list[TopicPartition] = []  # assigned since the last poll
        self.orphans: dict[Place, float] = {}  # lost by a refused commit, and when
        self.inside = False  # a callback that may commit

    # What the client says, from inside `poll` and `close`.

    def assigned(self, partitions: list[TopicPartition]) -> None:
        """The group gives these."""
        starts = self._begin(partitions)
        if self._incremental:
            self._member.consumer.incremental_assign(starts)
        else:
            self._member.consumer.assign(starts)
        self._fresh.extend(partitions)

    def revoked(self, partitions: list[TopicPartition]) -> None:
        """The group takes these, and waits until this returns."""
        self.inside = True
        self.listener.revoked([owned.assignment for owned in self._owned.those(partitions)])
        self.inside = False
        self._forget(partitions)

    def lost(self, partitions: list[TopicPartition]) -> None:
        """The group has taken these already."""
        self.listener.lost([owned.assignment for owned in self._owned.those(partitions)])
        self._forget(partitions)

    def drain(self) -> None:
        """Settle and forget all that is ours, before the client leaves the group."""
        mine = self._owned.all()
        self.listener.revoked([owned.assignment for owned in mine])
        self._forget([at(owned) for owned in mine])
        self.orphans.clear()
        self._fresh.clear()

    # What cannot be done inside a callback.

    def fresh(self) -> list[TopicPartition]:
        """What was assigned since the last call, and is still ours."""
        fresh, self._fresh = [place for place in self._fresh if self._owned.get(place)], []
        return fresh

    def lose_fenced(self) -> None:
        """Where the group does not know us, whatever is ours is another's by now, not only what it refused."""
        if not self._commits.fenced:
            return
        fenced, self._commits.fenced = self._commits.fenced, []
        if not any(self._owned.of(owned.assignment) is owned for owned in fenced):
            return
        still = {owned.assignment: owned for owned in self._owned.all()}
        self.listener.lost(list(still))
        self._forget([at(owned) for owned in still.values()])
        for assignment in still:
            self.orphans[assignment.topic, assignment.partition] = self._clock()

    def adopt(self) -> None:
        """What was lost by a refused commit, and is still assigned after a while, is ours after all."""
        now = self._clock()
        due = [TopicPartition(*place) for place, since in self.orphans.items() if now - since >= ADOPT_AFTER]
        if not due:
            return
        for place in due:
            self.orphans[place.topic, place.partition] = now
        assigned = {(place.topic, place.partition) for place in self._member.consumer.assignment()}
        mine = [place for place in due if (place.topic, place.partition) in assigned]
        if mine:
            log.info("partitions adopted again: the group never took them away", extra={"partitions": len(mine)})
            self.restart(self._begin(mine))
            self._fresh.extend(mine)

    def restart(self, places: list[TopicPartition]) -> None:
        """Read each of these from the offset that it names."""
        consumer = self._member.consumer
        if self._incremental:
            consumer.incremental_unassign(places)
            consumer.incremental_assign(places)
        else:
            # The older protocol assigns as a whole: the others go on where they are.
            every = {(place.topic, place.partition): place for place in consumer.assignment()}
            every |= {(owned.assignment.topic, owned.assignment.partition): at(owned) for owned in self._owned.all()}
            every |= {(place.topic, place.partition): place for place in places}
            consumer.assign(list(every.values()))
            self._pauses.places.clear()
        self._pauses.resumed(consumer, places)

    def _begin(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """New epochs begin; returned is where each is to be read from."""
        for place in partitions:
            self.orphans.pop((place.topic, place.partition), None)
        lookups = self._member.lookups
        assert lookups is not None, "it is made with the client"
        starts = begin(self._member.consumer, lookups, self._owned, partitions)
        self.listener.assigned([owned.assignment for owned in self._owned.those(partitions)])
        return starts

    def _forget(self, partitions: list[TopicPartition]) -> None:
        self._forgotten(partitions)
        self._owned.forget(partitions)
        self._pauses.forget(partitions)
        for place in partitions:
            self.orphans.pop((place.topic, place.partition), None)


def incremental(config: Mapping[str, object]) -> bool:
    """Whether the group's protocol moves single partitions; the older one takes all of them away each time."""
    strategy = str(config.get("partition.assignment.strategy", "range,roundrobin"))
    return config.get("group.protocol") == "consumer" or "cooperative" in strategy
