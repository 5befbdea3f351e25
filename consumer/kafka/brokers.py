"""What the tools ask the brokers: facts, by requests that change nothing. What goes wrong is said with what to do."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from typing import Any, Final, Self

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType

from consumer.kafka.broker_errors import NO_COORDINATOR, BrokerError, Overheard
from consumer.kafka.clients import ClientFailed, client
from consumer.kafka.config import admin_config
from consumer.settings import Settings

TIMEOUT: Final = 10.0


@dataclass(frozen=True)
class ExistingTopic:
    """A topic that exists. `rights` are what this user may do with it, by Kafka's names; None where unknown."""

    name: str
    partitions: int
    rights: frozenset[str] | None


@dataclass(frozen=True)
class ConsumerGroup:
    """A consumer group, be it there or not. `clients` has each member's `client.id`."""

    state: str
    clients: tuple[str, ...]
    assignor: str
    rights: frozenset[str] | None


@dataclass(frozen=True)
class GroupPlace:
    """Where a group is in one partition. `committed` is below 0 where it has committed nothing.

    From the `stable` offset on, an open transaction holds back what there is up to the `latest`.
    """

    partition: int
    committed: int
    earliest: int
    latest: int
    stable: int


class Brokers:
    """A connection of the tools' own; `with` closes it."""

    def __init__(self, settings: Settings, timeout: float = TIMEOUT) -> None:
        """Connects to nothing yet. Raises `BrokerError` where there is no token to log in with."""
        self._timeout = timeout
        self._overheard = Overheard()
        self._config: dict[str, Any] = {
            **admin_config(settings),
            "error_cb": self._overheard.hear,
            "logger": self._overheard.logger,
        }
        try:
            self._admin = client(AdminClient, self._config)
        except ClientFailed as failure:
            raise BrokerError(str(failure)) from None

    def cluster(self) -> int:
        """How many brokers there are. Raises `BrokerError` where none answers."""
        return len(self._wait(self._admin.describe_cluster(request_timeout=self._timeout)).nodes)

    def topic(self, name: str) -> ExistingTopic:
        """The topic. Raises `Missing`, `Denied` or `BrokerError`."""
        asked = self._admin.describe_topics(
            TopicCollection([name]), include_authorized_operations=True, request_timeout=self._timeout
        )
        described = self._wait(asked[name])
        return ExistingTopic(name, len(described.partitions), rights_of(described.authorized_operations))

    def config(self, topic: str) -> Mapping[str, str]:
        """The topic's configuration. Raises `Denied`, for one, where the user may not read it."""
        resource = ConfigResource(ResourceType.TOPIC, topic)
        entries = self._wait(self._admin.describe_configs([resource], request_timeout=self._timeout)[resource])
        return {name: entry.value for name, entry in entries.items()}

    def group(self, name: str) -> ConsumerGroup:
        """The group; one that nobody was in yet has the state DEAD. Raises `Denied` or `BrokerError`."""
        end = time.monotonic() + self._timeout
        while True:
            asked = self._admin.describe_consumer_groups(
                [name], include_authorized_operations=True, request_timeout=self._timeout
            )
            try:
                described = self._wait(asked[name])
                break
            except BrokerError as failure:
                if failure.code not in NO_COORDINATOR or time.monotonic() > end:
                    raise
                time.sleep(0.2)
        rights = rights_of(described.authorized_operations)
        return ConsumerGroup(
            described.state.name,
            tuple(member.client_id for member in described.members),
            described.partition_assignor or "",
            rights,
        )

    def offsets(self, group: str, topic: ExistingTopic) -> list[GroupPlace]:
        """What the group has committed of each partition, and what the partition holds."""
        places = [TopicPartition(topic.name, partition) for partition in range(topic.partitions)]
        committed = self._committed(group, places)
        first, last = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
        earliest = self._listed(places, first, IsolationLevel.READ_UNCOMMITTED)
        stable = self._listed(places, last, IsolationLevel.READ_COMMITTED)
        latest = self._listed(places, last, IsolationLevel.READ_UNCOMMITTED)
        return [
            GroupPlace(
                partition, committed.get(partition, -1), earliest[partition], latest[partition], stable[partition]
            )
            for partition in range(topic.partitions)
        ]

    def _listed(self, places: list[TopicPartition], spec: OffsetSpec, level: IsolationLevel) -> dict[int, int]:
        """The offset of each partition that the spec means, as seen at this isolation level."""
        answers = self._admin.list_offsets(
            dict.fromkeys(places, spec), isolation_level=level, request_timeout=self._timeout
        )
        return {place.partition: self._wait(answer).offset for place, answer in answers.items()}

    def _committed(self, group: str, places: list[TopicPartition]) -> dict[int, int]:
        """The committed offset of each partition, asked by a consumer that never joins.

        The admin client's own question crashes librdkafka 2.16 where a coordinator moves or loads.
        """
        try:
            consumer = client(Consumer, {**self._config, "group.id": group})
        except ClientFailed as failure:
            raise BrokerError(str(failure)) from None
        try:
            answered = consumer.committed(places, timeout=self._timeout)
        except KafkaException as failure:
            raise self._overheard.error(failure.args[0]) from None
        finally:
            consumer.close()
        return {place.partition: place.offset for place in answered if place.offset >= 0}

    def close(self) -> None:
        """Let go of the connection."""
        del self._admin

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self, future: "Future[Any]") -> Any:
        """The answer; the client's callbacks are served meanwhile, and a refused login ends the waiting."""
        end = time.monotonic() + self._timeout + 1.0
        while True:
            self._admin.poll(0)
            try:
                return future.result(timeout=0.05)
            except NotYet:
                if self._overheard.refuses_login() or time.monotonic() > end:
                    raise self._overheard.why("no answer") from None
            except KafkaException as failure:
                self._admin.poll(0)
                raise self._overheard.error(failure.args[0]) from None


def rights_of(operations: Sequence[Any] | None) -> frozenset[str] | None:
    """The names of what a user may do."""
    return None if operations is None else frozenset(operation.name for operation in operations)
