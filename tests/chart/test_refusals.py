"""Values that cannot work are refused before anything is installed, each by its name."""

import re
from pathlib import Path

import pytest

from consumer.settings.properties import SECRET

ROOT = Path(__file__).resolve().parents[2]
SASL = {"mechanism": "SCRAM-SHA-512", "username": "me", "existingSecret": "sasl"}
OAUTH = {"url": "https://idp/token", "clientId": "me", "existingSecret": "idp"}

# What is wrong, and what the message must name.
CONTRADICTIONS = [
    ({"kafka": {"bootstrapServers": []}}, "kafka.bootstrapServers is required"),
    ({"schemaRegistry": {"urls": []}}, "schemaRegistry.urls is required"),
    ({"mixpanel": {"existingSecret": ""}}, "mixpanel.existingSecret (or for a trial mixpanel.token) is required"),
    ({"mixpanel": {"token": "x"}}, "mixpanel.token and mixpanel.existingSecret exclude each other"),
    ({"kafka": {"deadLetterTopic": "group-changes"}}, "kafka.deadLetterTopic is group-changes"),
    ({"kafka": {"sasl": SASL}}, "kafka.sasl.mechanism needs kafka.securityProtocol SASL_SSL or SASL_PLAINTEXT"),
    ({"kafka": {"securityProtocol": "SASL_SSL"}}, "kafka.securityProtocol SASL_SSL needs kafka.sasl.mechanism"),
    ({"kafka": {"tls": {"caSecret": "ca"}}}, "kafka.tls needs kafka.securityProtocol SSL or SASL_SSL"),
    (
        {"kafka": {"securityProtocol": "SASL_SSL", "sasl": {"mechanism": "PLAIN"}}},
        "kafka.sasl.mechanism PLAIN needs kafka.sasl.username",
    ),
    (
        {"kafka": {"securityProtocol": "SASL_SSL", "sasl": {"mechanism": "PLAIN", "username": "me"}}},
        "kafka.sasl.mechanism PLAIN needs kafka.sasl.existingSecret",
    ),
    (
        {"kafka": {"securityProtocol": "SASL_SSL", "sasl": SASL | {"password": "x"}}},
        "kafka.sasl.password and kafka.sasl.existingSecret exclude each other",
    ),
    (
        {"kafka": {"securityProtocol": "SASL_SSL", "sasl": SASL | {"usernameKey": "x"}}},
        "kafka.sasl.username and kafka.sasl.usernameKey exclude each other",
    ),
    ({"kafka": {"sasl": {"username": "me"}}}, "need kafka.sasl.mechanism"),
    ({"kafka": {"properties": {"a": "b"}, "propertiesSecret": {"name": "x"}}}, "kafka.propertiesSecret.name exclude"),
    ({"kafka": {"properties": {"group.id": "x"}}}, "kafka.properties.group.id: use kafka.groupId"),
    (
        {"kafka": {"properties": {"sasl.password": "x"}}},
        "kafka.properties.sasl.password: use kafka.sasl.existingSecret",
    ),
    ({"kafka": {"properties": {"ssl.key.pem": "x"}}}, "kafka.properties.ssl.key.pem is a secret"),
    ({"kafka": {"properties": {"ssl.keystore.password": "x"}}}, "kafka.properties.ssl.keystore.password is a secret"),
    ({"kafka": {"properties": {"group.instance.id": "x"}}}, "group.instance.id: use staticMembership.enabled"),
    (
        {"kafka": {"securityProtocol": "SSL", "tls": {"caSecret": "a", "caConfigMap": "b"}}},
        "kafka.tls.caSecret and kafka.tls.caConfigMap exclude each other",
    ),
    ({"mixpanel": {"serviceAccount": {"username": "u"}}}, "mixpanel.serviceAccount.existingSecret need each other"),
    (
        {"mixpanel": {"projects": {"file": "[a]", "existingSecret": "many"}}},
        "mixpanel.projects.file and mixpanel.projects.existingSecret exclude each other",
    ),
    ({"tests": {"canaryProject": "emea"}}, "tests.canaryProject needs tests.canary"),
    ({"tests": {"canary": "company", "canaryProject": "emea"}}, "tests.canaryProject needs mixpanel.projects"),
    ({"tests": {"canary": "company"}}, "tests.canary needs mixpanel.projectId and mixpanel.serviceAccount"),
    ({"schemaRegistry": {"existingSecret": "r"}}, "schemaRegistry.existingSecret has a password"),
    ({"schemaRegistry": {"username": "me"}}, "schemaRegistry.username needs schemaRegistry.existingSecret"),
    ({"schemaRegistry": {"password": "x"}}, "schemaRegistry.password needs schemaRegistry.username"),
    ({"schemaRegistry": {"tokenKey": "x"}}, "schemaRegistry.tokenKey need schemaRegistry.existingSecret"),
    (
        {"schemaRegistry": {"token": "x", "username": "me"}},
        "schemaRegistry.token and schemaRegistry.tokenKey exclude",
    ),
    ({"schemaRegistry": {"privateKeyPasswordKey": "x"}}, "schemaRegistry.privateKeyPasswordKey needs"),
    ({"schemaRegistry": {"oauth": {"url": "https://idp"}}}, "schemaRegistry.oauth needs url, clientId"),
    ({"schemaRegistry": {"oauth": OAUTH, "token": "x"}}, "schemaRegistry.oauth excludes a user name"),
    ({"schemaRegistry": {"cluster": "lsrc-1"}}, "schemaRegistry.identityPool need a token"),
    (
        {"autoscaling": {"mode": "keda", "minReplicas": 5}},
        "autoscaling.minReplicas (5) is above autoscaling.maxReplicas",
    ),
    (
        {"autoscaling": {"mode": "keda", "partitions": 3}},
        "autoscaling.maxReplicas (4) is above autoscaling.partitions (3)",
    ),
    ({"autoscaling": {"mode": "hpa"}}, "autoscaling.partitions is required with autoscaling.mode hpa"),
    (
        {"autoscaling": {"mode": "hpa", "partitions": 4, "minReplicas": 0}},
        "autoscaling.minReplicas must be at least 1",
    ),
    (
        {"autoscaling": {"mode": "hpa", "partitions": 4}, "resources": {"requests": None}},
        "set resources.requests.cpu",
    ),
    (
        {"autoscaling": {"mode": "keda"}, "staticMembership": {"enabled": True}},
        "staticMembership.enabled and autoscaling.mode exclude each other",
    ),
    ({"replicas": None, "staticMembership": {"enabled": True}}, "staticMembership.enabled needs replicas"),
    (
        {
            "autoscaling": {
                "mode": "keda",
                "keda": {"limitToPartitionsWithLag": True, "ensureEvenDistributionOfPartitions": True},
            }
        },
        "autoscaling.keda.limitToPartitionsWithLag and autoscaling.keda.ensureEvenDistributionOfPartitions exclude",
    ),
    (
        {
            "autoscaling": {"mode": "keda"},
            "kafka": {"securityProtocol": "SASL_SSL", "sasl": {"mechanism": "OAUTHBEARER"}},
        },
        "autoscaling.keda.authenticationRef is required with kafka.sasl.mechanism OAUTHBEARER",
    ),
    (
        {
            "autoscaling": {"mode": "keda"},
            "kafka": {"securityProtocol": "SASL_SSL", "sasl": {"mechanism": "AWS_MSK_IAM"}},
        },
        "autoscaling.keda.authenticationRef is required with kafka.sasl.mechanism AWS_MSK_IAM",
    ),
    (
        {"autoscaling": {"mode": "keda"}, "kafka": {"propertiesSecret": {"name": "whole"}}},
        "kafka.securityProtocol is required with autoscaling.mode keda and kafka.propertiesSecret",
    ),
    (
        {
            "autoscaling": {"mode": "keda"},
            "kafka": {
                "propertiesSecret": {"name": "whole"},
                "securityProtocol": "SASL_SSL",
                "sasl": {"mechanism": "PLAIN"},
            },
        },
        "autoscaling.keda.authenticationRef is required where the credentials are in kafka.propertiesSecret",
    ),
    ({"podDisruptionBudget": {"maxUnavailable": 0}}, "podDisruptionBudget.maxUnavailable is 0: no node"),
    ({"podDisruptionBudget": {"maxUnavailable": "0%"}}, "podDisruptionBudget.maxUnavailable is 0%: no node"),
    ({"podDisruptionBudget": {"minAvailable": 2}}, "podDisruptionBudget.minAvailable is 2, and there are 2 pods:"),
    ({"podDisruptionBudget": {"minAvailable": "100%"}}, "podDisruptionBudget.minAvailable is 100%, and there are 2"),
    ({"podDisruptionBudget": {"minAvailable": "51%"}}, "podDisruptionBudget.minAvailable is 51%, and there are 2"),
    ({"podDisruptionBudget": {"minAvailable": 1}, "replicas": 1}, "minAvailable is 1, and there is 1 pod: no node"),
    (
        {"podDisruptionBudget": {"minAvailable": 1}, "autoscaling": {"mode": "keda"}},
        "podDisruptionBudget.minAvailable is 1, and there is 1 pod at least: no node",
    ),
    ({"autoscaling": {"mode": "keda", "maxReplicas": 1}}, "autoscaling.keda.fallback.replicas (2) is above"),
    (
        {"terminationGracePeriodSeconds": 24},
        "terminationGracePeriodSeconds (24) must be at least 5 above drainTimeout",
    ),
    (
        {"monitoring": {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}},
        "monitoring.podMonitor.enabled and monitoring.serviceMonitor.enabled exclude each other",
    ),
    (
        {"monitoring": {"rules": {"alerts": {"Nothing": {"for": "1m"}}}}},
        "monitoring.rules.alerts.Nothing is no alert",
    ),
    ({"extraEnv": {"KAFKA_TOPICS": "x"}}, "extraEnv.KAFKA_TOPICS: use kafka.topics"),
    ({"extraEnv": {"MIXPANEL_TOKEN_FILE": "x"}}, "extraEnv.MIXPANEL_TOKEN_FILE: use mixpanel.existingSecret"),
    ({"extraEnv": {"POD_NAME": "x"}}, "extraEnv.POD_NAME is the chart's own"),
]

