"""What the sandbox's registry answers to a request, path by path."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

from consumer.sandbox.registry.avro_compatibility import LEVELS
from consumer.sandbox.registry.deks import Deks
from consumer.sandbox.registry.models import KINDS, ApiError, Json
from consumer.sandbox.registry.subjects import Subjects


class RegistryRequest:
    """One request, and what the registry says to it."""

    def __init__(self, subjects: Subjects, deks: Deks, method: str, path: str, query: str, body: Json) -> None:
        self._subjects = subjects
        self._deks = deks
        self._method = "GET" if method == "HEAD" else method
        self._path = [unquote(part) for part in path.strip("/").split("/") if part]
        self._query = dict(parse_qsl(query))
        self._prefix = self._query.get("subjectPrefix", "")
        self._body = body

    def answer(self) -> Any:
        """The answer as JSON. Raises `ApiError`."""
        routes: dict[str, Callable[[list[str]], Any]] = {
            "subjects": self._subject,
            "schemas": self._schema,
            "config": self._config,
            "compatibility": self._compatibility,
            "dek-registry": lambda rest: self._deks.answer(self._method, rest[1:], self._query, self._body),
            "mode": lambda _: self._only("GET", {"mode": "READWRITE"}),
            "contexts": lambda _: self._only("GET", ["."]),
        }
        if not self._path:
            return self._only("GET", {})
        if self._path[0] not in routes:
            raise _no_such_path()
        return routes[self._path[0]](self._path[1:])

    def _flag(self, name: str) -> bool:
        return self._query.get(name, "").lower() == "true"

    def _only(self, method: str, answer: Any) -> Any:
        if self._method != method:
            raise _not_allowed()
        return answer

    def _subject(self, rest: list[str]) -> Any:
        deleted = self._flag("deleted")
        if not rest:
            names = [name for name in self._subjects.versions if name.startswith(self._prefix)]
            return self._only("GET", [name for name in names if deleted or self._subjects.living(name)])
        subject, *rest = rest
        if not rest:
            if self._method == "DELETE":
                return self._subjects.delete_subject(subject, permanent=self._flag("permanent"))
            return self._only("POST", None) or self._look_up(subject, deleted)
        if rest[0] != "versions":
            raise _no_such_path()
        return self._versions(subject, rest[1:], deleted)

    def _look_up(self, subject: str, deleted: bool) -> Json:
        self._subjects.existing(subject, deleted=deleted)
        version = self._subjects.find(subject, self._subjects.read(self._body), deleted=deleted)
        if version is None:
            raise ApiError(404, 40403, "Schema not found")
        return version.as_json()

    def _versions(self, subject: str, rest: list[str], deleted: bool) -> Any:
        if not rest:
            if self._method == "POST":
                version = self._subjects.register(subject, self._body)
                return version.as_json()
            return self._only(
                "GET", [registered.number for registered in self._subjects.existing(subject, deleted=deleted)]
            )
        if self._method == "DELETE" and len(rest) == 1:
            return self._subjects.delete_version(subject, rest[0], permanent=self._flag("permanent"))
        version = self._subjects.version(subject, rest[0], deleted=deleted)
        if rest[1:] == ["schema"]:
            return self._only(
                "GET", json.loads(version.schema.text) if version.schema.kind == "AVRO" else version.schema.text
            )
        if rest[1:] == ["referencedby"]:
            return self._only("GET", self._subjects.referrers(version))
        if rest[1:]:
            raise _no_such_path()
        return self._only("GET", version.as_json())

    def _schema(self, rest: list[str]) -> Any:
        self._only("GET", None)
        if rest == ["types"]:
            return list(KINDS)
        if not rest:
            every = [registered for name in self._subjects.versions for registered in self._subjects.living(name)]
            return [registered.as_json() for registered in every if registered.subject.startswith(self._prefix)]
        if rest[0] == "guids" and len(rest) in (2, 3):
            schema = self._subjects.by_guid(rest[1])
            if rest[2:] == ["ids"]:
                return [{"context": ".", "id": schema.id}]
        elif rest[0] == "ids" and len(rest) in (2, 3) and rest[1].isdecimal():
            schema = self._subjects.schema(int(rest[1]))
        else:
            raise _no_such_path()
        users = self._subjects.users_of(schema, deleted=self._flag("deleted"))
        if not rest[2:]:
            return schema.as_json()
        answers: dict[str, Any] = {
            "schema": json.loads(schema.text) if schema.kind == "AVRO" else schema.text,
            "subjects": list(dict.fromkeys(registered.subject for registered in users)),
            "versions": [{"subject": registered.subject, "version": registered.number} for registered in users],
        }
        if rest[2] not in answers:
            raise _no_such_path()
        return answers[rest[2]]

    def _config(self, rest: list[str]) -> Any:
        if len(rest) > 1:
            raise _no_such_path()
        subject = rest[0] if rest else None
        if self._method == "PUT":
            return self._set_level(subject)
        level = self._level(subject)
        if self._method == "DELETE":
            self._subjects.reset_level(subject)
            return {"compatibilityLevel": level}
        return self._only("GET", {"compatibilityLevel": level})

    def _set_level(self, subject: str | None) -> Json:
        level = str(self._body.get("compatibility", "")).upper()
        if level not in LEVELS:
            message = (
                "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, "
            )
            raise ApiError(422, 42203, message + "forward_transitive, and full_transitive")
        self._subjects.set_level(subject, level)
        return {"compatibility": level}

    def _level(self, subject: str | None) -> str:
        level = self._subjects.level if subject is None else self._subjects.levels.get(subject)
        if level is not None:
            return level
        if self._flag("defaultToGlobal"):
            return self._subjects.level
        raise ApiError(404, 40408, f"Subject '{subject}' does not have subject-level compatibility configured")

    def _compatibility(self, rest: list[str]) -> Json:
        self._only("POST", None)
        if len(rest) not in (3, 4) or rest[0] != "subjects" or rest[2] != "versions":
            raise _no_such_path()
        subject = rest[1]
        level = self._subjects.levels.get(subject, self._subjects.level)
        if len(rest) == 4:  # with one version, whatever the level says of the others
            olds = [self._subjects.version(subject, rest[3])]
            level = level.removesuffix("_TRANSITIVE")
        else:
            olds = self._subjects.living(subject)
        conflicts = self._subjects.conflicts(self._subjects.read(self._body), olds, level)
        answer: Json = {"is_compatible": not conflicts}
        return answer | {"messages": conflicts} if self._flag("verbose") else answer


def _no_such_path() -> ApiError:
    return ApiError(404, 404, "HTTP 404 Not Found")


def _not_allowed() -> ApiError:
    return ApiError(405, 405, "HTTP 405 Method Not Allowed")
