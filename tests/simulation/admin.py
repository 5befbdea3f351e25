"""`confluent_kafka.admin.AdminClient`, simulated: what the source asks of the brokers beside its consumer."""

from collections.abc import Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException

from consumer.kafka.known_brokers import KnownBrokers

from .broker import Broker
from .world import World

FAULTS = 0.2
OFFSET_END = -1


class Admin:
    """Answers offsets after a while, or not; the topics' ids at once."""

    def __init__(self, world: World, broker: Broker) -> None:
        self._world = world
        self._broker = broker
        self.known = KnownBrokers()

    def poll(self, timeout: float) -> None:
        """There are no callbacks."""

    def describe_topics(self, topics: Any, request_timeout: float) -> dict[str, Future[Any]]:
        """The id of each topic."""
        return {name: answered(SimpleNamespace(topic_id=f"id-of-{name}")) for name in topics.topic_names}

    def list_offsets(self, asked: Mapping[Any, Any], **_: Any) -> dict[Any, Future[Any]]:
        """Where the log begins, or ends; of times it knows nothing."""
        ((place, spec),) = asked.items()
        found: Future[Any] = Future()
        self._world.after(self._world.between(0.0, 0.3), lambda: self._answer(found, place, spec._value))
        return {place: found}

    def _answer(self, found: Future[Any], place: Any, which: int) -> None:
        if self._world.chance(FAULTS):
            found.set_exception(KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE)))
            return
        log = self._broker.logs[place.topic, place.partition]
        offset = log.start if which == OFFSET_BEGINNING else log.end if which == OFFSET_END else -1
        found.set_result(SimpleNamespace(offset=offset))


def answered(value: Any) -> Future[Any]:
    """A question that is answered already."""
    found: Future[Any] = Future()
    found.set_result(value)
    return found
