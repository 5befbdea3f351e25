"""What the sandbox's page and a test ask the sandbox's Mixpanel: profiles, requests, faults, counts, actions."""

import json
from collections.abc import Callable
from importlib import resources
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import orjson

from consumer.sandbox.answers import HttpAnswer, of_json
from consumer.sandbox.mixpanel.fault_kinds import KINDS
from consumer.sandbox.mixpanel.faults import Faults
from consumer.sandbox.mixpanel.profiles import Profiles
from consumer.sandbox.mixpanel.project import SandboxProject
from consumer.sandbox.mixpanel.query import QueryEndpoint
from consumer.sandbox.mixpanel.request_log import RequestLog
from consumer.sandbox.web import Arrived, Reply

KINDS_OF_FILE: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
POLICY: Final = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:"
SAFE: Final = [
    ("Content-Security-Policy", POLICY),
    ("Cache-Control", "no-cache"),
    ("X-Content-Type-Options", "nosniff"),
]
SHOWN: Final = 200


class Control:
    """The endpoints beside `/groups`. None of them is ever hit by a fault."""

    def __init__(
        self, profiles: Profiles, requests: RequestLog, faults: Faults, query: QueryEndpoint, project: SandboxProject
    ) -> None:
        self._profiles = profiles
        self._requests = requests
        self._faults = faults
        self._query = query
        self._project = project
        self._sources: dict[str, Callable[[], Any]] = {}
        self._actions: dict[str, tuple[str, Callable[[], Any]]] = {}

    def provide(self, name: str, source: Callable[[], Any]) -> None:
        """Answer `GET /name` with what the source returns."""
        self._sources[name] = source

    def action(self, name: str, label: str, act: Callable[[], Any]) -> None:
        """Answer `POST /actions/name` by acting."""
        self._actions[name] = (label, act)

    def route(self, arrived: Arrived) -> Reply:
        """Answer one request."""
        if arrived.method not in ("GET", "HEAD") and not _same_origin(arrived):
            return _error(403, "another site's page may not change the sandbox")
        head, _, rest = arrived.path.strip("/").partition("/")
        if arrived.method in ("GET", "HEAD"):
            return self._show(arrived, head, rest)
        if head == "faults":
            return self._change_faults(arrived, unquote(rest))
        if head == "group-keys" and rest:
            return self._change_keys(arrived, unquote(rest))
        if head == "actions" and arrived.method == "POST":
            return self._act(unquote(rest))
        return _error(404, "no such place")

    def _show(self, arrived: Arrived, head: str, rest: str) -> Reply:
        asked = dict(parse_qsl(arrived.query))
        if rest:
            return _error(404, "no such place")
        if not head or head.endswith((".css", ".js")):
            return _file(head or "index.html")
        if head == "profiles":
            if "changed_since" not in asked:
                return _reply(self._profiles.snapshot())
            since, limit = _number(asked, "changed_since", 0), _number(asked, "limit", SHOWN)
            return _reply(self._profiles.changes(since, limit, asked.get("match", "")))
        if head == "requests":
            return _reply(self._requests.newest(_number(asked, "limit", SHOWN), _number(asked, "since", 0)))
        if head == "faults":
            return _reply({"faults": self._faults.as_json(), "kinds": _kinds()})
        if head == "stats":
            more = {"profiles": len(self._profiles), "provided": sorted(self._sources)}
            return _reply(self._requests.counts() | more | {"queries": self._query.count})
        if head == "queries":
            return _reply(self._query.queries())
        if head == "group-keys":
            return _reply(self._project.data_groups())
        if head == "actions":
            return _reply([{"name": name, "label": label} for name, (label, _) in self._actions.items()])
        if head in self._sources:
            return self._provided(head)
        return _error(404, "no such place")

    def _provided(self, name: str) -> Reply:
        try:
            return _reply(self._sources[name]())
        except Exception as error:  # noqa: BLE001  # a source that fails now may answer the next time
            return _error(503, f"{name}: {error or type(error).__name__}")

    def _change_faults(self, arrived: Arrived, name: str) -> Reply:
        """PUT /faults replaces all, PUT /faults/NAME one; DELETE likewise."""
        if arrived.method == "DELETE":
            if not name:
                self._faults.clear()
            elif not self._faults.off(name):
                return _error(404, f"no fault {name} is on")
            return _reply({"faults": self._faults.as_json()})
        if arrived.method != "PUT":
            return _error(405, "PUT or DELETE")
        try:
            asked = orjson.loads(arrived.read())
            if name:
                self._faults.on(_named(asked, name))
            else:
                self._faults.replace(asked if isinstance(asked, list) else [asked])
        except orjson.JSONDecodeError:
            return _error(400, "the body is not JSON")
        except ValueError as error:
            return _error(400, str(error))
        return _reply({"faults": self._faults.as_json()})

    def _change_keys(self, arrived: Arrived, name: str) -> Reply:
        """PUT /group-keys/NAME defines a group key of the project, DELETE forgets it."""
        if arrived.method not in ("PUT", "DELETE"):
            return _error(405, "PUT or DELETE")
        self._project.group_keys[:] = [key for key in self._project.group_keys if key != name]
        if arrived.method == "PUT":
            self._project.group_keys.append(name)
        return _reply(self._project.data_groups())

    def _act(self, name: str) -> Reply:
        if name not in self._actions:
            return _error(404, f"no action {name}")
        try:
            said = self._actions[name][1]()
        except Exception as error:  # noqa: BLE001  # whatever an action raises is for the person who clicked
            return _error(500, str(error) or type(error).__name__)
        return _reply({"said": said if isinstance(said, str) else None})


def _named(asked: Any, name: str) -> dict[str, Any]:
    """What is asked for under the name of its place; by default the name is the kind."""
    return {"kind": name, **asked, "name": name} if isinstance(asked, dict) else {"kind": None}


def _kinds() -> list[dict[str, Any]]:
    """Every kind of fault with its options, for a form."""
    return [
        {
            "kind": name,
            "meaning": kind.meaning,
            "options": [
                {"name": key, "default": option.default, "meaning": option.meaning, "choices": option.choices}
                for key, option in kind.options.items()
            ],
        }
        for name, kind in KINDS.items()
    ]


def _same_origin(arrived: Arrived) -> bool:
    """Whether a browser that sends this shows our own page; clients other than browsers name no origin."""
    origin = arrived.header("Origin")
    return not origin or origin.partition("//")[2] == arrived.header("Host")


def _number(asked: dict[str, str], name: str, default: int) -> int:
    text = asked.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 16 else default


def _reply(body: object) -> Reply:
    try:
        raw = orjson.dumps(body)
    except TypeError:  # integers beyond 64 bits, which sums of an $add may reach
        raw = json.dumps(body).encode()
    return Reply(HttpAnswer(200, raw), headers=[("Cache-Control", "no-store")])


def _error(status: int, message: str) -> Reply:
    return Reply(of_json(status, {"error": message}))


def _file(name: str) -> Reply:
    """A file of the page; `name` has no slash in it."""
    place = resources.files("consumer.sandbox") / "page" / name
    if not place.is_file():
        return _error(404, f"the page has no {name}")
    content_type = KINDS_OF_FILE[name[name.rindex(".") :]] + "; charset=utf-8"
    return Reply(HttpAnswer(200, place.read_bytes(), content_type), headers=SAFE)
