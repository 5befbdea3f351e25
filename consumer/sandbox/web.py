"""A small HTTP/1.1 server for loopback: connections are kept, and a route may reset, drip or stall them.

One thread a connection: clients of the sandbox keep a handful open.
"""

import select
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from ssl import SSLContext
from threading import Event, Lock, Thread
from typing import Any, Final, NoReturn

from consumer.sandbox.answers import HttpAnswer

MAX_READ: Final = 64 * 1024 * 1024
"""No body longer than this is read to its end; the connection is closed instead."""


class Reset(Exception):  # not an error: a route asks for it
    """The route wants the connection reset and no answer given."""


class Gone(Exception):
    """The client is gone, or the server stops: there is nobody to answer."""


class Unread(Exception):
    """The body has no length, or one that nobody should read."""


@dataclass
class Arrived:
    """One HTTP request. Its body is read when it is asked for."""

    method: str
    path: str
    query: str
    header: Callable[[str], str]
    size: int
    read: Callable[[], bytes]
    wait: Callable[[float], None]
    """Wait so many seconds, or less when the server stops."""
    linger: Callable[[float], None]
    """Wait as long as the client does, no longer than so many seconds."""


@dataclass
class Reply:
    """What to answer; `drip` is the wait before each byte of the body, in seconds."""

    answer: HttpAnswer
    drip: float = 0.0
    headers: list[tuple[str, str]] = field(default_factory=list)


class Web:
    """Serves a route on 127.0.0.1. It can be started again after a stop, on the same port."""

    def __init__(self, port: int, route: Callable[[Arrived], Reply], tls: SSLContext | None = None) -> None:
        self.port = port
        self.route = route
        self.tls = tls
        self._server: _WebServer | None = None
        self._thread: Thread | None = None

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        server = _WebServer(self.port, self.route, self.tls)
        self.port = server.server_address[1]
        self._server = server
        self._thread = Thread(target=server.serve_forever, args=(0.05,), name="sandbox-web", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection, and wait until no thread is left."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        server.stopping.set()
        server.shutdown()
        server.close_connections()
        thread.join()
        server.server_close()
        self._server = self._thread = None


class _WebServer(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close waits for them
    request_queue_size = 128

    def __init__(self, port: int, route: Callable[[Arrived], Reply], tls: SSLContext | None) -> None:
        self.route = route
        self.tls = tls
        self.stopping = Event()
        self._connections: set[socket.socket] = set()
        self._lock = Lock()
        super().__init__(("127.0.0.1", port), _Exchange)

    def server_bind(self) -> None:
        """Bind without asking for the name of the host, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection, and remember it."""
        connection, address = super().get_request()
        if self.tls is not None:  # shaken hands on in the connection's own thread
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, and forget it."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Wake every thread that waits for a client."""
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error of the server; anything else is shown."""
        if not isinstance(sys.exc_info()[1], OSError | Gone):
            super().handle_error(request, client_address)


class _Exchange(BaseHTTPRequestHandler):
    """One connection: request after request, until either side has enough."""

    server: _WebServer
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # so that an answer is one segment
    disable_nagle_algorithm = True
    server_version = "envoy"
    sys_version = ""

    def do_any(self) -> None:
        """Have the route answer one request."""
        path, _, query = self.path.partition("?")
        length = self.headers.get("Content-Length")
        self._unread = int(length) if length and length.isdigit() else 0
        chunked = "Transfer-Encoding" in self.headers
        arrived = Arrived(
            self.command,
            path,
            query,
            lambda name: self.headers.get(name) or "",
            self._unread,
            self._read,
            self._wait,
            self._linger,
        )
        try:
            if chunked or self._unread > MAX_READ:
                raise Unread
            reply = self.server.route(arrived)
        except Reset:
            self._reset()
        except Unread:
            self.close_connection = True
            reply = Reply(HttpAnswer(411 if chunked else 413, b""))
        self._discard()
        self._send(reply)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = do_any  # noqa: N815

    def handle_expect_100(self) -> bool:
        """Tell a client that asks first to go on, at once."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the journal knows."""

    def _read(self) -> bytes:
        """The body. Raises Gone where the client stops sending it."""
        wanted, self._unread = self._unread, 0
        body = self.rfile.read(wanted)
        if len(body) < wanted:
            self.close_connection = True
            raise Gone
        return body

    def _discard(self) -> None:
        """Read what the route did not want, so that the client gets to see the answer."""
        if self.close_connection or not self._unread:
            return
        left, self._unread = self._unread, 0
        while left > 0:
            read = len(self.rfile.read(min(left, 1 << 16)))
            if not read:
                raise Gone
            left -= read

    def _send(self, reply: Reply) -> None:
        answer = reply.answer
        self.send_response(answer.status)
        for name, value in (*answer.headers, *reply.headers):
            self.send_header(name, value)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        body = b"" if self.command == "HEAD" else answer.body
        if not reply.drip:
            self.wfile.write(body)
            return
        for position in range(len(body)):
            self.wfile.flush()
            self._wait(reply.drip)
            self.wfile.write(body[position : position + 1])

    def _wait(self, seconds: float) -> None:
        if self.server.stopping.wait(seconds):
            raise Gone

    def _linger(self, seconds: float) -> None:
        """Wait until the client hangs up, the server stops, or the time is over."""
        for _ in range(max(1, int(seconds / 0.05))):
            self._wait(0.05)
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not socket.socket.recv(self.connection, 1, socket.MSG_PEEK):
                raise Gone

    def _reset(self) -> NoReturn:
        """Close with RST in the place of FIN."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.wfile.close()
        self.connection.close()
        raise Gone
