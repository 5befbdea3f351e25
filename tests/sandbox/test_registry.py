"""The sandbox's registry: what the official client sees of it, and that a real registry (Apicurio) looks the same."""

import json
import uuid
from typing import Any

import pytest
import requests
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from consumer.sandbox.registry.server import RegistrySandbox


def record(*fields, name="Thing"):
    """The text of a record's schema; a field is a name, or a dict."""
    every = [{"name": one, "type": "string"} if isinstance(one, str) else one for one in fields]
    return json.dumps({"type": "record", "name": name, "namespace": "tests", "fields": every})


WITH_DEFAULT = {"name": "more", "type": ["null", "string"], "default": None}


@pytest.fixture(params=["sandbox", pytest.param("apicurio", marks=pytest.mark.xdist_group("apicurio"))])
def url(request):
    """The URL of each kind of registry."""
    if request.param == "apicurio":
        return request.getfixturevalue("apicurio")
    return request.getfixturevalue("registry").url


@pytest.fixture
def subject():
    """A subject that no other test has."""
    return f"{uuid.uuid4().hex}-value"


@pytest.fixture
def client(url):
    """The official client, without its retries."""
    with SchemaRegistryClient({"url": url, "max.retries": 0}) as client:
        yield client


def failure(act, *arguments, **options):
    """Status and error code with which a call fails."""
    with pytest.raises(SchemaRegistryError) as caught:
        act(*arguments, **options)
    return caught.value.http_status_code, caught.value.error_code


def test_register_and_fetch(client, subject):
    """A schema gets an id, by which anybody reads it; registered again it keeps id and version."""
    schema_id = client.register_schema(subject, Schema(record("a"), "AVRO"))
    client.clear_caches()

    assert json.loads(client.get_schema(schema_id).schema_str)["fields"] == json.loads(record("a"))["fields"]
    assert client.register_schema(subject, Schema(record("a").replace(" ", "  "), "AVRO")) == schema_id
    assert client.get_versions(subject) == [1]
    assert client.get_latest_version(subject).schema_id == schema_id
    assert client.lookup_schema(subject, Schema(record("a"), "AVRO")).version == 1
    assert subject in client.get_subjects()
    assert [(one.subject, one.version) for one in client.get_schema_versions(schema_id)] == [(subject, 1)]


def test_evolution(client, subject):
    """A version that can read the one before follows it; one that cannot is a conflict."""
    first = client.register_schema(subject, Schema(record("a"), "AVRO"))
    second = client.register_schema(subject, Schema(record("a", WITH_DEFAULT), "AVRO"))

    assert second > first
    assert client.get_versions(subject) == [1, 2]
    assert not client.test_compatibility(subject, Schema(record("a", "b"), "AVRO"))
    assert failure(client.register_schema, subject, Schema(record("a", "b"), "AVRO")) == (409, 409)


def test_unknown(client, subject):
    """What is not there is told apart: 40401 a subject, 40402 a version, 40403 a schema."""
    client.register_schema(subject, Schema(record("a"), "AVRO"))

    assert failure(client.get_latest_version, "nobody-knows-it") == (404, 40401)
    assert failure(client.get_version, subject, 9) == (404, 40402)
    assert failure(client.get_schema, 1_999_999_999) == (404, 40403)
    assert failure(client.lookup_schema, subject, Schema(record("z"), "AVRO")) == (404, 40403)


def test_no_schema(client, subject):
    """What is no Avro schema is refused."""
    assert failure(client.register_schema, subject, Schema('{"type": "recrod"}', "AVRO")) == (422, 42201)


def test_references(client, subject):
    """A schema may use what another subject defines."""
    client.register_schema(f"{subject}-part", Schema(record("a", name="Part"), "AVRO"))
    reference = SchemaReference("tests.Part", f"{subject}-part", 1)
    whole = Schema(record({"name": "part", "type": "tests.Part"}), "AVRO", [reference])
    schema_id = client.register_schema(subject, whole)
    client.clear_caches()

    assert client.get_schema(schema_id).references == [reference]
    assert client.get_referenced_by(f"{subject}-part", 1) == [schema_id]


def test_soft_delete(client, subject):
    """A deleted subject is gone for those who look for it, and its schemas can still be read."""
    schema_id = client.register_schema(subject, Schema(record("a"), "AVRO"))

    assert client.delete_subject(subject) == [1]
    client.clear_caches()
    assert failure(client.get_latest_version, subject) == (404, 40401)
    assert subject not in client.get_subjects()
    assert json.loads(client.get_schema(schema_id).schema_str)["name"] == "Thing"


def test_serializers(client, subject):
    """The official serializer and deserializer work on it."""
    topic = subject.removesuffix("-value")
    where = SerializationContext(topic, MessageField.VALUE)
    framed = AvroSerializer(client, record("a"))({"a": "x"}, where)

    assert framed[:1] == b"\0"
    assert AvroDeserializer(client)(framed, where) == {"a": "x"}


