"""The environment of the pods, given to the real service: it accepts what the chart writes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
import yaml

from consumer.settings.declared import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = sorted((ROOT / "helm").glob("ci/*-values.yaml"))


@pytest.fixture(scope="session")
def certificates():
    """What stands in the Secrets of a cluster, by the file that the chart makes of it."""
    ca = trustme.CA()
    client = ca.issue_cert("group-consumer")
    return {
        "kafka-ca.crt": ca.cert_pem.bytes(),
        "schema-registry-ca.crt": ca.cert_pem.bytes(),
        "kafka-client.crt": client.cert_chain_pems[0].bytes(),
        "kafka-client.key": client.private_key_pem.bytes(),
        "schema-registry-client.crt": client.cert_chain_pems[0].bytes(),
        "schema-registry-client.key": client.private_key_pem.bytes(),
    }


def place(pod, folder, objects, certificates):
    """Write the files of the configuration volume into `folder`, as a kubelet does."""
    for volume in pod["volumes"]:
        for source in volume.get("projected", {}).get("sources", []):
            ((kind, one),) = source.items()
            wanted = (kind.lower(), one["name"])
            made = next((o for o in objects if (o["kind"].lower(), o["metadata"]["name"]) == wanted), {})
            items = one.get("items") or [{"key": key, "path": key} for key in made["data"]]
            for item in items:
                text = made.get("data", {}).get(item["key"], "a-secret")
                (folder / item["path"]).write_bytes(certificates.get(item["path"], text.encode()))


def environment(pod, folder, name):
    """The variables of the container as a kubelet sets them; `folder` is where the volume is mounted."""
    found = {}
    for entry in pod["containers"][0]["env"]:
        value = entry.get("value", name if entry["name"] == "POD_NAME" else "a-secret")
        value = value.replace("$(POD_NAME)", found.get("POD_NAME", "")).replace("/etc/group-consumer", str(folder))
        found[entry["name"]] = value.replace("/var/cache/group-consumer", str(folder / "schemas"))
    return found


def settings(env):
    """What the real command says to this environment and no other."""
    command = [sys.executable, "-m", "consumer", "settings", "--output", "json"]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem.removesuffix("-values"))
def test_the_service_accepts_every_pod(helms, scenario, certificates, tmp_path, specs):
    """The real `group-consumer settings` takes the environment of the service, the check and the replay."""
    objects = helms["helm4"].render(yaml.safe_load(scenario.read_text()))
    pods = [spec for found in objects for spec in specs(found)]
    assert pods
    for number, pod in enumerate(pods):
        folder = tmp_path / str(number)
        folder.mkdir()
        place(pod, folder, objects, certificates)
        done = settings(environment(pod, folder, "rel-mixpanel-group-consumer-0"))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["warnings"] == []


def test_static_members_reach_librdkafka(helms, certificates, tmp_path, specs):
    """The second pod's client has the second pod's name; the check's has none."""
    objects = helms["helm4"].render(yaml.safe_load((ROOT / "helm/ci/static-values.yaml").read_text()))
    members = {}
    for found in objects:
        for pod in specs(found):
            folder = tmp_path / found["metadata"]["name"]
            folder.mkdir()
            place(pod, folder, objects, certificates)
            done = settings(environment(pod, folder, "rel-mixpanel-group-consumer-1"))
            members[found["kind"]] = json.loads(done.stdout)["kafka"]["consumer"].get("group.instance.id")
    assert members == {"StatefulSet": "rel-mixpanel-group-consumer-1", "Pod": None, "CronJob": None}


def test_every_setting_has_a_value(chart):
    """No setting of the service is missing in the chart, and the chart knows none that the service does not."""
    table = (ROOT / "helm/templates/_settings.tpl").read_text()
    known = dict(line.split(": ", 1) for line in table.splitlines() if line[:1].isupper())
    assert known.keys() == {variable.name for variable in VARIABLES}
    values = yaml.safe_load((ROOT / "helm/values.yaml").read_text())
    for name, path in known.items():
        found = values
        for part in path.split("."):
            assert part in found, f"{name} is set by {path}, which is no value"
            found = found[part]


def test_defaults_are_those_of_the_service(chart):
    """What the chart writes without being asked is what the service would take anyway."""
    defaults = {variable.name: variable.default for variable in VARIABLES if variable.default}
    env = chart.env()
    said = {name: env[name] for name in defaults}
    assert said == defaults


READ_BACK = {
    "projectId": "1234567",
    "serviceAccount": {"username": "reader", "existingSecret": "account"},
    "queryUrl": "http://query",
}


