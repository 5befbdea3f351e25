"""Which topics Kafka compacts: asked for on a thread of its own, and again now and then, since it may be changed."""

import logging
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from consumer.kafka.broker_errors import BrokerError, Denied
from consumer.kafka.brokers import Brokers
from consumer.settings import Settings

log = logging.getLogger("consumer.source")

# Seconds: until the next question after an answer, and after none.
AGAIN_AFTER = 600.0
RETRY_AFTER = 10.0
DENIED = (
    'the topic\'s configuration may not be read, so it is taken for compacted: `send = "changed"` sends all mapped '
    "columns, and `leaves` does not look at `before`; allow DESCRIBE_CONFIGS on the topic"
)


@dataclass(frozen=True)
class Compaction:
    """Whether the topic is compacted."""

    topic: str
    compacted: bool


def follow(
    settings: Settings,
    topics: Collection[str],
    results: "SimpleQueue[Any]",
    brokers: Callable[[Settings], Brokers] = Brokers,
) -> None:
    """Have an answer for each of the topics put into the queue, now and each time that it is asked again."""
    if topics:
        Asking(settings, topics, results, brokers).start()


class Asking(threading.Thread):
    """The thread; it ends with the process."""

    def __init__(
        self,
        settings: Settings,
        topics: Collection[str],
        results: "SimpleQueue[Any]",
        brokers: Callable[[Settings], Brokers],
    ) -> None:
        super().__init__(name="compaction", daemon=True)
        self._settings = settings
        self._topics = sorted(topics)
        self._results = results
        self._brokers = brokers
        self._told: set[str] = set()

    def run(self) -> None:
        """Ask, for as long as the process lives."""
        pause = threading.Event()
        while True:
            pause.wait(AGAIN_AFTER if self.ask() else RETRY_AFTER)

    def ask(self) -> bool:
        """One question for each topic; whether all were answered."""
        answered = True
        try:
            with self._brokers(self._settings) as brokers:
                for topic in self._topics:
                    try:
                        policy = brokers.config(topic).get("cleanup.policy", "")
                    except Denied:
                        self._denied(topic)
                    else:
                        self._results.put(Compaction(topic, "compact" in policy))
        except BrokerError:
            answered = False
        return answered

    def _denied(self, topic: str) -> None:
        if topic not in self._told:
            self._told.add(topic)
            log.warning(DENIED, extra={"topic": topic})
