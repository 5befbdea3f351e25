"""The topic of the receipts: made by the first replay, and checked by each, since no receipt may be thrown away."""

from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from consumer.commands.dlq.scan import TIMEOUT, Failed, TopicMissing, partitions_of
from consumer.commands.dlq.topic import Topic
from consumer.kafka import topic_commands
from consumer.kafka.clients import client

POLICY: Final = "cleanup.policy"


def ensure(config: Mapping[str, object], topic: Topic, name: str) -> None:
    """Have the topic of the receipts, compacted. Raises `Failed` with the command that makes it."""
    admin = client(AdminClient, config)
    try:
        partitions_of(topic.consumer, name)
    except TopicMissing:
        create(admin, name, min(topic.replicas().values()), str(config["bootstrap.servers"]))
        return
    policy = policy_of(admin, name)
    if policy is not None and policy.strip() != "compact":
        command = topic_commands.alter(str(config["bootstrap.servers"]), name, f"{POLICY}=compact")
        raise Failed(
            f"the topic {name} has {POLICY}={policy}, which throws away what replays have settled: set it to compact"
            f" ({command})"
        )


def create(admin: AdminClient, name: str, replicas: int, bootstrap: str) -> None:
    """Make the topic, with as many replicas as the dead letters have."""
    asked = admin.create_topics(
        [NewTopic(name, num_partitions=1, replication_factor=replicas, config={POLICY: "compact"})],
        operation_timeout=TIMEOUT,
        request_timeout=TIMEOUT,
    )
    try:
        asked[name].result(TIMEOUT * 2)
    except (KafkaException, TimeoutError) as failure:
        error = failure.args[0] if failure.args else failure
        if isinstance(error, KafkaError) and error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return
        why = error.str() if isinstance(error, KafkaError) else "no answer"
        command = topic_commands.create(bootstrap, name, 1, {POLICY: "compact"}, replicas)
        raise Failed(
            f"the topic {name}, which remembers what replays have settled, cannot be created ({why}): {command}"
        ) from failure


def policy_of(admin: AdminClient, name: str) -> str | None:
    """Whether the topic is compacted; None where we may not ask."""
    resource = ConfigResource(ResourceType.TOPIC, name)
    try:
        config = admin.describe_configs([resource], request_timeout=TIMEOUT)[resource].result(TIMEOUT * 2)
    except (KafkaException, TimeoutError):
        return None
    return str(config[POLICY].value)
