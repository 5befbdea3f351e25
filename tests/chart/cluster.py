"""A real API server with its controllers on loopback, and a kubelet that only says what a kubelet would say."""

import base64
import json
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

TOKEN = "admin-of-a-test"
NODE = "node-1"
# What moves Deployments, StatefulSets and Jobs; nothing that judges nodes, for there are none.
CONTROLLERS = (
    "deployment-controller,replicaset-controller,statefulset-controller,job-controller,cronjob-controller,"
    "garbage-collector-controller,namespace-controller,disruption-controller"
)
Object = dict[str, Any]


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def until(condition: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """What the condition gives once it gives something; fails after a time."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


class Cluster:
    """etcd, kube-apiserver and kube-controller-manager, from start to stop."""

    def __init__(self, tool: Callable[[str], Path], folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []
        self._programs = [tool(name) for name in ("etcd", "kube-apiserver", "kube-controller-manager")]
        self.kubectl = tool("kubectl")
        self.port = free_port()
        self.kubeconfig = folder / "kubeconfig"
        self._trust = ssl.create_default_context()
        self._trust.check_hostname = False
        self._trust.verify_mode = ssl.CERT_NONE

    def start(self) -> None:
        """Start all three, and wait until they answer."""
        etcd, server, manager = self._programs
        etcd_url, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        key = self._key()
        (self._folder / "tokens").write_text(f"{TOKEN},admin,1,system:masters\n")
        self._write_kubeconfig()
        self._run(
            *(str(etcd), "--data-dir", str(self._folder / "etcd"), "--unsafe-no-fsync", "--log-level", "error"),
            *("--listen-client-urls", etcd_url, "--advertise-client-urls", etcd_url),
            *(
                "--listen-peer-urls",
                peer,
                "--initial-advertise-peer-urls",
                peer,
                "--initial-cluster",
                f"default={peer}",
            ),
        )
        self._run(
            *(
                str(server),
                "--etcd-servers",
                etcd_url,
                "--bind-address",
                "127.0.0.1",
                "--secure-port",
                str(self.port),
            ),
            *("--cert-dir", str(self._folder / "certificates"), "--token-auth-file", str(self._folder / "tokens")),
            *("--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", str(key)),
            *("--service-account-signing-key-file", str(key), "--authorization-mode", "RBAC"),
            *("--service-cluster-ip-range", "10.0.0.0/24", "--disable-admission-plugins", "ServiceAccount"),
            *("--kubelet-preferred-address-types", "InternalIP"),
        )
        until(self._ready, "kube-apiserver answers", 120)
        self._run(
            *(str(manager), "--kubeconfig", str(self.kubeconfig), "--leader-elect=false", "--secure-port", "0"),
            *("--controllers", CONTROLLERS, "--service-account-private-key-file", str(key)),
        )

    def stop(self) -> None:
        """End what was started, at once: nothing of it is kept, and a server that loses its etcd waits to end."""
        for process in reversed(self._running):
            process.kill()
        for process in self._running:
            process.wait()

    def call(self, method: str, path: str, body: Object | None = None, kind: str = "application/json") -> Object:
        """One call of the API; raises HTTPError where it is refused."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
        content = json.dumps(body).encode() if body is not None else None
        url = f"https://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, content, headers, method=method)
        with urllib.request.urlopen(request, timeout=30, context=self._trust) as answer:
            found: Object = json.load(answer)
            return found

    def get(self, path: str) -> Object | None:
        """An object, or None where there is none."""
        try:
            return self.call("GET", path)
        except urllib.error.HTTPError as refused:
            if refused.code != 404:
                raise
            return None

    def apply(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """kubectl with these arguments."""
        command = [str(self.kubectl), "--kubeconfig", str(self.kubeconfig), *arguments]
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)

    def namespace(self, name: str, secrets: dict[str, dict[str, str]]) -> None:
        """A namespace that enforces the restricted Pod Security Standard, and the Secrets that the values name."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
        for secret, content in secrets.items():
            coded = {key: base64.b64encode(text.encode()).decode() for key, text in content.items()}
            self.call("POST", f"/api/v1/namespaces/{name}/secrets", {"metadata": {"name": secret}, "data": coded})

    def pods(self, namespace: str) -> list[Object]:
        """The pods of a namespace."""
        found: list[Object] = self.call("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
        return found

    def workload(
        self, namespace: str, kind: str = "deployments", name: str = "rel-mixpanel-group-consumer"
    ) -> Object:
        """A Deployment or StatefulSet."""
        return self.call("GET", f"/apis/apps/v1/namespaces/{namespace}/{kind}/{name}")

    def _ready(self) -> bool:
        assert all(process.poll() is None for process in self._running), self._logs()
        try:
            with urllib.request.urlopen(
                f"https://127.0.0.1:{self.port}/readyz", timeout=5, context=self._trust
            ) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _run(self, *command: str) -> None:
        log = (self._folder / f"{Path(command[0]).name}.log").open("wb")
        with log:
            self._running.append(subprocess.Popen(command, stdout=log, stderr=log))

    def _logs(self) -> str:
        return "\n".join(path.read_text()[-2000:] for path in self._folder.glob("*.log"))

    def _key(self) -> Path:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        path = self._folder / "accounts.key"
        path.write_bytes(pem)
        return path

    def _write_kubeconfig(self) -> None:
        server = {"server": f"https://127.0.0.1:{self.port}", "insecure-skip-tls-verify": True}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        }
        self.kubeconfig.write_text(json.dumps(content))


class Kubelet:
    """Binds every pod, or those of one namespace, and says that it is ready, or its one task done; runs nothing.

    `seen` keeps what happened to the pods of the service, in order: ("ready" or "gone", its name).
    """

    def __init__(self, cluster: Cluster, namespace: str = "") -> None:
        self.seen: list[tuple[str, str]] = []
        self._cluster = cluster
        self._pods = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="kubelet", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(30)

    def _work(self) -> None:
        while not self._stopping.wait(0.05):
            for pod in self._cluster.call("GET", self._pods)["items"]:
                try:
                    self._care(pod)
                except urllib.error.HTTPError as refused:
                    if refused.code not in (404, 409):  # it is gone, or changed meanwhile
                        raise

    def _care(self, pod: Object) -> None:
        meta = pod["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        if meta.get("deletionTimestamp"):
            self._cluster.call("DELETE", path, {"gracePeriodSeconds": 0})
            self.seen.append(("gone", meta["name"]))
        elif not pod["spec"].get("nodeName"):
            self._cluster.call(
                "POST", f"{path}/binding", {"metadata": {"name": meta["name"]}, "target": {"name": NODE}}
            )
        elif pod["status"]["phase"] == "Pending":
            task = pod["spec"]["restartPolicy"] == "Never"
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            ready = {"type": "Ready", "status": "False" if task else "True", "lastTransitionTime": now}
            status = {"phase": "Succeeded" if task else "Running", "conditions": [ready]}
            self._cluster.call("PATCH", f"{path}/status", {"status": status}, "application/merge-patch+json")
            self.seen.append(("ready", meta["name"]))
