"""The dead-letter topic as far as it is known: how many partitions it has, and why it is not known that it exists."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Producer

# Seconds: between two tries, and of one question for metadata.
RETRY_AFTER: Final = 1.0
METADATA_TIMEOUT: Final = 5.0
# A partition beyond the known ones may be new: ask again, but not for every dead letter.
ASK_AGAIN_AFTER: Final = 30.0
MISSING: Final = "missing"


class DeadLetterTopic:
    """Its metadata. One thread calls; it is asked for on a thread of its own."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.name = name
        self.partitions = 0  # 0 while it is not known to exist
        self.asking = False
        self.ask_at = 0.0
        self._clock = clock
        self._answers: deque[tuple[int, str]] = deque()  # of the metadata thread

    def due(self) -> bool:
        """Whether it is time to ask, or to try in another way."""
        return self._clock() >= self.ask_at

    def put_off(self) -> None:
        """Nothing came of it: the next try is a moment later."""
        self.ask_at = self._clock() + RETRY_AFTER

    def doubt(self) -> None:
        """A dead letter failed: nothing is handed over until the topic was asked for again."""
        self.partitions = 0
        self.put_off()

    def ask(self, producer: Producer | None) -> None:
        """Ask for the topic's partitions, on another thread: a broker that is away must not stop the loop."""
        if self.asking or producer is None:
            return
        self.asking = True
        self.ask_at = self._clock() + ASK_AGAIN_AFTER
        thread = threading.Thread(target=self._find, args=(producer,), name="dead-letter-topic", daemon=True)
        thread.start()

    def learn(self) -> Iterator[str]:
        """Hear what the metadata thread found; why the topic is not there, for each answer that has no partitions."""
        while self._answers:
            partitions, trouble = self._answers.popleft()
            self.asking = False
            if partitions:
                self.partitions = partitions
                continue
            self.put_off()
            yield trouble

    def _find(self, producer: Producer) -> None:
        try:
            topic = producer.list_topics(self.name, METADATA_TIMEOUT).topics[self.name]
        except KafkaException as failure:
            self._answers.append((0, failure.args[0].str()))
            return
        except Exception as failure:  # noqa: BLE001  # whatever it is, the loop has to hear of it
            self._answers.append((0, type(failure).__name__))
            return
        if topic.error is not None or not topic.partitions:
            missing = topic.error is None or topic.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
            self._answers.append((0, MISSING if missing else topic.error.str()))
            return
        self._answers.append((len(topic.partitions), ""))
