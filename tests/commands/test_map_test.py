"""`map test`: tests of a mapping file through real Avro bytes, failures as a diff, and what no test reached."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import fastavro
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from consumer.avro.parsing import parse
from consumer.commands.map.datum import NoDatum, encoded
from consumer.sandbox.registry.server import RegistrySandbox
from tests.mapping.published import FILES, SCHEMAS
from tests.mapping.tables import KEY, envelope

Call = Callable[..., Result]
TOPIC = "crm.public.companies"
DEBEZIUM = (FILES / "debezium.toml").read_text()
TESTS = """
[[test]]
rule = "companies"
key = { id = 7 }
[test.value]
op = "c"
[test.value.after]
id = 7
kind = "customer"
name = "ACME"
plan_code = "e"
mrr = 1299.5
renewal_date = 20513
labels = '["a"]'
external_id = 9007199254740993
created_at = 1772357400123456
[[test.expect]]
"$group_key" = "company"
"$group_id" = "7"
[test.expect."$set"]
"$name" = "ACME"
Plan = "Enterprise"
MRR = 1299.5
"Renews at" = "2026-03-01T00:00:00"
Labels = ["a"]
"Account id" = "9007199254740993"
[[test.expect]]
"$group_key" = "company"
"$group_id" = "7"
"$set_once" = { "Customer since" = "2026-03-01T09:30:00" }

[[test]]
rule = "companies"
key = { id = 7 }
value = "null"
expect = [{ "$group_key" = "company", "$group_id" = "7", "$delete" = "" }]

