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

from consumer.event.model import SchemaRef
from consumer.registry.access import Access, Endpoint
from consumer.registry.answers import array_in, object_in, references_of, text_of
from consumer.registry.contracts import Contract, contract_of
from consumer.registry.errors import NotRegistered, Outage, Unusable
from consumer.registry.rules import read_rules
from consumer.registry.transport import Transport

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


@dataclass(frozen=True)
class Fetched:
    """A schema's text, those of the schemas that it refers to, dependencies first, and the rules for reading it.

    `contract` says all of the rules, where the registry itself answered.
    """

    schema: str
    references: tuple[str, ...]
    rules: tuple[str, ...] = ()
    contract: Contract | None = None


@dataclass(frozen=True)
class SubjectVersion:
    """A schema as one version of its subject, by its id."""

    subject: str
    id: int
    fetched: Fetched


class RegistryClient:
    """Asks the registries, the last that answered first. One thread uses it, but for `close`."""

    def __init__(self, access: Access, timeout: float) -> None:
        self._endpoints = list(access.endpoints)
        self._transport = Transport(access.tls, timeout, MAX_ANSWER)

    def fetch(self, ref: SchemaRef) -> Fetched:
        """The schema with all that it refers to. Raises `NotRegistered`, `Unusable` or `Outage`."""
        path = f"/schemas/ids/{ref}" if isinstance(ref, int) else f"/schemas/guids/{quote(ref, safe='')}"

        def fetched_from(endpoint: Endpoint) -> Fetched | None:
            answer = self._get(endpoint, path, unknown=UNKNOWN_CODE)
            return None if answer is None else self._with_references(endpoint, answer)

        return self._first(fetched_from)

    def versions(self, subject: str, newest: int = 0) -> list[SubjectVersion]:
        """Every version of the subject, oldest first, but for those that are no Avro; none where there is no subject.

        Only so many of the `newest`, where that is not 0. Raises `Outage`.
        """
        path = f"/subjects/{quote(subject, safe='')}/versions"

        def asked(endpoint: Endpoint) -> list[SubjectVersion] | None:
            numbers = self._numbers(endpoint, path, NO_SUBJECT)
            if numbers is None:
                return None
            found = []
            for number in numbers[-newest:]:
                answer = self._get(endpoint, f"{path}/{number}", unknown=NO_VERSION)
                schema = None if answer is None else answer.get("id")
                if answer is None or not isinstance(schema, int):
                    continue  # deleted meanwhile
                with suppress(Unusable):
                    found.append(SubjectVersion(subject, schema, self._with_references(endpoint, answer)))
            return found

        try:
            return self._first(asked)
        except NotRegistered:
            return []

    def subjects(self, ref: SchemaRef) -> list[str]:
        """The subjects that have the schema. Raises `Outage`."""
        if isinstance(ref, str):
            ids = self._listed(f"/schemas/guids/{quote(ref, safe='')}/ids")
            return [name for one in ids if isinstance(one, dict) for name in self.subjects(int(one["id"]))]
        return [str(name) for name in self._listed(f"/schemas/ids/{ref}/subjects?deleted=true")]

    def found(self, path: str, unknown: int) -> dict[str, object] | None:
        """The JSON object at the path; None where all say `unknown`, a code of an error. Raises `Outage`."""
        try:
            return self._first(lambda endpoint: self._get(endpoint, path, unknown=unknown))
        except NotRegistered:
            return None

    def numbers(self, path: str, unknown: int) -> list[int]:
        """The JSON array of numbers at the path; none where all say `unknown`, an error code. Raises `Outage`."""
        try:
            return self._first(lambda endpoint: self._numbers(endpoint, path, unknown))
        except NotRegistered:
            return []

    def _listed(self, path: str) -> list[object]:
        """The JSON array at the path; an empty one where the registry knows nothing there. Raises `Outage`."""

        def asked(endpoint: Endpoint) -> list[object] | None:
            status, body = self._transport.get(endpoint, path)
            found = array_in(body)
            if status == 200 and found is not None:
                return found
            raise Outage("unreadable" if status == 200 else f"status_{status}", endpoint.url)

        return self._first(asked)

    def _first(self, asked: Callable[[Endpoint], Answer | None]) -> Answer:
        """What the first registry says that knows. Raises `NotRegistered`, or the first `Outage` that was met."""
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
        raise NotRegistered

    def close(self) -> None:
        """Cut what is under way; from any thread."""
        self._transport.close()

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
        rules = read_rules(answer.get("ruleSet"))
        return Fetched(schema, tuple(texts), rules, contract_of(answer) if rules else None)

    def _get(self, endpoint: Endpoint, path: str, *, unknown: int) -> dict[str, object] | None:
        """The JSON object at the path; None where the registry does not know it, with this code of an error."""
        status, body = self._transport.get(endpoint, path)
        found = object_in(body)
        if status == 200 and found is not None:
            return found
        if unknown and status == 404 and found is not None and found.get("error_code") == unknown:
            return None
        raise Outage("unreadable" if status == 200 else f"status_{status}", endpoint.url)

    def _numbers(self, endpoint: Endpoint, path: str, unknown: int) -> list[int] | None:
        """The numbers of what has versions; None where the registry does not know it, with this code of an error."""
        status, body = self._transport.get(endpoint, path)
        if status == 200:
            try:
                return [int(number) for number in json.loads(body)]
            except (ValueError, TypeError):
                raise Outage("unreadable", endpoint.url) from None
        found = object_in(body)
        if status == 404 and found is not None and found.get("error_code") == unknown:
            return None
        raise Outage(f"status_{status}", endpoint.url)


def check_size(size: int) -> None:
    """Raises `Unusable` for more text than a schema may have."""
    if size > MAX_TEXT:
        raise Unusable(f"it has more than {MAX_TEXT} characters, with all that it refers to")
