"""The sandbox's Mixpanel: `/groups` with every parameter, operation, limit, answer and fault that is known of it,
and the Query API that reads profiles back (query.py).

    sandbox = MixpanelSandbox()
    sandbox.start()                       # sandbox.url is http://127.0.0.1:PORT
    sandbox.faults.on("status", status=503, times=3)
    sandbox.profiles.snapshot()
    sandbox.stop()

A wrong token is accepted, as Mixpanel does. An update that breaks a limit is refused, and so, to have something to
look at, is one with a property named `$reject`, or whose group id starts with `reject-`.
"""

import random
from collections.abc import Callable
from contextlib import nullcontext
from threading import Lock
from time import perf_counter
from types import TracebackType
from typing import Any, Final, Self

from consumer.sandbox import answers
from consumer.sandbox.answers import HttpAnswer
from consumer.sandbox.mixpanel import request_log, request_parsing
from consumer.sandbox.mixpanel.control import Control
from consumer.sandbox.mixpanel.faults import ActiveFault, Faults
from consumer.sandbox.mixpanel.profiles import Profiles
from consumer.sandbox.mixpanel.project import SandboxProject
from consumer.sandbox.mixpanel.query import PAGE_SIZE, QueryEndpoint
from consumer.sandbox.mixpanel.reading import Lag, ReadableProfiles
from consumer.sandbox.mixpanel.request_log import AppliedUpdates, LoggedRequest, RequestLog
from consumer.sandbox.mixpanel.request_parsing import Arrival
from consumer.sandbox.mixpanel.struck import answer_of, dialect_of, instead_of, kept, names_of, resets
from consumer.sandbox.mixpanel.updates import refusal
from consumer.sandbox.web import Arrived, Gone, Reply, Reset, Web

MAX_BODY: Final = 2 * 1024 * 1024
"""The largest body taken: the one figure that Mixpanel's own examples of a 413 name."""
REJECT_PROPERTY: Final = "$reject"
REJECT_GROUP: Final = "reject-"


