"""KEDA and the HorizontalPodAutoscaler, and the traps that linting does not see."""

from pathlib import Path

import pytest

CHART = Path(__file__).resolve().parents[2] / "helm"

KEDA = {"autoscaling": {"mode": "keda"}}
SCRAM = {
    "securityProtocol": "SASL_SSL",
    "sasl": {"mechanism": "SCRAM-SHA-256", "username": "me", "existingSecret": "sasl"},
    "tls": {"caSecret": "ca", "clientSecret": "client", "privateKeyPasswordKey": "user.password"},
}


def parameters(authentication):
    """By parameter, the object and key, or the variable, that it comes from."""
    spec = authentication["spec"]
    objects = [*spec.get("secretTargetRef", []), *spec.get("configMapTargetRef", [])]
    found = {one["parameter"]: (one["name"], one["key"]) for one in objects}
    return found | {one["parameter"]: one["name"] for one in spec.get("env", [])}


@pytest.mark.parametrize("mode", ["keda", "hpa", "external"])
def test_who_scales_owns_the_number(chart, mode):
    """`replicas` is not rendered where something else scales: Helm would fight it, and Helm 4 would fail."""
    assert chart.one("Deployment")["spec"]["replicas"] == 2
    assert "replicas" not in chart.one("Deployment", autoscaling={"mode": mode, "partitions": 4})["spec"]


def test_a_null_number_is_not_rendered(chart):
    """`replicas: null` leaves it to somebody else as well."""
    assert "replicas" not in chart.one("Deployment", replicas=None)["spec"]


def test_only_one_scales(chart):
    """KEDA or the HorizontalPodAutoscaler or none: never two."""
    scalers = {"ScaledObject", "HorizontalPodAutoscaler"}
    assert not chart.kinds() & scalers
    assert chart.kinds(**KEDA) & scalers == {"ScaledObject"}
    assert chart.kinds(autoscaling={"mode": "hpa", "partitions": 4}) & scalers == {"HorizontalPodAutoscaler"}
    assert not chart.kinds(autoscaling={"mode": "external"}) & scalers


def test_keda_looks_at_what_the_service_reads(chart):
    """The same brokers, group and topics as in the environment, one trigger for each topic."""
    values = KEDA | {"kafka": {"bootstrapServers": ["a:1", "b:2"], "topics": ["x", "y"], "groupId": "g"}}
    env = chart.env(**values)
    triggers = [trigger["metadata"] for trigger in chart.one("ScaledObject", **values)["spec"]["triggers"]]
    assert ",".join(trigger["topic"] for trigger in triggers) == env["KAFKA_TOPICS"] == "x,y"
    assert {trigger["consumerGroup"] for trigger in triggers} == {env["KAFKA_GROUP_ID"]} == {"g"}
    assert {trigger["bootstrapServers"] for trigger in triggers} == {env["KAFKA_BOOTSTRAP_SERVERS"]} == {"a:1,b:2"}


def test_keda_starts_where_the_service_starts(chart):
    """The service begins at the earliest record, so what was never committed counts as lag."""
    (trigger,) = chart.one("ScaledObject", **KEDA)["spec"]["triggers"]
    assert trigger["metadata"]["offsetResetPolicy"] == "earliest"


def test_keda_never_goes_beyond_the_partitions(chart):
    """Idle consumers are not allowed, and there is an upper bound."""
    spec = chart.one("ScaledObject", **KEDA)["spec"]
    assert spec["triggers"][0]["metadata"]["allowIdleConsumers"] == "false"
    assert spec["maxReplicaCount"] == 4


def test_keda_takes_only_texts(chart):
    """Every entry of a trigger's metadata is text: a number is refused by the API server."""
    values = {"autoscaling": {"mode": "keda", "keda": {"lagThreshold": 2000000}}}
    (trigger,) = chart.one("ScaledObject", **values)["spec"]["triggers"]
    assert all(isinstance(value, str) for value in trigger["metadata"].values())
    assert trigger["metadata"]["lagThreshold"] == "2000000"


