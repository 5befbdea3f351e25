"""TLS before a server that has none: what arrives is handed on, both ways."""

import socket
import ssl
import threading
from types import TracebackType
from typing import Self


class Tunnel:
    """Listens on 127.0.0.1 with TLS, and connects each client to `port`."""

    def __init__(self, tls: ssl.SSLContext, port: int) -> None:
        self._tls = tls
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """One connection; a client that does not trust the certificate is gone before there is one."""
        try:
            with (
                self._tls.wrap_socket(client, server_side=True) as secure,
                socket.create_connection(("127.0.0.1", self._port)) as plain,
            ):
                back = threading.Thread(target=hand_on, args=(plain, secure), daemon=True)
                back.start()
                hand_on(secure, plain)
                back.join(10)
        except OSError:
            return
        finally:
            client.close()


def hand_on(source: socket.socket, target: socket.socket) -> None:
    """Everything, until either side has enough."""
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
