"""A schema registry for tests: over TLS and with credentials where a test wants that, and broken where it says so."""

import json
import ssl
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.integration.events import SCHEMA

UNKNOWN = {"error_code": 40403, "message": "Schema not found"}


class Registry:
    """Knows the event schema as id 1. `broken` is a status for every answer; `stop` and `start` as servers do."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, authorization: str = "") -> None:
        """`authorization` is the header that every request must have."""
        self.authorization = authorization
        self.broken = 0
        self.asked: list[str] = []
        self._tls = tls
        self._port = 0
        self._server: _Server | None = None
        self._schemas: list[dict[str, Any]] = []
        self._guids: dict[str, int] = {}
        self._subjects: dict[str, list[int]] = {}
        self.register("group-changes-value", SCHEMA)

    @property
    def url(self) -> str:
        """What `SCHEMA_REGISTRY_URL` is set to."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._port}"

    def register(
        self, subject: str, schema: object, references: Sequence[Mapping[str, Any]] = (), guid: str = ""
    ) -> int:
        """A new version of the subject; its id."""
        answer: dict[str, Any] = {"schema": json.dumps(schema)}
        if references:
            answer["references"] = list(references)
        self._schemas.append(answer)
        number = len(self._schemas)
        self._subjects.setdefault(subject, []).append(number)
        if guid:
            self._guids[guid] = number
        return number

    def register_protobuf(self, subject: str) -> int:
        """A schema of a kind that is not Avro."""
        number = self.register(subject, "")
        self._schemas[number - 1] |= {"schemaType": "PROTOBUF", "schema": 'syntax = "proto3";'}
        return number

    def start(self) -> None:
        """Listen; after a stop on the same port."""
        self._server = _Server(self._port, self)
        self._port = self._server.server_address[1]
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Close the port: clients are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def answer(self, path: str, authorization: str) -> tuple[int, object]:
        """Status and body for one request."""
        self.asked.append(path)
        if self.broken:
            return self.broken, {"error_code": 50001, "message": "broken by a test"}
        if self.authorization and authorization != self.authorization:
            return 401, {"error_code": 40101, "message": "Unauthorized"}
        number = self._number(path.partition("?")[0].strip("/").split("/"))
        return (200, self._schemas[number - 1]) if 1 <= number <= len(self._schemas) else (404, UNKNOWN)

    def _number(self, parts: list[str]) -> int:
        if parts[:2] == ["schemas", "ids"]:
            return int(parts[2])
        if parts[:2] == ["schemas", "guids"]:
            return self._guids.get(parts[2], 0)
        if parts[0] == "subjects" and len(parts) == 4:
            return self._subjects.get(parts[1], [0] * int(parts[3]))[int(parts[3]) - 1]
        return 0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, registry: Registry) -> None:
        self.registry = registry
        super().__init__(("127.0.0.1", port), _Asked)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that do not trust the certificate hang up."""


class _Asked(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        status, body = self.server.registry.answer(self.path, self.headers.get("Authorization", ""))
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""
