"""`map init`: a first file from registered schemas and the last records, which has no fault of its own."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from confluent_kafka import Producer

from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.registry.server import RegistrySandbox
from tests.mapping.published import SCHEMAS, record
from tests.mapping.tables import COLUMNS, KEY, encode, envelope

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
    assert rule["set"]["Labels"] == {"from": "row.labels", "as": "json"}
    assert tomllib.loads(made(call, schemas, "flat"))["rule"][0]["format"] == "row"


def test_a_topic_without_a_schema(call: Call, schemas: RegistrySandbox) -> None:
    result = call("map", "init", "--topic", "nothing", SCHEMA_REGISTRY_URL=schemas.url)
    assert (result.exit_code, "nothing-value" in result.stderr) == (1, True)


def written(
    schemas: RegistrySandbox, broker: Broker, topic: str, schema: Any, records: list[tuple[bytes | None, Any]]
) -> None:
    """The records are in the topic, the schema registered for nobody to find but by its id."""
    schema_id = schemas.register("elsewhere", json.dumps(schema))
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for key, datum in records:
        value = None if datum is None else b"\0" + schema_id.to_bytes(4, "big") + encode(schema, datum)
        producer.produce(topic, value, key)
    assert producer.flush(20) == 0


def guessed(call: Call, schemas: RegistrySandbox, broker: Broker, topic: str) -> tuple[str, dict[str, Any]]:
    environ = {"SCHEMA_REGISTRY_URL": schemas.url, "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap}
    result = call("map", "init", "--topic", topic, **environ)
    assert result.exit_code == 0, result.output
    (rule,) = tomllib.loads(result.stdout)["rule"]
    return str(result.stdout), rule


USER = record(
    "com.acme.Usage", ("other_id", "string"), ("company", "string"), ("owner", "string"), ("host", "string"),
    ("more", {"type": "map", "values": "string"}), ("plan", "string"),
)  # fmt: skip
SAFE = {"other_id": "1", "owner": "somebody", "host": "h", "more": {}, "plan": "1.2.3"}


def test_what_records_show(
    call: Call, schemas: RegistrySandbox, broker: Broker, new_topic: Callable[..., str]
) -> None:
    """How keys are written, which field the key is, and personal data that no name tells of."""
    topic = new_topic(2)
    bad = {"owner": "a@example.com", "host": "10.1.2.3", "more": {"call": "+49 170 1234567"}}
    written(schemas, broker, topic, USER, [
        (b"acme", {**SAFE, "company": "acme"}),
        (b"umbra", {**SAFE, "company": "umbra", **bad}),
        (b"gone", {**SAFE, "company": "gone"}),
    ])  # fmt: skip
    text, rule = guessed(call, schemas, broker, topic)
    assert "and 3 records" in text
    assert rule["key"] == "text"
    assert "format" not in rule
    assert rule["group"]["id"] == "value.company"
    assert set(rule["set"]) == {"Other id", "Company", "Plan"}


@pytest.mark.parametrize(("size", "key"), [(4, "int"), (8, "long")])
def test_keys_without_a_schema_and_values_that_are_gone(
    size: int, key: str, call: Call, schemas: RegistrySandbox, broker: Broker, new_topic: Callable[..., str]
) -> None:
    topic = new_topic(1)
    schema = record("com.acme.Row", ("id", "long"), ("plan", "string"))
    rows: list[tuple[bytes | None, Any]] = [(n.to_bytes(size, "big"), {"id": n, "plan": "p"}) for n in (1, 2**31 - 1)]
    written(schemas, broker, topic, schema, [*rows, (rows[0][0], None)])
    _, rule = guessed(call, schemas, broker, topic)
    assert (rule["format"], rule["key"], rule["group"]["id"]) == ("row", key, "key")


def test_an_empty_topic_shows_nothing(
    call: Call, schemas: RegistrySandbox, broker: Broker, new_topic: Callable[..., str]
) -> None:
    topic = new_topic(1)
    schemas.register(f"{topic}-value", json.dumps(USER))
    text, rule = guessed(call, schemas, broker, topic)
    assert "and 0 records" in text
    assert (rule["key"], rule["group"]["id"]) == ("text", "value.other_id")


def test_keys_with_a_schema_that_only_they_name(
    call: Call, schemas: RegistrySandbox, broker: Broker, new_topic: Callable[..., str]
) -> None:
    topic = new_topic(1)
    keyed = schemas.register("keys", json.dumps(KEY))
    rows = [(b"\0" + keyed.to_bytes(4, "big") + encode(KEY, {"id": n}), {**SAFE, "company": str(n)}) for n in (7, 8)]
    written(schemas, broker, topic, USER, [*rows, (rows[0][0], None)])
    _, rule = guessed(call, schemas, broker, topic)
    assert "key" not in rule
    assert (rule["format"], rule["group"]["id"]) == ("row", "key.id")