def test_levels(client, subject):
    """A subject has its own compatibility level, or the level of all."""
    assert client.get_compatibility() == "BACKWARD"
    client.register_schema(subject, Schema(record("a"), "AVRO"))
    client.set_compatibility(subject, "NONE")

    assert client.get_compatibility(subject) == "NONE"
    client.register_schema(subject, Schema(record("b"), "AVRO"))
    assert client.get_versions(subject) == [1, 2]


# What only Confluent's registry and ours have, or say in one way.


@pytest.fixture
def ask(registry):
    """Asks the sandbox's registry: ask("GET", "/subjects")."""
    with requests.Session() as session:
        yield lambda method, path, **options: session.request(method, registry.url + path, timeout=10, **options)


@pytest.fixture
def ours(registry):
    """The official client of the sandbox's registry."""
    with SchemaRegistryClient({"url": registry.url, "max.retries": 0}) as client:
        yield client


def test_guid(registry, ask, ours):
    """A GUID is Confluent's: the MD5 of the schema as Avro writes it."""
    text = '{"name":"myrecord","type": "record", "fields":[{"name":"f","default":null,"type":"string"}]}'
    registry.register("s", '{"type":"record","name":"f","fields":[]}')
    schema_id = registry.register("t", text)
    stored = ask("GET", f"/schemas/ids/{schema_id}").json()

    assert (
        stored["schema"]
        == '{"type":"record","name":"myrecord","fields":[{"name":"f","type":"string","default":null}]}'
    )
    assert ask("GET", f"/schemas/guids/{stored['guid'].upper()}").json() == stored
    assert ask("GET", f"/schemas/guids/{stored['guid']}/ids").json() == [{"context": ".", "id": schema_id}]
    assert ours.get_schema_by_guid(stored["guid"]).schema_str == stored["schema"]
    assert ask("GET", f"/schemas/guids/{uuid.uuid4()}").json()["error_code"] == 40403


def test_guid_of_confluent():
    """A text whose GUID Confluent's own tests pin has that GUID here."""
    from consumer.sandbox.registry.models import Schema as Stored

    text = '{"type":"record","name":"myrecord","fields":[{"type":"string","default":null,"name":"f"}]}'
    assert Stored(1, text).guid == "1d20cbb9-e5e3-5e97-54e7-da170b6e5ddb"


def test_header_serializer(registry, ours):
    """The official serializer can name the schema by its GUID in a header."""
    from confluent_kafka.schema_registry import dual_schema_id_deserializer, header_schema_id_serializer

    where = SerializationContext("t", MessageField.VALUE, headers=[])
    value = AvroSerializer(ours, record("a"), conf={"schema.id.serializer": header_schema_id_serializer})(
        {"a": "longer"}, where
    )
    headers: Any = where.headers
    header = dict(headers)["__value_schema_id"]

    assert value == b"\x0clonger"
    assert header[:1] == b"\x01"
    assert str(uuid.UUID(bytes=header[1:])) == registry.guid(2)
    both = {"schema.id.deserializer": dual_schema_id_deserializer}
    assert AvroDeserializer(ours, conf=both)(value, where) == {"a": "longer"}


def test_paths(ask):
    """Every path has an answer of its own, in Confluent's content type."""
    answer = ask("GET", "/subjects/group-changes-value/versions/latest")

    assert answer.headers["Content-Type"] == "application/vnd.schemaregistry.v1+json"
    assert answer.json()["version"] == 1
    assert ask("GET", "/subjects/group-changes-value/versions/1/schema").json()["name"] == "GroupChange"
    assert ask("GET", "/subjects/group-changes-value/versions/-1").json()["id"] == 1
    assert ask("GET", "/schemas/ids/1/schema").json()["name"] == "GroupChange"
    assert ask("GET", "/schemas/ids/1/subjects").json() == ["group-changes-value"]
    assert ask("GET", "/schemas/types").json() == ["AVRO", "JSON", "PROTOBUF"]
    assert [one["subject"] for one in ask("GET", "/schemas").json()] == ["group-changes-value"]
    assert ask("GET", "/subjects?subjectPrefix=other").json() == []
    assert ask("GET", "/mode").json() == {"mode": "READWRITE"}
    assert ask("GET", "/").json() == {}
    for path in (
        "/nothing",
        "/schemas/ids/x",
        "/subjects/s/x",
        "/subjects/group-changes-value/versions/1/x",
        "/config/a/b",
    ):
        assert ask("GET", path).json() == {"error_code": 404, "message": "HTTP 404 Not Found"}, path
    assert ask("PATCH", "/subjects").status_code == 501
    assert ask("PUT", "/subjects").json()["error_code"] == 405
    assert ask("GET", "/subjects/group-changes-value/versions/x").json()["error_code"] == 42202
    assert ask("GET", "/subjects/group-changes-value/versions/0").json()["error_code"] == 42202
    assert ask("POST", "/subjects/s/versions", data=b"[").json()["error_code"] == 400
    assert ask("POST", "/subjects/s/versions", json={"schema": ""}).json()["error_code"] == 42201
    assert (
        ask("POST", "/subjects/s/versions", json={"schema": "x", "schemaType": "XML"}).json()["error_code"] == 42201
    )


