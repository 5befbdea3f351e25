"""`map init`: a first file from registered schemas, which has no fault of its own."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from consumer.sandbox.registry.server import RegistrySandbox
from tests.mapping.published import SCHEMAS, record
from tests.mapping.tables import COLUMNS, KEY, envelope

Call = Callable[..., Result]
ODD = record(
    "com.acme.Odd", ("account_id", ["null", "long"]), ("owner_email", "string"), ("blob", "bytes"),
    ("planCode", "string"), ("plan_code", "string"), ("__op", "string"), ("ownerId", "long"),
)  # fmt: skip
COMPOSITE = record("com.acme.Key", ("tenant", "string"), ("id", "int"))
CASES: dict[str, tuple[list[Any], Any]] = {
    **SCHEMAS,
    "odd": ([ODD], "string"),
    "table": ([envelope(COLUMNS)], COMPOSITE),
    "flat": ([record("com.acme.Row", ("id", "int"), ("name", "string"), ("__deleted", "string"))], KEY),
}


def made(call: Call, schemas: RegistrySandbox, topic: str) -> str:
    values, key = CASES[topic]
    both = values[0] if len(values) == 1 else values
    schemas.register(f"{topic}-value", json.dumps(both))
    if key is not None:
        schemas.register(f"{topic}-key", json.dumps(key))
    result = call("map", "init", "--topic", topic, SCHEMA_REGISTRY_URL=schemas.url)
    assert result.exit_code == 0, result.output
    return str(result.stdout)


@pytest.mark.parametrize("topic", CASES)
def test_the_first_file_has_no_fault(topic: str, call: Call, schemas: RegistrySandbox, tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text(made(call, schemas, topic))
    result = call("map", "check", "--mapping-file", str(file), SCHEMA_REGISTRY_URL=schemas.url, KAFKA_TOPICS=topic)
    assert result.exit_code == 0, result.output


def test_what_it_guesses(call: Call, schemas: RegistrySandbox) -> None:
    text = made(call, schemas, "odd")
    (rule,) = tomllib.loads(text)["rule"]
    assert rule["group"] == {"key": "company", "id": "value.account_id"}
    assert rule["where"] == [{"path": "value.account_id", "exists": True}]
    assert set(rule["set"]) == {"Account id", "Plan code", "plan_code", "Owner id"}
    assert '# "Owner email" = "value.owner_email"  # personal data?' in text
    assert '# "Blob" = { from = "value.blob", as = "base64" }' in text
    (rule,) = tomllib.loads(made(call, schemas, "table"))["rule"]
    assert rule["group"]["id"] == {"join": ["key.tenant", "key.id"], "with": "/"}
    assert rule["format"] == "debezium"
    assert tomllib.loads(made(call, schemas, "flat"))["rule"][0]["format"] == "row"


def test_a_topic_without_a_schema(call: Call, schemas: RegistrySandbox) -> None:
    result = call("map", "init", "--topic", "nothing", SCHEMA_REGISTRY_URL=schemas.url)
    assert (result.exit_code, "nothing-value" in result.stderr) == (1, True)
