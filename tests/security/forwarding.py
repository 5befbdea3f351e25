"""A small HTTP proxy: requests with a whole URL are handed on to where that says."""

import http.client
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

KEPT = ("content-type", "accept", "authorization")


class Forwarding:
    """Listens on 127.0.0.1. `asked` has the host and port of each request that came through."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def forward(self) -> None:
                target = urlsplit(self.path)
                asked.add(target.netloc)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name: value for name, value in self.headers.items() if name.lower() in KEPT}
                client = http.client.HTTPConnection(target.netloc, timeout=10)
                client.request(self.command, f"{target.path}?{target.query}", body, headers)
                answer = client.getresponse()
                found = answer.read()
                client.close()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(found)))
                self.end_headers()
                self.wfile.write(found)

            do_GET = do_POST = forward  # noqa: N815  # the names that the server calls

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
