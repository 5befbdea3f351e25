"""What the pods are given, and how they come and go."""

import pytest


def test_one_pod_serves_and_others_do_one_thing(chart):
    """The service runs `run`; `helm test` runs `check`."""
    assert chart.container()["args"] == ["run"]
    check = chart.one("Pod")
    assert check["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert check["spec"]["containers"][0]["args"] == ["check"]


def replays(chart, **values):
    """The specs of the two CronJobs: the replay, and its plan."""
    jobs = {one["metadata"]["name"]: one["spec"] for one in chart.objects(**values) if one["kind"] == "CronJob"}
    assert [name.partition("-consumer-")[2] for name in sorted(jobs)] == ["replay", "replay-plan"]
    return [jobs[name] for name in sorted(jobs)]


def arguments(replay):
    """Of the one container."""
    (container,) = replay["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return container["args"]


def test_a_replay_never_starts_by_itself_and_overwrites_nothing_newer(chart):
    """Both are suspended; the plan is the dry run of exactly what the other sends."""
    replay, plan = replays(chart)
    assert arguments(replay) == ["dlq", "replay", "--yes", "--skip-newer"]
    assert arguments(plan) == [*arguments(replay), "--dry-run"]
    for one in (replay, plan):
        assert one["suspend"] is True
        assert one["jobTemplate"]["spec"]["backoffLimit"] == 0
    some = replays(chart, dlqReplay={"args": ["--yes", "--reason", "rejected"]})
    assert [arguments(one)[:5] for one in some] == [["dlq", "replay", "--yes", "--reason", "rejected"]] * 2


def test_a_replay_that_is_stopped_has_time_to_settle(chart):
    """As long as the service has."""
    for replay in replays(chart, drainTimeout="50s"):
        assert replay["jobTemplate"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 65


def test_jobs_of_long_names_keep_a_number(chart):
    """What docs/runbook.md calls a Job fits, with the seconds of its start, into the 63 characters of a name."""
    values = {"fullnameOverride": "x" * 60}
    names = [one["metadata"]["name"] for one in chart.objects(**values) if one["kind"] == "CronJob"]
    assert max(map(len, names)) <= 52
    assert max(len(f"{name}-{10**9}") for name in names) <= 63


def test_no_shell_is_needed(chart, specs):
    """No pod has a command or a hook: the image's entry point does it all, and SIGTERM reaches it."""
    for found in chart.objects():
        for spec in specs(found):
            for container in spec["containers"]:
                assert "command" not in container
                assert "lifecycle" not in container


def test_the_service_selects_only_its_own_pods(chart):
    """The Deployment, the budget and the monitors do not see the pods of a check or a replay."""
    labels = chart.pod()["metadata"]["labels"]
    selector = chart.one("Deployment")["spec"]["selector"]["matchLabels"]
    assert selector.items() <= labels.items()
    replay = replays(chart)[0]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    for other in (replay, chart.one("Pod")["metadata"]["labels"]):
        assert not selector.items() <= other.items()
    assert chart.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == selector


def test_the_selector_never_changes_with_values(chart):
    """A selector cannot be changed by an upgrade, so nothing of the labels of a user is in it."""
    plain = chart.one("Deployment")["spec"]["selector"]
    assert plain == chart.one("Deployment", commonLabels={"a": "b"}, podLabels={"c": "d"})["spec"]["selector"]


def test_a_new_chart_alone_replaces_no_pod(chart):
    """The pods have no label with the chart's version, so an upgrade of an alert moves no partition."""
    assert not {"helm.sh/chart", "app.kubernetes.io/version"} & chart.pod()["metadata"]["labels"].keys()


def test_probes_follow_the_loop(chart):
    """Start and life are asked of /livez, readiness of /readyz, and none of them runs a program."""
    container = chart.container()
    assert container["startupProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert container["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    assert "livenessProbe" not in chart.one("Pod")["spec"]["containers"][0]


@pytest.mark.parametrize(
    ("drain", "grace"), [("20s", 35), ("500ms", 16), ("1.5m", 105), ("1h", 3615), ("2.2s", 18), ("0.1m", 21)]
)
def test_the_grace_period_follows_the_drain(chart, drain, grace):
    """A pod is killed 15 s after its drain must have ended, whatever the unit."""
    assert chart.pod(drainTimeout=drain)["spec"]["terminationGracePeriodSeconds"] == grace
    assert chart.env(drainTimeout=drain)["DRAIN_TIMEOUT"] == drain


def test_a_longer_grace_period_is_taken(chart):
    """A value of one's own holds where it is long enough."""
    pod = chart.pod(terminationGracePeriodSeconds=120)
    assert pod["spec"]["terminationGracePeriodSeconds"] == 120


def test_new_pods_come_before_old_ones_go(chart):
    """All new pods join at once, and only then all old ones leave: each partition moves once."""
    strategy = chart.one("Deployment")["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}
    recreate = chart.one("Deployment", strategy={"type": "Recreate"})["spec"]["strategy"]
    assert recreate == {"type": "Recreate"}


def test_environment_of_ones_own_is_added(chart):
    """Texts, numbers and references are taken; null removes; a number is not written as 1e+06."""
    env = chart.env(
        extraEnv={"A": "x", "N": 1000000, "F": 0.5, "B": True, "S": {"valueFrom": {"fieldRef": {"fieldPath": "x"}}}}
    )
    assert [env["A"], env["N"], env["F"], env["B"]] == ["x", "1000000", "0.5", "true"]
    assert env["S"] == {"fieldRef": {"fieldPath": "x"}}


def test_the_schema_cache_is_a_volume(chart):
    """An emptyDir unless a claim is named; without it the variable is not set."""
    assert chart.env()["SCHEMA_CACHE_DIR"] == "/var/cache/group-consumer"
    claim = {"persistentVolumeClaim": {"claimName": "schemas"}}
    volumes = chart.pod(schemaRegistry={"cache": {"volume": claim | {"emptyDir": None}}})["spec"]["volumes"]
    assert {"name": "schemas", **claim} in volumes
    assert "SCHEMA_CACHE_DIR" not in chart.env(schemaRegistry={"cache": {"enabled": False}})


def test_spread_gets_its_selector(chart):
    """A constraint without labelSelector gets that of the pods; one that has its own keeps it."""
    own = {
        "maxSkew": 1,
        "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {}},
    }
    (default,) = chart.pod()["spec"]["topologySpreadConstraints"]
    assert default["labelSelector"]["matchLabels"] == chart.one("Deployment")["spec"]["selector"]["matchLabels"]
    assert chart.pod(topologySpreadConstraints=[own])["spec"]["topologySpreadConstraints"] == [own]


def test_where_pods_run_can_be_said(chart):
    """Everything that a platform asks of a pod reaches it, and that of a check too where it concerns it."""
    more = {
        "priorityClassName": "high",
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "runtimeClassName": "gvisor",
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["kafka"]}],
        "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
    }
    volumes = {
        "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
        "extraContainers": [{"name": "beside"}],
        "initContainers": [{"name": "before"}],
        "imagePullSecrets": ["pull"],
    }
    pod = chart.pod(**more, **volumes)["spec"]
    assert more.items() <= pod.items()
    assert pod["containers"][1] == {"name": "beside"}
    assert pod["initContainers"] == [{"name": "before"}]
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    check = chart.one("Pod", **more, **volumes)["spec"]
    assert [check["nodeSelector"], check["hostAliases"]] == [more["nodeSelector"], more["hostAliases"]]
    assert {"name": "more", "emptyDir": {}} in check["volumes"]


def test_an_image_by_digest(chart):
    """A digest wins over a tag; without either the chart's appVersion is the tag."""
    digest = "sha256:" + "a" * 64
    assert chart.container(image={"digest": digest})["image"] == f"mixpanel-group-consumer@{digest}"
    assert chart.container(image={"tag": "x"})["image"] == "mixpanel-group-consumer:x"


def test_the_budget_takes_either_bound(chart):
    """One pod at a time by default; `minAvailable` wins; off is off."""
    assert chart.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    spec = chart.one("PodDisruptionBudget", podDisruptionBudget={"minAvailable": "50%"})["spec"]
    assert spec["minAvailable"] == "50%"
    assert "maxUnavailable" not in spec
    assert "PodDisruptionBudget" not in chart.kinds(podDisruptionBudget={"enabled": False})


def test_the_network_policy_knows_the_ports(chart):
    """Out: names, the brokers' ports, the registries', Mixpanel's or its proxy's. In: the metrics."""
    values = {
        "networkPolicy": {"enabled": True, "kafkaPorts": [9094]},
        "kafka": {"bootstrapServers": ["a:9092", "b:9093"]},
        "schemaRegistry": {"urls": ["http://r:8081", "https://s"]},
    }
    spec = chart.one("NetworkPolicy", **values)["spec"]
    ports = [{port["port"] for port in rule["ports"]} for rule in spec["egress"]]
    assert ports == [{53}, {9092, 9093, 9094}, {8081, 443}]
    assert spec["ingress"] == [{"ports": [{"port": 8080, "protocol": "TCP"}]}]
    proxied = chart.one("NetworkPolicy", **(values | {"mixpanel": {"url": "http://proxy:3128"}}))["spec"]
    assert {port["port"] for port in proxied["egress"][2]["ports"]} == {8081, 443, 3128}


def test_extra_objects_are_templates(chart):
    """They may name what the chart names."""
    extra = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": '{{ include "gc.fullname" . }}-x'}}
    assert chart.one("LimitRange", extraObjects=[extra])["metadata"]["name"] == "rel-mixpanel-group-consumer-x"
