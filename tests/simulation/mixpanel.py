"""Mixpanel, and the pool that posts to it, without sockets: every answer that is known, applied or not.

The state is the sandbox's model of profiles. The updates of one request are applied in random order. What an
answer tells the service is kept beside it, as the truth that the oracle judges by.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty
from typing import Any

import orjson

from consumer.core.model import NOT_SENT, UNKNOWN, Answer
from consumer.event.encode import opening_of, request_json
from consumer.mixpanel.pool import Response
from consumer.sandbox.answers import TEMPORARY, Dialect, strict
from consumer.sandbox.mixpanel.profiles import Profiles

from .traffic import changed_by, refused_by_rule, token_of
from .world import Process, World

# What an answer tells.
TAKEN, PARTIAL, OPAQUE, AGAIN, CAPACITY, HALT, LARGE = (
    "taken",
    "partial",
    "opaque",
    "again",
    "capacity",
    "halt",
    "large",
)

NOTHING_READ = ("refused", "reset_before", "reset_after", "timeout", "timeout_late", "timeout_never")
SERVER = ("500", "502", "504", "408", "503", "unreadable", "temporary")
TOO_SLOW = ("408", "504")
SLOW_DOWN = ("429", "429_after", "503_after")
HALTING = ("401", "403", "404", "405", "301", "400")
LYING = ("count",)
FAULTS = NOTHING_READ + SERVER + SLOW_DOWN + HALTING + LYING
ATTRIBUTED = ("by-index", "records")
DIALECTS = ("by-index", "by-message", "records", "strings", "error", "plain", "out-of-range", "duplicate")
NEVER_APPLIED = "500_never"
TIMEOUT = 5.0


@dataclass(slots=True, eq=False)
class Request:
    """One request: what was sent by whom, what became of it, and what its sender was told."""

    number: int
    sender: Any
    batch: Any
    updates: list[dict[str, Any]]
    size: int
    sent_at: float
    told: str = ""
    unknown: bool = False  # the sender cannot know whether it was applied
    accepted: list[int] = field(default_factory=list)  # indexes told as accepted
    refused: list[int] = field(default_factory=list)
    asked: float = 0.0  # what the answer asks to wait; 0 where it says nothing
    wait: float = 0.0  # at least so long, then
    told_at: float = 0.0  # when the sender heard of it
    failures: int = 0  # of its batch, up to this answer
    timed_out: bool = False  # its sender waited for long enough, or a proxy did
    suspect: bool = False  # its sender held the fault for its own when it was sent
    given_up: bool = False  # the sender stopped waiting before it was applied
    applied: int = 0
    blame: set[Any] = field(default_factory=set)  # the oracle's: what went again for a refusal, and of which group
    covers: list[Any] = field(default_factory=list)  # the oracle's: for each update what it carries
    assignments: dict[str, Any] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)  # the oracle's: for each group the epoch it was sent in

    @property
    def project(self) -> str:
        """The project that it is for."""
        return str(self.batch.destination)


class Mixpanel:
    """`/groups` of all projects, for all instances."""

    def __init__(self, world: World, *, faults: float, dialects: tuple[str, ...], limit: int, latency: float) -> None:
        self.profiles = Profiles()
        self.weather = ""  # a fault that holds now, for nearly every request
        self.ill: tuple[str, ...] = ()  # projects, every request of which meets `illness`
        self.illness = ""
        self.stuck = ""  # a group whose every request ends in ...
        self.stuck_by = NEVER_APPLIED
        self.faults = faults
        self.limit = limit  # bytes of one request
        self.on_applied: Callable[[Request, list[int]], None] = lambda request, indexes: None
        self._world = world
        self._dialects = dialects
        self.latency = latency
        self._number = 0

    def calm(self) -> None:
        """No faults from now on, but for refusals."""
        self.weather = self.stuck = ""
        self.ill = ()
        self.faults = 0.0

    def post(self, sender: Any, batch: Any, body: bytes) -> tuple[Request, Answer, float]:
        """Take a request: what its sender will be told, and in how many seconds."""
        self._number += 1
        request = Request(self._number, sender, batch, orjson.loads(body), len(body), self._world.now)
        request.suspect = batch.suspect
        latency = self.latency * self._world.between(0.2, 2.0)
        answer = self._answer(request, self._fault(request), latency)
        seconds = TIMEOUT if answer.cause == "timeout" else latency
        return (
            request,
            Answer(answer.status, answer.body, answer.retry_after, answer.failure, answer.cause, seconds),
            seconds,
        )

    def _fault(self, request: Request) -> str:
        world = self._world
        if request.project in self.ill:
            return self.illness
        if self.stuck and any(changed_by(update) == self.stuck for update in request.updates):
            return self.stuck_by
        if self.weather and world.chance(0.9):
            return self.weather
        return world.random.choice(FAULTS) if world.chance(self.faults) else ""

    def _answer(self, request: Request, fault: str, latency: float) -> Answer:
        world = self._world
        if fault in ("", "count"):
            if request.size > self.limit:
                request.told = LARGE
                return Answer(413, b"<html><title>Error 413 (Request Entity Too Large)!!1</title></html>")
            return self._judged(request, latency * world.random.random(), lying=fault == "count")
        if fault in HALTING:
            request.told = HALT
            return Answer(
                int(fault), b'{"error": "Unauthorized", "status": "error"}' if fault == "401" else b"<html>"
            )
        if fault in SLOW_DOWN:
            request.told = CAPACITY
            after = world.between(1.0, 20.0) if fault.endswith("_after") else None
            request.asked = after or 0.0
            request.wait = after or 2.99
            request.unknown = fault == "503_after"
            return Answer(int(fault[:3]), b"slow down", after)
        request.told = AGAIN
        if fault in NOTHING_READ:
            return self._nothing_read(request, fault, latency)
        request.unknown = True
        request.timed_out = fault in TOO_SLOW
        if fault == "temporary":
            return Answer(200, orjson.dumps(TEMPORARY))
        if fault != NEVER_APPLIED:
            self._apply(request, latency * world.random.random(), world.random.choice(("all", "none", "some")))
        return Answer(200, b"<html>") if fault == "unreadable" else Answer(int(fault[:3]), b"upstream connect error")

    def _nothing_read(self, request: Request, fault: str, latency: float) -> Answer:
        if fault == "refused":
            return Answer(0, failure=NOT_SENT, cause="connection")
        request.unknown = True
        request.timed_out = fault.startswith("timeout")
        if request.timed_out:
            if fault == "timeout":
                self._apply(request, TIMEOUT * self._world.random.random(), "all")
            elif fault == "timeout_late":
                self._apply(request, TIMEOUT + self._world.between(0.0, 40.0), "all")
            return Answer(0, failure=UNKNOWN, cause="timeout")
        if fault == "reset_after":
            self._apply(request, latency * self._world.random.random(), "all")
        return Answer(0, failure=UNKNOWN, cause="reset")

    def _judged(self, request: Request, seconds: float, *, lying: bool) -> Answer:
        """The answer of a Mixpanel that works: what it took, and in one of the dialects what it refused."""
        world = self._world
        sent = len(request.updates)
        refused = {index: words for index, update in enumerate(request.updates) if (words := refused_by_rule(update))}
        name = world.random.choice(self._dialects)
        count = world.random.choice(("honest", "honest", "absent"))
        whole = bool(refused) and name in ("error", "strings") and count == "honest" and world.chance(0.3)
        if whole:  # the whole request is refused for the sake of some
            applied = 0
        else:
            applied = sent - len(refused)
            self._apply(request, seconds, "all")
        lying = lying and sent > 1
        dialect = Dialect(name, world.random.choice((200, 400)), "wrong" if lying else count)
        told = strict(refused, request.updates, applied, dialect)
        if not refused and not lying:
            request.told = TAKEN
            request.accepted = list(range(sent))
        elif lying or name not in ATTRIBUTED or (count == "absent" and len(refused) < sent):
            request.told = OPAQUE
            request.unknown = not (whole or (applied == 0 and count == "honest" and name != "plain")) or lying
            if sent == 1:
                request.refused = [0]
        else:
            request.told = PARTIAL
            request.refused = list(refused)
            request.accepted = [index for index in range(sent) if index not in refused]
        return Answer(told.status, told.body)

    def _apply(self, request: Request, seconds: float, what: str) -> None:
        """Let the request have its effect in so many seconds: on all of its updates, on some, on none."""
        if what == "none":
            return
        indexes = [index for index, update in enumerate(request.updates) if not refused_by_rule(update)]
        self._world.random.shuffle(indexes)
        if what == "some":
            indexes = indexes[: self._world.random.randint(0, len(indexes))]
        self._world.after(seconds, lambda: self._have_effect(request, indexes))

    def _have_effect(self, request: Request, indexes: list[int]) -> None:
        self.profiles.change([request.updates[index] for index in indexes])
        request.applied += 1
        self.on_applied(request, indexes)


class Results:
    """The queue of the loop: what comes back from the pool and the registry."""

    def __init__(self, world: World, process: Process, taken: Callable[[object], None]) -> None:
        self._world = world
        self._process = process
        self._taken = taken
        self._items: deque[tuple[object, object]] = deque()

    def put(self, item: object, known_as: object = None) -> None:
        """Let the loop find it."""
        self._items.append((item, known_as))
        self._process.poke("results")

    def get(self, block: bool = True, timeout: float | None = None) -> object:
        """The next; Empty after the time-out, or before it."""
        if not self._items:
            assert timeout is not None
            assert timeout > 0
            self._process.wait(timeout, "results")
        return self.get_nowait()

    def get_nowait(self) -> object:
        """The next; Empty where there is none."""
        if not self._items:
            raise Empty
        item, known_as = self._items.popleft()
        self._taken(known_as if known_as is not None else item)
        return item


class Pool:
    """The pool of one instance."""

    def __init__(self, world: World, mixpanel: Mixpanel, sender: Any, results: Results) -> None:
        self._world = world
        self._mixpanel = mixpanel
        self._sender = sender
        self._results = results
        self.closed = False

    def send(self, batch: Any) -> None:
        """Post it, and let the answer come."""
        assert not self.closed
        body = request_json(opening_of(token_of(batch.destination)), batch.tails())
        request, answer, seconds = self._mixpanel.post(self._sender, batch, body)
        self._sender.sending(request)
        self._world.after(seconds, lambda: self._answered(request, answer))

    def withdraw(self, gone: Any) -> int:
        """None: each began when it was sent."""
        return 0

    def close(self, timeout: float) -> None:
        """What is under way is cut off; Mixpanel may apply it all the same."""
        self.closed = True

    def _answered(self, request: Request, answer: Answer) -> None:
        request.given_up = True  # if it is applied now, then late
        if not self.closed and not self._sender.process.dead:
            self._results.put(Response(request.batch, answer), request)
