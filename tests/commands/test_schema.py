"""The schema commands, on the sandbox's registry and on a real one, and the versions of the event schema."""

import json
from itertools import permutations

import pytest

from consumer.avro.parsing import parse
from consumer.avro.resolution import plan
from consumer.commands.schema_judge import judge, unreadable
from consumer.sandbox.registry.server import RegistrySandbox
from consumer.schemas import newest, versions
from tests.sealing import needs_rules, rule, tagged

SUBJECT = "group-changes-value"


def with_change(change):
    """The newest event schema with its parsed JSON changed."""
    schema = json.loads(newest())
    change(schema)
    return json.dumps(schema)


def fields(schema):
    """The schema's fields by name."""
    return {field["name"]: field for field in schema["fields"]}


def with_field(schema):
    """One more field, with a default."""
    schema["fields"].append({"name": "source", "type": "string", "default": ""})


def with_symbol(schema):
    """One more operation, which this service does not know."""
    fields(schema)["operation"]["type"]["symbols"].append("MERGE")


def with_branch(schema):
    """Property values may be fixed, which nothing reads."""
    fields(schema)["properties"]["type"]["values"].append({"type": "fixed", "name": "Hash", "size": 16})


def with_decimal(schema):
    """Property values may be decimals, whose bytes Mixpanel would take for text."""
    fields(schema)["properties"]["type"]["values"].append({"type": "bytes", "logicalType": "decimal", "precision": 9})


def without_group(schema):
    """No group_id, without which there is no change."""
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "group_id"]


# Versions.


def test_newest_is_a_version():
    """The newest schema is the last of the versions that are kept, text for text."""
    kept = versions()
    assert list(kept) == list(range(1, len(kept) + 1))
    assert kept[len(kept)] == newest()


VERSIONS = versions()


@pytest.mark.parametrize("number", VERSIONS)
def test_the_service_reads_every_version(number):
    """Every record of a version can be read."""
    assert judge(VERSIONS[number]).readable == "all"


@pytest.mark.parametrize(("writer", "reader"), list(permutations(VERSIONS, 2)))
def test_every_version_reads_every_other(writer, reader):
    """A service of any version reads every record that was written with an earlier or a later one."""
    written, read = (parse(json.loads(VERSIONS[number])) for number in (writer, reader))
    assert unreadable(plan(written, read)) == []


def test_a_registry_takes_the_versions_one_after_the_other():
    """Under one subject, as strict as a registry can be: none is refused beside any that went before."""
    with RegistrySandbox() as registry:
        registry.subjects.level = "FULL_TRANSITIVE"
        for text in VERSIONS.values():
            registry.register(SUBJECT, text)
        assert [version.number for version in registry.subjects.living(SUBJECT)] == list(VERSIONS)


@pytest.mark.parametrize(
    ("change", "readable", "why"),
    [
        (with_field, "all", ""),
        (with_symbol, "some", "field operation: the reader lacks a symbol"),
        (with_branch, "some", "field properties: a value of type fixed mixpanel.groups.Hash: JSON has no bytes"),
        (with_decimal, "some", "field properties: a value of type bytes with logicalType decimal"),
        (without_group, "none", "has no field group_id, which has no default"),
    ],
)
def test_judge(change, readable, why):
    """A writer's schema is read wholly, partly or not at all, and the place is named."""
    judged = judge(with_change(change))
    assert judged.readable == readable
    assert why in judged.why


@pytest.mark.parametrize("text", ["", "no JSON", "[" * 100_000, '"no such type"', '{"type": "record"}'])
def test_judge_of_what_is_no_schema(text):
    """What is no schema can not be read."""
    assert judge(text).readable == "none"


# The commands.


def test_show(call):
    """Without a registry `schema show` shows the fields."""
    result = call("schema", "show")
    assert result.exit_code == 0
    for field in json.loads(newest())["fields"]:
        assert field["name"] in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_avsc(call):
    """`schema show --avsc` is the file, byte for byte."""
    assert call("schema", "show", "--avsc").stdout == newest()


