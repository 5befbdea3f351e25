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
    """One partition of ours. Offsets are -1 where there is none yet.

    `next` is past all that was read, `read` past the last record of it.
    """

    __slots__ = (
        "asked",
        "assignment",
        "began",
        "committed",
        "committed_at",
        "epochs",
        "journal",
        "leader_epoch",
        "next",
        "proven",
        "read",
        "redone",
    )

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.next = -1  # to be read
        self.read = -1
        self.asked = -1  # of the last commit that is under way or confirmed
        self.began = -1  # what was committed when it began
        self.committed = -1  # confirmed by the broker
        self.committed_at = -1  # when, in milliseconds of the wall clock
        self.proven = -1  # the stamp of the last commit of ours that the group has taken
        self.journal = -1  # from where the journal is to be read
        self.redone = -1  # below it the last owner may have undone what the journal calls applied
        self.leader_epoch = -1  # of the last record
        self.epochs: list[tuple[int, int]] = []  # the leader's epochs, each with its first offset

    def goes_on(self, offset: int, leader_epoch: int) -> None:
        """A record is read at this offset that another leader wrote."""
        self.leader_epoch = leader_epoch
        self.epochs.append((offset, leader_epoch))

    def epoch_before(self, offset: int) -> int:
        """The leader's epoch of the last record before the offset; -1 where it is not known."""
        epoch = -1
        for first, leader_epoch in self.epochs:
            if first < offset:
                epoch = leader_epoch
        return epoch

    def settled(self, offset: int) -> None:
        """Nothing before the offset is asked for again."""
        while len(self.epochs) > 1 and self.epochs[1][0] < offset:
            del self.epochs[0]


class Assignments:
    """All of them. `by_topic` is for the loop over polled records, which is the hottest of the service."""

    def __init__(self) -> None:
        self.by_topic: dict[str, dict[int, Owned]] = {}

    def add(self, place: Named, topic_id: str = "", doubtful: int = 0) -> Owned:
        """A new epoch of this partition begins; see `Assignment`."""
        owned = Owned(Assignment(place.topic, place.partition, topic_id, doubtful))
        self.by_topic.setdefault(place.topic, {})[place.partition] = owned
        return owned

    def get(self, place: Named) -> Owned | None:
        """The partition, if it is ours."""
        return self.by_topic.get(place.topic, {}).get(place.partition)

    def of(self, assignment: Assignment) -> Owned | None:
        """The partition, if it is ours in this very epoch."""
        owned = self.get(assignment)
        return owned if owned is not None and owned.assignment is assignment else None

    def those(self, places: Iterable[Named]) -> list[Owned]:
        """The ones of these that are ours."""
        known = [self.get(place) for place in places]
        return [owned for owned in known if owned is not None]

    def all(self) -> list[Owned]:
        """Every partition of ours."""
        return [owned for mine in self.by_topic.values() for owned in mine.values()]

    def forget(self, places: Iterable[Named]) -> None:
        """These are not ours any more."""
        for place in places:
            self.by_topic.get(place.topic, {}).pop(place.partition, None)
