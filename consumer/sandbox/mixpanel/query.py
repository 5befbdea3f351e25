"""The sandbox's Query API: group profiles read back, with the answers, limits and refusals that are known of it.

    POST /api/query/engage, /api/2.0/engage           form or JSON over the URL's parameters
    GET  /api/app/me                                  the projects of the account, each with its host
    GET  /api/app/projects/{id}/data-groups/          the group keys, with their ids
    GET  /settings/project/{id}/metadata              the project's token

No answer about groups was ever published: it has the shape of the recorded ones about users. A group key id that is
not known is answered with nothing found, and results come in no order.
"""

import base64
import binascii
import json
import random
import time
from collections import OrderedDict, deque
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Final
from urllib.parse import parse_qsl

from consumer.sandbox.answers import HTML, HttpAnswer, of_json, of_status
from consumer.sandbox.mixpanel.faults import ActiveFault, Faults
from consumer.sandbox.mixpanel.project import SandboxProject
from consumer.sandbox.mixpanel.query_limits import QueryLimits, over
from consumer.sandbox.mixpanel.reading import ReadableProfiles
from consumer.sandbox.web import Arrived, Reply

ENGAGE: Final = ("/api/query/engage", "/api/2.0/engage")
PAGE_SIZE: Final = 1000
SESSIONS: Final = 20
KEPT: Final = 200
OTHER_TOKEN: Final = "f" * 32

Rows = list[dict[str, Any]]


