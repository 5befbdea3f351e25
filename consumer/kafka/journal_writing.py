"""Writes the journal: announcements until the broker confirms them, and all else without waiting."""

import logging
from collections.abc import Callable, Collection
from functools import partial
from queue import SimpleQueue
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message

from consumer.kafka.clients import Making
from consumer.kafka.journal import PARTITION
from consumer.kafka.known_brokers import WHY
from consumer.kafka.producers import WatchedProducer, made
from consumer.kafka.rotation import rotation

log = logging.getLogger("consumer.journal")

WHAT: Final = "journal producer"
# Seconds without a confirmation after which nothing new is announced, and between two tries.
SUSPECT_AFTER: Final = 5.0
RETRY_AFTER: Final = 1.0
# Over those of the other producer: an announcement is waited for, but what is said at one time goes in one request.
# Five requests at once are what an idempotent producer has; while more waits, librdkafka's thread spins.
FASTER: Final = {"linger.ms": 1}
# While nothing is waited for the client is asked so often, in seconds.
SERVE_EVERY: Final = 0.1


class Writer:
    """The producer of the journal. One thread calls, but for `rotate`."""

    def __init__(self, config: dict[str, object], topic: str, clock: Callable[[], float]) -> None:
        """`config` is librdkafka's."""
        self._config = config | FASTER
        self._topic = topic
        self._clock = clock
        self._producer: WatchedProducer | None = None
        self._next: Making[WatchedProducer] | None = Making(partial(made, self._config), WHAT)
        self._rotated: SimpleQueue[tuple[dict[str, object], Collection[str]]] = SimpleQueue()
        self._open: dict[bytes, tuple[bytes, float]] = {}  # not confirmed: the value, and since when
        self._again: dict[bytes, float] = {}  # of these, what is to be produced, and when
        self._confirmed: list[tuple[bytes, int]] = []
        self._serve_at = 0.0
        self._trouble = ""

    def write(self, key: bytes, value: bytes | None, *, confirm: bool) -> None:
        """Have it written; with `confirm` until it is, and then `poll` says so."""
        if confirm:
            assert value is not None
            self._open[key] = (value, self._clock())
            if not self._produce(key, value, self._reported):
                self._again[key] = self._clock()
        else:
            self._produce(key, value, None)

    def poll(self) -> list[tuple[bytes, int]]:
        """What was confirmed since the last call: each key, with the offset of its record."""
        if self._next is not None or not self._rotated.empty():
            self._succeed()
        now = self._clock()
        if self._open or self._trouble or now >= self._serve_at:
            self._serve_at = now + SERVE_EVERY
            self._serve()
        confirmed, self._confirmed = self._confirmed, []
        return confirmed

    def failing(self) -> bool:
        """Whether announcements are not confirmed in time."""
        return bool(self._trouble)

    def give_up(self, keys: Collection[bytes]) -> None:
        """The confirmations of these are waited for no more."""
        for key in keys:
            self._open.pop(key, None)
            self._again.pop(key, None)

    def rotate(self, config: dict[str, object], files: Collection[str]) -> None:
        """Sign in as `config` and these changed files say. Any thread."""
        self._rotated.put((config | FASTER, files))

    def close(self) -> None:
        """Write what is on its way, as far as that takes no time."""
        if self._next is not None:
            self._next.stop()
        if self._producer is not None:
            self._producer.flush(0.5)

    # The producer, and those that follow it.

    def _serve(self) -> None:
        """Hear what it has to say, and say again what was refused."""
        if self._producer is not None:
            try:
                self._producer.poll(0)
            except KafkaException as failure:  # raised for the fatal error that has ended it
                self._ended(failure.args[0].str())
            if self._next is None and self._producer.known.none():
                self._ended(WHY)
        if self._again:
            self._try_again()
        self._look()

    def _succeed(self) -> None:
        """Hear of other credentials; take the next producer once it is made."""
        while not self._rotated.empty():
            due = rotation(self._config, *self._rotated.get())
            if due is not None:
                self._config = due.config
                if due.live and self._producer is not None and self._next is None:
                    self._producer.set_sasl_credentials(*due.live)
                else:
                    self._replace()
        found = self._next.take(0.0) if self._next is not None else None
        if found is not None:
            if self._producer is not None:
                self._producer.flush(0.5)
            self._next, self._producer = None, found
            self._again = dict.fromkeys(self._open, self._clock())

    def _replace(self) -> None:
        if self._next is not None:
            self._next.stop()
        self._next = Making(partial(made, self._config), WHAT)

    def _ended(self, why: str) -> None:
        """A fatal error ends an idempotent producer: what it had goes to a new one."""
        self._troubled(why)
        if self._next is None:
            self._replace()

    # What it writes.

    def _produce(
        self, key: bytes, value: bytes | None, reported: Callable[[KafkaError | None, Message], None] | None
    ) -> bool:
        """Whether the producer has taken it."""
        if self._producer is None:
            return False
        try:
            if reported is None:
                self._producer.produce(self._topic, value, key, PARTITION)
            else:
                self._producer.produce(self._topic, value, key, PARTITION, on_delivery=reported)
        except BufferError:
            return False
        except KafkaException as failure:
            if failure.args[0].fatal():
                self._ended(failure.args[0].str())
            else:
                self._troubled(failure.args[0].str())
            return False
        return True

    def _reported(self, error: KafkaError | None, message: Message) -> None:
        """The broker's word on an announcement."""
        key, offset = message.key(), message.offset()
        assert isinstance(key, bytes)
        if key not in self._open:
            return
        if error is None and offset is not None:
            del self._open[key]
            self._again.pop(key, None)
            self._confirmed.append((key, offset))
            if self._trouble:
                log.info("$adds are announced again", extra={"topic": self._topic, "was": self._trouble})
                self._trouble = ""
        elif error is not None:
            self._again[key] = self._clock() + RETRY_AFTER
            self._troubled(error.str())

    def _try_again(self) -> None:
        now = self._clock()
        for key in [key for key, due in self._again.items() if due <= now]:
            if self._produce(key, self._open[key][0], self._reported):
                del self._again[key]
            else:
                self._again[key] = now + RETRY_AFTER

    def _look(self) -> None:
        """Tell of an announcement that waits for long; the oldest come first."""
        oldest = next(iter(self._open.values()), None)
        if oldest is None:
            self._trouble = ""  # nothing is left that could say that all is well
        elif self._clock() - oldest[1] > SUSPECT_AFTER and not self._trouble:
            self._troubled("the broker does not confirm it")

    def _troubled(self, words: str) -> None:
        if words != self._trouble:
            self._trouble = words
            log.warning(
                "an $add cannot be announced: its request waits, and no new $add is taken in until it is",
                extra={"topic": self._topic, "cause": words},
            )
