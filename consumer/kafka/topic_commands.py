"""The commands of Kafka's own tools that create and change topics, for people to copy."""

from collections.abc import Mapping
from typing import Final

from consumer.kafka.dead_letter_format import ROOM

LARGEST: Final = "max.message.bytes"


def create(bootstrap: str, topic: str, partitions: int | str, config: Mapping[str, str], replicas: int = 0) -> str:
    """Create the topic; `replicas` where the broker's default is not wanted."""
    factor = f" --replication-factor {replicas}" if replicas else ""
    options = "".join(f" --config {name}={value}" for name, value in config.items())
    place = f"--bootstrap-server {bootstrap} --create --topic {topic} --partitions {partitions}"
    return f"kafka-topics.sh {place}{factor}{options}"


def create_dead_letters(
    bootstrap: str, topic: str, partitions: int = 0, largest: int = 0, bounds: Mapping[str, str] | None = None
) -> str:
    """Create the dead-letter topic: room for what a letter has beside its record, no end, `bounds` of timestamps.

    `partitions` and the `largest` record are those of the source topics; 0 where they are not known.
    """
    room = str(largest + ROOM) if largest else f"<that of the source topic + {ROOM}>"
    config = {LARGEST: room, "retention.ms": "-1", **(bounds or {})}
    return create(bootstrap, topic, partitions or "<as many as the source topic>", config)


def grow(bootstrap: str, topic: str, partitions: int) -> str:
    """Give the topic more partitions."""
    return f"kafka-topics.sh --bootstrap-server {bootstrap} --alter --topic {topic} --partitions {partitions}"


def alter(bootstrap: str, topic: str, change: str) -> str:
    """Change the topic's configuration."""
    return f"kafka-configs.sh --bootstrap-server {bootstrap} --alter --topic {topic} --add-config {change}"


def allow(name: str, operation: str, kind: str = "topic") -> str:
    """Give this user the right."""
    return (
        f"kafka-acls.sh --bootstrap-server HOST:PORT --add --allow-principal User:NAME --operation {operation} "
        f"--{kind} {name}"
    )
