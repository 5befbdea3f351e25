"""A schema registry on loopback that answers as Confluent's does, and fails when it is told to.

    with RegistrySandbox() as registry:                      # registry.url is http://127.0.0.1:PORT
        schema_id = registry.register("group-changes-value", text)
        registry.faults.on("status", status=503, times=3)
        registry.stop()                                      # and start() again: same port, same schemas

The official clients for Python, Java, Go and Node find what they ask for.
"""

import json
from base64 import b64encode
from collections import deque
from collections.abc import Sequence
from ssl import SSLContext
from threading import Lock
from types import TracebackType
from typing import Any, Final, Self

from consumer.sandbox.answers import HttpAnswer
from consumer.sandbox.registry.answers import RegistryRequest
from consumer.sandbox.registry.deks import Deks
from consumer.sandbox.registry.faults import RegistryFault, RegistryFaults
from consumer.sandbox.registry.models import ApiError, Json
from consumer.sandbox.registry.subjects import Subjects
from consumer.sandbox.web import Arrived, Gone, Reply, Reset, Web

CONTENT_TYPE: Final = "application/vnd.schemaregistry.v1+json"
KEPT: Final = 10_000
_PHRASES: Final = {404: "Not Found", 405: "Method Not Allowed", 401: "Unauthorized", 403: "Forbidden"}


class RegistrySandbox:
    """A schema registry for one machine. `port` 0 takes a free one.

    With `users` (names and passwords) or `tokens` a request needs one of them; both may be changed while it runs.
    With `tls` it speaks HTTPS.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        users: dict[str, str] | None = None,
        tokens: Sequence[str] = (),
        tls: SSLContext | None = None,
    ) -> None:
        self.subjects = Subjects()
        self.deks = Deks()
        self.faults = RegistryFaults()
        self.users = dict(users or {})
        self.tokens = list(tokens)
        self.asked: deque[str] = deque(maxlen=KEPT)
        """What arrived, as `GET /schemas/ids/1`, newest last; without queries."""
        self._tls = tls is not None
        self._lock = Lock()
        self._web = Web(port, self._route, tls)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._web.port

    @property
    def url(self) -> str:
        """What `SCHEMA_REGISTRY_URL` is set to."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen; after a stop on the same port, with all schemas kept. Raises OSError where the port is taken."""
        self._web.start()

    def stop(self) -> None:
        """Close the port and every connection: clients are refused."""
        self._web.stop()

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._web.running

    def register(
        self,
        subject: str,
        schema: str,
        references: Sequence[tuple[str, str, int]] = (),
        kind: str = "AVRO",
        rules: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> int:
        """Register a schema and say its id. `references` are (name, subject, version), `rules` and `metadata` a data
        contract's.

        Raises `ApiError`.
        """
        asked = {
            "schema": schema,
            "schemaType": kind,
            "references": [{"name": name, "subject": of, "version": number} for name, of, number in references],
            "ruleSet": rules,
            "metadata": metadata,
        }
        with self._lock:
            return self.subjects.register(subject, asked).schema.id

    def guid(self, schema_id: int) -> str:
        """The GUID of a schema. Raises `ApiError`."""
        with self._lock:
            return self.subjects.schema(schema_id).guid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _route(self, arrived: Arrived) -> Reply:
        self.asked.append(f"{arrived.method} {arrived.path}")
        for fault in self.faults.strike(arrived.path):
            failed = _fail(fault, arrived)
            if failed is not None:
                return failed
        if not self._is_let_in(arrived.header("Authorization")):
            return unauthorized()
        try:
            body = _body(arrived)
            with self._lock:
                return _reply(
                    200,
                    RegistryRequest(
                        self.subjects, self.deks, arrived.method, arrived.path, arrived.query, body
                    ).answer(),
                )
        except ApiError as error:
            return _reply(error.status, {"error_code": error.code, "message": str(error)})

    def _is_let_in(self, authorization: str) -> bool:
        if not self.users and not self.tokens:
            return True
        basic = ["Basic " + b64encode(f"{name}:{word}".encode()).decode() for name, word in self.users.items()]
        return authorization in basic + [f"Bearer {token}" for token in self.tokens]


def unauthorized() -> Reply:
    """The answer to a request without the right credentials."""
    reply = _reply(401, {"error_code": 401, "message": "Unauthorized"})
    reply.headers.append(("WWW-Authenticate", 'Basic realm="SchemaRegistry"'))
    return reply


def _fail(fault: RegistryFault, arrived: Arrived) -> Reply | None:
    """What a fault makes of a request; None where it goes on."""
    if fault.kind == "slow":
        arrived.wait(fault.milliseconds / 1000)
        return None
    if fault.kind == "hang":
        arrived.linger(fault.milliseconds / 1000)
        raise Gone
    if fault.kind == "reset":
        raise Reset
    if fault.kind == "unauthorized":
        return unauthorized()
    if fault.kind == "unreadable":
        return Reply(HttpAnswer(200, (fault.body or "<html>not now</html>").encode(), CONTENT_TYPE))
    status = 404 if fault.kind == "not-found" else fault.status
    if fault.body:
        return Reply(HttpAnswer(status, fault.body.encode(), CONTENT_TYPE))
    return _reply(status, {"error_code": status, "message": f"HTTP {status} {_PHRASES.get(status, '')}".strip()})


def _body(arrived: Arrived) -> Json:
    """The body of a request that has one. Raises a 400 where it is no JSON object."""
    raw = arrived.read()
    if not raw or arrived.method not in ("POST", "PUT"):
        return {}
    try:
        content = json.loads(raw)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ApiError(400, 400, "Unrecognized body: a JSON object is wanted")
    return content


def _reply(status: int, body: Any) -> Reply:
    return Reply(HttpAnswer(status, json.dumps(body, separators=(",", ":")).encode(), CONTENT_TYPE))
