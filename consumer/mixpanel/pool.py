"""The pool: a few threads that do nothing but post, so that the loop never waits for Mixpanel.

send(batch) -> Response(batch, answer) in the queue, exactly once for each
use_token(project, token) -> TokenChanged(project, opening) in it
"""

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol, TypeAlias

from consumer.core.batch import Batch
from consumer.core.model import UNKNOWN, Answer, Assignment
from consumer.mixpanel.lease import Lease, Permit

log = logging.getLogger("consumer.pool")


class Poster(Protocol):
    """What a thread posts with; see mixpanel/client.py."""

    def post(self, tails: Sequence[bytes], may_begin: Callable[[], bool]) -> Answer: ...
    def use_token(self, token: str) -> int: ...
    def hang_up(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Response:
    """What came back for one request."""

    batch: Batch
    answer: Answer


@dataclass(frozen=True)
class TokenChanged:
    """What starts from now on has another token of this project; each update begins with `opening` bytes."""

    project: str
    opening: int


PoolFact: TypeAlias = Response | TokenChanged


class PoolResults(Protocol):
    """Where what comes back waits: the loop's queue."""

    def put(self, item: PoolFact, /) -> None: ...


class Pool:
    """`count` threads. All but `use_token` are for one thread."""

    def __init__(self, posters: Mapping[str, Poster], count: int, results: PoolResults, lease: Lease) -> None:
        """`posters` by the project's name. A request that the `lease` does not let begin comes back as withheld."""
        self._lease = lease
        self._posters = posters
        self._results = results
        self._waiting: SimpleQueue[tuple[Batch, Permit] | None] = SimpleQueue()
        self._under_way: dict[Batch, Permit] = {}
        self._lock = threading.Lock()
        # What a thread keeps as long as it lives is not to stand in memory that the first burst takes: all start now.
        self._threads = [
            threading.Thread(target=self._work, name=f"sender-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def send(self, batch: Batch) -> None:
        """Post the batch as soon as a thread is free; at most `count` are under way, so that is now."""
        permit = Permit(self._lease)
        with self._lock:
            self._under_way[batch] = permit
        self._waiting.put((batch, permit))

    def withdraw(self, gone: Collection[Assignment]) -> int:
        """Begin no request any more that has updates of these assignments; returns how many that were to begin."""
        with self._lock:
            under_way = list(self._under_way.items())
        theirs = [
            permit for batch, permit in under_way if any(update.run.assignment in gone for update in batch.updates)
        ]
        return sum(permit.withdraw() for permit in theirs)

    def use_token(self, project: str, token: str) -> None:
        """Post with this token of the project from now on; from any thread."""
        self._results.put(TokenChanged(project, self._posters[project].use_token(token)))

    def hang_up(self) -> bool:
        """Close the connections, and say that it was done: not while a request is under way."""
        with self._lock:
            if self._under_way:
                return False
        for poster in self._posters.values():
            poster.hang_up()
        return True

    def close(self, timeout: float) -> None:
        """End the threads: what is under way is cut off, and its outcome stays unknown."""
        for _ in self._threads:
            self._waiting.put(None)
        for poster in self._posters.values():
            poster.close()
        for thread in self._threads:
            thread.join(timeout)

    def _work(self) -> None:
        while self._work_once():
            pass

    def _work_once(self) -> bool:
        """Post one batch, or end; while the thread waits for the next it keeps nothing of the one before."""
        taken = self._waiting.get()
        if taken is None:
            return False
        batch, permit = taken
        answer = self._post(batch, permit)
        with self._lock:
            del self._under_way[batch]
        self._results.put(Response(batch, answer))
        return True

    def _post(self, batch: Batch, permit: Permit) -> Answer:
        """The answer; whatever goes wrong here must come back as one, or its groups would wait for ever."""
        try:
            return self._posters[batch.destination].post(batch.tails(), permit.begin)
        except Exception:
            log.exception("a request could not be made")
            return Answer(0, failure=UNKNOWN, cause="internal")
