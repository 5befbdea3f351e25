"""The journal's topic: found or made, and whether its configuration may let it forget what was announced."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    PartitionMetadata,
    ResourceType,
    TopicMetadata,
)

from consumer.kafka.clients import client
from consumer.kafka.config import CONSUMER_ONLY
from consumer.kafka.topic_commands import alter

log = logging.getLogger("consumer.journal")

POLICY: Final = "cleanup.policy"
# Either removes records by itself where the policy deletes; -1 for never.
RETENTIONS: Final = ("retention.ms", "retention.bytes")
# What is made of the topic: old segments are compacted, so the last one must not grow for ever.
TOPIC_CONFIG: Final = {POLICY: "compact", "segment.bytes": "104857600"}
TIMEOUT: Final = 10.0  # of one question to the brokers, in seconds
MISSING: Final = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION)
DENIED: Final = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.POLICY_VIOLATION,
)


class Unreadable(Exception):
    """The journal cannot be read now; the message says why."""


class JournalTopic:
    """The topic by name. One thread calls."""

    def __init__(self, name: str, sources: Sequence[str], advice: Callable[[int], str]) -> None:
        """It gets as many replicas as `sources` have; `advice` is the command that makes it with so many."""
        self._name = name
        self._sources = sources
        self._advice = advice
        # The question for its configuration, with the client that asks.
        self._asked: tuple[AdminClient, Future[dict[str, ConfigEntry]]] | None = None
        self._told = ""

    def find(self, config: Mapping[str, object]) -> None:
        """Find the topic, or make it; then `look` has how it is configured. Raises."""
        chosen = {name: value for name, value in config.items() if name not in CONSUMER_ONLY}
        admin = client(AdminClient, chosen | {"logger": logging.getLogger("consumer.librdkafka")})
        known = admin.list_topics(timeout=TIMEOUT).topics
        found = known.get(self._name)
        if found is None or (found.error is not None and found.error.code() in MISSING):
            replicas = [len(one.replicas) for name in self._sources for one in partitions_of(known, name)]
            self._make(admin, min(replicas, default=-1))
        elif found.error is not None:
            raise KafkaException(found.error)
        resource = ConfigResource(ResourceType.TOPIC, self._name)
        self._asked = admin, admin.describe_configs([resource], request_timeout=TIMEOUT)[resource]

    def look(self, bootstrap: str) -> None:
        """Tell once if it may forget, as soon as its configuration is known: nothing waits for that."""
        if self._asked is None or not self._asked[1].done():
            return
        answer, self._asked = self._asked[1], None
        failure = answer.exception()
        if failure is not None:
            self._tell(logging.INFO, f"its configuration is not seen: {words_of(failure)}")
            return
        words = forgetful({name: entry.value for name, entry in answer.result().items()})
        if words:
            self._tell(logging.WARNING, f"{words}: {mending(bootstrap, self._name)}")

    def _make(self, admin: AdminClient, replicas: int) -> None:
        topic = NewTopic(self._name, 1, replicas, config=TOPIC_CONFIG)
        try:
            admin.create_topics([topic], operation_timeout=TIMEOUT, request_timeout=TIMEOUT)[self._name].result(
                2 * TIMEOUT
            )
        except KafkaException as failure:
            error = failure.args[0]
            if error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return
            if error.code() in DENIED:
                raise Unreadable(
                    f"the topic is missing, and this user may not make it: {self._advice(replicas)}"
                ) from failure
            raise
        log.info("the journal of $adds is made", extra={"topic": self._name, "replicas": replicas})

    def _tell(self, level: int, words: str) -> None:
        if words != self._told:
            self._told = words
            log.log(
                level,
                "the journal of $adds may forget what was announced",
                extra={"topic": self._name, "cause": words},
            )


def forgetful(config: Mapping[str, str | None]) -> str:
    """Why a topic with this configuration does not keep what was announced as it should; empty where it does."""
    policy = config.get(POLICY) or "compact"
    if policy == "compact":
        return ""
    bounds = [f"{name} {config[name]}" for name in RETENTIONS if config.get(name, "-1") != "-1"]
    if not bounds:
        return f"its {POLICY} is {policy}, without a retention: it grows for ever"
    return (
        f"its {POLICY} is {policy}, with {' and '.join(bounds)}: it forgets what was announced, and an $add may then"
        " be repeated"
    )


def mending(bootstrap: str, name: str) -> str:
    """The command that has it keep what was announced."""
    return alter(bootstrap, name, f"{POLICY}=compact")


def words_of(failure: BaseException) -> str:
    """Why, on one line."""
    return str(failure.args[0].str()) if isinstance(failure, KafkaException) else str(failure)


def partitions_of(known: Mapping[str, TopicMetadata], topic: str) -> list[PartitionMetadata]:
    """The partitions of a topic; none where it is not known."""
    found = known.get(topic)
    return list(found.partitions.values()) if found is not None else []
