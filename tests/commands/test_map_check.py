"""`map check`: the published files on the sandbox's registry, and planted faults, all named in one run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.registry.server import RegistrySandbox
from tests.mapping.published import CLOSED, FILES, SCHEMAS, TOPICS, UPDATED
from tests.mapping.tables import COLUMNS, KEY, envelope

Call = Callable[..., Result]
ENVIRON = {"KAFKA_TOPICS": ",".join(TOPICS), "MAPPING_HASH_KEY": "c4nary"}


@pytest.fixture
def registered(schemas: RegistrySandbox) -> RegistrySandbox:
    """The schemas of the published files; domain events are registered by topic and record, one by record alone."""
    for topic, (values, key) in SCHEMAS.items():
        if len(values) == 1:
            schemas.register(f"{topic}-value", json.dumps(values[0]))
        if key is not None:
            schemas.register(f"{topic}-key", json.dumps(key))
    schemas.register(f"crm.company-events-{UPDATED['name']}", json.dumps(UPDATED))
    schemas.register(CLOSED["name"], json.dumps(CLOSED))
    return schemas


@pytest.fixture
def projects(tmp_path: Path) -> dict[str, str]:
    """The settings that name the projects of the published files."""
    file = tmp_path / "projects.toml"
    file.write_text('[emea]\ntoken = "c4nary-1"\nregion = "eu"\n[us]\ntoken = "c4nary-2"\nregion = "us"\n')
    return {"MIXPANEL_PROJECTS_FILE": str(file)}


def check(call: Call, registry: RegistrySandbox, file: Path, **environ: Any) -> tuple[Any, Result]:
    given = ENVIRON | environ
    result = call(
        "map", "check", "--mapping-file", str(file), "--output", "json",
        SCHEMA_REGISTRY_URL=registry.url, **given,
    )  # fmt: skip
    return (json.loads(result.stdout) if result.stdout else None), result


@pytest.mark.parametrize("file", sorted(FILES.glob("*.toml")), ids=lambda file: file.stem)
def test_the_published_files_have_no_fault(
    file: Path, call: Call, registered: RegistrySandbox, projects: dict[str, str]
) -> None:
    found, result = check(call, registered, file, **projects)
    assert (found["faults"], result.exit_code) == ([], 0)
    assert not [note for note in found["notes"] if "nothing is registered" in note["message"]]
    assert "c4nary" not in result.output


PLANTED = """version = 1
[[rule]]
name = "r"
topics = ["T"]
format = "debezium"
before = "whole"
colour = "red"
deletes = "dellete"
group = { key = "company", id = { join = ["row.nam", "row.kind"], with = "/" } }
where = [
  { path = "row.mrr", is = 1 },
  { path = "row.kinds", exists = true },
  { path = "source.tabl", is = "x" },
]
project = "emeaa"
[rule.set]
Name = "row.name"
Raw = "row.raw"
Shout = { from = "row.id", as = "lower" }
Low = { from = "row.name", as = "lowwer" }
Table = { from = "row.tags", values = { a = 1 } }
Json = { from = "row.id", as = "json" }
Deep = "row.id.x"
Key = "key.idd"
Root = "roww.name"
"$token" = "row.name"
[rule.set_once]
Deep2 = "row.created"
[rule.add]
Count = "row.seats"
[rule.union]
Tags = "row.id"
[rule.remove]
Gone = "row.tags"
[[rule]]
name = "s"
topics = ["U"]
group = { key = "company", id = "value.id" }
[rule.set]
A = "value.a"
"""
FAULTS = {
    7: "colour", 8: "nearest: delete", 9: "nearest: name", 11: "row.mrr", 12: "nearest: kind", 13: "nearest: table",
    15: "nearest: emea", 17: "null may be there", 18: "is bytes", 19: "row.id", 20: "nearest: lower",
    21: "values match", 22: "row.id", 23: "row.id.x", 24: "nearest: id", 25: "roww", 26: "$token",
    28: "nearest: created_at", 29: "add from rows", 32: "union needs", 34: "remove needs", 37: "KAFKA_TOPICS",
}  # fmt: skip


def test_planted_faults_are_all_named_in_one_run(
    call: Call, schemas: RegistrySandbox, projects: dict[str, str], tmp_path: Path
) -> None:
    schemas.register("T-value", json.dumps(envelope([*COLUMNS, {"name": "raw", "type": "bytes"}])))
    schemas.register("T-key", json.dumps(KEY | {"namespace": "T"}))
    file = tmp_path / "m.toml"
    file.write_text(PLANTED)
    found, result = check(call, schemas, file, KAFKA_TOPICS="T", **projects)
    told = [(one["line"], f"{one['where']}: {one['message']} (nearest: {one['nearest']})") for one in found["faults"]]
    missing = [line for line, word in FAULTS.items() if not any(at == line and word in says for at, says in told)]
    assert missing == [], told
    assert len(FAULTS) >= 20
    assert result.exit_code == 1


def test_a_table_for_people(call: Call, schemas: RegistrySandbox, tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text("version = 1\n[[rule]\n")
    result = call("map", "check", MAPPING_FILE=file, SCHEMA_REGISTRY_URL=schemas.url)
    assert result.exit_code == 1
    assert "fault" in result.stdout
    assert "1 fault, 0 notes" in result.stderr


def test_nothing_registered_is_told(call: Call, schemas: RegistrySandbox) -> None:
    found, result = check(call, schemas, FILES / "ksqldb-totals.toml")
    assert result.exit_code == 0
    (note,) = [note for note in found["notes"] if "nothing is registered" in note["message"]]
    assert "COMPANY_USAGE-value" in note["message"]


def test_a_schema_that_is_no_avro_is_a_fault(call: Call, schemas: RegistrySandbox) -> None:
    schemas.register("COMPANY_USAGE-value", "{}", kind="JSON")
    found, result = check(call, schemas, FILES / "ksqldb-totals.toml")
    assert result.exit_code == 1
    assert "COMPANY_USAGE-value, version 1" in found["faults"][0]["message"]


def test_usage(call: Call, schemas: RegistrySandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("c4nary\n")
    url = {"SCHEMA_REGISTRY_URL": schemas.url}
    file = str(FILES / "cdp-calls.toml")
    assert call("map", "check", **url).exit_code == 2
    assert call("map", "check", "--mapping-file", "nowhere.toml", **url).exit_code == 2
    assert call("map", "check", "--mapping-file", file).exit_code == 2
    arguments = ("map", "check", "--mapping-file", file, "--mapping-hash-key-file", str(secret))
    both = call(*arguments[:4], **url, MAPPING_HASH_KEY="c4nary", MAPPING_HASH_KEY_FILE=str(secret))
    assert both.exit_code == 2
    assert "both given" in both.stderr
    assert "c4nary" not in both.output
    assert call(*arguments, **url, KAFKA_TOPICS="cdp.calls").exit_code == 0
    without = call("map", "check", "--mapping-file", file, **url, KAFKA_TOPICS="cdp.calls")
    assert (without.exit_code, "MAPPING_HASH_KEY" in without.output) == (1, True)
    away = call(*arguments, KAFKA_TOPICS="cdp.calls", SCHEMA_REGISTRY_URL="http://127.0.0.1:9")
    assert away.exit_code == 1
    assert "http://127.0.0.1:9" in away.stderr


def test_a_rule_without_a_project_where_there_is_no_default_one(
    call: Call, registered: RegistrySandbox, projects: dict[str, str]
) -> None:
    """`run` refuses it, with its line; `map check` may be without the token, and notes it."""
    file = FILES / "cdp-calls.toml"
    found, _ = check(call, registered, file, **projects)
    notes = [(one["line"], one["where"]) for one in found["notes"] if "MIXPANEL_TOKEN" in one["message"]]
    assert notes == [(4, "rule group calls, project")]
    found, _ = check(call, registered, file, **projects, MIXPANEL_TOKEN="c4nary")
    assert "MIXPANEL_TOKEN" not in str(found)
    settings = {
        **ENVIRON,
        **projects,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "SCHEMA_REGISTRY_URL": registered.url,
    }
    refused = call("run", "--mapping-file", str(file), **settings)
    assert refused.exit_code == 2
    assert f"{file}: line 4: rule group calls, project: none, and there is no default one" in refused.stderr


def test_faults_of_the_file_are_told_where_the_registry_is_away(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text((FILES / "ksqldb-totals.toml").read_text().replace("deletes", "delets"))
    environ = ENVIRON | {"SCHEMA_REGISTRY_URL": "http://127.0.0.1:9"}
    result = call("map", "check", "--mapping-file", str(file), "--output", "json", **environ)
    found = json.loads(result.stdout)
    assert (result.exit_code, [one["nearest"] for one in found["faults"]]) == (1, ["deletes"])
    assert "http://127.0.0.1:9" in found["notes"][0]["message"]


def test_a_compacted_topic_is_known(
    call: Call, schemas: RegistrySandbox, broker: Broker, new_topic: Callable[..., str], tmp_path: Path
) -> None:
    topic = new_topic(1, config={"cleanup.policy": "compact"})
    file = tmp_path / "m.toml"
    file.write_text(
        f'version = 1\n[[rule]]\nname = "r"\ntopics = ["{topic}"]\nformat = "debezium"\nbefore = "whole"\n'
        'send = "changed"\nnull = "skip"\ngroup = { key = "company", id = "key.id" }\n[rule.set]\nA = "row.name"\n'
    )
    found, result = check(call, schemas, file, KAFKA_TOPICS=topic, KAFKA_BOOTSTRAP_SERVERS=broker.bootstrap)
    assert result.exit_code == 1
    assert any("compacted" in fault["message"] for fault in found["faults"])