def test_register_show_and_compare(call, schemas):
    """A schema is registered once, shown with what the service makes of it, and compared."""
    first = call("schema", "register", "--output", "json", SCHEMA_REGISTRY_URL=schemas.url)
    again = call("schema", "register", "--output", "json", SCHEMA_REGISTRY_URL=schemas.url)
    assert json.loads(first.stdout) == [{"subject": SUBJECT, "id": 1, "result": "registered"}]
    assert json.loads(again.stdout) == [{"subject": SUBJECT, "id": 1, "result": "was there"}]
    schemas.register(SUBJECT, with_change(with_field))

    shown = json.loads(call("schema", "show", "--output", "json", SCHEMA_REGISTRY_URL=schemas.url).stdout)
    assert shown["schema"] == json.loads(newest())
    assert [(one["version"], one["id"], one["reads"]) for one in shown["versions"]] == [(1, 1, "all"), (2, 2, "all")]

    compared = call("schema", "compatible", SCHEMA_REGISTRY_URL=schemas.url)
    assert compared.exit_code == 0
    assert "this service" in compared.stdout
    assert SUBJECT in compared.stdout


@pytest.mark.parametrize(
    ("change", "status", "of_service", "of_registry"),
    [
        (with_field, 0, "yes", "yes"),
        (with_symbol, 0, "partly", "yes"),
        (without_group, 1, "no", "yes"),
    ],
)
def test_compatible(change, status, of_service, of_registry, call, schemas, tmp_path):
    """`schema compatible FILE` says what the service and the registry make of another schema, and why."""
    schemas.register(SUBJECT, newest())
    file = tmp_path / "other.avsc"
    file.write_text(with_change(change))

    result = call("schema", "compatible", str(file), "--output", "json", SCHEMA_REGISTRY_URL=schemas.url)

    rows = {row["with"]: row for row in json.loads(result.stdout)}
    assert rows["this service"]["compatible"] == of_service
    assert rows[SUBJECT]["compatible"] == of_registry
    assert result.exit_code == status


def test_unreadable_schema_is_not_registered(call, schemas, tmp_path):
    """A schema whose records the service could not read is not registered."""
    file = tmp_path / "other.avsc"
    file.write_text(with_change(without_group))
    result = call("schema", "register", str(file), SCHEMA_REGISTRY_URL=schemas.url)
    assert result.exit_code == 1
    assert "not registered, as the service could read no record of it" in result.stderr
    assert not any(asked.startswith("POST") for asked in schemas.asked)


def test_partly_readable_schema(call, schemas, tmp_path):
    """One of which some records become dead letters is registered with a warning."""
    file = tmp_path / "other.avsc"
    file.write_text(with_change(with_symbol))
    result = call("schema", "register", str(file), "--subject", "s", SCHEMA_REGISTRY_URL=schemas.url)
    assert result.exit_code == 0
    assert "warning: some records of it will be dead letters: field operation" in result.stderr


def test_incompatible_schema(call, schemas, tmp_path):
    """A schema that the registry refuses is an error that names the next step."""
    schemas.register(SUBJECT, with_change(without_group))
    result = call("schema", "register", SCHEMA_REGISTRY_URL=schemas.url)
    assert result.exit_code == 1
    assert f"{SUBJECT} has a schema that this one is not compatible with" in result.stderr
    assert "group-consumer schema compatible" in result.stderr


@needs_rules
def test_rules_that_are_run(call, schemas):
    """Field encryption stands in nobody's way where the extra is installed."""
    schemas.register(SUBJECT, json.dumps(tagged(json.loads(newest()), "group_id")), rules={"domainRules": [rule()]})
    shown = json.loads(call("schema", "show", "--output", "json", SCHEMA_REGISTRY_URL=schemas.url).stdout)
    assert [version["reads"] for version in shown["versions"]] == ["all"]


def test_rules_for_reading(call, schemas):
    """A version with rules that are not run is held, unless the settings say to read it as it is."""
    rules = {"domainRules": [{"name": "hide-owner", "type": "ENCRYPT", "mode": "READ"}]}
    schemas.register(SUBJECT, newest(), rules=rules)
    environ = {"SCHEMA_REGISTRY_URL": schemas.url}
    (held,) = json.loads(call("schema", "show", "--output", "json", **environ).stdout)["versions"]
    assert (held["reads"], "hide-owner (ENCRYPT)" in held["why"]) == ("held", True)
    (read,) = json.loads(call("schema", "show", "--output", "json", **environ, SCHEMA_RULES="ignore").stdout)[
        "versions"
    ]
    assert read["reads"] == "all"


