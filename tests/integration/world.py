"""What one integration test works with: topics, a group, what the service talks to, and what came of it there."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.mixpanel.server import MixpanelSandbox
from consumer.sandbox.registry.server import RegistrySandbox
from tests.integration.events import changed
from tests.integration.service import Service
from tests.integration.watching import until

TOKEN = "token-of-the-tests"
# So that a member that dies is missed soon.
QUICK_GROUP = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "500"}
PROTOCOLS: dict[str, dict[str, str]] = {
    "cooperative": {"partition.assignment.strategy": "cooperative-sticky", **QUICK_GROUP},
    "range": {"partition.assignment.strategy": "range", **QUICK_GROUP},
    "consumer": {"group.protocol": "consumer"},
}


class World:
    """A topic, its dead-letter topic, a group; `settings` are those of every instance that `run` starts."""

    def __init__(
        self,
        broker: Broker,
        topic: str,
        group: str,
        registry: RegistrySandbox,
        mixpanel: MixpanelSandbox,
        start: Callable[..., Service],
    ) -> None:
        self.broker = broker
        self.topic = topic
        self.group = group
        self.letters_topic = f"{group}.dead-letters"
        self.registry = registry
        self.mixpanel = mixpanel
        self._start = start
        self._producer: Producer | None = None
        self.settings = {
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
            "KAFKA_TOPICS": topic,
            "KAFKA_GROUP_ID": group,
            "SCHEMA_REGISTRY_URL": registry.url,
            "MIXPANEL_TOKEN": TOKEN,
            "MIXPANEL_URL": mixpanel.url,
            "BATCH_LINGER": "50ms",
            "DRAIN_TIMEOUT": "10s",
        }

    # The service.

    def run(self, *, ready: bool = True, **settings: str) -> Service:
        """One more instance; ready, unless the test wants to see how it comes to be."""
        service = self._start(self.settings, settings)
        if ready:
            until(lambda: service.ready() or not service.running, "the service is ready")
            assert service.running, service.log_file.read_text()
        return service

    def properties(self, folder: Path, properties: dict[str, str]) -> None:
        """Every instance has these properties of librdkafka from now on."""
        file = folder / "kafka.properties"
        file.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        self.settings["KAFKA_PROPERTIES_FILE"] = str(file)

    def register(
        self,
        subject: str,
        schema: object,
        references: Sequence[tuple[str, str, int]] = (),
        rules: dict[str, Any] | None = None,
    ) -> int:
        """A new version of the subject; its id. `references` are (name, subject, version)."""
        return self.registry.register(subject, json.dumps(schema), references, rules=rules)

    # The topic.

    @property
    def producer(self) -> Producer:
        """What events are written with."""
        if self._producer is None:
            self._producer = Producer({"bootstrap.servers": self.broker.internal_bootstrap, "linger.ms": 1})
        return self._producer

    def send(self, *values: bytes | None, partition: int = 0, **more: Any) -> None:
        """Write values to a partition, in order; they are there when this returns."""
        for value in values:
            self.producer.produce(self.topic, value, partition=partition, **more)
        self.flush()

    def stop_broker(self) -> None:
        """Stop it in order: a client that asks it meanwhile may never find it again."""
        self.broker.stop()
        self._producer = None

    def restart_broker(self) -> None:
        """Stop it in order and start it."""
        self.stop_broker()
        self.broker.start()

    def flush(self) -> None:
        """What was produced is there."""
        assert self.producer.flush(30) == 0

    def count(self, groups: Iterable[str], events: range, partitions: int = 4) -> None:
        """For each number `ADD count 1` and `SET last number`, to each group in its partition."""
        for number in events:
            for place, group in enumerate(groups):
                for value in (changed(group, "ADD", count=1), changed(group, last=number)):
                    self.producer.produce(self.topic, value, key=f"company:{group}", partition=place % partitions)
            self.producer.poll(0)
        self.flush()

    def ends(self) -> dict[int, int]:
        """The next offset of each partition that has records."""
        client = Consumer({"bootstrap.servers": self.broker.internal_bootstrap, "group.id": "looking"})
        try:
            partitions = client.list_topics(self.topic, timeout=10).topics[self.topic].partitions
            highs = until(lambda: watermarks(client, self.topic, list(partitions)), "the ends are known")
        finally:
            client.close()
        return {number: high for number, high in highs.items() if high}

    def committed(self) -> dict[int, int]:
        """The committed offset of each partition of which something is; that of an empty one is its end, 0."""
        # Of a consumer that never joins: the admin client crashes librdkafka 2.16 when a coordinator moves.
        client = Consumer({"bootstrap.servers": self.broker.internal_bootstrap, "group.id": self.group})
        try:
            partitions = client.list_topics(self.topic, timeout=10).topics[self.topic].partitions
            found = client.committed([TopicPartition(self.topic, number) for number in partitions], timeout=10)
        except KafkaException:
            return {}  # a broker that has just come back has not found its groups yet
        finally:
            client.close()
        return {place.partition: place.offset for place in found if place.offset > 0}

    def settled(self, seconds: float = 40.0) -> None:
        """Wait until everything that was produced is committed."""
        ends = self.ends()
        until(lambda: self.committed() == ends, f"committed are {ends}", seconds)

    def letters(self, count: int, topic: str = "") -> list[Message]:
        """The first so many dead letters, once they are there."""
        return read(self.broker, topic or self.letters_topic, count)

    # Mixpanel.

    def profile(self, group: str) -> dict[str, Any] | None:
        """The properties of a group; None where there is no such profile."""
        for found in self.mixpanel.profiles.snapshot():
            if (found["token"], found["group_key"], found["group_id"]) == (TOKEN, "company", group):
                return found["properties"]
        return None

    def applied(self, group: str) -> list[dict[str, Any]]:
        """What was applied to a group, oldest first, without the names."""
        assert self.mixpanel.applied is not None
        updates = self.mixpanel.applied.of(TOKEN, "company", group)
        return [{verb: value for verb, value in update.items() if verb not in NAMES} for update in updates]

    def in_order(self, group: str) -> bool:
        """Whether the numbers of `count` arrived in their order."""
        numbers = [update["$set"]["last"] for update in self.applied(group) if "$set" in update]
        return numbers == sorted(numbers)


def watermarks(client: Consumer, topic: str, partitions: list[int]) -> dict[int, int]:
    """The end of each partition; nothing while the client has not heard of a leader."""
    try:
        return {number: client.get_watermark_offsets(TopicPartition(topic, number), 10)[1] for number in partitions}
    except KafkaException:
        return {}


NAMES = ("$token", "$group_key", "$group_id")


def read(broker: Broker, topic: str, count: int) -> list[Message]:
    """The first so many records of a topic, in the order in which they are met."""
    client = Consumer(
        {"bootstrap.servers": broker.internal_bootstrap, "group.id": "reading", "auto.offset.reset": "earliest"}
    )
    try:
        partitions = client.list_topics(topic, timeout=10).topics[topic].partitions
        client.assign([TopicPartition(topic, number, 0) for number in partitions])
        found: list[Message] = []

        def enough() -> bool:
            for message in client.consume(1000, 0.1):
                assert message.error() is None, message.error()
                found.append(message)
            return len(found) >= count

        until(enough, f"{count} records in {topic}")
        return found
    finally:
        client.close()


def headers(message: Message) -> dict[str, str]:
    """The headers of a dead letter; fails where one comes twice."""
    pairs = message.headers() or []
    found = {name: (value or b"").decode() for name, value in pairs}
    assert len(found) == len(pairs), [name for name, _ in pairs]
    return found