# Texts of another form than is needed, and the sentence that says which.
ILL_WRITTEN = [
    (
        {"kafka": {"bootstrapServers": ["a:1", "kafka"]}},
        'kafka.bootstrapServers[1] is "kafka", and must be host:port',
    ),
    ({"kafka": {"bootstrapServers": ["http://kafka:9092"]}}, "kafka.bootstrapServers[0] is"),
    ({"kafka": {"topics": ["a b"]}}, 'kafka.topics[0] is "a b", and must be a name'),
    ({"kafka": {"deadLetterTopic": "a/b"}}, 'kafka.deadLetterTopic is "a/b", and must be a name'),
    ({"schemaRegistry": {"urls": ["registry:8081"]}}, 'schemaRegistry.urls[0] is "registry:8081", and must be a URL'),
    ({"schemaRegistry": {"urls": ["http://me:hunter2@registry:8081"]}}, "schemaRegistry.urls[0] must be a URL that"),
    ({"mixpanel": {"url": "proxy"}}, 'mixpanel.url is "proxy", and must be a URL'),
    ({"mixpanel": {"timeout": "30"}}, 'mixpanel.timeout is "30", and must be a time with its unit, such as'),
    ({"batch": {"linger": "1 s"}}, 'batch.linger is "1 s", and must be a time'),
    ({"batch": {"maxBytes": "2MB"}}, 'batch.maxBytes is "2MB", and must be a size with its unit, such as 512KiB'),
    ({"limits": {"openBytes": "64"}}, 'limits.openBytes is "64", and must be a size'),
    ({"drainTimeout": ""}, 'drainTimeout is "", and must be a time'),
    (
        {"monitoring": {"podMonitor": {"interval": "1.5m"}}},
        'monitoring.podMonitor.interval is "1.5m", and must be a time',
    ),
    (
        {"monitoring": {"rules": {"alerts": {"GroupConsumerHalted": {"for": "soon"}}}}},
        'monitoring.rules.alerts.GroupConsumerHalted.for is "soon", and must be a time as Prometheus has it',
    ),
]

