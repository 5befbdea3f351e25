"""`map preview`: records of a real topic, and of a file, beside what the rules make of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from confluent_kafka import Producer

from consumer.commands.map.preview import PreviewLine
from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.registry.server import RegistrySandbox
from tests.mapping.published import FILES, SCHEMAS
from tests.mapping.tables import encode

Call = Callable[..., Result]
TOPIC = "crm.public.companies"
SCHEMA, KEY = SCHEMAS[TOPIC][0][0], SCHEMAS[TOPIC][1]
ROW = {
    "id": 7, "kind": "customer", "name": "ACME", "plan_code": "p", "mrr": None, "renewal_date": None, "labels": None,
    "external_id": None, "created_at": 0,
}  # fmt: skip
DELETED = {"$group_key": "company", "$group_id": "7", "$delete": ""}


def framed(schema_id: int, data: bytes) -> bytes:
    return b"\0" + schema_id.to_bytes(4, "big") + data


def change(op: str, row: Any) -> dict[str, Any]:
    return {"before": None, "after": row, "source": {"table": "t"}, "op": op, "ts_ms": None}


def older(schema: Any) -> Any:
    """The table before it had labels."""
    copy = json.loads(json.dumps(schema))
    row = copy["fields"][0]["type"][1]
    row["fields"] = [field for field in row["fields"] if field["name"] != "labels"]
    return copy


def preview(call: Call, topic: str, text: str, tmp_path: Path, *more: str, **environ: str) -> tuple[Any, Result]:
    file = tmp_path / "m.toml"
    file.write_text(text.replace(TOPIC, topic))
    result = call(
        "map", "preview", "--mapping-file", str(file), "--topic", topic, "--output", "json", *more,
        KAFKA_TOPICS=topic, **environ,
    )  # fmt: skip
    return (json.loads(result.stdout) if result.stdout else None), result


def test_records_of_a_topic(
    call: Call, schemas: RegistrySandbox, broker: Broker, new_topic: Callable[..., str], tmp_path: Path
) -> None:
    """The last records in their order: updates, what is ignored, what would be refused or held; nothing committed."""
    topic = new_topic(1)
    before = schemas.register(f"{topic}-value", json.dumps(older(SCHEMA)))
    now = schemas.register(f"{topic}-value", json.dumps(SCHEMA))
    keyed = schemas.register(f"{topic}-key", json.dumps(KEY))
    key = framed(keyed, encode(KEY, {"id": 7}))
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    old_row = {name: value for name, value in ROW.items() if name != "labels"}
    values = [
        framed(now, encode(SCHEMA, change("c", ROW | {"name": "too old"}))),
        framed(before, encode(older(SCHEMA), change("c", old_row))),
        framed(now, encode(SCHEMA, change("u", ROW | {"kind": "prospect"}))),
        framed(now, encode(SCHEMA, change("u", None))),
        framed(now, encode(SCHEMA, change("d", None))),
        None,
        b"no frame",
    ]
    for at, value in enumerate(values):
        producer.produce(topic, value, key, partition=0, timestamp=1_700_000_000_000 + at)
    assert producer.flush(30) == 0
    servers = {"SCHEMA_REGISTRY_URL": schemas.url, "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap}
    text = (FILES / "debezium.toml").read_text()
    found, result = preview(call, topic, text, tmp_path, "--last", "6", **servers)
    assert [(line["record"], line["became"]) for line in found] == [
        ("0:1", "update"), ("0:1", "update"), ("0:1", "update"), ("0:2", "ignored"), ("0:3", "invalid_change"),
        ("0:4", "update"), ("0:5", "update"), ("0:6", "not_framed"),
    ]  # fmt: skip
    assert found[0]["update"]["$set"] == {"$name": "ACME", "Plan": "Pro"}
    assert "Labels" not in json.dumps([line["update"] for line in found[:3]])
    assert [line["update"] for line in found[5:7]] == [DELETED, DELETED]
    assert (found[3]["why"], found[3]["rule"]) == ("where", "companies")
    assert result.exit_code == 1
    held, _ = preview(call, topic, text.replace("row.mrr", "row.mmr"), tmp_path, "--last", "2", **servers)
    assert [line["became"] for line in held] == ["update", "not_framed"]
    held, result = preview(call, topic, text.replace("row.mrr", "row.mmr"), tmp_path, **servers)
    assert (held[0]["became"], held[0]["rule"], result.exit_code) == ("held", "companies", 1)
    assert "row.mmr" in held[0]["why"]


@pytest.fixture
def registered(schemas: RegistrySandbox) -> dict[str, str]:
    """The table's schemas, and the setting that says where."""
    schemas.register(f"{TOPIC}-value", json.dumps(SCHEMA))
    schemas.register(f"{TOPIC}-key", json.dumps(KEY))
    return {"SCHEMA_REGISTRY_URL": schemas.url}


def test_records_of_a_file(call: Call, registered: dict[str, str], tmp_path: Path) -> None:
    records = tmp_path / "records.jsonl"
    lines: list[Any] = [
        {"key": {"id": 7}, "value": {"op": "c", "after": ROW}}, {"key": {"id": 7}, "value": None},
        {"key": {"id": 7}, "value": {"opp": "c"}}, {"keys": 7}, {"key": {"id": 7}, "headers": []},
        {"key": {"id": 7}, "value": {"op": "c"}, "record": "com.acme.Other"},
    ]  # fmt: skip
    records.write_text("\n".join(map(json.dumps, lines)) + "\n\nno JSON\n")
    text = (FILES / "debezium.toml").read_text()
    found, result = preview(call, TOPIC, text, tmp_path, "--file", str(records), **registered)
    assert [line["update"] for line in found if line["record"] == "line 2"] == [DELETED]
    bad = {line["record"]: line["why"] for line in found if line["became"] == "bad_line"}
    assert list(bad) == ["line 3", "line 4", "line 5", "line 6", "line 8"]
    assert "nearest: op" in bad["line 3"]
    assert result.exit_code == 1
    records.write_text(json.dumps(lines[0]))
    _, result = preview(call, TOPIC, text, tmp_path, "--file", str(records), **registered)
    assert (result.exit_code, "1 record, 3 updates, 0 refused or held" in result.stderr) == (0, True)


def test_usage(call: Call, registered: dict[str, str], tmp_path: Path) -> None:
    text = (FILES / "debezium.toml").read_text()
    _, result = preview(call, TOPIC, text, tmp_path, **registered)
    assert (result.exit_code, "KAFKA_BOOTSTRAP_SERVERS is not set" in result.stderr) == (2, True)
    other = tmp_path / "other.toml"
    other.write_text(text)
    arguments = ("map", "preview", "--mapping-file", str(other), "--topic", "T")
    result = call(*arguments, KAFKA_TOPICS=f"T,{TOPIC}", **registered)
    assert (result.exit_code, "no rule of" in result.stderr) == (2, True)


def test_a_long_update_is_cut_for_people() -> None:
    whole = PreviewLine("0:1", "r", "update", {"$set": {"Notes": "x" * 100}})
    assert whole.cells()[3] == '{"$set": {"Notes": "' + "x" * 100 + '"}}'
    cut = PreviewLine("0:1", "r", "update", {"$set": {"Notes": "x" * 3000}}).cells()[3]
    assert cut.endswith("x … 1023 characters more")
    assert len(cut) < 2100
