"""MIXPANEL_PROJECTS_FILE: a TOML table for each project beside the default one.

[emea]
token_file = "/run/secrets/emea"   # or token = "..."
region = "eu"                      # or url = "..."; neither: MIXPANEL_URL, else MIXPANEL_REGION
project_id = "1234567"             # or 1234567; with a service account: only for reading profiles back
service_account_username = "reader"
service_account_secret_file = "/run/secrets/emea-reader"
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from consumer.event.model import DEFAULT
from consumer.mapping.lines import Place, lines_of
from consumer.settings.addresses import base_url, server_of
from consumer.settings.declared import HOSTS, QUERY_HOSTS
from consumer.settings.properties import HIDDEN
from consumer.settings.read_back import ReadBack, region_of
from consumer.settings.sources import clipped, secret_in
from consumer.settings.values import ValueKind, Wrong, choice, project_id, reason, text, token

# It is a label's value, and is found in an event as it stands here.
NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
FIELDS: Final[Mapping[str, ValueKind[str]]] = {
    "token": token(),
    "token_file": text(),
    "region": choice(*HOSTS),
    "url": base_url("groups"),
    "project_id": project_id(),
    "service_account_username": text(),
    "service_account_secret": text(),
    "service_account_secret_file": text(),
}
# What says which project it is.
IDENTITY: Final = ("token", "token_file", "region", "url")
SECRETS: Final = ("token", "service_account_secret")
MAX_FILE: Final = 1024 * 1024


@dataclass(frozen=True)
class Project:
    """One project: where its updates go, and with which token. `url` is without the path.

    `token_file` is the file that has the token, empty where it is in none of its own.
    `read_back` is of one of the file; None for the default project, of which the settings say it. `line` is where its
    table begins, 0 where that is not known.
    """

    name: str
    token: str = field(repr=False)
    url: str
    token_file: str = ""
    read_back: ReadBack | None = None
    line: int = field(default=0, compare=False)

    def secrets(self) -> list[str]:
        """What must not stand in any output."""
        return [self.token, self.read_back.service_account_secret if self.read_back else ""]

    def shown(self) -> str:
        """All of it, as people may see it."""
        parts = [self.url, f"token {HIDDEN}"]
        if self.read_back is not None and self.read_back.project_id:
            parts.append(f"project {self.read_back.project_id}")
        if self.read_back is not None and self.read_back.service_account_username:
            parts.append(f"service account {self.read_back.service_account_username} {HIDDEN}")
        return ", ".join(parts)


def read_projects(path: str, url: str, query_url: str) -> tuple[list[Project], list[str]]:
    """The projects of the file in its order, and every fault with its line; no fault shows a secret.

    A project whose token and place are known is among them, whatever else is wrong with it.

    `url` is that of a table which names neither region nor URL, `query_url` that of its Query API.
    """
    try:
        source = content(path)
        tables = tomllib.loads(source)
    except Wrong as wrong:
        return [], [str(wrong)]
    except tomllib.TOMLDecodeError as failure:
        return [], [f"is no TOML: {failure}"]
    if not tables:
        return [], ["has no table: give each project one, such as [emea] with token_file and region"]
    reading = ProjectsReading(lines_of(source), url, query_url)
    projects = [reading.project(name, table) for name, table in tables.items()]
    return [project for project in projects if project is not None], reading.faults()


def content(path: str) -> str:
    """The text of the file. Raises `Wrong`."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise Wrong("is larger than 1 MiB, which no file of projects is")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Wrong("is not UTF-8 text") from None
    except OSError as failure:
        raise Wrong(f"cannot be read ({reason(failure)})") from None


@dataclass(frozen=True)
class Clash:
    """A project that has the token and the server of one `before` it: they are one project."""

    project: Project
    before: Project

    def __str__(self) -> str:
        place = f"{at(self.project.line)}[{self.project.name}]"
        return f"{place}: has the token and the host of project {self.before.name}: give one of them"


def clashes(projects: Iterable[Project]) -> list[Clash]:
    """All of them, in their order."""
    first: dict[tuple[str, tuple[str, int]], Project] = {}
    pairs = [(project, first.setdefault((project.token, server_of(project.url)), project)) for project in projects]
    return [Clash(project, before) for project, before in pairs if project is not before]


