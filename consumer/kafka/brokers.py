"""What the tools ask the brokers: facts, by requests that change nothing. What goes wrong is said with what to do."""

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from typing import Any, Final, Self

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType

from consumer.kafka.clients import ClientFailed, client
from consumer.kafka.config import admin_config
from consumer.settings import Settings

TIMEOUT: Final = 10.0
# What the client tells of on the side, the most telling first, with what to do about it.
ADVICE: Final = {
    KafkaError._AUTHENTICATION: "the brokers refuse the login: check KAFKA_SASL_MECHANISM, user, password or role",
    KafkaError._SSL: "TLS fails: check KAFKA_SECURITY_PROTOCOL and the KAFKA_SSL_ settings",
    KafkaError._RESOLVE: "a name does not resolve: check KAFKA_BOOTSTRAP_SERVERS and what the brokers advertise",
    KafkaError._TRANSPORT: "no connection: check KAFKA_BOOTSTRAP_SERVERS, KAFKA_SECURITY_PROTOCOL, and the brokers",
}


# A cluster in which no group ever was makes the topic of their offsets first.
NO_COORDINATOR: Final = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
)


class BrokerError(Exception):
    """The brokers gave no answer of use. `code` is librdkafka's; the message says what to do."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class Denied(BrokerError):
    """This user may not know, or not do, this."""


class Missing(BrokerError):
    """There is no such topic."""


@dataclass(frozen=True)
class Topic:
    """A topic that exists. `rights` are what this user may do with it, by Kafka's names; None where unknown."""

    name: str
    partitions: int
    rights: frozenset[str] | None


@dataclass(frozen=True)
class Group:
    """A consumer group, be it there or not. `clients` has each member's `client.id`."""

    state: str
    clients: tuple[str, ...]
    assignor: str
    rights: frozenset[str] | None


@dataclass(frozen=True)
class Place:
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
        self._told: dict[int, str] = {}
        self._heard = Heard()
        self._config: dict[str, Any] = {
            **admin_config(settings),
            "error_cb": self._hear,
            "logger": self._heard.logger,
        }
        try:
            self._admin = client(AdminClient, self._config)
        except ClientFailed as failure:
            raise BrokerError(str(failure)) from None

    def cluster(self) -> int:
        """How many brokers there are. Raises `BrokerError` where none answers."""
        return len(self._wait(self._admin.describe_cluster(request_timeout=self._timeout)).nodes)

    def topic(self, name: str) -> Topic:
        """The topic. Raises `Missing`, `Denied` or `BrokerError`."""
        asked = self._admin.describe_topics(
            TopicCollection([name]), include_authorized_operations=True, request_timeout=self._timeout
        )
        found = self._wait(asked[name])
        return Topic(name, len(found.partitions), rights_of(found.authorized_operations))

    def config(self, topic: str) -> Mapping[str, str]:
        """The topic's configuration. Raises `Denied`, for one, where the user may not read it."""
        resource = ConfigResource(ResourceType.TOPIC, topic)
        found = self._wait(self._admin.describe_configs([resource], request_timeout=self._timeout)[resource])
        return {name: entry.value for name, entry in found.items()}

    def group(self, name: str) -> Group:
        """The group; one that nobody was in yet has the state DEAD. Raises `Denied` or `BrokerError`."""
        end = time.monotonic() + self._timeout
        while True:
            asked = self._admin.describe_consumer_groups(
                [name], include_authorized_operations=True, request_timeout=self._timeout
            )
            try:
                found = self._wait(asked[name])
                break
            except BrokerError as failure:
                if failure.code not in NO_COORDINATOR or time.monotonic() > end:
                    raise
                time.sleep(0.2)
        rights = rights_of(found.authorized_operations)
        return Group(
            found.state.name,
            tuple(member.client_id for member in found.members),
            found.partition_assignor or "",
            rights,
        )

    def offsets(self, group: str, topic: Topic) -> list[Place]:
        """What the group has committed of each partition, and what the partition holds."""
        places = [TopicPartition(topic.name, partition) for partition in range(topic.partitions)]
        committed = self._committed(group, places)
        first, last = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
        earliest = self._listed(places, first, IsolationLevel.READ_UNCOMMITTED)
        stable = self._listed(places, last, IsolationLevel.READ_COMMITTED)
        latest = self._listed(places, last, IsolationLevel.READ_UNCOMMITTED)
        return [
            Place(partition, committed.get(partition, -1), earliest[partition], latest[partition], stable[partition])
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
            found = consumer.committed(places, timeout=self._timeout)
        except KafkaException as failure:
            raise self._error(failure.args[0]) from None
        finally:
            consumer.close()
        return {one.partition: one.offset for one in found if one.offset >= 0}

    def close(self) -> None:
        """Let go of the connection."""
        del self._admin

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hear(self, error: KafkaError) -> None:
        self._told[error.code()] = error.str()

    def _wait(self, future: "Future[Any]") -> Any:
        """The answer; the client's callbacks are served meanwhile, and a refused login ends the waiting."""
        end = time.monotonic() + self._timeout + 1.0
        while True:
            self._admin.poll(0)
            try:
                return future.result(timeout=0.05)
            except NotYet:
                if KafkaError._AUTHENTICATION in self._told or time.monotonic() > end:
                    raise self._why("no answer") from None
            except KafkaException as failure:
                self._admin.poll(0)
                raise self._error(failure.args[0]) from None

    def _error(self, error: KafkaError) -> BrokerError:
        """What the brokers' or the client's error means to a person."""
        if error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED):
            return Denied("this user may not even describe it", error.code())
        if error.code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED:
            return Denied("this user may not describe the cluster", error.code())
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return Missing("there is no such topic", error.code())
        if error.code() in NO_COORDINATOR:
            return BrokerError("the brokers have no coordinator for groups yet: try again", error.code())
        return self._why(error.str())

    def _why(self, words: str) -> BrokerError:
        """The most telling of what was heard on the side; else these words."""
        for code, advice in ADVICE.items():
            if code in self._told:
                return BrokerError(f"{advice} ({brief(self._told[code])})", code)
        advice = "no answer from the brokers: check KAFKA_BOOTSTRAP_SERVERS and KAFKA_SECURITY_PROTOCOL"
        return BrokerError(f"{advice} ({brief(self._heard.last) or words})")


class Heard(logging.Handler):
    """Keeps the last line that the client logs, which often says why, and shows none."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""
        self.logger = logging.Logger("consumer.brokers")  # noqa: LOG001  # of this connection alone
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self.last = record.getMessage()


def rights_of(operations: Sequence[Any] | None) -> frozenset[str] | None:
    """The names of what a user may do."""
    return None if operations is None else frozenset(operation.name for operation in operations)


def brief(words: str) -> str:
    """librdkafka's words without the client's name, its thread and its timing."""
    return words.rpartition("]: ")[2].partition(" (after ")[0].strip()