def test_no_subject(call, schemas):
    """A subject that is not there is said to be so, with the command that makes it."""
    result = call("schema", "show", SCHEMA_REGISTRY_URL=schemas.url, KAFKA_TOPICS="other")
    assert "other-value" in result.stdout
    assert "schema register" in " ".join(result.stdout.split())


FAULTS = [
    ("unauthorized", {}, "status 401", "SCHEMA_REGISTRY_USERNAME"),
    ("status", {"status": 403}, "status 403", "ask for the right"),
    ("status", {"status": 500}, "status 500", "see its log"),
    ("not-found", {}, "status 404", "with its path"),
    ("unreadable", {}, "not that of a schema registry", "check SCHEMA_REGISTRY_URL"),
    ("reset", {}, "nothing answers there", "that the registry runs"),
]


@pytest.mark.parametrize(
    ("kind", "options", "what", "fix"), FAULTS, ids=[f"{kind}{options}" for kind, options, *_ in FAULTS]
)
@pytest.mark.parametrize("command", ["show", "register", "compatible"])
def test_registry_that_fails(kind, options, what, fix, command, call, schemas):
    """A registry that gives no answer of use is named with what to do, and the exit status is 1."""
    schemas.faults.on(kind, **options)
    result = call("schema", command, SCHEMA_REGISTRY_URL=schemas.url)
    assert result.exit_code == 1
    assert schemas.url in result.stderr
    assert what in result.stderr
    assert fix in result.stderr


def test_second_registry(call, schemas):
    """Where the first registry is away the second one is asked."""
    with RegistrySandbox() as other:
        gone = other.url
    result = call("schema", "register", SCHEMA_REGISTRY_URL=f"{gone},{schemas.url}")
    assert result.exit_code == 0


def test_credentials(call):
    """User and password, or a token, go to the registry; without them it refuses."""
    with RegistrySandbox(users={"me": "s3cret"}, tokens=["t0ken"]) as registry:
        place = {"SCHEMA_REGISTRY_URL": registry.url}
        user = {"SCHEMA_REGISTRY_USERNAME": "me", "SCHEMA_REGISTRY_PASSWORD": "s3cret"}
        assert call("schema", "register", **place).exit_code == 1
        assert call("schema", "register", **place, **user).exit_code == 0
        assert call("schema", "show", **place, SCHEMA_REGISTRY_TOKEN="t0ken").exit_code == 0
        in_url = {"SCHEMA_REGISTRY_URL": registry.url.replace("://", "://me:wr0ng@")}
        refused = call("schema", "show", **in_url)
        assert refused.exit_code == 1
        assert "wr0ng" not in refused.output


def test_real_registry(call, apicurio, tmp_path):
    """On Apicurio: register, show, compare, and be refused."""
    place = {"SCHEMA_REGISTRY_URL": apicurio, "KAFKA_TOPICS": "schema-commands"}
    registered = json.loads(call("schema", "register", "--output", "json", **place).stdout)
    assert registered[0]["result"] == "registered"
    assert json.loads(call("schema", "register", "--output", "json", **place).stdout)[0]["result"] == "was there"

    shown = json.loads(call("schema", "show", "--output", "json", **place).stdout)
    assert [(one["version"], one["id"], one["reads"]) for one in shown["versions"]] == [
        (1, registered[0]["id"], "all")
    ]

    file = tmp_path / "other.avsc"
    file.write_text(with_change(with_field))
    assert call("schema", "compatible", str(file), **place).exit_code == 0

    def retyped(schema):
        fields(schema)["group_id"]["type"] = "long"

    file.write_text(with_change(retyped))
    refused = call("schema", "compatible", str(file), "--output", "json", **place)
    assert refused.exit_code == 1
    assert {row["compatible"] for row in json.loads(refused.stdout)} == {"no"}
