"""Whether the service lives, whether it can do its work, and what it waits for, on one port with `/metrics`.

    /livez     503 when the loop has not turned for a minute; a drain turns too
    /readyz    503 while the work cannot be done, with the reasons
    /status    what each partition waits for, as of the last second; see service/status.py

The first two answer `{"status": ..., "reasons": [...]}`. Nothing here waits for the loop, nor the loop for it.
"""

import json
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from consumer.service.status import starting

log = logging.getLogger("consumer.health")

# A turn may wait for a broker that answers late, several times; a loop that hangs has no end.
STILL_AFTER = 60.0


class Health:
    """What the loop said last. Read from other threads; written by the loop alone."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._turned = clock()
        self.unready: tuple[str, ...] = ("starting",)
        self.status: Mapping[str, object] = starting()  # replaced as a whole

    def turned(self, now: float) -> None:
        """The loop has turned."""
        self._turned = now

    def still(self) -> tuple[str, ...]:
        """Why the service does not live; empty while it does."""
        seconds = self._clock() - self._turned
        return (f"the loop has not turned for {seconds:.0f} s",) if seconds > STILL_AFTER else ()


class HealthServer:
    """The port. Started at once, so that probes have an answer while the service still connects."""

    def __init__(self, port: int, health: Health, metrics: Callable[[], tuple[bytes, str]]) -> None:
        """`metrics` gives the exposition and its content type. Raises OSError where the port cannot be had."""
        self._server = _Server(port, health, metrics)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2.0)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, health: Health, metrics: Callable[[], tuple[bytes, str]]) -> None:
        self.health = health
        self.metrics = metrics
        if socket.has_dualstack_ipv6():
            self.address_family = socket.AF_INET6
        super().__init__(("::" if socket.has_dualstack_ipv6() else "", port), _Request)

    def server_bind(self) -> None:
        """Listen for IPv4 and IPv6, and do not look the host's name up."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """A client that goes away is no event."""
        log.debug("a request for health or metrics broke off")


class _Request(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10.0

    def do_GET(self) -> None:
        """Answer one question."""
        path = self.path.partition("?")[0].rstrip("/")
        if path == "/livez":
            self._say(self.server.health.still(), "alive")
        elif path == "/readyz":
            self._say(self.server.health.unready, "ready")
        elif path == "/status":
            body = json.dumps(self.server.health.status).encode() + b"\n"
            self._send(200, body, "application/json")
        elif path == "/metrics":
            body, kind = self.server.metrics()
            self._send(200, body, kind)
        else:
            self._send(404, b'{"error": "there are /livez, /readyz, /status and /metrics"}\n', "application/json")

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Probes are not logged."""

    def _say(self, reasons: tuple[str, ...], well: str) -> None:
        body = json.dumps({"status": "not " + well if reasons else well, "reasons": list(reasons)}) + "\n"
        self._send(503 if reasons else 200, body.encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
