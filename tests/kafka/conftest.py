"""Members of a consumer group on a real broker."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition


@pytest.fixture
def join(broker, topic, group_id) -> Iterator[Callable[..., Any]]:
    """Makes members of one group; they leave it at the end."""
    members: list[Any] = []

    def make(protocol: str = "cooperative", read: str = topic, **more: object) -> Any:
        from consumer.kafka.config import CONSUMER
        from tests.kafka.members import PROTOCOLS, Member

        config = {**CONSUMER, **PROTOCOLS[protocol], "bootstrap.servers": broker.bootstrap, "group.id": group_id}
        config |= {name.replace("_", "."): value for name, value in more.items()}
        members.append(Member(config, read))
        return members[-1]

    yield make
    for member in members:
        member.source.close(20)


@pytest.fixture
def write(broker, topic) -> Callable[..., None]:
    """Writes numbers to a partition."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 1})

    def produce(partition: int, *numbers: int, to: str = topic, **more: Any) -> None:
        for number in numbers:
            producer.produce(to, str(number), partition=partition, **more)
        assert producer.flush(30) == 0

    return produce


@pytest.fixture
def committed(broker, topic, group_id) -> Callable[[], dict[int, int]]:
    """What the group has committed."""

    def ask() -> dict[int, int]:
        client = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group_id})
        found = client.committed([TopicPartition(topic, partition) for partition in range(4)], timeout=10)
        client.close()
        return {place.partition: place.offset for place in found if place.offset >= 0}

    return ask