class ProjectsReading:
    """One reading of the file, of which `lines` has the line of each table and field."""

    def __init__(self, lines: Mapping[Place, int], url: str, query_url: str) -> None:
        self._lines = lines
        self._url = url
        self._query_url = query_url
        self._faults: list[tuple[int, str]] = []

    def faults(self) -> list[str]:
        """What was wrong so far, by line."""
        return [f"{at(line)}{fault}" for line, fault in sorted(self._faults, key=lambda found: found[0])]

    def project(self, name: str, table: object) -> Project | None:
        """The project of a table; None where its token or its place is not known. What is wrong is told."""
        before = len(self._faults)
        if not NAME.fullmatch(name):
            self._fault(name, "", "a project's name is up to 64 letters, digits, dots, dashes and underscores")
        if name == DEFAULT:
            self._fault(name, "", "is the name of MIXPANEL_TOKEN's project: take another one")
        if not isinstance(table, dict):
            self._fault(name, "", f"is no table: write [{clipped(name)}], and its token and region below")
            return None
        values = self._values(name, table, IDENTITY)
        self._one_of(name, table, "token", "token_file", needed=True)
        self._one_of(name, table, "region", "url", needed=False)
        token = self._secret(name, "token", values)
        identified = len(self._faults) == before
        region = values.get("region")
        url = f"https://{HOSTS[region]}" if region else values.get("url", self._url)
        read_back = self._read_back(name, table, region_of(url, "") if "region" in values or "url" in values else "")
        if not identified:
            return None
        return Project(name, token, url, values.get("token_file", ""), read_back, self._lines.get((name,), 0))

    def _read_back(self, name: str, table: Mapping[str, object], region: str) -> ReadBack:
        """What the other fields say; `region` is that of a host which is known, else empty."""
        values = self._values(name, table, [key for key in table if key not in IDENTITY])
        self._one_of(name, table, "service_account_secret", "service_account_secret_file", needed=False)
        self._account(name, table)
        secret = self._secret(name, "service_account_secret", values)
        query_url = f"https://{QUERY_HOSTS[region]}" if region else self._query_url
        return ReadBack(query_url, values.get("project_id", ""), values.get("service_account_username", ""), secret)

    def _secret(self, name: str, key: str, values: Mapping[str, str]) -> str:
        """The secret itself, or what its file holds; empty where neither is given."""
        file = values.get(f"{key}_file")
        if file is None:
            return values.get(key, "")
        return self._tried(name, f"{key}_file", lambda: of_file(key, file))

    def _account(self, name: str, table: Mapping[str, object]) -> None:
        """A service account has a name and a secret."""
        user, secret = "service_account_username", "service_account_secret"
        has_secret = secret in table or f"{secret}_file" in table
        if user in table and not has_secret:
            self._fault(name, user, f"is given without {secret}: give both")
        if has_secret and user not in table:
            self._fault(name, secret if secret in table else f"{secret}_file", f"is given without {user}: give both")

    def _values(self, name: str, table: Mapping[str, object], keys: Iterable[str]) -> dict[str, str]:
        """Those of these fields that are given, and right."""
        return {key: value for key in keys if key in table and (value := self._value(name, key, table[key]))}

    def _value(self, name: str, key: str, given: object) -> str:
        """The value of one field; empty where it is wrong."""
        kind = FIELDS.get(key)
        if kind is None:
            dotted = f'; a name with a dot stands in quotes: ["{clipped(name)}.{clipped(key)}"]'
            words = f"is no field of a project: there are {', '.join(FIELDS)}"
            self._fault(name, key, words + (dotted if isinstance(given, dict) else ""))
            return ""
        if key == "project_id" and type(given) is int:
            given = str(given)
        if not isinstance(given, str) or not given:
            self._fault(name, key, "is empty" if given == "" else "is no text: put it in quotes")
            return ""
        return self._tried(name, key, lambda: read_field(kind, key, given))

    def _one_of(self, name: str, table: Mapping[str, object], first: str, second: str, *, needed: bool) -> None:
        if first in table and second in table:
            self._fault(name, second, f"{first} is given too: give one of them")
        if needed and first not in table and second not in table:
            self._fault(name, "", f"has neither {first} nor {second}")

    def _tried(self, name: str, key: str, read: Callable[[], str]) -> str:
        try:
            return read()
        except Wrong as wrong:
            self._fault(name, key, str(wrong))
            return ""

    def _fault(self, name: str, key: str, fault: str) -> None:
        line = self._lines.get((name, key) if key else (name,), 0)
        self._faults.append((line, f"[{clipped(name)}]{f' {clipped(key)}' if key else ''}: {fault}"))


def at(line: int) -> str:
    """The place, before what is wrong there."""
    return f"line {line}, " if line else ""


def read_field(kind: ValueKind[str], key: str, given: str) -> str:
    """The value of a field. Raises `Wrong`, which shows no secret."""
    try:
        return kind.read(given)
    except Wrong as wrong:
        value = "has a wrong value (not shown)" if key in SECRETS else f'is "{clipped(given)}"'
        raise Wrong(f"{value}: allowed is {wrong}") from None


def of_file(key: str, path: str) -> str:
    """The secret that a file holds. Raises `Wrong`."""
    return read_field(FIELDS[key], key, secret_in(path, "it"))
