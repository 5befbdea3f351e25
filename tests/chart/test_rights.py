"""The rights that docs/kubernetes.md names are enough, on a real broker that grants nothing else."""

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AclBinding, AclBindingFilter, AclOperation, AclPermissionType, OffsetSpec
from confluent_kafka.admin import ResourcePatternType as Pattern
from confluent_kafka.admin import ResourceType as Resource

from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.broker.security import Security
from consumer.sandbox.ports import free_port
from consumer.sandbox.sandbox import Sandbox
from tests.chart.cluster import until

ROOT = Path(__file__).resolve().parents[2]
LETTERS = "mixpanel-groups.dead-letters"
AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",  # the broker itself, and its tests
}


def acls():
    """Those of the KafkaUser in docs/sign-in.md."""
    page = (ROOT / "docs/sign-in.md").read_text()
    (text,) = [text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "kind: KafkaUser" in text]
    for rule in yaml.safe_load(text)["spec"]["authorization"]["acls"]:
        resource = rule["resource"]
        pattern = Pattern.PREFIXED if resource.get("patternType") == "prefix" else Pattern.LITERAL
        for operation in rule["operations"]:
            yield acl(Resource[resource["type"].upper()], resource["name"], pattern, operation)


def acl(resource, name, pattern, operation):
    """One right of the user."""
    allow = AclPermissionType.ALLOW
    return AclBinding(resource, name, pattern, "User:me", "*", AclOperation[operation.upper()], allow)


def grant(broker, *rights):
    """Grant these."""
    for done in broker.admin.create_acls(list(rights)).values():
        done.result(30)


def revoke(broker, resource, name):
    """Take every right on this name away."""
    kinds = (Pattern.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY)
    for done in broker.admin.delete_acls([AclBindingFilter(resource, name, *kinds)]).values():  # type: ignore[arg-type]
        assert done.result(30)


@pytest.fixture
def broker(tmp_path):
    """A broker whose user `me` may do nothing yet."""
    security = Security("SASL_PLAINTEXT", users={"me": "password"})
    with Broker(tmp_path / "broker", security=security, properties=AUTHORIZER) as running:
        for topic in ("group-changes", LETTERS):
            running.create_topic(topic, 1)
        yield running


@pytest.fixture
def env(broker):
    """The settings for it, with a registry and Mixpanel."""
    with Sandbox(("registry", "mixpanel")) as sandbox:
        yield {
            **os.environ,
            **sandbox.exports(),
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
            "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": "me",
            "KAFKA_SASL_PASSWORD": "password",
            "HTTP_PORT": str(free_port()),
        }


@pytest.fixture
def service(env, tmp_path):
    """The service, which tells of its readiness."""
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen([sys.executable, "-m", "consumer", "run"], cwd=ROOT, env=env, stderr=log)
    try:
        yield (tmp_path / "log").read_text
    finally:
        running.kill()
        running.wait()


def ready(env):
    """What /readyz says."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{env['HTTP_PORT']}/readyz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def command(env, *arguments):
    """One of the commands."""
    words = [sys.executable, "-m", "consumer", *arguments]
    return subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)


def letters(broker):
    """How many dead letters there are."""
    (found,) = broker.admin.list_offsets({TopicPartition(LETTERS, 0): OffsetSpec.latest()}).values()
    return found.result(30).offset


def test_the_rights_of_the_page_are_enough(broker, env, service):
    """Read, write a dead letter, look at it, replay it; and the service goes on by itself once it may."""
    until(lambda: "no right" in service(), "the log names the right that is missing")
    assert not ready(env)
    grant(broker, *acls())
    until(lambda: ready(env), "it is ready once the rights are there", 120)
    producer = Producer({"bootstrap.servers": broker.internal_bootstrap, "log_level": 0})
    producer.produce("group-changes", b"no event")
    assert producer.flush(30) == 0
    until(lambda: letters(broker) == 1, "the dead letter is written")
    assert command(env, "check").returncode == 0
    for arguments in (("list",), ("show", "0:0")):
        done = command(env, "dlq", *arguments)
        assert done.returncode == 0, done.stderr
        assert "not_framed" in done.stdout
    done = command(env, "dlq", "replay", "--yes")
    assert done.returncode == 1, done.stderr  # it was sent, and refused again
    assert "not_framed" in done.stdout + done.stderr
    assert "no right" not in done.stdout + done.stderr
    # The service's own group alone is not enough.
    revoke(broker, Resource.GROUP, "mixpanel-groups")
    grant(broker, acl(Resource.GROUP, "mixpanel-groups", Pattern.LITERAL, "Read"))
    done = command(env, "dlq", "replay", "--yes")
    assert done.returncode == 1
    assert f"consumer group {LETTERS}.replays" in done.stderr
