"""`kubectl` for the runbook's tests: the real one, but for what a kubelet would stream.

`exec` runs the command with the environment of the pod's process, `port-forward` leads to its port. Which pod it
is, and whether it has the container and the port that are named, the real kubectl is asked.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

KUBECTL = os.environ["REAL_KUBECTL"]
PODS = Path(os.environ["POD_FOLDERS"])  # a folder for each pod, by its uid


def found(namespace: str, pod: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The one container of a pod, and what its process was started with."""
    command = [KUBECTL, "-n", namespace, "get", pod if "/" in pod else f"pod/{pod}", "-o", "json"]
    meta = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    if meta["kind"] != "Pod":
        sys.exit(f"{pod} is no pod: a kubelet knows only pods")
    (container,) = meta["spec"]["containers"]
    return container, json.loads((PODS / meta["metadata"]["uid"] / "process.json").read_text())


def execute(namespace: str, pod: str, *rest: str) -> int:
    """kubectl exec POD -c CONTAINER -- COMMAND."""
    option, name, dashes, program, *arguments = rest
    container, process = found(namespace, pod)
    if (option, name, dashes, program) != ("-c", container["name"], "--", "group-consumer"):
        sys.exit(f"no container of these: {rest}")
    return subprocess.run([sys.executable, "-m", "consumer", *arguments], env=process["env"], check=False).returncode


def forward(namespace: str, pod: str, ports: str) -> None:
    """kubectl port-forward POD LOCAL:REMOTE, for a connection after the other."""
    local, remote = map(int, ports.split(":"))
    container, process = found(namespace, pod)
    if remote not in [port["containerPort"] for port in container["ports"]]:
        sys.exit(f"{pod} has no port {remote}")
    with socket.create_server(("127.0.0.1", local)) as server:
        while True:
            near, _ = server.accept()
            far = socket.create_connection(("127.0.0.1", process["port"]))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=pump, args=(one, other), daemon=True).start()


def pump(one: socket.socket, other: socket.socket) -> None:
    """Hand on what comes until it ends."""
    with contextlib.suppress(OSError):
        while content := one.recv(65536):
            other.sendall(content)
        other.shutdown(socket.SHUT_WR)


def main(*arguments: str) -> None:
    """Ours, or the real one in this process's place."""
    if arguments[0] == "-n" and arguments[2] == "exec":
        sys.exit(execute(arguments[1], *arguments[3:]))
    elif arguments[0] == "-n" and arguments[2] == "port-forward":
        forward(arguments[1], *arguments[3:])
    os.execv(KUBECTL, [KUBECTL, *arguments])


if __name__ == "__main__":
    main(*sys.argv[1:])
