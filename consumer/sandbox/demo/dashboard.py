"""What the demo's page shows of the service: instances, lag, commits, and the newest dead letters."""

import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from threading import Event
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from consumer.kafka.dead_letter_format import DETAIL, ERROR, OFFSET, PARTITION, REASON, UPDATE
from consumer.kafka.dead_letter_format import TOPIC as SOURCE
from consumer.sandbox.demo.audit import headers_of, observer, offsets
from consumer.sandbox.demo.service import Service
from consumer.sandbox.sandbox import DEAD_LETTERS, GROUP, TOPIC, Sandbox

LETTERS: Final = 100
EVERY: Final = 0.5
PATIENCE: Final = 3.0


class Dashboard:
    """Kept up to date by two threads, `watch` and `follow`; read by the page whenever it likes."""

    def __init__(self, sandbox: Sandbox, instances: Callable[[], list[Service]], stopping: Event) -> None:
        self._sandbox = sandbox
        self._instances = instances
        self._stopping = stopping
        self._read = 0  # by instances that are gone
        self._dead: Counter[str] = Counter()
        self.dead_letters: deque[dict[str, Any]] = deque(maxlen=LETTERS)
        self.service: dict[str, Any] = {
            "events_read": 0,
            "dead_letters": {},
            "lag": 0,
            "committed": 0,
            "consumed": 0,
            "instances": [],
        }

    def remember(self, service: Service) -> None:
        """This instance is about to go: keep what it had counted."""
        numbers = service.scrape()
        self._read += numbers.total("records_total")
        self._dead.update(numbers.by_label("dead_letters_total", "reason"))

    def watch(self) -> None:
        """Look again and again, until it is to stop."""
        with observer(self._sandbox.broker, GROUP) as group:
            while not self._stopping.wait(EVERY):
                with suppress(KafkaException):
                    self._look(group)

    def follow(self) -> None:
        """Keep the newest dead letters, until it is to stop."""
        places = [
            TopicPartition(DEAD_LETTERS, number, OFFSET_BEGINNING) for number in range(self._sandbox.partitions)
        ]
        with observer(self._sandbox.broker, "sandbox-page") as consumer:
            consumer.assign(places)
            while not self._stopping.is_set():
                record = consumer.poll(0.2)
                if record is not None and not record.error():
                    self.dead_letters.appendleft(_dead_letter(record))

    def _look(self, group: Consumer) -> None:
        read, dead, shown = self._read, self._dead.copy(), []
        for service in self._instances():
            numbers = service.scrape()
            read += numbers.total("records_total")
            dead.update(numbers.by_label("dead_letters_total", "reason"))
            ready, reasons = service.readiness()
            assigned = sorted(numbers.by_label("lag_records", "partition"))
            about = {"name": service.name, "ready": ready, "reasons": reasons, "assigned": assigned}
            shown.append(about | {"halted": numbers.halted()})
        self.service = self.service | {"events_read": read, "dead_letters": dict(+dead), "instances": shown}
        committed, end = offsets(group, TOPIC, PATIENCE)
        self.service = self.service | {
            "lag": end - committed,
            "committed": committed,
            "consumed": max(read, committed),
        }


def _dead_letter(record: Message) -> dict[str, Any]:
    """One dead letter as the page shows it."""
    headers = headers_of(record)
    place = [headers.get(name, "?") for name in (SOURCE, PARTITION, OFFSET)]
    return {
        "source": "{}[{}]@{}".format(*place),
        "topic": record.topic(),
        "partition": record.partition(),
        "offset": record.offset(),
        "when": time.time(),
        "reason": headers.get(REASON),
        "detail": headers.get(DETAIL),
        "error": headers.get(ERROR),
        "update": headers.get(UPDATE),
    }
