"""A kubelet that really runs the service: a process for each pod, with the pod's environment, files and probes."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.chart.cluster import NODE, Cluster, Kubelet, Object, free_port

ROOT = Path(__file__).resolve().parents[2]


class Running:
    """One pod's process."""

    def __init__(self, pod: str, folder: Path, arguments: list[str], env: dict[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.pod = pod
        self.log = folder / "log"
        self.port = free_port()
        self.killed_at = 0.0
        # One machine has one port of a number: the pod's own would be taken by its neighbour.
        env = {**env, "HTTP_PORT": str(self.port), "PATH": os.environ["PATH"]}
        (folder / "process.json").write_text(json.dumps({"env": env, "port": self.port}))
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "consumer", *arguments]
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)

    def probe(self, path: str) -> bool:
        """What the kubelet hears at this path."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def lines(self) -> list[Object]:
        """Its log."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


class ProcessKubelet(Kubelet):
    """Starts a pod's command, says ready when /readyz does, and ends it by SIGTERM and after its grace by SIGKILL."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        super().__init__(cluster, namespace)
        self.processes: dict[str, Running] = {}
        self.statuses: dict[str, int] = {}  # exit statuses of pods that are gone
        self._folder = folder

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for running in self.processes.values():
            running.process.kill()
            running.process.wait()

    def _care(self, pod: Object) -> None:
        meta, spec = pod["metadata"], pod["spec"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        running = self.processes.get(meta["uid"])
        if meta.get("deletionTimestamp"):
            self._end(meta, spec["terminationGracePeriodSeconds"], running, path)
        elif not spec.get("nodeName"):
            self._cluster.call(
                "POST", f"{path}/binding", {"metadata": {"name": meta["name"]}, "target": {"name": NODE}}
            )
        elif running is None:
            folder = self._folder / meta["uid"]
            env = self._environment(pod, folder)
            if env is not None:
                self.processes[meta["uid"]] = Running(meta["name"], folder, spec["containers"][0]["args"], env)
        elif spec["restartPolicy"] == "Never":
            if running.process.poll() is not None and pod["status"]["phase"] not in ("Succeeded", "Failed"):
                self._say(path, "Failed" if running.process.returncode else "Succeeded", ready=False)
        else:
            self._serve(pod, running, path)

    def _serve(self, pod: Object, running: Running, path: str) -> None:
        name = pod["metadata"]["name"]
        assert running.process.poll() is None, f"{name} ended by itself: {running.log.read_text()[-2000:]}"
        ready = running.probe("/readyz")
        was = {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}.get("Ready")
        if was != str(ready):
            self._say(path, "Running", ready=ready)
            self.seen.append(("ready" if ready else "not ready", name))

    def _end(self, meta: Object, grace: int, running: Running | None, path: str) -> None:
        if running is not None and running.process.poll() is None:
            if not running.killed_at:
                running.killed_at = time.monotonic()
                running.process.send_signal(signal.SIGTERM)
            elif time.monotonic() - running.killed_at > grace:
                running.process.kill()
            return
        if running is not None:
            self.statuses[meta["name"]] = running.process.returncode
        self._cluster.call("DELETE", path, {"gracePeriodSeconds": 0})
        self.seen.append(("gone", meta["name"]))

    def _say(self, path: str, phase: str, *, ready: bool) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": now}
        status = {"phase": phase, "conditions": [condition]}
        self._cluster.call("PATCH", f"{path}/status", {"status": status}, "application/merge-patch+json")

    def _environment(self, pod: Object, folder: Path) -> dict[str, str] | None:
        """The variables, with the volumes in `folder`; None while a Secret or ConfigMap is missing: a pod waits."""
        mounts = {"/etc/group-consumer": folder / "etc", "/var/cache/group-consumer": folder / "cache"}
        namespace = pod["metadata"]["namespace"]
        for volume in pod["spec"]["volumes"]:
            for source in volume.get("projected", {}).get("sources", []):
                if not self._place(source, namespace, mounts["/etc/group-consumer"]):
                    return None
        found: dict[str, str] = {}
        for entry in pod["spec"]["containers"][0]["env"]:
            value = entry.get("value", pod["metadata"]["name"])
            if "secretKeyRef" in entry.get("valueFrom", {}):
                reference = entry["valueFrom"]["secretKeyRef"]
                secret = self._cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{reference['name']}")
                if secret is None:
                    return None
                value = base64.b64decode(secret["data"][reference["key"]]).decode()
            value = value.replace("$(POD_NAME)", pod["metadata"]["name"])
            for mount, place in mounts.items():
                value = value.replace(mount, str(place))
            found[entry["name"]] = value
        return found

    def _place(self, source: Object, namespace: str, folder: Path) -> bool:
        ((kind, one),) = source.items()
        found = self._cluster.get(f"/api/v1/namespaces/{namespace}/{kind.lower()}s/{one['name']}")
        if found is None:
            return False
        folder.mkdir(parents=True, exist_ok=True)
        data = {
            key: base64.b64decode(text) if kind == "secret" else text.encode() for key, text in found["data"].items()
        }
        for item in one.get("items") or [{"key": key, "path": key} for key in data]:
            (folder / item["path"]).write_bytes(data[item["key"]])
        return True
