"""The runbook's commands, run as they stand there: a real API server and kubectl, the real service, a real broker.

Each runs in a shell of its own after the runbook's own preamble, against a Deployment and against a StatefulSet of
two pods each.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from consumer.sandbox.sandbox import Sandbox
from tests.chart.cluster import Cluster, free_port, until
from tests.chart.container_logs import LoggingKubelet
from tests.chart.test_end_to_end import NAME, Release, produce, service_pods, values

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", RUNBOOK, re.DOTALL)
PREAMBLE, LOOKS, PLAN, REPLAY = BLOCKS
# What stands in a sentence, as far as it is a command that can be run.
SPANS = sorted(set(re.findall(r"`((?:kubectl|logs|consumer|restart)\b[^`]*)`", RUNBOOK)))
CHANGING = ("restart", "kubectl -n $NS delete $POD")
# What kubectl says of a name, a label or a kind that there is not; a Job's container may still be on its way.
WRONG = re.compile(r"(?i)error|no resources|not found|unknown")
PORT = "18080"
pytestmark = [pytest.mark.xdist_group("kubernetes"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module", params=["deployments", "statefulsets"])
def kind(request):
    """What the service runs as."""
    return request.param


@pytest.fixture(scope="module")
def world(kind, tool, helms, tmp_path_factory):
    """A release of two pods that has read events and written dead letters; `Shell` runs commands beside it."""
    folder = tmp_path_factory.mktemp(kind)
    cluster = Cluster(tool, tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
        with Sandbox(partitions=4) as sandbox, LoggingKubelet(cluster, kind, folder) as kubelet:
            release = Release(helms["helm4"], cluster, kind)
            given = values(sandbox, replicas=2, staticMembership={"enabled": kind == "statefulsets"})
            if kind == "statefulsets":
                del given["kafka"]["properties"]["session.timeout.ms"]  # has a value of its own there
            release.helm("install", given=given)
            release.rolled_out(2, kind)
            produce(sandbox, 400, 1, bad=0.2)
            shell = Shell(cluster, kind, folder, tool("kubectl"))
            until(lambda: shell.run("consumer dlq show 0:0").returncode == 0, "dead letters are there", 120)
            yield shell, release, kubelet
    finally:
        cluster.stop()


class Shell:
    """bash as somebody on call has it, after the preamble."""

    def __init__(self, cluster, namespace, folder, kubectl):
        (folder / "bin").mkdir()
        shim = folder / "bin/kubectl"
        program = shlex.join([sys.executable, str(ROOT / "tests/chart/kubectl_shim.py")])
        shim.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        shim.chmod(0o755)
        path = f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin"
        self._env = {"PATH": path, "REAL_KUBECTL": str(kubectl), "POD_FOLDERS": str(folder), "HOME": str(folder)}
        self._env["KUBECONFIG"] = str(cluster.kubeconfig)
        self._preamble = PREAMBLE.replace("NS=default RELEASE=group-consumer", f"NS={namespace} RELEASE=rel")
        assert self._preamble != PREAMBLE
        self.cluster = cluster

    def run(self, command):
        """What the command says."""
        script = f"set -u -o pipefail\n{self._preamble}\n{command}"
        return subprocess.run(
            ["bash", "-c", script], env=self._env, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
        )

    def well(self, command):
        """What it says where it went well; a `grep` that finds nothing did, too."""
        done = self.run(command.replace("PARTITION:OFFSET", "0:0"))
        assert done.returncode in ((0, 1) if "grep" in command else (0,)), (command, done.stdout, done.stderr)
        faults = [line for line in done.stderr.splitlines() if WRONG.search(line) and "waiting to start" not in line]
        assert not faults, command
        return done.stdout


def test_the_commands_are_found():
    """So that a change of the runbook's form does not leave this file with nothing to do."""
    assert {"restart", "consumer check", "consumer dlq list"} < set(SPANS)
    assert len(SPANS) > 12
    assert not re.search(r"deploy/|sts/|kubectl -n NS", RUNBOOK)


# No container is started a second time here, so none has an earlier log.
@pytest.mark.parametrize(
    "command", [span for span in SPANS if span not in CHANGING and "--previous" not in span], ids=lambda text: text
)
def test_a_command_that_looks(world, command):
    """It runs against either kind of workload."""
    world[0].well(command)


def test_the_preamble_names_what_there_is(world):
    """The workload whatever its kind, and one of its pods."""
    shell, release, _ = world
    names = {pod["metadata"]["name"] for pod in service_pods(shell.cluster, release.namespace)}
    app, pod = shell.well('echo "$APP $POD"').split()
    assert app == NAME
    assert pod.removeprefix("pod/") in names


def test_the_pod_that_is_not_ready_is_the_one_to_look_at(world):
    """Of two pods that one is taken."""
    shell, release, kubelet = world
    unready = service_pods(shell.cluster, release.namespace)[-1]["metadata"]["name"]
    running = kubelet.running(unready)
    probe, running.probe = running.probe, lambda path: False
    try:
        until(lambda: shell.well("echo $POD").strip() == f"pod/{unready}", "it is first")
    finally:
        running.probe = probe
    release.rolled_out(2, release.namespace)


def test_logs_are_those_of_every_pod(world):
    """From their first line, each with its pod's name; not of one pod that happens to be well."""
    shell, release, _ = world
    text = shell.well('logs | grep -e "\\"starting\\""')
    for pod in service_pods(shell.cluster, release.namespace):
        assert f"[pod/{pod['metadata']['name']}/group-consumer]" in text


def test_the_first_looks(world):
    """Every pod is listed, the check goes well, and readiness answers by way of the forwarded port."""
    shell, release, _ = world
    text = shell.well(LOOKS.replace(PORT, str(free_port())))
    assert all(pod["metadata"]["name"] in text for pod in service_pods(shell.cluster, release.namespace))
    assert "dead-letter" in text
    assert "ready" in text.splitlines()[-1]


def test_the_plan_and_the_replay(world):
    """Jobs, twice each: their names do not collide, and their logs are read to the end; the plan sends nothing."""
    shell, _, _ = world
    for block, words in ((PLAN, "To send again: "), (PLAN, "To send again: "), (REPLAY, "ccepted"), (REPLAY, "")):
        text = shell.well(block)
        assert "created" in text
        assert words in text


def test_the_commands_that_change_something(world, kind):
    """A pod that is deleted comes back; a restart replaces every pod, of a StatefulSet too."""
    shell, release, _ = world
    before = {pod["metadata"]["uid"] for pod in service_pods(shell.cluster, release.namespace)}
    for command in CHANGING:
        assert command in SPANS
        shell.well(command)
        until(lambda: before - {pod["metadata"]["uid"] for pod in service_pods(shell.cluster, kind)}, "it goes")
        release.rolled_out(2, kind)
    assert not before & {pod["metadata"]["uid"] for pod in service_pods(shell.cluster, kind)}
