"""What of ours is paused: the client cannot be asked, and a pause may outlive its assignment inside of it."""

from collections.abc import Iterable

from confluent_kafka import Consumer, TopicPartition

from consumer.kafka.assignments import Assignments, Place


class Pauses:
    """The partitions that the client was told to pause."""

    def __init__(self, owned: Assignments) -> None:
        self._owned = owned
        self.places: set[Place] = set()

    def set(self, consumer: Consumer, places: set[Place]) -> None:
        """Pause these and no others."""
        pause = [TopicPartition(*place) for place in places - self.places]
        resume = [place for place in (TopicPartition(*place) for place in self.places - places) if self._ours(place)]
        if pause:
            consumer.pause(pause)
        if resume:
            consumer.resume(resume)
        self.places = places

    def resumed(self, consumer: Consumer, places: Iterable[TopicPartition]) -> None:
        """These are read, whatever the client remembers."""
        resumed = [TopicPartition(place.topic, place.partition) for place in places]
        self.forget(resumed)
        consumer.resume(resumed)

    def forget(self, places: Iterable[TopicPartition]) -> None:
        """These are not ours any more."""
        self.places.difference_update((place.topic, place.partition) for place in places)

    def _ours(self, place: TopicPartition) -> bool:
        return self._owned.get(place) is not None
