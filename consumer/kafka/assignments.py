"""The partitions that are ours right now, each with its epoch, the offset to come, and what of it was committed."""

from collections.abc import Iterable
from typing import Protocol

from consumer.core.model import Assignment

Place = tuple[str, int]


class Named(Protocol):
    """Whatever names a partition: librdkafka's TopicPartition, or an assignment."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...


class Owned:
    """One partition of ours. Offsets are -1 where there is none yet; `next` is past all that was read."""

    __slots__ = ("asked", "assignment", "committed", "next")

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.next = -1  # to be read
        self.asked = -1  # of the last commit that is under way or confirmed
        self.committed = -1  # confirmed by the broker


class Ownership:
    """All of them. `by_topic` is for the loop over polled records, which is the hottest of the service."""

    def __init__(self) -> None:
        self.by_topic: dict[str, dict[int, Owned]] = {}

    def add(self, place: Named) -> Owned:
        """A new epoch of this partition begins."""
        one = Owned(Assignment(place.topic, place.partition))
        self.by_topic.setdefault(place.topic, {})[place.partition] = one
        return one

    def get(self, place: Named) -> Owned | None:
        """The partition, if it is ours."""
        return self.by_topic.get(place.topic, {}).get(place.partition)

    def of(self, assignment: Assignment) -> Owned | None:
        """The partition, if it is ours in this very epoch."""
        one = self.get(assignment)
        return one if one is not None and one.assignment is assignment else None

    def those(self, places: Iterable[Named]) -> list[Owned]:
        """The ones of these that are ours."""
        found = [self.get(place) for place in places]
        return [one for one in found if one is not None]

    def all(self) -> list[Owned]:
        """Every partition of ours."""
        return [one for mine in self.by_topic.values() for one in mine.values()]

    def forget(self, places: Iterable[Named]) -> None:
        """These are not ours any more."""
        for place in places:
            self.by_topic.get(place.topic, {}).pop(place.partition, None)