[[test]]
rule = "companies"
key = { id = 7 }
value = { op = "u" }
expect = [{ refused = "invalid_change" }]
"""


@pytest.fixture
def run(call: Call, schemas: RegistrySandbox, tmp_path: Path) -> Callable[..., tuple[Any, Result]]:
    values, key = SCHEMAS[TOPIC]
    schemas.register(f"{TOPIC}-value", json.dumps(values[0]))
    schemas.register(f"{TOPIC}-key", json.dumps(key))

    def run(text: str, *more: str, **environ: Any) -> tuple[Any, Result]:
        file = tmp_path / "m.toml"
        file.write_text(text)
        environ = {"KAFKA_TOPICS": TOPIC, "SCHEMA_REGISTRY_URL": schemas.url} | environ
        result = call("map", "test", "--mapping-file", str(file), "--output", "json", *more, **environ)
        return (json.loads(result.stdout) if result.stdout else None), result

    return run


def test_tests_pass_and_every_line_is_reached(run: Any) -> None:
    found, result = run(DEBEZIUM + TESTS)
    assert [one["why"] for one in found["tests"]] == ["", "", ""]
    assert (found["unreached"], result.exit_code) == ([], 0)


def test_a_failure_is_a_diff_and_a_case_of_the_report(run: Any, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    found, result = run(DEBEZIUM + TESTS.replace('Plan = "Enterprise"', 'Plan = "Pro"'), "--junit", str(report))
    first, *others = found["tests"]
    assert (result.exit_code, first["passed"], [one["passed"] for one in others]) == (1, False, [True, True])
    assert '-      "Plan": "Pro"' in first["why"]
    assert '+      "Plan": "Enterprise"' in first["why"]
    suite = ElementTree.parse(report).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    assert '"Plan": "Pro"' in str(suite[0][0].text)


def test_lines_that_no_test_reached_are_told(run: Any) -> None:
    only = '[[test]]\nrule = "companies"\nkey = { id = 7 }\nexpect = []\n'
    only += 'value = \'{"op": "c", "after": {"kind": "trial"}}\'\n'
    found, result = run(DEBEZIUM.replace('null = "unset"', 'null = "skip"') + only)
    assert result.exit_code == 1
    assert {row["what"] for row in found["unreached"]} == {"MRR", "Renews at", "Labels", "Account id", "Plan"}
    found, _ = run(DEBEZIUM)
    assert [(row["rule"], row["what"]) for row in found["unreached"]] == [("companies", "the rule")]


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ('value = { opp = "c" }', "has no field opp (nearest: op)"),
        ("value = { op = 5 }", "value.op is no string"),
        ('value = { op = "c" }\nschema = "nowhere.avsc"', "nowhere.avsc cannot be read"),
        ('value = { op = "c" }\nrecord = "com.acme.Other"', "no schema of com.acme.Other is registered"),
        ('value = { op = "c", after = { mrr = 1.001 } }', "more than 2 digits behind the point"),
    ],
)  # fmt: skip
def test_a_test_that_cannot_run_fails_and_says_why(run: Any, test: str, says: str) -> None:
    found, result = run(f'{DEBEZIUM}\n[[test]]\nrule = "companies"\nkey = {{ id = 7 }}\n{test}\nexpect = []\n')
    assert result.exit_code == 1
    assert says in found["tests"][0]["why"]


def test_a_schema_from_a_file_needs_no_registry(run: Any, tmp_path: Path) -> None:
    (tmp_path / "table.avsc").write_text(json.dumps(SCHEMAS[TOPIC][0][0]))
    tests = TESTS.replace("[test.value]\n", 'schema = "table.avsc"\n[test.value]\n')
    tests = tests.replace("value = { op", 'schema = "table.avsc"\nvalue = { op')
    found, _ = run(DEBEZIUM + tests, SCHEMA_REGISTRY_URL="")
    assert [one["why"] for one in found["tests"]] == ["", "", ""]
    found, _ = run(DEBEZIUM + TESTS, SCHEMA_REGISTRY_URL="")
    assert "SCHEMA_REGISTRY_URL is not set" in found["tests"][0]["why"]


def test_a_file_with_faults_is_not_run(run: Any) -> None:
    found, result = run(DEBEZIUM.replace("format", "fromat") + TESTS)
    assert (found, result.exit_code) == (None, 2)
    assert "nearest: format" in result.stderr


def test_a_key_without_a_schema(run: Any, call: Call, schemas: RegistrySandbox, tmp_path: Path) -> None:
    schemas.register("COMPANY_USAGE-value", json.dumps(SCHEMAS["COMPANY_USAGE"][0][0]))
    text = (FILES / "ksqldb-totals.toml").read_text()
    text += '[[test]]\nkey = "acme"\nvalue = { ACTIVE_USERS = 5, EVENTS = 6, LAST_TS = 0 }\n[[test.expect]]\n'
    text += '"$group_key" = "company"\n"$group_id" = "acme"\n'
    text += '"$set" = { "Active users (7d)" = 5, "Events (7d)" = 6, "Last active" = "1970-01-01T00:00:00" }\n'
    found, result = run(text, KAFKA_TOPICS="COMPANY_USAGE")
    assert [one["why"] for one in found["tests"]] == [""]
    assert result.exit_code == 0


VALUES: dict[Any, Any] = {
    "int": st.integers(-(2**31), 2**31 - 1), "long": st.integers(-(2**63), 2**63 - 1), "boolean": st.booleans(),
    "string": st.text("a\0é\U0001f600"), "double": st.floats(allow_nan=False),
}  # fmt: skip


@given(st.sampled_from(sorted(VALUES)).flatmap(lambda name: st.tuples(st.just(name), st.lists(VALUES[name]))))
def test_bytes_are_those_of_another_writer(drawn: tuple[str, list[Any]]) -> None:
    name, items = drawn
    schema = {
        "type": "record", "name": "R", "fields": [
            {"name": "a", "type": {"type": "array", "items": name}},
            {"name": "m", "type": {"type": "map", "values": ["null", name]}},
            {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["x", "y"]}},
        ],
    }  # fmt: skip
    datum = {"a": items, "m": dict(zip("abc", [*items, None], strict=False)), "e": "y"}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), datum)
    back = fastavro.schemaless_reader(io.BytesIO(encoded(parse(schema), datum, "value")), schema, None)
    assert encoded(parse(schema), datum, "value") == out.getvalue()
    assert back == datum


def test_what_is_left_out_has_a_default_or_null_or_is_empty() -> None:
    schema = envelope()
    read = fastavro.schemaless_reader(
        io.BytesIO(encoded(parse(schema), {"op": "c", "after": {"id": 1}}, "value")), schema, None
    )
    assert (read["before"], read["source"], read["after"]["seats"]) == (None, {"table": ""}, 7)  # type: ignore[call-overload]
    with pytest.raises(NoDatum):
        encoded(parse(KEY), {"id": 2**31}, "key")


def test_the_example_of_the_guide_passes(run: Any) -> None:
    """What docs/mapping.md shows."""
    guide = (FILES.parent / "mapping.md").read_text()
    tests = "[[test]]" + guide.split("```\n[[test]]")[1].split("```")[0]
    found, _ = run(DEBEZIUM + tests)
    assert [one["why"] for one in found["tests"]] == ["", ""]
