"""A kubelet that hands out the logs of its processes: the real `kubectl logs` reads them by the API server."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

import trustme

from tests.chart.cluster import NODE, Cluster
from tests.chart.processes import ProcessKubelet, Running


class LoggingKubelet(ProcessKubelet):
    """A `ProcessKubelet` with a node of its own in the API, whose port answers for /containerLogs."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        super().__init__(cluster, namespace, folder)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        if self._cluster.get(f"/api/v1/nodes/{NODE}") is None:
            self._cluster.call("POST", "/api/v1/nodes", {"metadata": {"name": NODE}})
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._server.server_address[1]}},
        }
        kind = "application/merge-patch+json"
        self._cluster.call("PATCH", f"/api/v1/nodes/{NODE}/status", {"status": status}, kind)
        super().__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._server.shutdown()
        self._server.server_close()

    def running(self, pod: str) -> Running | None:
        """The process of a pod by its name."""
        found = [running for running in list(self.processes.values()) if running.pod == pod]
        return found[-1] if found else None


def handler(kubelet: LoggingKubelet) -> type[BaseHTTPRequestHandler]:
    """Answers as a kubelet does: the whole log or its tail, and with `follow` until the process has ended."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = urlsplit(self.path)
            _, kind, _, pod, container = place.path.split("/")
            running = kubelet.running(pod)
            if kind != "containerLogs" or container != "group-consumer" or running is None:
                self.answer(400, b"container is waiting to start")
                return
            asked = {name: values[0] for name, values in parse_qs(place.query).items()}
            if asked.get("previous") == "true":
                self.answer(400, b"previous terminated container not found")
                return
            if asked.get("follow") == "true":
                running.process.wait(120)
            lines = running.log.read_bytes().splitlines(keepends=True)
            content = b"".join(lines[-int(asked["tailLines"]) :] if "tailLines" in asked else lines)
            self.answer(200, content)

        def answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Not among the tests' output."""

    return Handler
