"""What the pods are given, and how they come and go."""

import base64

import pytest

SASL = {"mechanism": "SCRAM-SHA-512", "username": "me", "existingSecret": "sasl"}
STATIC = {"staticMembership": {"enabled": True}, "replicas": 2}


def sources(pod):
    """What the configuration volume has: file to kind, name and key."""
    volume = next(volume for volume in pod["spec"]["volumes"] if volume["name"] == "configuration")
    found = {}
    for source in volume["projected"]["sources"]:
        ((kind, one),) = source.items()
        for item in one.get("items", [{"path": "*", "key": "*"}]):
            found[item["path"]] = (kind, one["name"], item["key"])
    return found


def test_one_pod_serves_and_others_do_one_thing(chart):
    """The service runs `run`; `helm test` runs `check`; the replay is a suspended CronJob of `dlq replay`."""
    assert chart.container()["args"] == ["run"]
    check = chart.one("Pod")
    assert check["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert check["spec"]["containers"][0]["args"] == ["check"]
    replay = chart.one("CronJob", dlqReplay={"args": ["--yes", "--reason", "rejected"]})["spec"]
    assert replay["suspend"] is True
    container = replay["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["dlq", "replay", "--yes", "--reason", "rejected"]
    assert replay["jobTemplate"]["spec"]["backoffLimit"] == 0


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
    replay = chart.one("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
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


def test_credentials_are_files(chart):
    """By default no credential is in the environment: a `_FILE` variable names a file from the Secret."""
    values = {"kafka": {"securityProtocol": "SASL_SSL", "sasl": SASL}}
    env = chart.env(**values)
    assert env["MIXPANEL_TOKEN_FILE"] == "/etc/group-consumer/mixpanel-token"
    assert env["KAFKA_SASL_PASSWORD_FILE"] == "/etc/group-consumer/kafka-sasl-password"
    assert not {"MIXPANEL_TOKEN", "KAFKA_SASL_PASSWORD"} & env.keys()
    assert sources(chart.pod(**values)) == {
        "mixpanel-token": ("secret", "mixpanel", "token"),
        "kafka-sasl-password": ("secret", "sasl", "password"),
    }


def test_credentials_may_be_variables(chart):
    """With `env` they come by secretKeyRef, and nothing is mounted."""
    values = {"kafka": {"securityProtocol": "SASL_SSL", "sasl": SASL}, "secrets": {"delivery": "env"}}
    env = chart.env(**values)
    assert env["MIXPANEL_TOKEN"] == {"secretKeyRef": {"name": "mixpanel", "key": "token"}}
    assert env["KAFKA_SASL_PASSWORD"] == {"secretKeyRef": {"name": "sasl", "key": "password"}}
    assert not [name for name in env if name.endswith("_FILE")]
    assert "configuration" not in {volume["name"] for volume in chart.pod(**values)["spec"]["volumes"]}


def test_a_user_name_may_come_from_the_secret(chart):
    """As with a Confluent Cloud API key, whose two halves are in one Secret."""
    sasl = {"mechanism": "PLAIN", "existingSecret": "key", "usernameKey": "user", "passwordKey": "secret"}
    registry = {"existingSecret": "key", "usernameKey": "registry-user", "passwordKey": "registry-secret"}
    env = chart.env(kafka={"securityProtocol": "SASL_SSL", "sasl": sasl}, schemaRegistry=registry)
    assert env["KAFKA_SASL_USERNAME"] == {"secretKeyRef": {"name": "key", "key": "user"}}
    assert env["SCHEMA_REGISTRY_USERNAME"] == {"secretKeyRef": {"name": "key", "key": "registry-user"}}


def test_a_token_may_log_in_to_the_registry(chart):
    """A bearer token takes the place of user and password."""
    env = chart.env(schemaRegistry={"existingSecret": "registry", "tokenKey": "bearer"})
    assert "SCHEMA_REGISTRY_TOKEN_FILE" in env
    assert not {"SCHEMA_REGISTRY_PASSWORD_FILE", "SCHEMA_REGISTRY_USERNAME"} & env.keys()


def test_a_strimzi_user_fits_by_default(chart):
    """The keys of the Secrets that Strimzi makes are the defaults: ca.crt, user.crt, user.key, password."""
    tls = {"caSecret": "cluster-ca-cert", "clientSecret": "kafka-user", "privateKeyPasswordKey": "user.password"}
    values = {"kafka": {"securityProtocol": "SSL", "tls": tls}}
    assert sources(chart.pod(**values)) == {
        "mixpanel-token": ("secret", "mixpanel", "token"),
        "kafka-ca.crt": ("secret", "cluster-ca-cert", "ca.crt"),
        "kafka-client.crt": ("secret", "kafka-user", "user.crt"),
        "kafka-client.key": ("secret", "kafka-user", "user.key"),
        "kafka-ssl-key-password": ("secret", "kafka-user", "user.password"),
    }


def test_credentials_in_the_values_make_a_secret(chart):
    """For a trial: the chart's own Secret has them, and its change replaces the pods."""
    values = {"mixpanel": {"existingSecret": "", "token": "abc"}}
    secret = chart.one("Secret", **values)
    assert base64.b64decode(secret["data"]["mixpanel-token"]) == b"abc"
    assert sources(chart.pod(**values)) == {
        "mixpanel-token": ("secret", secret["metadata"]["name"], "mixpanel-token")
    }
    checksum = chart.pod(**values)["metadata"]["annotations"]["checksum/secret"]
    other = chart.pod(mixpanel={"existingSecret": "", "token": "abd"})
    assert other["metadata"]["annotations"]["checksum/secret"] != checksum
    assert "Secret" not in chart.kinds()


def test_a_changed_existing_secret_can_replace_the_pods(chart):
    """By a revision in the values, or by the annotation that Reloader watches."""
    assert chart.pod(secrets={"revision": "2"}) != chart.pod(secrets={"revision": "1"})
    annotations = chart.one("Deployment", secrets={"reloader": True})["metadata"]["annotations"]
    assert annotations["reloader.stakater.com/auto"] == "true"


def test_properties_are_a_file_whose_change_replaces_the_pods(chart):
    """Numbers stay as they were written, however large."""
    values = {"kafka": {"properties": {"fetch.max.bytes": 52428800, "client.rack": "a", "check.crcs": True}}}
    data = chart.one("ConfigMap", **values)["data"]
    assert data == {"kafka.properties": "check.crcs=true\nclient.rack=a\nfetch.max.bytes=52428800\n"}
    assert chart.env(**values)["KAFKA_PROPERTIES_FILE"] == "/etc/group-consumer/kafka.properties"
    assert "checksum/properties" in chart.pod(**values)["metadata"]["annotations"]
    assert "ConfigMap" not in chart.kinds()


def test_properties_may_be_secret(chart):
    """A whole file from a Secret, such as one with an OAuth client's secret."""
    values = {"kafka": {"propertiesSecret": {"name": "oauth"}}}
    assert sources(chart.pod(**values))["kafka.properties"] == ("secret", "oauth", "kafka.properties")
    assert chart.env(**values)["KAFKA_PROPERTIES_FILE"] == "/etc/group-consumer/kafka.properties"


def test_static_members_have_names_that_stay(chart):
    """A StatefulSet, each pod with a properties file of its own name; started together, replaced one by one."""
    spec = chart.one("StatefulSet", **STATIC)["spec"]
    assert spec["podManagementPolicy"] == "Parallel"
    env = [entry["name"] for entry in spec["template"]["spec"]["containers"][0]["env"]]
    assert env.index("POD_NAME") < env.index("KAFKA_PROPERTIES_FILE")
    assert chart.env(**STATIC)["KAFKA_PROPERTIES_FILE"] == "/etc/group-consumer/$(POD_NAME).properties"
    name = "rel-mixpanel-group-consumer"
    data = chart.one("ConfigMap", **STATIC)["data"]
    assert data.keys() == {"kafka.properties", f"{name}-0.properties", f"{name}-1.properties"}
    assert data[f"{name}-1.properties"] == f"session.timeout.ms=120000\ngroup.instance.id={name}-1\n"
    assert "Deployment" not in chart.kinds(**STATIC)


def test_a_check_is_no_static_member(chart):
    """A check or a replay beside static members would fence the one whose name it took: it takes none."""
    env = chart.one("Pod", **STATIC)["spec"]["containers"][0]["env"]
    assert {"name": "KAFKA_PROPERTIES_FILE", "value": "/etc/group-consumer/kafka.properties"} in env
    assert "group.instance.id" not in chart.one("ConfigMap", **STATIC)["data"]["kafka.properties"]


def test_more_static_members_restart_none(chart):
    """Another number of replicas leaves the pods as they are."""
    assert chart.pod(**STATIC) == chart.pod(**(STATIC | {"replicas": 3}))


def test_the_broker_decides_the_session_under_the_new_protocol(chart):
    """With group.protocol=consumer no session timeout is written: librdkafka refuses it there."""
    values = STATIC | {"kafka": {"properties": {"group.protocol": "consumer"}}}
    assert "session.timeout.ms" not in str(chart.one("ConfigMap", **values))


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


def test_names_stay_short_enough(chart):
    """A long release name leaves room for what a CronJob, KEDA and a pod add."""
    name = chart.one("CronJob", fullnameOverride="x" * 60)["metadata"]["name"]
    assert len(name) <= 52
