"""A hard end for a blocking request: `requests`' time-outs are for each read, and an answer may drip for ever.

    session = cuttable(requests.Session())
    with Cut(5.0) as cut:
        session.get(...)        # after 5 s its socket is shut down, wherever it stands
    cut.happened, cut.over()    # whether it was shut down; whether time is over, so that this was why it failed
    cut.sent                    # whether anything of the request may have left

    with Cut(5.0, may_begin):   # asked once there is a connection, just before the first byte
        session.get(...)        # raises `Withheld` where it says no

What cannot be cut is the resolution of a host's name.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.poolmanager import PoolManager

# The deadline of each thread that has one, by the thread's number: a thread without one keeps nothing here.
_running: dict[int, "Cut"] = {}


class Withheld(Exception):
    """The request was not to begin any more, and nothing of it was written."""


class Cut:
    """While entered, what this thread's requests read and write is shut down once `seconds` are over."""

    def __init__(self, seconds: float, may_begin: Callable[[], bool] = lambda: True) -> None:
        self._may_begin = may_begin
        self.happened = False
        self.sent = False
        self._end = time.monotonic() + seconds
        self._connecting: HTTPConnection | None = None
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self.now)
        self._timer.daemon = True
        self._timer.name = "deadline"

    def __enter__(self) -> Self:
        _running[threading.get_ident()] = self
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        del _running[threading.get_ident()]
        self._timer.cancel()
        del self._timer  # each has the other: only the collector would find them

    def over(self) -> bool:
        """Whether time is over; a read may see that before anything was cut."""
        return self.happened or time.monotonic() >= self._end

    def connecting(self, connection: HTTPConnection) -> None:
        """This connection is being made: its socket comes to be meanwhile."""
        self._connecting = connection

    def left(self) -> float:
        """How many seconds are left; a little where none are, since a socket takes no less."""
        return max(0.001, self._end - time.monotonic())

    def using(self, connection: HTTPConnection) -> None:
        """The request is written from here on. The socket is kept, since the connection forgets it before the end.

        Raises `Withheld`, or TimeoutError where time is over already.
        """
        if self.happened:
            raise TimeoutError("timed out")
        if not self._may_begin():
            raise Withheld
        self.sent = True
        used: socket.socket | None = connection.sock
        if used is not None:
            self._sockets.append(used)
        if self.happened:
            self.now()

    def now(self) -> None:
        """Shut down what is used; from any thread."""
        self.happened = True
        pending: socket.socket | None = self._connecting.sock if self._connecting is not None else None
        for used in [*self._sockets, *([pending] if pending is not None else [])]:
            try:
                # Not the method of a TLS socket, which would go on in plain text.
                socket.socket.shutdown(used, socket.SHUT_RDWR)
            except OSError:
                continue  # gone already


class _Options(list[Any]):
    """Options of a socket, which urllib3 sets again for each address of a host: none is tried once time is over."""

    def __init__(self, options: list[Any], cut: Cut) -> None:
        super().__init__(list.__iter__(options))  # which may be those of an earlier request's connection
        self._cut = cut

    def __iter__(self) -> Iterator[Any]:
        if self._cut.happened or self._cut.left() <= 0.001:
            raise TimeoutError("timed out")
        return super().__iter__()


def _connects(connection: HTTPConnection) -> None:
    cut = _running.get(threading.get_ident())
    if cut is not None:
        cut.connecting(connection)
        connection.timeout = cut.left()
        connection.socket_options = _Options(connection.socket_options or [], cut)


def _connected(connection: HTTPConnection) -> None:
    """The connection outlives the request, and is to keep nothing of it."""
    connection.socket_options = list(list.__iter__(connection.socket_options or []))


def _requests(connection: HTTPConnection) -> None:
    if connection.sock is None:
        connection.connect()
    cut = _running.get(threading.get_ident())
    if cut is not None:
        cut.using(connection)


class _FinalAnswer(http.client.HTTPResponse):
    """What follows interim answers: the library passes over 100 alone, and takes 102 or 103 for the answer itself."""

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]  # has no type, for it is private
        interim = 100 <= status < 200 and status != HTTPStatus.SWITCHING_PROTOCOLS
        return version, HTTPStatus.CONTINUE if interim else status, reason


class _Plain(HTTPConnection):
    response_class = _FinalAnswer

    def connect(self) -> None:
        _connects(self)
        super().connect()
        _connected(self)

    def request(self, *args: object, **more: object) -> None:
        _requests(self)
        super().request(*args, **more)  # type: ignore[arg-type]


class _Secure(HTTPSConnection):
    response_class = _FinalAnswer

    def connect(self) -> None:
        _connects(self)
        super().connect()
        _connected(self)

    def request(self, *args: object, **more: object) -> None:
        _requests(self)
        super().request(*args, **more)  # type: ignore[arg-type]


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _Adapter(HTTPAdapter):
    def __init__(self, context: Callable[[], ssl.SSLContext] | None, connections: int) -> None:
        self._context = context
        super().__init__(pool_connections=connections, pool_maxsize=connections)

    def build_connection_pool_key_attributes(self, *args: Any, **more: Any) -> Any:
        host, pool = super().build_connection_pool_key_attributes(*args, **more)
        if self._context is None or host["scheme"] != "https":
            return host, pool
        return host, {**pool, "ssl_context": self._context()}

    def init_poolmanager(self, *args: object, **more: object) -> None:
        super().init_poolmanager(*args, **more)  # type: ignore[arg-type]
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}

    def proxy_manager_for(self, proxy: str, **more: object) -> PoolManager:
        manager: PoolManager = super().proxy_manager_for(proxy, **more)
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
        return manager


def cuttable(
    session: requests.Session, connections: int = 10, context: Callable[[], ssl.SSLContext] | None = None
) -> requests.Session:
    """The session, with connections that a `Cut` can shut down; it keeps up to `connections` of them open.

    `context` makes what TLS is spoken with, again for each request; what it raises the request raises.
    """
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(context, connections))
    return session


# What a request may raise: certificates that are not there and hosts that are none come as other families.
FAILURES = (requests.RequestException, HTTPError, OSError, ValueError)


def word_for(failure: Exception) -> str:
    """One word for what went wrong; the failure's own text may hold a proxy's credentials."""
    if isinstance(failure, (requests.exceptions.SSLError, ssl.SSLError)):
        return "tls"
    if not isinstance(failure, requests.RequestException) and "TLS" in str(failure):
        return "ca_bundle"
    if isinstance(failure, requests.exceptions.InvalidSchema) and "SOCKS" in str(failure):
        return "socks"
    if isinstance(failure, requests.exceptions.ProxyError):
        return "proxy"
    if isinstance(failure, requests.exceptions.Timeout):
        return "timeout"
    if isinstance(failure, (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        return "dns" if "NameResolution" in str(failure) else "connection"
    return "unreadable" if isinstance(failure, requests.exceptions.ContentDecodingError) else "request"
