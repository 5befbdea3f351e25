"""The client that writes dead letters: the first one, and those that follow it.

Another one is made where the credentials have changed, where an error has ended the one before, and where each dead
letter must have a batch of its own. It takes over once nothing is with the one before.
"""

from collections.abc import Callable, Collection
from functools import partial
from queue import SimpleQueue
from typing import Final

from confluent_kafka import KafkaException

from consumer.kafka.clients import Making
from consumer.kafka.known_brokers import WHY
from consumer.kafka.producers import WatchedProducer, made
from consumer.kafka.rotation import rotation

# Seconds between two producers, where what has ended the first ends the second.
RENEW_AFTER: Final = 10.0
BATCH: Final = "batch.num.messages"
WHAT: Final = "dead-letter producer"


class DeadLetterClient:
    """librdkafka's producers, one after the other. One thread calls, but for `rotate`."""

    def __init__(self, config: dict[str, object], clock: Callable[[], float]) -> None:
        self.producer: WatchedProducer | None = None  # none before there is a token to make the first with
        self.fatal = ""  # the error that has ended it
        self._config = config
        self._clock = clock
        self._next: Making[WatchedProducer] | None = Making(partial(made, config), WHAT)
        self._rotated: SimpleQueue[tuple[dict[str, object], Collection[str], float]] = SimpleQueue()
        self._renew_at = 0.0
        self._apart = False  # whether a batch was too large for the topic: its dead letters may not be

    def rotate(self, config: dict[str, object], files: Collection[str]) -> None:
        """Sign in as `config` and these changed files say. Any thread."""
        self._rotated.put((config, files, 0.0))

    def hear_rotated(self) -> None:
        """Act on credentials that have changed."""
        while not self._rotated.empty():
            self._rotate(*self._rotated.get())

    def succeed(self) -> bool:
        """Take the next producer, if it is made; the one before must have nothing left. Whether there was one."""
        successor = None if self._next is None else self._next.take(0.0)
        if successor is None:
            return False
        self._next, self.producer = None, successor
        return True

    def trouble(self) -> str:
        """Why there is no producer yet; empty where there is one, or no cause is known."""
        return self._next.trouble if self.producer is None and self._next is not None else ""

    def takes(self, *, empty: bool) -> bool:
        """Whether dead letters can be handed over: not while the next producer waits for this one to be `empty`."""
        if self._apart and self.batches():
            if not empty:
                return False
            self._config = {**self._config, BATCH: 1}
            self._replace()
        coming = self._next is not None and (self._next.ready() or not self.batches())
        return self.producer is not None and not coming

    def batches(self) -> bool:
        """Whether several dead letters may be in one batch, and are refused for one of them."""
        return self._config.get(BATCH) != 1

    def send_apart(self) -> None:
        """Have each sent in a batch of its own, by a new producer once this one is empty."""
        self._apart = True

    def hear(self, seconds: float, *, flush: bool = False) -> None:
        """Let the client bring its reports; it raises the fatal error that has ended it."""
        if self.producer is None:
            return
        try:
            _ = self.producer.flush(seconds) if flush else self.producer.poll(seconds)
        except KafkaException as failure:
            self.fatal = failure.args[0].str()

    def renew(self) -> None:
        """Have another one follow it after a fatal error, or where it knows of no broker; what it had comes back."""
        if self.producer is not None and self.producer.known.none():
            self.fatal = WHY
        if self.fatal and self._clock() >= self._renew_at:
            self._renew_at = self._clock() + RENEW_AFTER
            self._give_up()
            self.fatal, self.producer = "", None
            self._replace()

    def close(self) -> None:
        """Have all that is with the producer come back as failed."""
        if self._next is not None:
            self._next.stop()
        self._give_up()

    def _give_up(self) -> None:
        if self.producer is not None:
            self.producer.purge()
            self.hear(0)

    def _rotate(self, config: dict[str, object], files: Collection[str], after: float) -> None:
        due = rotation(self._config, config, files)
        if due is None:
            return
        self._config = due.config
        if due.live and self.producer is not None and self._next is None:
            self.producer.set_sasl_credentials(*due.live)
            return
        self._replace(after)

    def _replace(self, after: float = 0.0) -> None:
        """Have another producer made."""
        if self._next is not None:
            self._next.stop()
        self._next = Making(partial(made, self._config), WHAT, after)
