"""Which client is the member of the group: none before the first is made, and another when certificates have changed.

One that knows of no broker any more is followed by another, too.

A client takes its place like a partition its owner: what the one before reads is drained and committed, it leaves the
group, and then the new one joins. It is made before that, so one that cannot be made changes nothing.
"""

import logging
import threading
from collections.abc import Callable, Collection
from functools import partial
from queue import SimpleQueue
from typing import Final

from confluent_kafka import Consumer

from consumer.kafka.clients import Making
from consumer.kafka.rotation import rotation

log = logging.getLogger("consumer.source")

# How long a client that is replaced may take to leave the group, in seconds.
LEAVE_TIMEOUT: Final = 5.0


class Succession:
    """The clients of one source, one after the other. One thread calls, but for `rotate`."""

    def __init__(
        self,
        config: dict[str, object],
        make: Callable[[dict[str, object]], Consumer],
        *,
        drain: Callable[[], None],
        join: Callable[[Consumer], None],
        clock: Callable[[], float],
        renew: Callable[..., None],
    ) -> None:
        """`make` raises `ClientFailed`. `drain` is called before the client leaves, `join` when the next may come.

        `renew` is told a user name and password that the clients take as they are.
        """
        self.client: Consumer | None = None
        self._config = config
        self._make = make
        self._drain = drain
        self._join = join
        self._clock = clock
        self._renew = renew
        self._rotated: SimpleQueue[tuple[dict[str, object], Collection[str], float]] = SimpleQueue()
        self._next: Making[Consumer] | None = Making(partial(make, config), "consumer")
        self._leaving: tuple[threading.Thread, float] | None = None  # of the one before, and until when

    def rotate(self, config: dict[str, object], files: Collection[str], after: float) -> None:
        """Sign in as `config` and these changed files say; a new client is made after so many seconds. Any thread."""
        self._rotated.put((config, files, after))

    def replace(self, why: str) -> None:
        """Have another client made, for `why`, unless one is being made or comes already."""
        if self._next is None and self._leaving is None:
            log.warning("kafka: %s: a new consumer is made", why)
            self._next = Making(partial(self._make, self._config), "consumer")

    def ready(self, timeout: float) -> bool:
        """Whether there is a client to read with; what is due to have one is done, or waited for so long."""
        while not self._rotated.empty():
            self._rotate(*self._rotated.get())
        if self._next is not None:
            made = self._next.take(timeout if self.client is None else 0.0)
            if made is not None:
                self._next = None
                self._change(made)
        if self._leaving is not None:
            thread, until = self._leaving
            thread.join(timeout)
            if thread.is_alive() and self._clock() < until:
                return False
            self._leaving = None
            self._join(self._member())
        return self.client is not None

    def close(self, timeout: float) -> bool:
        """Leave the group for good; whether that was done in time."""
        if self._next is not None:
            self._next.stop()
        if self.client is None:
            return True
        thread = closing(self.client)
        thread.join(timeout)
        return not thread.is_alive()

    def _rotate(self, config: dict[str, object], files: Collection[str], after: float) -> None:
        due = rotation(self._config, config, files)
        if due is None:
            return
        self._config = due.config
        if due.live and self.client is not None and self._next is None:
            self.client.set_sasl_credentials(*due.live)
            self._renew(*due.live)
            log.info("kafka: credentials have changed: the consumer's next connections use them")
            return
        if self._next is not None:
            self._next.stop()
        line = "kafka: credentials or certificates have changed: a new consumer is made"
        log.info(line, extra={"after": round(after, 1)})
        self._next = Making(partial(self._make, due.config), "consumer", after)

    def _change(self, made: Consumer) -> None:
        before = self.client
        if before is None:
            self.client = made
            self._join(made)
            return
        self._drain()
        self.client = made
        self._leaving = (closing(before), self._clock() + LEAVE_TIMEOUT)

    def _member(self) -> Consumer:
        assert self.client is not None, "one left, so another one has come"
        return self.client


def closing(consumer: Consumer) -> threading.Thread:
    """The thread that closes it: the client may hang in rare states."""
    thread = threading.Thread(target=consumer.close, name="close", daemon=True)
    thread.start()
    return thread