# What the schema refuses, and the path that the message must have; Helm 3 writes dots, Helm 4 slashes.
ILL_FORMED = [
    ({"kafka": {"bootstrapServer": "x"}}, "bootstrapServer"),
    ({"unknown": 1}, "unknown"),
    ({"kafka": {"bootstrapServers": "kafka:9092"}}, "kafka/bootstrapServers"),
    ({"kafka": {"topics": []}}, "kafka/topics"),
    ({"kafka": {"securityProtocol": "TLS"}}, "kafka/securityProtocol"),
    ({"kafka": {"sasl": {"mechanism": "GSSAPI"}}}, "kafka/sasl/mechanism"),
    ({"mixpanel": {"region": "asia"}}, "mixpanel/region"),
    ({"mixpanel": {"timeout": 30}}, "mixpanel/timeout"),
    ({"mixpanel": {"maxInFlight": 0}}, "mixpanel/maxInFlight"),
    ({"batch": {"maxUpdates": 2001}}, "batch/maxUpdates"),
    ({"fold": "off"}, "fold"),
    ({"ambiguousAdd": "drop"}, "ambiguousAdd"),
    ({"httpPort": 80}, "httpPort"),
    ({"replicas": "2"}, "replicas"),
    ({"log": {"level": "trace"}}, "log/level"),
    ({"secrets": {"delivery": "vault"}}, "secrets/delivery"),
    ({"image": {"digest": "sha256:x"}}, "image/digest"),
    ({"autoscaling": {"mode": "both"}}, "autoscaling/mode"),
    ({"autoscaling": {"keda": {"lagThreshold": 0}}}, "autoscaling/keda/lagThreshold"),
    ({"podDisruptionBudget": {"unhealthyPodEvictionPolicy": "x"}}, "podDisruptionBudget/unhealthyPodEvictionPolicy"),
    ({"extraEnv": {"A": {"value": "x"}}}, "extraEnv/A"),
    ({"monitoring": {"rules": {"alerts": {"GroupConsumerHalted": {"after": "1m"}}}}}, "after"),
]


