"""What `--skip-newer` compares of mapped topics whose records may be encrypted."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from consumer.commands.dlq.groups import Groups
from consumer.commands.dlq.today import Today
from consumer.sandbox.registry.server import RegistrySandbox
from consumer.settings import load
from consumer.settings.mapping import mapped_topics, mapping_of
from tests.sealing import rule

COMPANY = {"type": "record", "name": "Company", "fields": [{"name": "id", "type": "string"}]}
MAPPING = """version = 1
[[rule]]
name = "companies"
topics = ["companies"]
group = { key = "company", id = "value.id" }
[rule.set]
Id = "value.id"
"""


@pytest.mark.parametrize(("rules", "names"), [([rule()], 1), ([], 2)])
def test_a_record_with_rules_for_reading_goes_by_its_key_alone(tmp_path, rules: list[dict[str, Any]], names: int):
    """Its group's id may be encrypted, each time as another text."""
    file = tmp_path / "mapping.toml"
    file.write_text(MAPPING)
    with RegistrySandbox() as registry:
        schema = registry.register("companies-value", json.dumps(COMPANY), rules={"domainRules": rules})
        settings = load(
            {
                "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
                "KAFKA_GROUP_ID": "g",
                "KAFKA_TOPICS": "companies",
                "SCHEMA_REGISTRY_URL": registry.url,
                "MIXPANEL_TOKEN": "token",
                "MIXPANEL_REGION": "eu",
                "MAPPING_FILE": str(file),
            }
        )
        mapping = mapping_of(settings, sends=True)
        assert mapping is not None
        message: Any = SimpleNamespace(
            key=lambda: b"key",
            value=lambda: b"\0" + schema.to_bytes(4, "big") + b"\x08acme",
            headers=lambda: None,
            partition=lambda: 0,
            offset=lambda: 0,
            timestamp=lambda: (1, 1_786_968_000_000),
        )
        with Groups(settings, Today(settings, mapped_topics(settings, mapping))) as groups:
            assert len(groups.of_message("companies", message)) == names