def test_subject_with_a_slash(registry, ask):
    """A subject's name may have any character, when it is quoted."""
    registry.register("a/b value", '"string"')

    assert ask("GET", "/subjects/a%2Fb%20value/versions").json() == [1]


def test_config_over_http(ask):
    """Levels are put and read with the two different keys that Confluent has for them."""
    assert ask("PUT", "/config", json={"compatibility": "full_transitive"}).json() == {
        "compatibility": "FULL_TRANSITIVE"
    }
    assert ask("GET", "/config").json() == {"compatibilityLevel": "FULL_TRANSITIVE"}
    assert ask("GET", "/config/s").json()["error_code"] == 40408
    assert ask("GET", "/config/s?defaultToGlobal=true").json() == {"compatibilityLevel": "FULL_TRANSITIVE"}
    assert ask("PUT", "/config/s", json={"compatibility": "NONE"}).status_code == 200
    assert ask("DELETE", "/config/s").json() == {"compatibilityLevel": "NONE"}
    assert ask("GET", "/config/s").json()["error_code"] == 40408
    assert ask("PUT", "/config", json={"compatibility": "SOME"}).json()["error_code"] == 42203
    assert ask("DELETE", "/config").status_code == 200
    assert ask("GET", "/config").json() == {"compatibilityLevel": "BACKWARD"}


def test_compatibility_over_http(registry, ask):
    """A schema is checked against one version, or all that the level asks for, and says why when it is asked to."""
    registry.register("s", record("a"))
    registry.register("s", record("a", WITH_DEFAULT))
    ask("PUT", "/config/s", json={"compatibility": "BACKWARD_TRANSITIVE"})
    wrong = {"schema": record("a", {"name": "more", "type": ["null", "string"]})}

    assert ask("POST", "/compatibility/subjects/s/versions/2", json=wrong).json() == {"is_compatible": True}
    assert ask("POST", "/compatibility/subjects/s/versions/latest", json=wrong).json() == {"is_compatible": True}
    verbose = ask("POST", "/compatibility/subjects/s/versions?verbose=true", json=wrong).json()
    assert verbose["is_compatible"] is False
    assert "READER_FIELD_MISSING_DEFAULT_VALUE at /fields/1: more" in verbose["messages"][0]
    assert ask("POST", "/compatibility/subjects/s/versions/9", json=wrong).json()["error_code"] == 40402
    assert ask("POST", "/compatibility/subjects/new/versions", json=wrong).json() == {"is_compatible": True}


def test_deleting(registry, ask):
    """Softly first, then for good; what is referred to stays."""
    part = registry.register("part", record("a", name="Part"))
    whole = {"name": "part", "type": "tests.Part"}
    registry.register("whole", record(whole), [("tests.Part", "part", 1)])
    registry.register("s", record("a"))
    last = registry.register("s", record("a", WITH_DEFAULT))

    def delete(path):
        answer = ask("DELETE", path).json()
        return answer.get("error_code") if isinstance(answer, dict) else answer

    assert delete("/subjects/part") == 42206
    assert delete("/subjects/part/versions/1") == 42206
    assert delete("/subjects/s/versions/2?permanent=true") == 40407
    assert delete("/subjects/s/versions/latest") == 2
    assert delete("/subjects/s/versions/2") == 40406
    assert ask("GET", "/subjects/s/versions").json() == [1]
    assert ask("GET", "/subjects/s/versions?deleted=true").json() == [1, 2]
    assert ask("GET", "/subjects/s/versions/2?deleted=true").json()["deleted"] is True
    assert delete("/subjects/s/versions/2?permanent=true") == 2
    assert ask("GET", f"/schemas/ids/{last}").json()["error_code"] == 40403
    assert delete("/subjects/s?permanent=true") == 40405
    assert delete("/subjects/s") == [1]
    assert delete("/subjects/s") == 40404
    assert ask("GET", "/subjects?deleted=true").json() == ["group-changes-value", "part", "whole", "s"]
    assert delete("/subjects/s?permanent=true") == [1]
    assert delete("/subjects/s?permanent=true") == 40401
    assert delete("/subjects/whole") == [1]
    assert delete("/subjects/part") == [1]
    assert ask("GET", f"/schemas/ids/{part}").status_code == 200