class QueryEndpoint:
    """Answers reads of one project. `queries` are the newest requests, newest first."""

    def __init__(
        self, project: SandboxProject, reading: ReadableProfiles, faults: Faults, page_size: int = PAGE_SIZE
    ) -> None:
        self.limits = QueryLimits()
        self._project = project
        self._reading = reading
        self._faults = faults
        self._page_size = page_size
        self._lock = Lock()
        self._random = random.Random(1)
        self._sessions: OrderedDict[str, Rows] = OrderedDict()
        self._log: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._count = 0

    def takes(self, path: str) -> bool:
        """Whether the path is one of the Query API, or of the application's API."""
        return path.startswith(("/api/", "/settings/project/"))

    def route(self, arrived: Arrived) -> Reply:
        """Answer one request."""
        struck = self._faults.strike_query()
        path = arrived.path.rstrip("/")
        asked = parameters_of(arrived) if path in ENGAGE else {}
        answer = self._refused(arrived, path, asked, struck) or self._answer(path, asked, struck)
        with self._lock:
            self._count += 1
            entry = {"number": self._count, "when": time.time(), "method": arrived.method, "path": arrived.path}
            entry |= {
                "parameters": asked,
                "status": answer.status,
                "faults": [fault.name for fault in struck.values()],
            }
            self._log.append(entry)
        return Reply(answer, headers=[("Cache-Control", "no-cache, no-store")])

    def queries(self) -> list[dict[str, Any]]:
        """What was asked lately, the newest first."""
        with self._lock:
            return list(reversed(self._log))

    @property
    def count(self) -> int:
        """How many requests there were."""
        return self._count

    def _refused(
        self, arrived: Arrived, path: str, asked: dict[str, Any], struck: dict[str, ActiveFault]
    ) -> HttpAnswer | None:
        """Why nothing is told: the account, the plan, the project; None where it may go on."""
        project = self._project
        kind = str(struck["query-refused"].options["answer"]) if "query-refused" in struck else ""
        away = "wrong-region" in struck and not struck["wrong-region"].options["domain"]
        if kind == "login" or away or credentials(arrived) != (project.username, project.secret):
            return of_json(401, {"status": "error", "error": "Invalid service account credentials"})
        if kind == "denied":
            return of_json(403, {"status": "error", "error": "not a project member"})
        if kind == "plan" and path in ENGAGE:
            return of_json(402, {"error": "Your plan does not allow API calls."})
        if kind == "timeout":
            return of_json(400, {"request": arrived.path, "error": "Timeout Error."})
        if kind == "page":
            return HttpAnswer(200, b"<html><title>Mixpanel</title></html>", HTML)
        if kind == "outage":
            return of_status(503, "", "", strict=False)
        if path in ENGAGE and kind:
            return over(kind, project.id, arrived.path)
        if path in ENGAGE and str(asked.get("project_id", "")) != project.id:
            message = "Credentials in request did not match project_id URL parameter"
            return of_json(401 if asked.get("project_id") else 400, {"request": arrived.path, "error": message})
        return None

    def _answer(self, path: str, asked: dict[str, Any], struck: dict[str, ActiveFault]) -> HttpAnswer:
        project = self._project
        if path in ENGAGE:
            session = str(asked.get("session_id", ""))
            with self.limits.query(project.id, path, counted=not session) as refused:
                return refused or self._engage(asked, session, struck)
        if path == "/api/app/me":
            domain = str(struck["wrong-region"].options["domain"]) if "wrong-region" in struck else project.domain
            mine = {"name": "Sandbox", "organization_id": 1, "timezone": "US/Pacific", "domain": domain}
            results = {"organizations": {}, "workspaces": {}, "projects": {project.id: mine}, "user_id": 1}
            return of_json(200, {"status": "ok", "results": results})
        if path == f"/api/app/projects/{project.id}/data-groups":
            return of_json(200, {"status": "ok", "results": project.data_groups()})
        if path == f"/settings/project/{project.id}/metadata":
            token = OTHER_TOKEN if "other-token" in struck else project.token
            return of_json(200, {"status": "ok", "results": {"token": token, "secret": "not for you"}})
        return of_json(404, {"status": "error", "error": "not found"})

    def _engage(self, asked: dict[str, Any], session: str, struck: dict[str, ActiveFault]) -> HttpAnswer:
        """One page of profiles."""
        number = int(str(asked.get("page") or 0)) if str(asked.get("page") or 0).isdecimal() else 0
        with self._lock:
            if not session:
                rows = self._found(asked, struck)
                session = f"{time.time_ns() // 1_000_000}-{self._random.getrandbits(128):032x}"
                self._sessions[session] = rows
                while len(self._sessions) > SESSIONS:
                    self._sessions.popitem(last=False)
            elif session in self._sessions:
                rows = self._sessions[session]
            else:
                return of_json(400, {"request": ENGAGE[0], "error": "request for page in uncached query for params"})
        page = rows[number * self._page_size : (number + 1) * self._page_size]
        body = {"results": page, "page": number, "session_id": session, "page_size": self._page_size}
        body |= {"total": len(rows), "status": "ok", "computed_at": datetime.now(UTC).isoformat()}
        return of_json(200, body)

    def _found(self, asked: dict[str, Any], struck: dict[str, ActiveFault]) -> Rows:
        """The profiles that match, in no order."""
        key = self._project.key_of(str(asked.get("data_group_id", "")))
        if key is None or {"other-token", "wrong-region"} & struck.keys():
            return []
        by_id = self._reading.rows(self._project.token, key, self._project.utc_offset)
        ids = asked.get("distinct_ids", asked.get("distinct_id"))
        if ids is not None:
            wanted = dict.fromkeys(map(str, ids if isinstance(ids, list) else [ids]))
            by_id = {shown: by_id[shown] for shown in wanted if shown in by_id}
        rows = [{"$distinct_id": shown, "$properties": row} for shown, row in by_id.items()]
        self._random.shuffle(rows)
        return rows


def parameters_of(arrived: Arrived) -> dict[str, Any]:
    """What is asked for: JSON or a form in the body, over the URL; `distinct_ids` is a list in either."""
    asked: dict[str, Any] = dict(parse_qsl(arrived.query, keep_blank_values=True))
    body = arrived.read()
    content = _json(body.decode("utf-8", "replace"))
    asked |= content if isinstance(content, dict) else dict(parse_qsl(body.decode("utf-8", "replace")))
    ids = asked.get("distinct_ids")
    if isinstance(ids, str):
        asked["distinct_ids"] = _json(ids)
    return asked


def credentials(arrived: Arrived) -> tuple[str, str]:
    """The user and the password of Basic authentication; empty where there are none."""
    scheme, _, text = arrived.header("Authorization").partition(" ")
    try:
        user, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (user, password) if scheme.lower() == "basic" else ("", "")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
