"""A server that does exactly what a test says."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable

Behaviour = Callable[[socket.socket, bytes], None]


class Wire:
    """Reads one request of each connection, and then does as told: `requests` has what was read, byte for byte."""

    def __init__(self, behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        """`behaviour` gets the connection and the request; the connection is closed after it."""
        self.requests: list[bytes] = []
        self.stopping = threading.Event()
        self._behaviour = behaviour
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """Close everything, and wait until no thread is left."""
        self.stopping.set()
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._accepting.join(10)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self.stopping.is_set():
                connection.close()
                return
            self._threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(10)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            request = read_request(connection)
            self.requests.append(request)
            self._behaviour(connection, request)
        except OSError:
            return  # the client hung up, which is its right
        finally:
            connection.close()


def read_request(connection: socket.socket) -> bytes:
    """One HTTP request with its body."""
    read = b""
    while b"\r\n\r\n" not in read:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError
        read += piece
    head, _, body = read.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].split(b":")[1]) if lengths else 0
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError
        body += piece
    return head + b"\r\n\r\n" + body


def reset(connection: socket.socket) -> None:
    """Close with RST in the place of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
