"""What a schema registry says of one schema: fetched, unknown, or an outage. No retry, no memory.

Only a 404 with error code 40403 from every URL means that a schema is unknown. Anything else that is not the
schema is an outage: refused, timed out, 401, 403, 5xx, a redirect (none is followed), another 404, an answer that
cannot be read.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

import requests

from consumer.event.model import SchemaRef
from consumer.http.deadline import FAILURES, Cut, cuttable
from consumer.registry.access import Access, Endpoint
from consumer.registry.errors import Outage, Unknown, Unusable
from consumer.registry.login import Headers
from consumer.registry.rules import read_rules

UNKNOWN_CODE = 40403
NO_SUBJECT = 40401
NO_VERSION = 40402
# What one schema may be, with all that it refers to. A registry keeps a schema in one Kafka message, of 1 MB at most
# where nobody raised it.
MAX_TEXT = 2 * 1024 * 1024
MAX_REFERENCES = 200
# Of one answer, in bytes: JSON within JSON doubles its quotes.
MAX_ANSWER = 2 * MAX_TEXT
Answer = TypeVar("Answer")
ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"


@dataclass(frozen=True)
class Fetched:
    """A schema's text, those of the schemas that it refers to, dependencies first, and the rules for reading it."""

    schema: str
    references: tuple[str, ...]
    rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Version:
    """A schema as one version of its subject, by its id."""

    subject: str
    id: int
    fetched: Fetched


