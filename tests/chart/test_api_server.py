"""Install, upgrade, scale, test and uninstall against a real API server, with both Helms."""

import itertools
import json
from pathlib import Path

import pytest
import yaml

from tests.chart.cluster import Cluster, Kubelet, until

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm"
NAME = "rel-mixpanel-group-consumer"
SECRETS = {
    "mixpanel": {"token": "x"},
    "group-consumer": {"password": "x", "user.crt": "x", "user.key": "x", "user.password": "x"},
    "registry": {"password": "x", "token": "x"},
    "kafka-cluster-ca-cert": {"ca.crt": "x"},
}
KINDS = (
    *("deployments", "statefulsets", "cronjobs", "configmaps", "services", "serviceaccounts", "networkpolicies"),
    *("poddisruptionbudgets", "horizontalpodautoscalers", "scaledobjects.keda.sh", "triggerauthentications.keda.sh"),
    *(f"{kind}.monitoring.coreos.com" for kind in ("prometheusrules", "podmonitors", "servicemonitors")),
)
numbers = itertools.count()
pytestmark = pytest.mark.xdist_group("kubernetes")


@pytest.fixture(scope="module")
def cluster(tool, tmp_path_factory):
    """One API server for this module, with the definitions of the custom resources."""
    made = Cluster(tool, tmp_path_factory.mktemp("cluster"))
    try:
        made.start()
        for path in sorted((ROOT / ".tools/crds").glob("*.yaml")):
            done = made.apply("apply", "--server-side", "--filename", str(path))
            assert done.returncode == 0, done.stderr
        # sasl-keda-values.yaml names it; a pod of a class that is not there is refused.
        priority = {"metadata": {"name": "important"}, "value": 1000}
        made.call("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", priority)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def kubelet(cluster):
    """The one kubelet."""
    with Kubelet(cluster) as working:
        yield working


@pytest.fixture
def namespace(cluster):
    """A namespace of one's own, restricted."""
    name = f"test-{next(numbers)}"
    cluster.namespace(name, SECRETS)
    return name


