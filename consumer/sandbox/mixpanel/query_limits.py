"""The limits of the Query API: 60 queries an hour and 5 at once for each project, and the three ways to say so."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final

from consumer.sandbox.answers import HttpAnswer, of_json

PER_HOUR: Final = 60
AT_ONCE: Final = 5
HOUR: Final = 3600.0
HELP: Final = "https://help.mixpanel.com/hc/en-us/articles/115004602563-Rate-Limits-for-Export-API-Endpoints"
POLICY: Final = (
    "RateLimit-Policy",
    '"project";q=60;w=3600, "project-concurrency";q=5;qu="concurrent-requests"',
)


class QueryLimits:
    """Counts the queries of a project. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._taken: deque[float] = deque()
        self._running = 0

    @contextmanager
    def query(self, project: str, url: str, *, counted: bool) -> Iterator[HttpAnswer | None]:
        """Run one query: None, or the 429 that it is answered with. A later page is not `counted`."""
        with self._lock:
            now = self._clock()
            while self._taken and self._taken[0] <= now - HOUR:
                self._taken.popleft()
            refused = None
            if counted and len(self._taken) >= PER_HOUR:
                refused = over("hour", project, url)
            elif self._running >= AT_ONCE:
                refused = over("concurrency", project, url)
            else:
                self._running += 1
                if counted:
                    self._taken.append(now)
        try:
            yield refused
        finally:
            if refused is None:
                with self._lock:
                    self._running -= 1

    def used(self) -> int:
        """How many were counted within the last hour."""
        with self._lock:
            return sum(taken > self._clock() - HOUR for taken in self._taken)


def over(limit: str, project: str, url: str) -> HttpAnswer:
    """The 429 for the limit: `hour`, `concurrency`, or `load`, where Mixpanel sheds load."""
    message = f"Query rate limit exceeded for project_id: {project}."
    headers: tuple[tuple[str, str], ...] = ()
    if limit == "hour":
        message += " This request exceeded the rate limit (61/60 queries running in the last hour)."
        headers = (
            POLICY,
            ("RateLimit", '"project";r=0;t=3600, "project-concurrency";r=3'),
            ("Retry-After", "3600"),
        )
    elif limit == "concurrency":
        message += " This request exceeded the concurrency limit (6/5 queries running concurrently)."
        headers = (POLICY, ("RateLimit", '"project";r=12, "project-concurrency";r=0;t=10'))
    else:
        message = message.removesuffix(".")
    body: dict[str, Any] = {
        "request": url,
        "error": f"{message} For more information, please consult our documentation at {HELP}",
    }
    answer = of_json(429, body)
    return HttpAnswer(answer.status, answer.body, answer.content_type, headers)