class MixpanelSandbox:
    """A Mixpanel on loopback, for one machine.

    `port` 0 takes a free one. `shuffle` is a seed: the updates of one request are applied in a random order, as
    Mixpanel may; None keeps the order of the array. `keep_applied` keeps every applied update. `project` is
    what can be read back, `lag` how long after a write, least and most, in seconds.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        shuffle: int | None = None,
        keep_applied: bool = False,
        seed: int = 0,
        max_body: int = MAX_BODY,
        project: SandboxProject | None = None,
        lag: Lag = (0.0, 0.0),
        page_size: int = PAGE_SIZE,
    ) -> None:
        self.profiles = Profiles()
        self.requests = RequestLog()
        self.faults = Faults(seed)
        self.applied = AppliedUpdates() if keep_applied else None
        self._watch: Callable[[list[dict[str, Any]]], None] | None = None
        self._random = None if shuffle is None else random.Random(shuffle)
        self._applying = Lock()
        self._max_body = max_body
        self.project = project or SandboxProject()
        self.reading = ReadableProfiles(self.profiles, lag)
        self.query = QueryEndpoint(self.project, self.reading, self.faults, page_size)
        self._control = Control(self.profiles, self.requests, self.faults, self.query, self.project)
        self._web = Web(port, self._route)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._web.port

    @property
    def url(self) -> str:
        """What `MIXPANEL_URL` is set to."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen; after a stop on the same port, with all profiles kept. Raises OSError where the port is taken."""
        self._web.start()

    def stop(self) -> None:
        """Close the port and every connection: clients are refused."""
        self._web.stop()

    def provide(self, name: str, source: Callable[[], Any]) -> None:
        """Let the page ask `GET /name` for what `source` returns: `service` and `dead-letters` have their panels."""
        self._control.provide(name, source)

    def action(self, name: str, label: str, act: Callable[[], Any]) -> None:
        """Give the page a button. `act` may return a line to show; an exception's text is shown as a failure."""
        self._control.action(name, label, act)

    def watch(self, seen: Callable[[list[dict[str, Any]]], None]) -> None:
        """Tell what is applied, in the order in which it is."""
        self._watch = seen

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _route(self, arrived: Arrived) -> Reply:
        if self.query.takes(arrived.path):
            return self.query.route(arrived)
        if arrived.path.rstrip("/") != "/groups":
            return self._control.route(arrived)
        if arrived.method == "OPTIONS":
            return Reply(HttpAnswer(204, b""), headers=_shared(arrived))
        if arrived.method not in ("POST", "GET"):
            return Reply(HttpAnswer(405, b""))
        entry = self.requests.begin()
        started = perf_counter()
        try:
            reply = self._groups(arrived, entry)
            reply.headers += _shared(arrived)
            entry.status = reply.answer.status
            entry.answer = reply.answer.body[: request_log.KEPT_BYTES].decode("utf-8", "replace")
            return reply
        finally:
            entry.milliseconds = (perf_counter() - started) * 1000
            self.requests.end(entry)

    def _groups(self, arrived: Arrived, entry: LoggedRequest) -> Reply:
        """Answer one request to /groups, or do what the faults that are on make of it."""
        entry.method, entry.size = arrived.method, arrived.size
        entry.content_type = arrived.header("Content-Type")
        struck = self.faults.strike(arrived.size)
        entry.faults = names_of(struck)
        if resets(struck, "before-reading"):
            raise Reset
        arrival = request_parsing.read(arrived.query, entry.content_type.lower(), arrived.read())
        entry.parameters, entry.updates = arrival.parameters, len(arrival.updates)
        entry.sample = request_log.sample(arrival.updates, max(arrived.size, len(arrived.query)))
        struck = self.faults.strike_for(arrival.updates, arrived.size, struck)
        entry.faults = names_of(struck)
        with self.applied.held(arrival.updates) if self.applied else nullcontext():
            answer = self._decide(arrived, arrival, entry, struck)
        if "hang" in struck:
            arrived.linger(struck["hang"].options["milliseconds"] / 1000)
            raise Gone
        return Reply(answer, struck["drip"].options["milliseconds"] / 1000 if "drip" in struck else 0.0)

    def _decide(
        self, arrived: Arrived, arrival: Arrival, entry: LoggedRequest, struck: dict[str, ActiveFault]
    ) -> HttpAnswer:
        """Apply what is to be applied, and say what to answer."""
        if "slow" in struck:
            arrived.wait(struck["slow"].options["milliseconds"] / 1000)
        instead = instead_of(struck)
        if resets(struck, "before-applying"):
            raise Reset
        if instead and not instead.options.get("applied", False):
            answer = answer_of(instead, arrival.strict)
        else:
            answer = self._apply(arrived, arrival, entry, struck)
            answer = answer_of(instead, arrival.strict) if instead else answer
        if resets(struck, "after-applying"):
            raise Reset
        return answer

    def _apply(
        self, arrived: Arrived, arrival: Arrival, entry: LoggedRequest, struck: dict[str, ActiveFault]
    ) -> HttpAnswer:
        """What Mixpanel does where no fault replaces its answer."""
        if arrived.size > self._max_body:
            return answers.too_large(f"{self._max_body} bytes")
        if len(arrival.updates) > request_parsing.MAX_UPDATES:
            return answers.too_large(f"{request_parsing.MAX_UPDATES} updates")
        if arrival.problem:
            return answers.malformed(arrival.problem, arrival.told)
        refused, on_demand = self._judge(arrival.updates, arrived.size)
        if on_demand:
            entry.faults += (on_demand.name,)
        told_by = (on_demand or struck.get("dialect")) if arrival.strict else None
        if not (refused and told_by and told_by.options["taken"] == "none"):
            valid = [update for index, update in enumerate(arrival.updates) if index not in refused]
            self._change(kept(valid, struck.get("lost")), arrival, struck.get("late"))
            entry.applied = len(valid)
        entry.refused = refused
        if not arrival.strict:
            return answers.lax(refused, len(arrival.updates), arrival.told)
        return answers.strict(refused, arrival.updates, entry.applied, dialect_of(told_by), arrival.verbose)

    def _judge(self, updates: list[Any], size: int) -> tuple[dict[int, str], ActiveFault | None]:
        """Which updates are refused and with what words, and the fault that refused some."""
        refused = {}
        for index, update in enumerate(updates):
            why = refusal(update, size) or marked(update)
            if why:
                refused[index] = why
        more, fault = self.faults.refuse(updates)
        return dict(sorted((more | refused).items())), fault

    def _change(self, valid: list[dict[str, Any]], arrival: Arrival, late: ActiveFault | None) -> None:
        lag = (late.options["least"] / 1000, late.options["most"] / 1000) if late else None
        with self._applying:  # so that these have the order in which profiles changed
            if self._random:
                self._random.shuffle(valid)
            self.profiles.change(valid)
            self.reading.note(valid, placed=arrival.parameters.get("ip") != "0", lag=lag)
            if self.applied:
                self.applied.note(valid)
            if self._watch:
                self._watch(valid)


def marked(update: dict[str, Any]) -> str | None:
    """The words for a valid update that is refused on purpose: it carries the mark."""
    if update["$group_id"].startswith(REJECT_GROUP):
        return f"$group_id, starts with {REJECT_GROUP}: refused on purpose"
    for value in update.values():
        if isinstance(value, dict) and REJECT_PROPERTY in value:
            return f"{REJECT_PROPERTY}, refused on purpose"
    return None


def _shared(arrived: Arrived) -> list[tuple[str, str]]:
    """What lets the page of another site, with Mixpanel's browser library in it, read the answer."""
    origin = arrived.header("Origin")
    if not origin:
        return []
    headers = [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
        ("Vary", "Origin"),
    ]
    if arrived.method == "OPTIONS":
        headers += [("Access-Control-Allow-Methods", "GET, POST"), ("Access-Control-Allow-Headers", "Content-Type")]
    return headers
