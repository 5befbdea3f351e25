"""One replay at a time: whoever the group `{dead-letter topic}.replays` assigns partition 0 of the receipts to.

A second replay waits, and gives up with a sentence; that of one that was killed is free once its session has ended.
A replay that loses it (it stood still for too long) stops at once, and sends nothing more.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from consumer.commands.dlq.scan import Failed
from consumer.kafka.clients import client

log = logging.getLogger("consumer.dlq")

SESSION_MS: Final = 10_000
# Longer than a session, so that a killed replay does not fail the next one.
PATIENCE: Final = 30.0
SAY_AFTER: Final = 5.0  # a first member waits for three
# A replay with the member id of another would take its place instead of waiting.
STATIC: Final = "group.instance.id"
# What the group answers to one that it does not know any more.
STRANGER: Final = frozenset(
    (
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError._FENCED,
        KafkaError._ASSIGNMENT_LOST,
    )
)


class Lock:
    """The membership. All calls are for one thread, which polls it at least every few minutes."""

    def __init__(self, config: Mapping[str, object], topic: str) -> None:
        """`config` is that of the service's consumer; `topic` has the receipts, and names the group."""
        own: dict[str, object] = {"group.id": topic, "auto.offset.reset": "latest"}
        if str(config.get("group.protocol", "classic")).lower() != "consumer":
            own |= {
                "session.timeout.ms": SESSION_MS,
                "heartbeat.interval.ms": 2_000,
                "partition.assignment.strategy": "cooperative-sticky",
            }
        self._topic = topic
        self._denied: KafkaError | None = None
        self._answer: int | None = None  # to the last commit
        self.held = False
        self._consumer = client(
            Consumer,
            {
                **{name: value for name, value in config.items() if name != STATIC},
                **own,
                "error_cb": self._error,
                "on_commit": self._committed,
                "logger": logging.getLogger("consumer.librdkafka"),
            },
        )

    def acquire(self, waiting: Callable[[], object], stopping: Callable[[], bool]) -> bool:
        """Wait until it is ours; False where `stopping` said so first. `waiting` is called once if that takes long.

        Raises `Failed` where another replay has it.
        """
        self._consumer.subscribe([self._topic], on_assign=self._assigned, on_revoke=self._taken, on_lost=self._taken)
        began = time.monotonic()
        said = False
        while not self.held:
            if stopping():
                return False
            self._consumer.poll(0.1)
            if self._denied is not None:
                raise Failed(f"no right to use the consumer group {self._topic}: replays lock each other out by it")
            waited = time.monotonic() - began
            if waited > SAY_AFTER and not said:
                said = True
                waiting()
            if waited > PATIENCE:
                raise Failed(
                    "another replay of this topic is running: wait for it, or stop it"
                    f" (members of the consumer group {self._topic} show where)"
                )
        return True

    def poll(self, timeout: float) -> None:
        """Stay a member, and hear whether the lock was lost."""
        self._consumer.poll(timeout)

    def verify(self, timeout: float) -> bool:
        """Whether the group has said by then if the lock is still ours; for a process that stood still."""
        self._answer = None
        try:
            self._consumer.commit(offsets=[TopicPartition(self._topic, 0, 0)], asynchronous=True)
        except KafkaException as failure:
            self._answer = failure.args[0].code()
        deadline = time.monotonic() + timeout
        while self._answer is None and time.monotonic() < deadline:
            self._consumer.poll(0.05)
        if self._answer in STRANGER:
            self.held = False
        return not self.held or self._answer == KafkaError.NO_ERROR

    def release(self) -> None:
        """Leave the group."""
        self.held = False
        self._consumer.close()

    def _assigned(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        for place in places:
            place.offset = OFFSET_END  # nothing is read
        consumer.incremental_assign(places)
        if places:
            consumer.pause(places)
        self.held = self.held or any(place.partition == 0 for place in places)

    def _taken(self, _: Consumer, places: list[TopicPartition]) -> None:
        if any(place.partition == 0 for place in places):
            self.held = False

    def _committed(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        errors = [place.error for place in places if place.error is not None]
        failed = error or (errors[0] if errors else None)
        self._answer = KafkaError.NO_ERROR if failed is None else failed.code()

    def _error(self, error: Any) -> None:
        if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            self._denied = error
        log.debug("kafka: %s", error.str())
