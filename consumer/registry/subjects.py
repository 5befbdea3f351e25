"""What the tools ask a schema registry: subjects and their versions, to register, to compare. Confluent's API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import requests

from consumer.event.model import SchemaRef
from consumer.http.deadline import FAILURES, cuttable
from consumer.registry.access import Endpoint
from consumer.registry.advice import advice
from consumer.registry.answers import object_in
from consumer.registry.client import Fetched, RegistryClient
from consumer.registry.configured import access
from consumer.registry.errors import NotRegistered, Outage
from consumer.registry.transport import signed_with
from consumer.settings import Settings

TYPE: Final = "application/vnd.schemaregistry.v1+json"
TIMEOUT: Final = 10.0
NO_SUBJECT: Final = 40401
NO_VERSION: Final = 40402
NO_SCHEMA: Final = 40403


class RegistryError(Exception):
    """The registry gave no answer of use; the message says where, why, and what to do."""


class UnknownSchema(RegistryError):
    """Every registry says that it does not know the schema."""


@dataclass(frozen=True)
class RegistryAnswer:
    """A status, the JSON that came with it (None where there was none), and the headers."""

    status: int
    content: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> int:
        """Confluent's error code; 0 where there is none."""
        code = self.content.get("error_code") if isinstance(self.content, dict) else None
        return code if isinstance(code, int) else 0

    @property
    def words(self) -> str:
        """The registry's own words, of bearable length."""
        found = self.content.get("message") if isinstance(self.content, dict) else None
        return found[:1000] if isinstance(found, str) else ""


@dataclass(frozen=True)
class RegisteredVersion:
    """One version of a subject. `kind` is AVRO, or what else a registry keeps."""

    subject: str
    version: int
    id: int
    kind: str


class RegistryApi:
    """The first registry that answers of those in the settings."""

    def __init__(self, settings: Settings) -> None:
        self._access = access(settings)
        self.endpoints = self._access.endpoints

    def versions(self, subject: str) -> list[RegisteredVersion] | None:
        """All versions of the subject, oldest first; None where there is no such subject."""
        path = f"/subjects/{quote(subject, safe='')}/versions"
        answer = self.ask("GET", path)
        if answer.status == 404 and answer.code == NO_SUBJECT:
            return None
        numbers = self._expect(answer, list)
        answers = [self._expect(self.ask("GET", f"{path}/{number}"), dict) for number in numbers]
        return [
            RegisteredVersion(
                subject, int(answered["version"]), int(answered["id"]), str(answered.get("schemaType") or "AVRO")
            )
            for answered in answers
        ]

    def find(self, subject: str, schema: str) -> int | None:
        """The id under which the subject has exactly this schema; None where it has it not."""
        answer = self.ask("POST", f"/subjects/{quote(subject, safe='')}", {"schema": schema})
        if answer.status == 404 and answer.code in (NO_SUBJECT, NO_SCHEMA):
            return None
        return int(self._expect(answer, dict)["id"])

    def register(self, subject: str, schema: str) -> int:
        """Register the schema as the subject's newest version; its id. The same one again changes nothing."""
        answer = self.ask("POST", f"/subjects/{quote(subject, safe='')}/versions", {"schema": schema})
        if answer.status == 409:
            raise RegistryError(
                f"{subject} has a schema that this one is not compatible with: {answer.words} "
                "('group-consumer schema compatible' says more)"
            )
        return int(self._expect(answer, dict)["id"])

    def incompatibilities(self, subject: str, schema: str) -> list[str] | None:
        """Why the schema is not compatible with the subject's newest, empty where it is; None without a subject."""
        path = f"/compatibility/subjects/{quote(subject, safe='')}/versions/latest?verbose=true"
        answer = self.ask("POST", path, {"schema": schema})
        if answer.status == 404 and answer.code in (NO_SUBJECT, NO_VERSION):
            return None
        verdict = self._expect(answer, dict)
        if verdict.get("is_compatible") is True:
            return []
        messages = verdict.get("messages")
        listed = [str(message) for message in messages] if isinstance(messages, list) else []
        return listed or ["the registry does not say why"]

    def fetched(self, schema_id: SchemaRef) -> Fetched:
        """The schema of this id, with what it refers to and its rules. Raises `RegistryError`, `Unusable`."""
        try:
            return RegistryClient(self._access, TIMEOUT).fetch(schema_id)
        except NotRegistered:
            raise UnknownSchema(f"no registry knows schema {schema_id}") from None
        except Outage as outage:
            raise RegistryError(f"{outage.url}: {outage.cause} when schema {schema_id} was asked for") from None

    def ask(self, method: str, path: str, body: Mapping[str, str] | None = None) -> RegistryAnswer:
        """One request, to the first registry that can be reached."""
        failures = []
        for endpoint in self.endpoints:
            try:
                return self.ask_one(endpoint, method, path, body)
            except RegistryError as failure:
                failures.append(str(failure))
        raise RegistryError("; ".join(failures))

    def ask_one(
        self, endpoint: Endpoint, method: str, path: str, body: Mapping[str, str] | None = None
    ) -> RegistryAnswer:
        """One request to this registry. Raises `RegistryError` where it cannot be reached."""
        try:
            with cuttable(requests.Session(), context=self._access.tls.for_registry) as session:
                response = session.request(
                    method,
                    endpoint.url + path,
                    json=body,
                    auth=signed_with(endpoint.login.headers(TIMEOUT)),
                    headers={"Accept": f"{TYPE}, application/json"} | ({"Content-Type": TYPE} if body else {}),
                    timeout=TIMEOUT,
                    verify=self._access.tls.verify,
                    allow_redirects=False,
                )
        except Outage as outage:
            raise RegistryError(f"{endpoint.url}: {outage}: {advice(outage.cause)}") from None
        except FAILURES as failure:
            raise RegistryError(f"{endpoint.url}: {advice(self._access.tls.word_for(failure))}") from None
        content: Any = object_in(response.content)
        if content is None:
            try:
                content = response.json()
            except ValueError:
                content = None
        return RegistryAnswer(response.status_code, content, response.headers)

    def _expect(self, answer: RegistryAnswer, kind: type) -> Any:
        """The content of an answer that went well. Raises `RegistryError`."""
        if answer.status == 200 and isinstance(answer.content, kind):
            return answer.content
        where = ", ".join(endpoint.url for endpoint in self.endpoints)
        if answer.status == 200:
            raise RegistryError(f"{where}: the answer is not that of a schema registry: check SCHEMA_REGISTRY_URL")
        words = f" ({answer.words})" if answer.words else ""
        raise RegistryError(f"{where}: status {answer.status}{words}: {advice(f'status_{answer.status}')}")
