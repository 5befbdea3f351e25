"""What Mixpanel's Query API says of group profiles: one question, one typed answer, within a hard time.

    query = QueryApi("https://mixpanel.com", Account("name", "secret", "1234567"), timeout=30.0)
    query.profiles("-140512", ["acme"])    -> {"acme": {"plan": "pro"}}, a counted query
    query.every_profile("-140512")         -> pages of them; only the first page is counted
    query.data_groups(), query.access(), query.time_zone(), query.token()    not counted, and undocumented

Nothing is written. Raises `QueryFailed`. The service account's secret and the bodies of answers are in no message.
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlencode

import requests

import consumer
from consumer.http.deadline import FAILURES, Cut, cuttable, word_for
from consumer.http.environment import environment
from consumer.mixpanel.client import seconds_of
from consumer.mixpanel.query_budget import Budget, BudgetSpent

MAX_ANSWER: Final = 256 * 1024 * 1024  # a page is 1,000 profiles
# A fault of Mixpanel's own is waited out for so many seconds, and the query given up after so many faults.
FAULT_WAIT: Final = 2.0
MOST_FAULTS: Final = 3
# Why there is no answer of use: words that callers tell apart.
LOGIN: Final = "login"
PLAN: Final = "plan"
DENIED: Final = "denied"
RATE: Final = "rate"
MISSING: Final = "missing"
UNREADABLE: Final = "unreadable"
AWAY: Final = "away"

Properties: TypeAlias = dict[str, object]


@dataclass(frozen=True)
class Account:
    """A service account, and the number of the project that it reads."""

    username: str
    secret: str = field(repr=False)
    project: str


@dataclass(frozen=True)
class DataGroup:
    """A group key that the project defines. `id` is a signed 64-bit number, kept as text."""

    id: str
    key: str
    ready: bool


class QueryFailed(Exception):
    """No answer of use. `cause` is one of this module's words; `wait`: after so many seconds it may go again."""

    def __init__(self, cause: str, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.wait = wait


class QueryApi:
    """The Query API of one project. For one thread."""

    def __init__(self, url: str, account: Account, *, timeout: float, budget: Budget) -> None:
        """`timeout` is of one request as a whole, in seconds; `budget` is asked before each counted query."""
        self.url = url
        self._account = account
        self._timeout = timeout
        self._budget = budget
        self._session = cuttable(requests.Session(), 1)
        environment = self._session.merge_environment_settings(url, {}, False, None, None)
        self._session.proxies, self._session.verify = environment["proxies"], environment["verify"]
        self._session.trust_env = False
        login = b64encode(f"{account.username}:{account.secret}".encode()).decode()
        self._session.headers.update(
            {
                "Authorization": f"Basic {login}",
                "Accept": "application/json",
                "User-Agent": f"mixpanel-group-consumer/{consumer.__version__}",
            }
        )

    def profiles(self, group: str, ids: Sequence[str]) -> dict[str, Properties]:
        """The profiles of these group ids; one that is not there, or not yet, is absent. One counted query."""
        return dict(self._pages({"data_group_id": group, "distinct_ids": json.dumps(list(ids))}))

    def every_profile(self, group: str) -> Iterator[tuple[str, Properties]]:
        """Every profile of a group key, page by page. One counted query, however many there are."""
        return self._pages({"data_group_id": group})

    def data_groups(self) -> list[DataGroup]:
        """The group keys that the project defines."""
        path = f"/api/app/projects/{quote(self._account.project)}/data-groups/"
        rows = self._json("GET", path).get("results")
        if not isinstance(rows, list):
            raise self._unreadable()
        groups = [row for row in rows if isinstance(row, dict) and "data_group_id" in row]
        return [
            DataGroup(str(row["data_group_id"]), str(row.get("property_name", "")), row.get("is_ready") is not False)
            for row in groups
        ]

    def access(self) -> dict[str, str]:
        """The projects that the account may read, each with the host that it lives at (empty where not told)."""
        return {number: str(project.get("domain") or "") for number, project in self._projects().items()}

    def time_zone(self) -> str:
        """The name of the project's time zone, empty where not told."""
        return str(self._projects().get(self._account.project, {}).get("timezone") or "")

    def token(self) -> str:
        """The project's token. The answer has the project's secret too: nothing else of it is kept."""
        path = f"/settings/project/{quote(self._account.project)}/metadata"
        token = _object(self._json("GET", path).get("results")).get("token")
        if not isinstance(token, str) or not token:
            raise self._unreadable()
        return token

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _projects(self) -> dict[str, dict[str, Any]]:
        """What the account may read, by the project's number."""
        projects = _object(self._json("GET", "/api/app/me").get("results")).get("projects")
        if not isinstance(projects, dict):
            raise self._unreadable()
        return {str(number): _object(project) for number, project in projects.items()}

    def _pages(self, asked: dict[str, str]) -> Iterator[tuple[str, Properties]]:
        """The profiles of every page of one query."""
        path = f"/api/query/engage?{urlencode({'project_id': self._account.project})}"
        page, session = 0, ""
        while True:
            more = {"session_id": session, "page": str(page)} if page else {}
            body = self._patient(path, asked | more, counted=not page)
            rows, size, session = body.get("results"), body.get("page_size"), str(body.get("session_id") or "")
            if body.get("status") not in (None, "ok") or not isinstance(rows, list):
                raise self._unreadable()
            for row in rows:
                yield self._profile(row)
            if not rows or not isinstance(size, int) or len(rows) < size:
                return
            if not session:
                raise self._unreadable()
            page += 1

    def _patient(self, path: str, asked: dict[str, str], *, counted: bool) -> dict[str, Any]:
        """The answer to a query; what asks for no longer wait than the patience, in all, is waited for."""
        if counted:
            self._count()
        waited, faults = 0.0, 0
        while True:
            try:
                return self._json("POST", path, asked)
            except QueryFailed as failed:
                waited += failed.wait or 0.0
                faults += failed.cause != RATE
                if failed.wait is None or waited > self._budget.patience or faults == MOST_FAULTS:
                    raise
                self._budget.sleep(failed.wait)
                if counted and failed.cause != RATE:  # a query that failed is counted, one that was refused is not
                    self._count()

    def _count(self) -> None:
        """Take one of the hour's queries. Raises `QueryFailed`."""
        try:
            self._budget.take()
        except BudgetSpent as spent:
            raise QueryFailed(RATE, str(spent), spent.seconds) from None

    def _profile(self, row: object) -> tuple[str, Properties]:
        profile = _object(row)
        properties = profile.get("$properties")
        if "$distinct_id" not in profile or not isinstance(properties, dict):
            raise self._unreadable()
        return str(profile["$distinct_id"]), properties

    def _json(self, method: str, path: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        """The JSON object that is answered with 200."""
        status, body, headers = self._ask(method, path, form)
        if status == 200:
            try:
                content = json.loads(body)
            except (ValueError, RecursionError):
                raise self._unreadable() from None
            if not isinstance(content, dict):
                raise self._unreadable()
            return content
        raise self._refused(status, body, headers)

    def _ask(self, method: str, path: str, form: dict[str, str] | None) -> tuple[int, bytes, dict[str, str]]:
        with Cut(self._timeout) as cut:
            try:
                with self._session.request(
                    method, self.url + path, data=form, timeout=self._timeout, allow_redirects=False, stream=True
                ) as response:
                    body = bytearray()
                    for piece in response.iter_content(65536):
                        body += piece
                        if len(body) > MAX_ANSWER:
                            raise self._unreadable()
            except FAILURES as failure:
                word = "timeout" if cut.over() else word_for(failure)
                said = environment(word)
                message = f"{self.url} does not answer: {word}" + f" ({said})" * bool(said)
                raise QueryFailed(AWAY, message) from None
        if cut.happened:  # an answer without a length looks whole when it is cut
            raise QueryFailed(AWAY, f"{self.url} does not answer: timeout")
        return response.status_code, bytes(body), {name.lower(): text for name, text in response.headers.items()}

    def _refused(self, status: int, body: bytes, headers: dict[str, str]) -> QueryFailed:
        """What a status other than 200 means."""
        where = f"{self.url} answers {status}"
        if status == 401:
            return QueryFailed(LOGIN, f"{where}: it does not know the service account, or another region does")
        if status == 402:
            return QueryFailed(PLAN, f"{where}: the project's plan has no Query API, so nothing can be read back")
        if status == 403:
            message = f"{where}: the service account may not read project {self._account.project}"
            return QueryFailed(DENIED, message)
        if status == 404:
            return QueryFailed(MISSING, f"{where}: there is no such path there")
        if status == 429:
            hour = b"last hour" in body
            wait = seconds_of(headers.get("retry-after")) or (None if hour else 10.0)
            message = "the project's 60 queries an hour are used up" if hour else "too many queries at once"
            return QueryFailed(RATE, f"{where}: {message}", wait)
        return QueryFailed(AWAY, where, FAULT_WAIT if status >= 500 else None)

    def _unreadable(self) -> QueryFailed:
        return QueryFailed(UNREADABLE, f"{self.url} answers with what is no answer of the Query API")


def _object(value: object) -> dict[str, Any]:
    """The JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}
