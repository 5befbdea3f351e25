"""Two who watch from outside while the chaos goes on: one reads the dead letters, one the committed offsets."""

import threading
from collections.abc import Callable
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.chaos.ledger import Letter, Place, Requests
from tests.chaos.story import APPLIED, Event


class Letters:
    """Every dead letter so far: where its record stood, and what each said."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self.found: dict[Place, list[Letter]] = {}
        self._lock = threading.Lock()
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "chaos-letters", "auto.offset.reset": "earliest"}
        )
        self._consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])

    def read(self, wait: float = 0.0) -> None:
        """Take what is there."""
        with self._lock:
            for message in self._consumer.consume(1000, wait):
                if message.error() is None:
                    headers = {name: (value or b"").decode() for name, value in message.headers() or []}
                    place = (
                        headers["__connect.errors.topic"],
                        int(headers["__connect.errors.partition"]),
                        int(headers["__connect.errors.offset"]),
                    )
                    letter = headers["mixpanel.reason"], headers.get("mixpanel.rule", "")
                    self.found.setdefault(place, []).append(letter)

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()


class Commits(threading.Thread):
    """Looks at the committed offsets again and again: nothing below them may be open.

    The offsets are read first and the ledger after, so what was settled before a commit is seen.
    """

    def __init__(
        self,
        bootstrap: str,
        group: str,
        places: list[TopicPartition],
        events: Callable[[], dict[Place, Event]],
        requests: Requests,
        letters: Letters,
    ) -> None:
        super().__init__(name="commit-observer", daemon=True)
        # A consumer that never joins: the admin client's question crashes librdkafka 2.16 when a coordinator moves.
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
        self._places = places
        self._events = events
        self._requests = requests
        self._letters = letters
        self._done = threading.Event()
        self._checked: dict[tuple[str, int], int] = {}
        self.looks = 0
        self.faults: list[str] = []

    def run(self) -> None:
        """Look, twice a second, until told to stop."""
        while not self._done.wait(0.5):
            with suppress(KafkaException, KeyError):
                self._look()

    def stop(self) -> None:
        """End the thread."""
        self._done.set()
        self.join()
        self._consumer.close()

    def committed(self, seconds: float = 5.0) -> dict[tuple[str, int], int]:
        """The committed offset of each partition, by topic and number."""
        found = self._consumer.committed(self._places, timeout=seconds)
        return {(place.topic, place.partition): place.offset for place in found if place.offset >= 0}

    def _look(self) -> None:
        committed = self.committed()
        self._letters.read()
        self._letters.read(0.2)
        events = self._events()
        self.looks += 1
        for (topic, partition), offset in committed.items():
            for below in range(self._checked.get((topic, partition), 0), offset):
                place = topic, partition, below
                event = events.get(place)
                if event is not None and not self._settled(place, event):  # None: not told to us yet, or a marker
                    self.faults.append(f"committed {offset} of {topic}-{partition} with {below} open: {event.owed}")
            self._checked[topic, partition] = max(offset, self._checked.get((topic, partition), 0))

    def _settled(self, place: Place, event: Event) -> bool:
        """Whether all of a record is decided: each update that is owed is there, and what was refused is named."""
        named = {reason for reason, _ in self._letters.found.get(place, [])}
        if event.owed not in {APPLIED, *named}:
            return False
        if event.owed == APPLIED and named:
            return True  # in doubt, or not owed: the balance tells which
        applied = self._requests.applied
        return all(part.owed != APPLIED or applied(part.group, part.number) for part in event.parts)
