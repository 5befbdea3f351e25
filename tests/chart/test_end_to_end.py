"""The chart, a real API server and the real service: a process for each pod, a real broker, registry, Mixpanel."""

import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from pathlib import Path
from types import MappingProxyType

import pytest

from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.broker.security import Security
from consumer.sandbox.mixpanel.project import TOKEN
from consumer.sandbox.sandbox import Sandbox
from tests.chart.cluster import Cluster, until
from tests.chart.processes import ProcessKubelet

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm"
NAME = "rel-mixpanel-group-consumer"
PARTITIONS = 12
pytestmark = [pytest.mark.xdist_group("kubernetes"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def sandbox():
    """What the service talks to."""
    with Sandbox(partitions=PARTITIONS) as running:
        yield running


@pytest.fixture(scope="module")
def cluster(tool, tmp_path_factory):
    """One API server for this module."""
    made = Cluster(tool, tmp_path_factory.mktemp("cluster"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def namespace(request):
    """A namespace of the test's own."""
    return request.node.originalname.replace("_", "-")[:50]


@pytest.fixture
def kubelet(cluster, namespace, tmp_path):
    """A kubelet of the test's own, whose processes end with it."""
    with ProcessKubelet(cluster, namespace, tmp_path) as working:
        yield working


def values(sandbox, **more):
    """The values that point a release at the sandbox."""
    return {
        "kafka": {"bootstrapServers": [sandbox.broker.bootstrap], "properties": {"session.timeout.ms": 10000}},
        "schemaRegistry": {"urls": [sandbox.registry.url]},
        "mixpanel": {"existingSecret": "mixpanel", "url": sandbox.mixpanel.url},
        "drainTimeout": "5s",
        "minReadySeconds": 1,
        **more,
    }


class Release:
    """A release in a namespace of its own, which has these Secrets."""

    def __init__(self, helm, cluster, namespace, secrets=MappingProxyType({"mixpanel": {"token": TOKEN}})):
        self._helm, self._cluster, self.namespace = helm, cluster, namespace
        cluster.namespace(namespace, secrets)

    def secrets(self, changed):
        """Other content of Secrets that are there."""
        for name, content in changed.items():
            path = f"/api/v1/namespaces/{self.namespace}/secrets/{name}"
            self._cluster.call("PATCH", path, {"stringData": content}, "application/merge-patch+json")

    def helm(self, command, *more, given=None):
        """Helm's words, where all is well."""
        where = ("--namespace", self.namespace, "--kubeconfig", str(self._cluster.kubeconfig))
        target = ("rel", str(CHART), "--values", "-") if given is not None else ("rel",)
        done = self._helm.run(command, *target, *where, *more, given=json.dumps(given or {}))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rolled_out(self, replicas, kind="deployments"):
        """Wait for so many ready pods of the newest generation, and no others."""

        def there():
            found = self._cluster.workload(self.namespace, kind)
            status = found["status"]
            numbers = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
            newest = status.get("observedGeneration") == found["metadata"]["generation"]
            return (
                newest and numbers == [replicas] * 3 and len(service_pods(self._cluster, self.namespace)) == replicas
            )

        until(there, f"{replicas} ready pods of the newest generation", 120)


def service_pods(cluster, namespace):
    """The pods of the service, those of checks and replays left out."""
    return [
        pod
        for pod in cluster.pods(namespace)
        if pod["metadata"]["labels"]["app.kubernetes.io/component"] == "consumer"
    ]


def produce(sandbox, count, seed, bad=0.0):
    """Write generated events, a share of them bad."""
    command = [sys.executable, "-m", "consumer", "produce", "--generate", str(count), "--seed", str(seed)]
    command += ["--bad", str(bad)]
    subprocess.run(
        command, cwd=ROOT, env=os.environ | sandbox.exports(), check=True, capture_output=True, timeout=120
    )


def requests(sandbox):
    """What arrived at Mixpanel."""
    with urllib.request.urlopen(f"{sandbox.mixpanel.url}/requests", timeout=10) as answer:
        return json.load(answer)


def assignments(kubelet):
    """Every assignment, the oldest first: partition and pod."""
    found = [
        (line["time"], partition, running.pod)
        for running in kubelet.processes.values()
        for line in running.lines()
        if line["message"] == "partitions assigned"
        for partition in line["partitions"]
    ]
    return [(partition, pod) for _, partition, pod in sorted(found)]


def test_install_upgrade_and_uninstall_move_each_partition_once(helms, cluster, namespace, kubelet, sandbox):
    """Three pods serve; an upgrade gives each partition to one new pod once; every pod drains and exits 0."""
    release = Release(helms["helm4"], cluster, namespace)
    release.helm("install", given=values(sandbox, replicas=3))
    release.rolled_out(3)
    produce(sandbox, 500, 1)
    until(lambda: requests(sandbox), "updates arrive at Mixpanel")
    before = len(assignments(kubelet))
    release.helm("upgrade", given=values(sandbox, replicas=3, log={"level": "debug"}))
    release.rolled_out(3)
    moves = len(assignments(kubelet)) - before
    print(f"{moves} moves of {PARTITIONS} partitions")
    assert moves <= PARTITIONS * 4 / 3
    arrived = len(requests(sandbox))
    produce(sandbox, 500, 2)
    until(lambda: len(requests(sandbox)) > arrived, "the new pods send")
    release.helm("uninstall")
    until(lambda: not cluster.pods(namespace), "every pod is gone", 60)
    assert set(kubelet.statuses.values()) == {0}


def test_a_wrong_secret_leaves_the_pod_running_and_not_ready(helms, cluster, namespace, kubelet, sandbox):
    """Mixpanel answers 401: the pod lives, is not ready, and one log line names the credential."""
    release = Release(helms["helm4"], cluster, namespace)
    release.helm("install", given=values(sandbox, replicas=1))
    release.rolled_out(1)  # before the fault: what an earlier test left in the topic would halt it at once
    sandbox.mixpanel.faults.on("status", status=401)
    try:
        produce(sandbox, 50, 3)
        (running,) = kubelet.processes.values()
        until(lambda: not running.probe("/readyz"), "the pod is not ready")
        assert running.probe("/livez")
        assert running.process.poll() is None
        words = [line["message"] for line in running.lines() if line["level"] == "error"]
        assert [word for word in words if "MIXPANEL_TOKEN" in word]
    finally:
        sandbox.mixpanel.faults.clear()
    until(lambda: running.probe("/readyz"), "it goes on by itself")


def test_a_mended_kafka_secret_lets_the_release_in(helms, cluster, namespace, kubelet, sandbox, tmp_path):
    """A wrong password: the pod lives, is not ready, a line names it; another revision takes the right one."""
    secret = {"mixpanel": {"token": TOKEN}, "sasl": {"password": "wrong-password"}}
    with Broker(tmp_path / "broker", security=Security("SASL_PLAINTEXT", users={"me": "right-password"})) as broker:
        broker.create_topic("group-changes", 1)
        release = Release(helms["helm4"], cluster, namespace, secrets=secret)
        sasl = {"mechanism": "SCRAM-SHA-512", "username": "me", "existingSecret": "sasl"}
        given = values(sandbox, replicas=1, secrets={"revision": "1"})
        given["kafka"] |= {"bootstrapServers": [broker.bootstrap], "securityProtocol": "SASL_PLAINTEXT", "sasl": sasl}
        release.helm("install", given=given)
        (running,) = until(lambda: list(kubelet.processes.values()), "the pod is started")
        until(lambda: "KAFKA_SASL_PASSWORD" in str(running.lines()), "the log names the credential")
        assert "wrong-password" not in running.log.read_text()
        assert running.process.poll() is None
        assert running.probe("/livez")
        assert not running.probe("/readyz")
        assert ("ready", running.pod) not in kubelet.seen
        release.secrets({"sasl": {"password": "right-password"}})
        release.helm("upgrade", given={**given, "secrets": {"revision": "2"}})
        release.rolled_out(1)


def test_a_missing_secret_starts_nothing_until_it_is_there(helms, cluster, namespace, kubelet, sandbox):
    """The pod waits for its Secret, and starts once it is made."""
    release = Release(helms["helm4"], cluster, namespace, secrets={})
    release.helm("install", given=values(sandbox, replicas=1))
    until(lambda: cluster.pods(namespace) and cluster.pods(namespace)[0]["spec"].get("nodeName"), "the pod is bound")
    assert not kubelet.processes
    secret = {"metadata": {"name": "mixpanel"}, "stringData": {"token": TOKEN}}
    cluster.call("POST", f"/api/v1/namespaces/{namespace}/secrets", secret)
    release.rolled_out(1)


def test_static_members_keep_their_partitions_over_a_restart(helms, cluster, namespace, kubelet, sandbox):
    """A rolling restart of a StatefulSet moves no partition: each pod gets its own back."""
    release = Release(helms["helm4"], cluster, namespace)
    given = values(sandbox, replicas=2, staticMembership={"enabled": True, "sessionTimeoutMs": 120000})
    given["kafka"] = {"bootstrapServers": [sandbox.broker.bootstrap], "groupId": "static"}
    release.helm("install", given=given)
    release.rolled_out(2, "statefulsets")
    half = PARTITIONS // 2
    until(
        lambda: sorted(Counter(dict(assignments(kubelet)).values()).values()) == [half, half],
        "each pod has half",
        120,
    )
    owners = dict(assignments(kubelet))
    release.helm("upgrade", given={**given, "log": {"level": "debug"}})
    release.rolled_out(2, "statefulsets")
    assert dict(assignments(kubelet)) == owners


def test_helm_test_runs_the_real_check(helms, cluster, namespace, kubelet, sandbox):
    """`helm test` succeeds where all is well, and fails where the topic is missing."""
    release = Release(helms["helm4"], cluster, namespace)
    release.helm("install", given=values(sandbox, replicas=1))
    release.rolled_out(1)
    release.helm("test", "--timeout", "120s")
    broken = values(sandbox, replicas=1)
    broken["kafka"]["topics"] = ["no-such-topic"]
    release.helm("upgrade", given=broken)
    with pytest.raises(AssertionError, match="failed"):
        release.helm("test", "--timeout", "120s")
    (check,) = (running for running in kubelet.processes.values() if running.process.poll() == 1)
    assert "no-such-topic" in check.log.read_text()


def test_a_replay_job_runs_the_real_replay(helms, cluster, namespace, kubelet, sandbox):
    """A Job from the suspended CronJob sends the dead letters again, with the settings of the service."""
    release = Release(helms["helm4"], cluster, namespace)
    given = values(sandbox, replicas=1)
    given["kafka"]["groupId"] = "replay"
    sandbox.broker.create_topic("replay.dead-letters", 1)
    release.helm("install", given=given)
    where = ("--namespace", namespace)
    done = cluster.apply("create", "job", "again", f"--from=cronjob/{NAME}-replay", *where)
    assert done.returncode == 0, done.stderr
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs/again"
    until(lambda: cluster.get(path)["status"].get("succeeded"), "the job is done", 120)