def test_registered_again_after_a_soft_delete(registry, ask):
    """The schema keeps its id, and gets a version of its own."""
    first = registry.register("s", record("a"))
    ask("DELETE", "/subjects/s")

    assert registry.register("s", record("a")) == first
    assert ask("GET", "/subjects/s/versions").json() == [2]
    assert registry.register("other", record("a")) == first


def test_other_kinds(registry, ask):
    """A schema that is not Avro's is kept as it is, and says its kind."""
    schema_id = registry.register("p", 'syntax = "proto3"; message A {}', kind="PROTOBUF")

    assert ask("GET", f"/schemas/ids/{schema_id}").json()["schemaType"] == "PROTOBUF"
    assert ask("POST", "/subjects/p/versions", json={"schema": record("a")}).json()["error_code"] == 409


def test_missing_reference(ask):
    """A reference to what is not there is refused."""
    asked = {"schema": record("a"), "references": [{"name": "x", "subject": "nobody", "version": 1}]}

    assert ask("POST", "/subjects/s/versions", json=asked).json()["error_code"] == 42201
    assert ask("POST", "/subjects/s/versions", json=asked | {"references": [{}]}).json()["error_code"] == 42201


def test_faults(registry, ask):
    """Every fault strikes as often as it is told to, where it is told to, and is over when it is switched off."""
    registry.faults.on("status", status=503, times=2, path="/schemas")
    assert [ask("GET", "/schemas/ids/1").status_code for _ in range(3)] == [503, 503, 200]
    registry.faults.on("status", status=500, path="/schemas")
    assert ask("GET", "/subjects").status_code == 200
    assert ask("GET", "/schemas/ids/1").json() == {"error_code": 500, "message": "HTTP 500"}
    assert registry.faults.off("status")
    assert not registry.faults.off("status")

    registry.faults.on("unauthorized", times=1)
    assert ask("GET", "/subjects").json() == {"error_code": 401, "message": "Unauthorized"}
    registry.faults.on("not-found", times=1)
    assert ask("GET", "/schemas/ids/1").json() == {"error_code": 404, "message": "HTTP 404 Not Found"}
    registry.faults.on("unreadable", times=1)
    assert ask("GET", "/schemas/ids/1").text == "<html>not now</html>"
    registry.faults.on("reset", times=1)
    with pytest.raises(requests.ConnectionError):
        ask("GET", "/schemas/ids/1")
    registry.faults.on("hang")
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{registry.url}/schemas/ids/1", timeout=0.2)
    registry.faults.clear()
    fault = registry.faults.on("slow", milliseconds=50)
    assert ask("GET", "/schemas/ids/1").elapsed.total_seconds() >= 0.05
    assert fault.struck == 1
    with pytest.raises(ValueError, match="status, slow"):
        registry.faults.on("tired")


def test_stop_and_start(registry, ask):
    """It comes back on the same port, with its schemas; what was asked is remembered."""
    url = registry.url
    registry.stop()
    with pytest.raises(requests.ConnectionError):
        ask("GET", "/schemas/ids/1")
    registry.start()

    assert registry.url == url
    assert ask("GET", "/schemas/ids/1").status_code == 200
    assert registry.asked[-1] == "GET /schemas/ids/1"


def test_credentials():
    """With users or tokens a request needs one of them, the ones of now."""
    with RegistrySandbox(users={"ann": "pw"}, tokens=["secret"]) as registry:
        login = {"url": registry.url, "basic.auth.user.info": "ann:pw", "max.retries": 0}
        with SchemaRegistryClient(login) as client:
            assert client.get_subjects() == []
        subjects = f"{registry.url}/subjects"
        assert requests.get(subjects, headers={"Authorization": "Bearer secret"}, timeout=10).status_code == 200
        assert requests.get(subjects, timeout=10).status_code == 401
        assert requests.get(subjects, auth=("ann", "wrong"), timeout=10).status_code == 401
        registry.users["ann"] = "new"
        with SchemaRegistryClient(login) as client:
            assert failure(client.get_subjects) == (401, 401)


def test_tls(new_certificates):
    """With TLS it is reached by those who trust its authority, and by nobody else."""
    import ssl

    ours, theirs = new_certificates(), new_certificates()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(ours.server_certificate, ours.server_key)
    with RegistrySandbox(tls=tls) as registry:
        assert registry.url.startswith("https://")
        assert requests.get(f"{registry.url}/subjects", verify=str(ours.ca), timeout=10).json() == []
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{registry.url}/subjects", verify=str(theirs.ca), timeout=10)
        with pytest.raises(requests.ConnectionError):
            requests.get(registry.url.replace("https", "http"), timeout=10)
        registry.faults.on("hang")
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{registry.url}/subjects", verify=str(ours.ca), timeout=0.5)
