"""What the sandbox's Mixpanel remembers: recent requests with their answers, and for tests every applied update."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

import orjson

from consumer.sandbox.mixpanel.updates import Group, group_of, refusal

KEPT_REQUESTS: Final = 500
KEPT_BYTES: Final = 32 * 1024  # of one request's updates and of one answer's body
KEPT_UPDATES: Final = 50


@dataclass
class LoggedRequest:
    """One request to `/groups`: what arrived, what was answered (None: nothing), and which faults struck."""

    number: int = 0
    when: float = 0.0
    method: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    content_type: str = ""
    size: int = 0
    updates: int = 0
    applied: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    sample: bytes = b"[]"
    status: int | None = None
    answer: str = ""
    faults: tuple[str, ...] = ()
    milliseconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The entry as `GET /requests` shows it; `sample` is all updates, or the first of many."""
        return {
            "number": self.number,
            "when": self.when,
            "method": self.method,
            "parameters": self.parameters,
            "content_type": self.content_type,
            "bytes": self.size,
            "updates": self.updates,
            "applied": self.applied,
            "refused": {str(index): why for index, why in list(self.refused.items())[:KEPT_UPDATES]},
            "sample": orjson.loads(self.sample),
            "answer": None if self.status is None else {"status": self.status, "body": self.answer},
            "faults": self.faults,
            "milliseconds": round(self.milliseconds, 2),
        }


class RequestLog:
    """The newest requests, in bounded memory, and counts of all of them. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: deque[LoggedRequest] = deque(maxlen=KEPT_REQUESTS)
        self._next = 1
        self._counts = {"requests": 0, "updates": 0, "refused": 0, "bytes": 0}
        self._statuses: dict[str, int] = {}

    def begin(self) -> LoggedRequest:
        """A new entry, numbered as requests arrive."""
        with self._lock:
            entry = LoggedRequest(self._next, time.time())
            self._next += 1
            return entry

    def end(self, entry: LoggedRequest) -> None:
        """The request is answered, or given up."""
        with self._lock:
            self._entries.append(entry)
            self._counts["requests"] += 1
            self._counts["updates"] += entry.applied
            self._counts["refused"] += len(entry.refused)
            self._counts["bytes"] += entry.size
            answer = "none" if entry.status is None else str(entry.status)
            self._statuses[answer] = self._statuses.get(answer, 0) + 1

    def newest(self, limit: int = KEPT_REQUESTS, since: int = 0) -> list[dict[str, Any]]:
        """The requests with a number above `since`, newest first."""
        with self._lock:
            entries = sorted(self._entries, key=lambda entry: -entry.number)
        return [entry.as_json() for entry in entries[:limit] if entry.number > since]

    def counts(self) -> dict[str, Any]:
        """Requests, updates applied, updates refused, bytes received, and answers by status."""
        with self._lock:
            return self._counts | {"statuses": dict(self._statuses)}


def sample(updates: list[Any], size: int) -> bytes:
    """As many of a request's updates as are kept, as JSON."""
    if size <= KEPT_BYTES:
        return orjson.dumps(updates)
    kept = orjson.dumps(updates[: max(1, min(KEPT_UPDATES, len(updates) * KEPT_BYTES // size))])
    return kept if len(kept) <= 2 * KEPT_BYTES else orjson.dumps([{"omitted": f"{len(kept)} bytes"}])


class AppliedUpdates:
    """Every applied update in order, group by group, and every group that two requests held at once.

    For tests: it grows without bound. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._applied: dict[Group, list[dict[str, Any]]] = {}
        self._held: dict[Group, int] = {}
        self.overlaps: list[Group] = []
        """Groups that arrived while an earlier request with an update of theirs was not yet answered."""

    @contextmanager
    def held(self, updates: list[Any]) -> Iterator[None]:
        """Hold the groups of a request from its arrival until just before its answer."""
        groups = {group_of(update) for update in updates if refusal(update, 0) is None}
        with self._lock:
            for group in groups:
                held = self._held.get(group, 0)
                if held:
                    self.overlaps.append(group)
                self._held[group] = held + 1
        try:
            yield
        finally:
            with self._lock:
                for group in groups:
                    self._held[group] -= 1
                    if not self._held[group]:
                        del self._held[group]

    def under_way(self) -> int:
        """How many groups are in requests that arrived and are not answered."""
        with self._lock:
            return len(self._held)

    def note(self, updates: Iterable[dict[str, Any]]) -> None:
        """These updates were applied, in this order."""
        with self._lock:
            for update in updates:
                self._applied.setdefault(group_of(update), []).append(update)

    def of(self, token: str, group_key: str, group_id: str, company_id: str = "") -> list[dict[str, Any]]:
        """The updates applied to one group, oldest first."""
        with self._lock:
            return list(self._applied.get((token, group_key, group_id, company_id), ()))

    def groups(self) -> list[Group]:
        """Every group that an update was applied to."""
        with self._lock:
            return list(self._applied)
