"""The dead-letter topic, and the real `consumer.kafka.dead_letters` on a simulated `confluent_kafka.Producer`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

from confluent_kafka import KafkaError, KafkaException

from consumer.core.model import Assignment, DeadLetter
from consumer.kafka import dead_letters
from consumer.kafka.known_brokers import KnownBrokers

from .world import Process, World

PARTITIONS = 3
QUEUE = 20
FATAL = KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "the idempotent producer is over", True)


@dataclass
class LetterTopic:
    """The dead-letter topic that all instances write to."""

    missing: bool = False
    faults: float = 0.0
    slow: float = 0.05
    written: int = 0


class Producer:
    """One producer: reports come inside `poll` and `flush`, errors of many kinds too."""

    def __init__(self, world: World, topic: LetterTopic, process: Process) -> None:
        self._world = world
        self._topic = topic
        self._process = process
        self._queued: dict[Callable[..., None], None] = {}
        self._reports: list[tuple[Callable[..., None], KafkaError | None]] = []
        self._fatal = False
        self.known = KnownBrokers()

    def produce(self, topic: str, *, on_delivery: Callable[..., None], partition: int, **record: Any) -> None:
        """Queue it, unless the queue is full or the client does not like it."""
        assert partition < PARTITIONS
        if len(self._queued) >= QUEUE:
            raise BufferError("queue full")
        if self._fatal or self._world.chance(self._topic.faults / 10):
            raise KafkaException(FATAL if self._fatal else KafkaError(KafkaError._INVALID_ARG))
        self._queued[on_delivery] = None
        self._world.after(self._world.between(0.0, self._topic.slow), lambda: self._sent(on_delivery))

    def poll(self, seconds: float) -> int:
        """Bring the reports; a fatal error is raised again and again."""
        reports, self._reports = self._reports, []
        for on_delivery, error in reports:
            on_delivery(error, mock.Mock(value=lambda: b"", key=lambda: b""))
        if self._fatal:
            raise KafkaException(FATAL)
        return len(reports)

    def flush(self, timeout: float) -> int:
        """Wait for what is queued."""
        end = self._world.now + timeout
        self.poll(0)
        while self._queued and self._world.now < end:
            self._process.wait(min(0.1, end - self._world.now), "letters")
            self.poll(0)
        return len(self._queued)

    def purge(self) -> None:
        """What is queued fails at once."""
        for on_delivery in self._queued:
            self._reports.append((on_delivery, KafkaError(KafkaError._PURGE_QUEUE)))
        self._queued.clear()

    def list_topics(self, topic: str, timeout: float) -> Any:
        """The topic's metadata."""
        if self._world.chance(self._topic.faults):
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        error = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART) if self._topic.missing else None
        found = mock.Mock(error=error, partitions={} if error else dict.fromkeys(range(PARTITIONS)))
        return mock.Mock(topics={topic: found})

    def _sent(self, on_delivery: Callable[..., None]) -> None:
        if on_delivery not in self._queued or self._process.dead:
            return
        del self._queued[on_delivery]
        error = None
        if self._topic.missing:
            error = KafkaError(KafkaError._UNKNOWN_TOPIC)
        elif self._world.chance(self._topic.faults):
            error = KafkaError(KafkaError._MSG_TIMED_OUT)
            self._fatal = self._world.chance(0.1)
        else:
            self._topic.written += 1
        self._reports.append((on_delivery, error))
        self._process.poke("letters")


class DeadLetters:
    """What the loop gives its letters to: the real producer's side, overheard."""

    def __init__(
        self,
        world: World,
        topic: LetterTopic,
        process: Process,
        produced: Callable[[DeadLetter], None],
        confirmed: Callable[[list[DeadLetter]], None],
    ) -> None:
        self._produced = produced
        self._told = confirmed
        self._failing: set[DeadLetter] = set()
        config: dict[str, object] = {"client": lambda: Producer(world, topic, process)}
        self._letters = dead_letters.DeadLetters(
            config, "dead-letters", group_id="group", clock=lambda: world.now, advice="create it"
        )

    def produce(self, letter: DeadLetter) -> None:
        self._produced(letter)
        self._letters.produce(letter)

    def poll(self) -> tuple[list[DeadLetter], list[DeadLetter]]:
        confirmed, failed = self._letters.poll()
        if failed:
            self._failing.update(failed)
        if confirmed:
            self._failing.difference_update(confirmed)
            self._told(confirmed)
        return confirmed, failed

    def failing(self) -> set[DeadLetter]:
        """What the loop was told that it cannot be written so far."""
        return self._failing

    def pending(self) -> int:
        return self._letters.pending()

    def forget(self, assignments: Sequence[Assignment]) -> None:
        gone = set(assignments)
        self._failing = {letter for letter in self._failing if letter.record.assignment not in gone}
        self._letters.forget(assignments)

    def flush(self, timeout: float) -> bool:
        return self._letters.flush(timeout)

    def close(self) -> None:
        self._letters.close()