class Release:
    """One release, by one Helm."""

    def __init__(self, helm, cluster, namespace):
        self.helm, self.cluster, self.namespace = helm, cluster, namespace

    def run(self, command, *arguments, values=None, chart=True):
        """Helm's answer."""
        where = ("--namespace", self.namespace, "--kubeconfig", str(self.cluster.kubeconfig))
        given = ("--values", "-") if values is not None else ()
        target = ("rel", str(CHART)) if chart else ("rel",)
        return self.helm.run(command, *target, *where, *given, *arguments, given=json.dumps(values or {}))

    def well(self, command, *arguments, **more):
        """Helm's words, where all is well."""
        done = self.run(command, *arguments, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def release(helm, cluster, namespace):
    """A release that is not installed yet, with each Helm in turn."""
    return Release(helm, cluster, namespace)


def scenario(name, **more):
    """The values of a file of helm/ci."""
    found = yaml.safe_load((CHART / f"ci/{name}-values.yaml").read_text())
    return {**found, **more}


def service_pods(cluster, namespace):
    """The pods of the service, those of checks and replays left out."""
    return [
        pod
        for pod in cluster.pods(namespace)
        if pod["metadata"]["labels"]["app.kubernetes.io/component"] == "consumer"
        and not pod["metadata"].get("deletionTimestamp")
    ]


def rolled_out(cluster, namespace, replicas, kind="deployments"):
    """Wait until this generation has so many pods, all ready, and no other."""

    def there():
        found = cluster.workload(namespace, kind)
        status = found["status"]
        if status.get("observedGeneration") != found["metadata"]["generation"]:
            return False
        numbers = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
        return [found["spec"]["replicas"], *numbers] == [replicas] * 4

    until(there, f"{replicas} ready pods of the new generation")


@pytest.mark.parametrize("name", ["minimal", "sasl-keda", "static", "trial"])
def test_install_and_uninstall(release, cluster, kubelet, name):
    """Every object is taken without a warning, the pods pass the restricted standard, and nothing stays."""
    words = release.well("install", values=scenario(name))
    assert "warning" not in words.lower(), words
    replicas = {"minimal": 2, "static": 3}.get(name, 1)
    rolled_out(cluster, release.namespace, replicas, "statefulsets" if name == "static" else "deployments")
    release.well("uninstall", chart=False)
    kinds = ",".join(KINDS)

    def left():
        done = cluster.apply("get", kinds, "--namespace", release.namespace, "--output", "name")
        return [line for line in done.stdout.splitlines() if "kube-root-ca" not in line]

    until(lambda: not left(), f"nothing is left of the release: {left()}")


def test_bad_values_install_nothing(release, cluster):
    """A refusal comes before the first object."""
    done = release.run("install", values=scenario("minimal", replicas=-1))
    assert done.returncode != 0
    assert "replicas" in done.stderr
    assert cluster.get(f"/apis/apps/v1/namespaces/{release.namespace}/deployments/{NAME}") is None
    assert release.run("status", chart=False).returncode != 0


def test_the_server_agrees_with_a_dry_run(release, cluster):
    """`--dry-run=server` with everything turned on is accepted, and makes nothing."""
    release.well("install", "--dry-run=server", values=scenario("sasl-keda"))
    assert cluster.get(f"/apis/apps/v1/namespaces/{release.namespace}/deployments/{NAME}") is None


def test_all_new_pods_are_there_before_an_old_one_goes(release, cluster, kubelet):
    """So that each partition moves once: from an old pod to a new one."""
    release.well("install", values=scenario("minimal", replicas=3))
    rolled_out(cluster, release.namespace, 3)
    old = {pod["metadata"]["name"] for pod in service_pods(cluster, release.namespace)}
    began = len(kubelet.seen)
    release.well("upgrade", values=scenario("minimal", replicas=3, drainTimeout="30s"))
    rolled_out(cluster, release.namespace, 3)
    until(lambda: {name for what, name in kubelet.seen if what == "gone"} >= old, "the old pods are gone")
    events = [
        (what, name in old) for what, name in kubelet.seen[began:] if name.startswith(NAME) and "check" not in name
    ]
    assert events[:3] == [("ready", False)] * 3
    assert ("gone", True) not in events[:3]


def test_an_upgrade_without_changes_replaces_no_pod(release, cluster, kubelet):
    """The same values again, and one that concerns only the alerts: the pods stay."""
    release.well("install", values=scenario("minimal"))
    rolled_out(cluster, release.namespace, 2)
    before = cluster.workload(release.namespace)["metadata"]["generation"]
    release.well("upgrade", values=scenario("minimal", monitoring={"rules": {"enabled": True}}))
    assert cluster.workload(release.namespace)["metadata"]["generation"] == before


def test_an_upgrade_after_a_change_of_the_mapping_in_a_config_map_replaces_the_pods(release, cluster, kubelet):
    """One that is not the chart's: the same file again replaces none, another one all."""
    place = f"/api/v1/namespaces/{release.namespace}/configmaps"
    mapping = {"metadata": {"name": "companies"}, "data": {"mapping.toml": "version = 1\n"}}
    cluster.call("POST", place, {"apiVersion": "v1", "kind": "ConfigMap", **mapping})
    values = scenario("minimal", mapping={"existingConfigMap": "companies"})
    release.well("install", values=values)
    rolled_out(cluster, release.namespace, 2)
    before = cluster.workload(release.namespace)["metadata"]["generation"]
    release.well("upgrade", values=values)
    assert cluster.workload(release.namespace)["metadata"]["generation"] == before
    changed = {"data": {"mapping.toml": "version = 1\n# another\n"}}
    cluster.call("PATCH", f"{place}/companies", changed, "application/merge-patch+json")
    release.well("upgrade", values=values)
    assert cluster.workload(release.namespace)["metadata"]["generation"] > before
    rolled_out(cluster, release.namespace, 2)


def test_an_upgrade_keeps_what_an_autoscaler_has_set(release, cluster, kubelet):
    """Five pods by KEDA's hand stay five, with Helm 4 too, whose upgrade fails where `replicas` is rendered."""
    values = scenario("minimal", autoscaling={"mode": "keda", "maxReplicas": 8})
    release.well("install", values=values)
    path = f"/apis/apps/v1/namespaces/{release.namespace}/deployments/{NAME}/scale"
    cluster.call("PATCH", path, {"spec": {"replicas": 5}}, "application/merge-patch+json")
    rolled_out(cluster, release.namespace, 5)
    release.well("upgrade", values={**values, "log": {"level": "debug"}})
    rolled_out(cluster, release.namespace, 5)


def test_turning_autoscaling_on_keeps_the_pods_that_were_scaled_once(helms, cluster, kubelet, namespace):
    """As the notes say: a number that `kubectl scale` has changed is not Helm's any more, and stays (Helm 4)."""
    release = Release(helms["helm4"], cluster, namespace)
    release.well("install", values=scenario("minimal", replicas=3))
    rolled_out(cluster, namespace, 3)
    done = cluster.apply("scale", "deployment", NAME, "--replicas=4", "--namespace", namespace)
    assert done.returncode == 0, done.stderr
    notes = release.well("upgrade", values=scenario("minimal", autoscaling={"mode": "keda"}))
    assert f"scale deployment/{NAME} --replicas=N" in notes
    rolled_out(cluster, namespace, 4)


def test_helm_4_takes_over_a_release_of_helm_3(helms, cluster, kubelet, namespace):
    """A release made by Helm 3 is upgraded by Helm 4, autoscaling turned on in between."""
    Release(helms["helm3"], cluster, namespace).well("install", values=scenario("minimal"))
    newer = Release(helms["helm4"], cluster, namespace)
    newer.well("upgrade", values=scenario("minimal", autoscaling={"mode": "keda"}))
    newer.well("upgrade", values=scenario("minimal", autoscaling={"mode": "keda", "maxReplicas": 6}))
    scaled = cluster.get(f"/apis/keda.sh/v1alpha1/namespaces/{namespace}/scaledobjects/{NAME}")
    assert scaled["spec"]["maxReplicaCount"] == 6


def test_a_rollback_brings_the_old_settings_back(release, cluster, kubelet):
    """`helm rollback` after an upgrade."""
    release.well("install", values=scenario("minimal"))
    release.well("upgrade", values=scenario("minimal", drainTimeout="40s"))
    release.well("rollback", "1", chart=False)
    spec = cluster.workload(release.namespace)["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == 35


def test_the_check_pod_is_admitted(release, cluster, kubelet):
    """`helm test` makes its pod in a namespace that enforces the restricted standard, and tells that it went well."""
    release.well("install", values=scenario("minimal"))
    words = release.well("test", "--timeout", "60s", chart=False)
    assert "Succeeded" in words


def test_a_replay_starts_from_the_cron_job(release, cluster, kubelet):
    """It never runs by itself; `kubectl create job --from` makes one that is admitted and ends."""
    release.well("install", values=scenario("minimal"))
    found = cluster.get(f"/apis/batch/v1/namespaces/{release.namespace}/cronjobs/{NAME}-replay")
    assert found["spec"]["suspend"] is True
    where = ("--namespace", release.namespace)
    done = cluster.apply("create", "job", "replay-1", f"--from=cronjob/{NAME}-replay", *where)
    assert done.returncode == 0, done.stderr
    path = f"/apis/batch/v1/namespaces/{release.namespace}/jobs/replay-1"
    job = until(
        lambda: (found := cluster.get(path)) and found["status"].get("succeeded") and found, "the job is done"
    )
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["dlq", "replay", "--yes", "--skip-newer"]


def test_static_members_keep_their_names(release, cluster, kubelet):
    """The pods of the StatefulSet are there at once, with the names that their properties files have."""
    release.well("install", values=scenario("static"))
    rolled_out(cluster, release.namespace, 3, "statefulsets")
    names = sorted(pod["metadata"]["name"] for pod in service_pods(cluster, release.namespace))
    assert names == [f"{NAME}-{number}" for number in range(3)]
    config = cluster.get(f"/api/v1/namespaces/{release.namespace}/configmaps/{NAME}")
    assert {f"{name}.properties" for name in names} <= config["data"].keys()


def test_a_drain_of_a_node_takes_one_pod_at_a_time(release, cluster, kubelet):
    """Of three pods that are ready the budget lets one go."""
    release.well("install", values=scenario("minimal", replicas=3))
    rolled_out(cluster, release.namespace, 3)
    budget = f"/apis/policy/v1/namespaces/{release.namespace}/poddisruptionbudgets/{NAME}"
    until(lambda: cluster.get(budget).get("status", {}).get("disruptionsAllowed") == 1, "one may go")
