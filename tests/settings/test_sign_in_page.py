"""What docs/sign-in.md shows is what the service takes: every login is read, and librdkafka is asked about it."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumer.kafka.refusals import refused_by_client
from consumer.settings import load
from consumer.settings.properties import read_properties

PAGE = (Path(__file__).parents[2] / "docs/sign-in.md").read_text()
LOGINS = [
    found["kafka"]
    for found in (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
    if "securityProtocol" in found.get("kafka", {})
]
PROPERTIES = re.findall(r"```properties\n(.*?)```", PAGE, re.DOTALL)
NEEDED = {"SCHEMA_REGISTRY_URL": "http://registry:8081", "MIXPANEL_TOKEN": "0123456789abcdef0123456789abcdef"}


def variables(login: dict[str, Any], folder: Path, ca: Path) -> dict[str, str]:
    """The login as the chart gives it to the service."""
    sasl = login["sasl"]
    found = {
        "KAFKA_BOOTSTRAP_SERVERS": login["bootstrapServers"][0].replace("REGION", "eu-west-1"),
        "KAFKA_SECURITY_PROTOCOL": login["securityProtocol"],
        "KAFKA_SASL_MECHANISM": sasl["mechanism"],
    }
    if "existingSecret" in sasl:
        (folder / "password").write_text("the-password\n")
        found["KAFKA_SASL_USERNAME"] = sasl.get("username", "from-the-secret")
        found["KAFKA_SASL_PASSWORD_FILE"] = str(folder / "password")
    if "tls" in login:
        found["KAFKA_SSL_CA_LOCATION"] = str(ca)
    if "propertiesSecret" in login:
        (folder / "kafka.properties").write_text(PROPERTIES[1])
        found["KAFKA_PROPERTIES_FILE"] = str(folder / "kafka.properties")
    return found


def test_there_is_one_for_each_kafka():
    """Strimzi, Confluent Cloud, MSK by password and by role, Redpanda, Aiven, Event Hubs, Google, and OIDC."""
    assert len(LOGINS) == 9


@pytest.mark.parametrize("login", LOGINS, ids=lambda login: re.sub(r"\W+", "-", login["bootstrapServers"][0])[:40])
def test_a_login_is_taken(login, tmp_path, new_certificates):
    """By the settings and by the client."""
    settings = load(NEEDED | variables(login, tmp_path, new_certificates().ca))
    assert refused_by_client(settings) == []


@pytest.mark.parametrize("text", PROPERTIES, ids=["extensions", "oidc"])
def test_properties_are_taken(text, tmp_path):
    """Each is known to librdkafka, and stands in the file once."""
    (tmp_path / "kafka.properties").write_text(text)
    found, problems = read_properties(str(tmp_path / "kafka.properties"))
    assert problems == []
    assert len(found) == len(text.splitlines())