@pytest.mark.parametrize(("values", "message"), CONTRADICTIONS, ids=[message[:40] for _, message in CONTRADICTIONS])
def test_contradictions_are_refused(chart, values, message):
    """The message names the values and says what to do."""
    refusal = chart.refusal(**values)
    assert message in refusal
    assert "nil pointer" not in refusal


@pytest.mark.parametrize(("values", "message"), ILL_WRITTEN, ids=[message[:40] for _, message in ILL_WRITTEN])
def test_ill_written_values_are_refused(chart, values, message):
    """The message says in words what is wanted, and no other template fails before it; a password is not repeated."""
    refusal = chart.refusal(networkPolicy={"enabled": True}, **values)
    assert message in refusal
    assert "hunter2" not in refusal


@pytest.mark.parametrize(("values", "path"), ILL_FORMED, ids=[path for _, path in ILL_FORMED])
def test_ill_formed_values_are_refused(chart, values, path):
    """The message names the value."""
    refusal = chart.refusal(**values)
    assert path in refusal.replace(".", "/"), refusal
    assert "schema" in refusal


def test_a_budget_that_lets_one_pod_go_is_taken(chart):
    """Fewer than there are pods, or one that may be missing; any number where the chart knows none of theirs."""
    for budget in ({"minAvailable": 1}, {"minAvailable": "50%"}, {"maxUnavailable": "1%"}, {"maxUnavailable": 1}):
        chart.one("PodDisruptionBudget", podDisruptionBudget=budget)
    chart.one("PodDisruptionBudget", podDisruptionBudget={"minAvailable": 3}, autoscaling={"mode": "external"})
    chart.objects(podDisruptionBudget={"enabled": False, "maxUnavailable": 0})


def test_the_chart_refuses_the_secrets_that_the_service_hides(chart):
    """One pattern says of both what a secret is; certificates are none, and stand in a ConfigMap."""
    template = (ROOT / "helm/templates/_validate.tpl").read_text()
    (pattern,) = re.findall(r'define "gc.secretProperty" -}}\n(.*)\n', template)
    assert pattern == SECRET.pattern
    chart.objects(kafka={"properties": {"ssl.ca.pem": "x", "ssl.certificate.pem": "x"}})


def test_everything_is_said_at_once(chart):
    """Three faults are three lines of one refusal."""
    refusal = chart.refusal(
        kafka={"bootstrapServers": []}, schemaRegistry={"urls": []}, mixpanel={"existingSecret": ""}
    )
    assert refusal.count("\n  - ") == 3


def test_no_secret_is_in_a_refusal(chart):
    """A credential in the values is not repeated."""
    refusal = chart.refusal(kafka={"sasl": {"password": "hunter2"}}, schemaRegistry={"password": "hunter2"})
    assert "hunter2" not in refusal