class Client:
    """Asks the registries, the last that answered first. One thread uses it, but for `cut`."""

    def __init__(self, access: Access, timeout: float) -> None:
        self._endpoints = list(access.endpoints)
        self._tls = access.tls
        self._timeout = timeout
        self._session = cuttable(requests.Session(), context=access.tls.for_registry)
        self._session.headers.update({"Accept": ACCEPT, "Connection": "close"})
        self._cut: Cut | None = None
        self._closed = False

    def fetch(self, ref: SchemaRef) -> Fetched:
        """The schema with all that it refers to. Raises `Unknown`, `Unusable` or `Outage`."""
        path = f"/schemas/ids/{ref}" if isinstance(ref, int) else f"/schemas/guids/{quote(ref, safe='')}"

        def asked(endpoint: Endpoint) -> Fetched | None:
            answer = self._get(endpoint, path, unknown=UNKNOWN_CODE)
            return None if answer is None else self._with_references(endpoint, answer)

        return self._first(asked)

    def versions(self, subject: str, newest: int = 0) -> list[Version]:
        """Every version of the subject, oldest first, but for those that are no Avro; none where there is no subject.

        Only so many of the `newest`, where that is not 0. Raises `Outage`.
        """
        path = f"/subjects/{quote(subject, safe='')}/versions"

        def asked(endpoint: Endpoint) -> list[Version] | None:
            numbers = self._numbers(endpoint, path)
            if numbers is None:
                return None
            found = []
            for number in numbers[-newest:]:
                answer = self._get(endpoint, f"{path}/{number}", unknown=NO_VERSION)
                schema = None if answer is None else answer.get("id")
                if answer is None or not isinstance(schema, int):
                    continue  # deleted meanwhile
                with suppress(Unusable):
                    found.append(Version(subject, schema, self._with_references(endpoint, answer)))
            return found

        try:
            return self._first(asked)
        except Unknown:
            return []

    def _first(self, asked: Callable[[Endpoint], Answer | None]) -> Answer:
        """What the first registry says that knows. Raises `Unknown`, or the `Outage` of one that did not answer."""
        outage: Outage | None = None
        for endpoint in list(self._endpoints):
            try:
                answer = asked(endpoint)
            except Outage as failed:
                outage = outage or failed
                continue
            if answer is None:
                continue
            self._endpoints.remove(endpoint)
            self._endpoints.insert(0, endpoint)
            return answer
        if outage is not None:
            raise outage
        raise Unknown

    def close(self) -> None:
        """Cut what is under way; from any thread."""
        self._closed = True
        if self._cut is not None:
            self._cut.now()

    def _with_references(self, endpoint: Endpoint, answer: dict[str, object]) -> Fetched:
        """The schema of the answer and what it refers to, dependencies first.

        Each *name* is followed once, the first that comes, as the registry's own clients do: where two schemas refer
        to different versions under one name, both mean the first.
        """
        schema = text_of(answer, endpoint)
        size = len(schema)
        texts: list[str] = []
        seen: set[str] = set()

        def follow(referring: dict[str, object]) -> None:
            nonlocal size
            for name, subject, version in references_of(referring, endpoint):
                if name in seen:
                    continue
                seen.add(name)
                if len(seen) > MAX_REFERENCES:
                    raise Unusable(f"it refers to more than {MAX_REFERENCES} schemas")
                # A version that was deleted softly goes on being referred to.
                path = f"/subjects/{quote(subject, safe='')}/versions/{version}?deleted=true"
                found = self._get(endpoint, path, unknown=0)
                assert found is not None
                text = text_of(found, endpoint)
                size += len(text)
                check_size(size)
                follow(found)
                texts.append(text)

        check_size(size)
        follow(answer)
        return Fetched(schema, tuple(texts), read_rules(answer.get("ruleSet")))

    def _get(self, endpoint: Endpoint, path: str, *, unknown: int) -> dict[str, object] | None:
        """The JSON object at the path; None where the registry does not know it, with this code of an error."""
        status, body = self._ask(endpoint, path)
        found = object_in(body)
        if status == 200 and found is not None:
            return found
        if unknown and status == 404 and found is not None and found.get("error_code") == unknown:
            return None
        raise Outage("unreadable" if status == 200 else f"status_{status}", endpoint.url)

    def _numbers(self, endpoint: Endpoint, path: str) -> list[int] | None:
        """The numbers of a subject's versions; None where there is no such subject."""
        status, body = self._ask(endpoint, path)
        if status == 200:
            try:
                return [int(number) for number in json.loads(body)]
            except (ValueError, TypeError):
                raise Outage("unreadable", endpoint.url) from None
        found = object_in(body)
        if status == 404 and found is not None and found.get("error_code") == NO_SUBJECT:
            return None
        raise Outage(f"status_{status}", endpoint.url)

    def _ask(self, endpoint: Endpoint, path: str) -> tuple[int, bytes]:
        """Status and body of one GET that takes no longer than the time-out. Raises `Outage`."""
        headers = endpoint.login.headers(self._timeout)
        with Cut(self._timeout) as cut:
            self._cut = cut
            try:
                if self._closed:
                    raise Outage("closed", endpoint.url)
                with self._session.get(
                    endpoint.url + path,
                    auth=signed_with(headers),
                    timeout=self._timeout,
                    verify=self._tls.verify,
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    body = b""
                    for piece in response.iter_content(65536):
                        body += piece
                        if len(body) > MAX_ANSWER:
                            raise Outage("unreadable", endpoint.url)
            except FAILURES as failure:
                raise Outage("timeout" if cut.happened else self._tls.word_for(failure), endpoint.url) from None
            finally:
                self._cut = None
        if cut.happened:  # an answer without a length looks whole when it is cut
            raise Outage("timeout", endpoint.url)
        if response.status_code == 401:
            endpoint.login.refused()
        return response.status_code, body


def signed_with(headers: Headers) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Adds the headers to a request; used even where there are none, so that no .netrc is looked at."""

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(headers)
        return request

    return sign


def object_in(body: bytes) -> dict[str, object] | None:
    """The JSON object that the body is; None where it is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def text_of(answer: dict[str, object], endpoint: Endpoint) -> str:
    """The schema's text. Raises `Unusable` for another kind of schema, `Outage` where there is no text."""
    kind = answer.get("schemaType") or "AVRO"
    if kind != "AVRO":
        raise Unusable(f"the registry's schema is of type {kind}, not AVRO")
    text = answer.get("schema")
    if not isinstance(text, str):
        raise Outage("unreadable", endpoint.url)
    return text


def check_size(size: int) -> None:
    """Raises `Unusable` for more text than a schema may have."""
    if size > MAX_TEXT:
        raise Unusable(f"it has more than {MAX_TEXT} characters, with all that it refers to")


def references_of(answer: dict[str, object], endpoint: Endpoint) -> list[tuple[str, str, int]]:
    """Name, subject and version of what this schema refers to; one without a name is known by its version."""
    references = answer.get("references") or []
    found: list[tuple[str, str, int]] = []
    for reference in references if isinstance(references, list) else [None]:
        subject = reference.get("subject") if isinstance(reference, dict) else None
        version = reference.get("version") if isinstance(reference, dict) else None
        if not isinstance(reference, dict) or not isinstance(subject, str) or not isinstance(version, int):
            raise Outage("unreadable", endpoint.url)
        name = reference.get("name")
        found.append((name if isinstance(name, str) and name else f"{subject} {version}", subject, version))
    return found
