"""The pool: a few threads that do nothing but post, so that the loop never waits for Mixpanel.

send(batch) -> Delivered(batch, answer) in the queue, exactly once for each
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

from consumer.core.batch import Batch
from consumer.core.model import NOT_SENT, UNKNOWN, Answer
from consumer.core.verdict import WITHHELD
from consumer.mixpanel.lease import Lease

log = logging.getLogger("consumer.senders")


class Endpoint(Protocol):
    """What a thread posts with; see mixpanel/client.py."""

    def post(self, tails: Sequence[bytes]) -> Answer: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Delivered:
    """What came back for one request."""

    batch: Batch
    answer: Answer


class Senders:
    """`count` threads, each started when it is first needed. `send` and `close` are for one thread."""

    def __init__(
        self, endpoints: Mapping[str, Endpoint], count: int, results: "SimpleQueue[object]", lease: Lease
    ) -> None:
        """`endpoints` by the project's name. Once the `lease` has run out, a request comes back as withheld."""
        self._lease = lease
        self._endpoints = endpoints
        self._count = count
        self._results = results
        self._waiting: SimpleQueue[Batch | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._under_way = 0
        self._lock = threading.Lock()

    def send(self, batch: Batch) -> None:
        """Post the batch as soon as a thread is free; at most `count` are under way, so that is now."""
        with self._lock:
            self._under_way += 1
            more = self._under_way > len(self._threads) and len(self._threads) < self._count
        if more:
            thread = threading.Thread(target=self._work, name=f"sender-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._waiting.put(batch)

    def close(self, timeout: float) -> None:
        """End the threads: what is under way is cut off, and its outcome stays unknown."""
        for _ in self._threads:
            self._waiting.put(None)
        for endpoint in self._endpoints.values():
            endpoint.close()
        for thread in self._threads:
            thread.join(timeout)

    def _work(self) -> None:
        while True:
            batch = self._waiting.get()
            if batch is None:
                return
            self._results.put(Delivered(batch, self._post(batch)))
            with self._lock:
                self._under_way -= 1

    def _post(self, batch: Batch) -> Answer:
        """The answer; whatever goes wrong here must come back as one, or its groups would wait for ever."""
        if not self._lease.valid():
            return Answer(0, failure=NOT_SENT, cause=WITHHELD)
        try:
            return self._endpoints[batch.destination].post(batch.tails())
        except Exception:
            log.exception("a request could not be made")
            return Answer(0, failure=UNKNOWN, cause="internal")