def test_every_setting_reaches_the_pod(chart):
    """Each value that is not a credential comes out as the variable that it is meant for."""
    values = {
        "kafka": {
            "bootstrapServers": ["a:1", "b:2"],
            "topics": ["one", "two"],
            "groupId": "g",
            "deadLetterTopic": "d",
        },
        "schemaRegistry": {
            "urls": ["http://r", "http://s"],
            "oauth": {"url": "https://idp/token", "clientId": "me", "existingSecret": "idp", "scope": "read"},
            "cluster": "lsrc-1",
            "identityPool": "pool-1",
            "rules": "ignore",
            "localKms": {"existingSecret": "kms"},
        },
        "mixpanel": {"region": "in", "url": "http://proxy", "timeout": "5s", "maxInFlight": 3} | READ_BACK,
        "batch": {"maxUpdates": 7, "maxBytes": "1MiB", "linger": "2s"},
        "limits": {"openRecords": 1000000, "openBytes": "32MiB"},
        "drainTimeout": "9s",
        "fold": False,
        "ambiguousAdd": "dead-letter",
        "addJournal": "off",
        "deadLetterBreaker": False,
        "mapping": {"existingConfigMap": "companies", "hashKey": {"existingSecret": "hash"}},
        "quarantine": ["group-changes:0:5", "group:company:a,b"],
        "httpPort": 9090,
        "httpHost": "::",
        "log": {"format": "text", "level": "debug"},
    }
    expected = {
        "KAFKA_BOOTSTRAP_SERVERS": "a:1,b:2",
        "KAFKA_TOPICS": "one,two",
        "KAFKA_GROUP_ID": "g",
        "KAFKA_DEAD_LETTER_TOPIC": "d",
        "SCHEMA_REGISTRY_URL": "http://r,http://s",
        "SCHEMA_REGISTRY_OAUTH_URL": "https://idp/token",
        "SCHEMA_REGISTRY_OAUTH_CLIENT_ID": "me",
        "SCHEMA_REGISTRY_OAUTH_SCOPE": "read",
        "SCHEMA_REGISTRY_CLUSTER": "lsrc-1",
        "SCHEMA_REGISTRY_IDENTITY_POOL": "pool-1",
        "SCHEMA_RULES": "ignore",
        "MIXPANEL_REGION": "in",
        "MIXPANEL_URL": "http://proxy",
        "MIXPANEL_TIMEOUT": "5s",
        "MIXPANEL_PROJECT_ID": "1234567",
        "MIXPANEL_SERVICE_ACCOUNT_USERNAME": "reader",
        "MIXPANEL_SERVICE_ACCOUNT_SECRET_FILE": "/etc/group-consumer/mixpanel-service-account-secret",
        "MIXPANEL_QUERY_URL": "http://query",
        "MAX_IN_FLIGHT": "3",
        "BATCH_MAX_UPDATES": "7",
        "BATCH_MAX_BYTES": "1MiB",
        "BATCH_LINGER": "2s",
        "MAX_OPEN_RECORDS": "1000000",
        "MAX_OPEN_BYTES": "32MiB",
        "DRAIN_TIMEOUT": "9s",
        "FOLD": "off",
        "AMBIGUOUS_ADD": "dead-letter",
        "ADD_JOURNAL": "off",
        "DEAD_LETTER_BREAKER": "off",
        "QUARANTINE": "group-changes:0:5\ngroup:company:a\\,b",
        "HTTP_PORT": "9090",
        "HTTP_HOST": "::",
        "LOG_FORMAT": "text",
        "LOG_LEVEL": "debug",
    }
    env = chart.env(**values)
    assert {name: env[name] for name in expected} == expected


def test_a_wrong_value_that_only_the_service_knows_is_said_by_name(helms, certificates, tmp_path, specs):
    """What no schema can tell, such as a property that librdkafka lacks, stops the pod with its name."""
    values = yaml.safe_load((ROOT / "helm/ci/minimal-values.yaml").read_text())
    values["kafka"]["properties"] = {"no.such.property": "1"}
    objects = helms["helm4"].render(values)
    (pod,) = (spec for found in objects if found["kind"] == "Deployment" for spec in specs(found))
    place(pod, tmp_path, objects, certificates)
    done = settings(environment(pod, tmp_path, "x"))
    assert done.returncode == 2
    assert "no.such.property is no property of librdkafka" in done.stderr


def test_the_test_may_write_a_canary(chart):
    """`helm test` is given the group key; without one it writes nothing."""
    pod = chart.one("Pod", tests={"canary": "company"}, mixpanel=READ_BACK)
    assert pod["spec"]["containers"][0]["args"] == ["check", "--canary", "company"]
    assert chart.one("Pod")["spec"]["containers"][0]["args"] == ["check"]
