"""Who writes the events of a chaos run."""

import random
import threading

from confluent_kafka import KafkaError, Message, Producer

from tests.chaos.ledger import Place
from tests.chaos.rows import Rows
from tests.chaos.story import Event, Story

RATE = 400  # events a second
MAPPED_SHARE = 0.25


class Producing:
    """Writes story and rows at a steady rate from its own thread, and remembers where each event came to stand."""

    def __init__(self, bootstrap: str, story: Story, rows: Rows, seed: int) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": 120_000,
            }
        )
        self._story = story
        self._rows = rows
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._poison = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="producing", daemon=True)
        self.events: dict[Place, Event] = {}
        self.failed = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def poison(self, count: int) -> None:
        """Put a flood of unreadable events among the others."""
        with self._lock:
            self._poison += count

    def placed(self) -> dict[Place, Event]:
        """The events that the broker confirmed so far."""
        with self._lock:
            return dict(self.events)

    def finish(self) -> None:
        """Stop, and wait until everything produced is confirmed."""
        self._done.set()
        self._thread.join()
        self._producer.flush(120)
        assert not self.failed, f"{self.failed} events were not written"

    def _run(self) -> None:
        while not self._done.wait(0.05):
            for _ in range(RATE // 20):
                mapped = self._random.random() < MAPPED_SHARE
                self._write(self._rows.next() if mapped else self._story.next())
            with self._lock:
                poison, self._poison = self._poison, 0
            for _ in range(poison):
                self._write(self._story.poison())
            self._producer.poll(0)

    def _write(self, event: Event) -> None:
        def placed(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self.failed += 1
                return
            with self._lock:
                self.events[event.topic, int(message.partition() or 0), int(message.offset() or 0)] = event

        self._producer.produce(event.topic, event.value, event.key, event.partition, on_delivery=placed)
