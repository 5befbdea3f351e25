"""The port of the service: for probes, for scrapes, and for `status`.

    /livez     503 when the loop has not turned for a minute; a drain turns too
    /readyz    503 while the work cannot be done, with the reasons
    /status    what each partition waits for, as of the last second; see service/status.py
    /metrics   see service/metrics.py

The first two answer `{"status": ..., "reasons": [...]}`. Nothing here waits for the loop, nor the loop for it.
Clients that are slow, or many, keep no probe waiting: a connection ends after `LONGEST`, and one too many ends the
oldest.
"""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from consumer.service.health import Health

log = logging.getLogger("consumer.health")

# Connections at once, and seconds of each.
MOST: Final = 64
LONGEST: Final = 10.0


class Connections:
    """Those that are open, the oldest first. For any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[socket.socket, float] = {}

    def opened(self, connection: socket.socket) -> None:
        """One more; the oldest ends where there are too many."""
        with self._lock:
            if len(self._open) >= MOST:
                self._end(next(iter(self._open)))
            self._open[connection] = self._clock()

    def closed(self, connection: socket.socket) -> None:
        """It is over."""
        with self._lock:
            self._open.pop(connection, None)

    def expire(self) -> None:
        """End those that take too long."""
        with self._lock:
            before = self._clock() - LONGEST
            for connection in [connection for connection, since in self._open.items() if since <= before]:
                self._end(connection)

    def _end(self, connection: socket.socket) -> None:
        """Its thread finds it at its end, and closes it."""
        del self._open[connection]
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # gone already


class HealthServer:
    """The port. Started at once, so that probes have an answer while the service still connects."""

    def __init__(
        self,
        host: str,
        port: int,
        health: Health,
        metrics: Callable[[], tuple[bytes, str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """An empty `host` stands for all addresses. `metrics` gives the exposition and its content type.

        Raises OSError where the port cannot be had.
        """
        self._server = _Server(listening(host, port), health, metrics, Connections(clock))
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

    def __init__(
        self,
        listener: socket.socket,
        health: Health,
        metrics: Callable[[], tuple[bytes, str]],
        connections: Connections,
    ) -> None:
        self.health = health
        self.metrics = metrics
        self._connections = connections
        super().__init__(listener.getsockname(), _Request, bind_and_activate=False)
        self.socket.close()  # the one that it has made for itself
        self.socket = listener

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread of its own answers it."""
        self._connections.opened(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """It is answered, or has broken off."""
        self._connections.closed(request)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called several times a second."""
        self._connections.expire()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """A client that goes away is no event."""
        log.debug("a request for health or metrics broke off")


class _Request(BaseHTTPRequestHandler):
    server: _Server
    timeout = LONGEST

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


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; without a host for IPv4 and IPv6. Raises OSError."""
    if host:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=MOST)
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    return socket.create_server(("", port), family=family, backlog=MOST, dualstack_ipv6=both)