def test_keda_falls_back(chart):
    """While the lag cannot be read the pods stay, and never become fewer."""
    fallback = chart.one("ScaledObject", **KEDA)["spec"]["fallback"]
    assert fallback == {"failureThreshold": 3, "replicas": 2, "behavior": "currentReplicasIfHigher"}


def test_keda_logs_in_as_the_service_does(chart):
    """In KEDA's own words, from the same Secrets; the user name from the container's environment."""
    values = KEDA | {"kafka": SCRAM}
    scaled = chart.one("ScaledObject", **values)
    (trigger,) = scaled["spec"]["triggers"]
    assert (trigger["metadata"]["sasl"], trigger["metadata"]["tls"]) == ("scram_sha256", "enable")
    authentication = chart.one("TriggerAuthentication", **values)
    assert trigger["authenticationRef"] == {"name": authentication["metadata"]["name"]}
    assert parameters(authentication) == {
        "username": "KAFKA_SASL_USERNAME",
        "password": ("sasl", "password"),
        "keyPassword": ("client", "user.password"),
        "ca": ("ca", "ca.crt"),
        "cert": ("client", "user.crt"),
        "key": ("client", "user.key"),
    }
    assert not {"sasl", "tls"} & parameters(authentication).keys()  # in one place, or one of them is ignored


def test_keda_needs_no_credentials_for_plain_text(chart):
    """Without login and certificates there is no TriggerAuthentication, and no reference to one."""
    (trigger,) = chart.one("ScaledObject", **KEDA)["spec"]["triggers"]
    assert (trigger["metadata"]["sasl"], trigger["metadata"]["tls"]) == ("none", "disable")
    assert "authenticationRef" not in trigger
    assert "TriggerAuthentication" not in chart.kinds(**KEDA)


def test_keda_may_have_an_authentication_of_its_own(chart):
    """Then nothing of how to log in is taken from `kafka`."""
    reference = {"name": "shared", "kind": "ClusterTriggerAuthentication"}
    values = {"kafka": SCRAM, "autoscaling": {"mode": "keda", "keda": {"authenticationRef": reference}}}
    (trigger,) = chart.one("ScaledObject", **values)["spec"]["triggers"]
    assert trigger["authenticationRef"] == reference
    assert not {"sasl", "tls"} & trigger["metadata"].keys()
    assert "TriggerAuthentication" not in chart.kinds(**values)


def test_scalers_point_at_the_workload(chart):
    """Target and workload have the same kind and name."""
    hpa = {"autoscaling": {"mode": "hpa", "partitions": 4}}
    for kind, values in (("ScaledObject", KEDA), ("HorizontalPodAutoscaler", hpa)):
        target = chart.one(kind, **values)["spec"]["scaleTargetRef"]
        workload = chart.one("Deployment", **values)
        assert target == {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload["metadata"]["name"]}


def test_scaling_is_slow_to_shrink(chart):
    """One pod in two minutes at most, for each change of size is a rebalance."""
    behavior = chart.one("ScaledObject", **KEDA)["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 120}]
    hpa = chart.one("HorizontalPodAutoscaler", autoscaling={"mode": "hpa", "partitions": 4})["spec"]
    assert hpa["behavior"] == behavior


def test_notes_warn_before_a_workload_falls_to_one_pod(helms):
    """Turning autoscaling on takes `replicas` away; the notes say what keeps the pods."""
    notes = helms["helm4"].run(  # Helm 3 asks a cluster before it shows notes
        *("install", "rel", str(CHART), "--dry-run=client", "--namespace", "here"),
        *("--set", "kafka.bootstrapServers={k:1},schemaRegistry.urls={http://r:1},mixpanel.existingSecret=m"),
        *("--set", "autoscaling.mode=keda"),
    )
    assert "scale deployment/rel-mixpanel-group-consumer --replicas=N" in notes.stdout, notes.stderr
