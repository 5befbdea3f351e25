"""`check` on real servers: every fact that it is to find, with what to do about it."""

import json
import socket
import time
from email.utils import formatdate

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from consumer.commands.check.machine import Answered, clock_fact
from consumer.kafka.project_mark import client_id
from consumer.sandbox.broker.security import Security
from consumer.sandbox.registry.server import RegistrySandbox
from consumer.schemas import newest
from consumer.settings import load
from tests.integration.events import SCHEMA, change
from tests.sealing import SECRET, needs_rules, rule, tagged, written

TOKEN = "0123456789abcdef0123456789abcdef"

AHEAD = "message.timestamp.after.max.ms"
FOREVER = str(2**63 - 1)


@pytest.fixture
def facts(call):
    """The facts that `check` finds with these settings: a list of (state, what, detail, fix and command)."""

    def found(status=None, **environ):
        result = call("check", "--output", "json", **environ)
        assert result.stderr == ""
        listed = json.loads(result.stdout)["facts"]
        assert result.exit_code == (1 if any(fact["state"] == "fault" for fact in listed) else 0)
        assert status is None or result.exit_code == status
        return [(fact["state"], fact["what"], fact["detail"], f"{fact['fix']} {fact['command']}") for fact in listed]

    return found


@pytest.fixture
def place(broker, schemas, mixpanel, topic, new_topic):
    """Settings under which all is well."""
    schemas.register(f"{topic}-value", newest())
    letters = new_topic(config={"max.message.bytes": str(1_048_588 + 131_072), "retention.ms": "-1", AHEAD: FOREVER})
    return {
        "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
        "KAFKA_TOPICS": topic,
        "KAFKA_GROUP_ID": f"{topic}-group",
        "KAFKA_DEAD_LETTER_TOPIC": letters,
        "SCHEMA_REGISTRY_URL": schemas.url,
        "MIXPANEL_URL": mixpanel.url,
        "MIXPANEL_TOKEN": TOKEN,
        "HTTP_PORT": "0",
    }


def one(facts, what, state=None):
    """The one fact about this."""
    found = [fact for fact in facts if fact[1].startswith(what) and (state is None or fact[0] == state)]
    assert len(found) == 1, facts
    return found[0]


def test_all_is_well(facts, place, broker):
    """Where all is well there is no fault and no warning, and only the token is unknown."""
    found = facts(0, **place)
    assert [fact[1] for fact in found if fact[0] != "ok"] == ["MIXPANEL_TOKEN"]
    assert {fact[1] for fact in found} >= {
        "settings",
        f"broker {broker.bootstrap}",
        "brokers",
        f"topic {place['KAFKA_TOPICS']}",
        f"group {place['KAFKA_GROUP_ID']}",
        f"dead letters {place['KAFKA_DEAD_LETTER_TOPIC']}",
        f"registry {place['SCHEMA_REGISTRY_URL']}",
        f"schema {place['KAFKA_TOPICS']}-value",
        f"Mixpanel {place['MIXPANEL_URL']}",
        "clock",
    }


def test_nothing_is_written(facts, place, schemas, mixpanel, broker):
    """A check writes nothing: no topic, no schema, no update."""
    missing = place | {"KAFKA_TOPICS": "not-there", "KAFKA_DEAD_LETTER_TOPIC": "not-there-either"}
    for _ in range(2):
        found = facts(1, **missing)
        assert one(found, "topic not-there")[2] == "there is no such topic"
    assert all(asked.startswith("GET") for asked in schemas.asked)
    topics = AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=10).topics
    assert not {"not-there", "not-there-either"} & topics.keys()


def test_table(call, place):
    """The table has a line for each fact, fits 80 columns but for what is to be copied, and ends with a sum."""
    result = call("check", **place | {"KAFKA_TOPICS": "not-there"})
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert "fault    topic not-there: there is no such topic" in lines
    assert max(len(line) for line in lines if "kafka-topics.sh" not in line) <= 80
    assert "1 fault, " in lines[-1]


def test_missing_topics(facts, place):
    """Missing topics are faults, each with the command that creates it, complete."""
    found = facts(1, **place | {"KAFKA_DEAD_LETTER_TOPIC": "letters"})
    command = one(found, "dead letters letters")[3]
    assert "--create --topic letters --partitions 4" in command
    assert "--config max.message.bytes=1179660 --config retention.ms=-1" in command


def test_members_of_another_project(facts, place, broker):
    """One whose mark is of another project is a fault; one without a mark, or of our token, is nothing to say."""
    ours = client_id(load(place))  # of the token
    names = {"client.id": "group-consumer-ffffffffffff"}, {"client.id": "group-consumer"}, {"client.id": ours}
    config = {"bootstrap.servers": broker.bootstrap, "group.id": place["KAFKA_GROUP_ID"]}
    mates = [Consumer({**config, "partition.assignment.strategy": "cooperative-sticky", **name}) for name in names]
    for mate in mates:
        mate.subscribe([place["KAFKA_TOPICS"]])
    end = time.monotonic() + 60
    while not all(mate.assignment() for mate in mates):
        assert time.monotonic() < end
        for mate in mates:
            mate.poll(0.1)
    found = facts(1, **place)
    assert "1 member of it send to another Mixpanel project" in one(found, "group ", "fault")[2]
    assert one(found, "group ", "ok")[2] == "may be joined, 3 members now"
    numbered = facts(1, **place, MIXPANEL_PROJECT_ID="1234567")  # as the canary needs it
    assert "1 member of it send to another Mixpanel project" in one(numbered, "group ", "fault")[2]
    assert one(found, "offsets ")[0] == "ok"
    for mate in mates:
        mate.close()


def test_a_topic_that_takes_more_than_the_client_receives(facts, place, new_topic, tmp_path):
    """A batch beyond breaks the connection: a warning, with the property; with that property set there is none."""
    large = new_topic(config={"max.message.bytes": str(100 << 20)})
    found = facts(**place | {"KAFKA_TOPICS": large})
    _, _, detail, fix = one(found, f"topic {large}", "warning")
    assert "is 104857600, and the client receives 67108864" in detail
    assert "receive.message.max.bytes=104858112" in fix
    properties = tmp_path / "kafka.properties"
    properties.write_text("receive.message.max.bytes=104858112\n")
    found = facts(**place | {"KAFKA_TOPICS": large, "KAFKA_PROPERTIES_FILE": str(properties)})
    assert [fact for fact in found if fact[1] == f"topic {large}" and fact[0] == "warning"] == []


@pytest.mark.parametrize(
    ("codec", "words"), [("zstd", "1 partition, may be read"), ("lz4", "lz4 or snappy has no bound")]
)
def test_a_codec_that_is_not_bounded_is_told(facts, place, new_topic, codec, words):
    """It is no fault: most topics are so."""
    topic = new_topic(1, config={"compression.type": codec})
    found = facts(**place | {"KAFKA_TOPICS": topic})
    assert words in one(found, f"topic {topic}", "ok")[2]
    assert (codec == "zstd") == one(found, f"topic {topic}", "ok")[2].endswith("may be read")


def test_dead_letter_topic_that_is_too_small(facts, place, new_topic):
    """Fewer partitions, smaller records, short retention and compaction are all named."""
    config = {"max.message.bytes": "1000", "retention.ms": "3600000", "cleanup.policy": "compact,delete"}
    config |= {"message.timestamp.type": "LogAppendTime", "message.timestamp.before.max.ms": "86400000"}
    letters = new_topic(partitions=1, config=config)
    found = [fact for fact in facts(1, **place | {"KAFKA_DEAD_LETTER_TOPIC": letters}) if fact[1].startswith("dead")]
    assert [(state, detail.split(",")[0].split(":")[0]) for state, _, detail, _ in found] == [
        ("ok", "1 partition"),
        ("warning", "it has 1 partition"),
        ("fault", "its max.message.bytes is 1000"),
        ("fault", "it is compacted"),
        ("warning", "it keeps dead letters for 1 hours"),
        ("warning", "it replaces the records' own timestamps"),
        ("warning", "it refuses times of more than 1 day ago"),
        ("warning", "it refuses times of more than 1 hour ahead"),
    ]
    assert "--alter --topic" in found[1][3]
    assert "--add-config max.message.bytes=1179660" in found[2][3]


def test_source_topic_that_is_compacted(facts, place, new_topic):
    """A compacted topic loses changes: a fault."""
    topic = new_topic(config={"cleanup.policy": "compact"})
    assert "it is compacted" in one(facts(1, **place | {"KAFKA_TOPICS": topic}), f"topic {topic}", "fault")[2]


def test_offsets(facts, place, broker, new_topic):
    """Where the group is, how far from the end, and what retention has removed before it was read."""
    topic = new_topic(partitions=1)
    place = place | {"KAFKA_TOPICS": topic}
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for number in range(10):
        producer.produce(topic, str(number))
    producer.flush(30)
    assert "nothing committed yet: starts at the earliest, 10 offsets" in one(facts(0, **place), "offsets")[2]

    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    committed = ConsumerGroupTopicPartitions(place["KAFKA_GROUP_ID"], [TopicPartition(topic, 0, 4)])
    admin.alter_consumer_group_offsets([committed])[place["KAFKA_GROUP_ID"]].result()
    assert "goes on at what is committed, 6 offsets before the end" in one(facts(0, **place), "offsets")[2]

    for done in admin.delete_records([TopicPartition(topic, 0, 7)]).values():
        done.result()
    gap = one(facts(0, **place), "offsets", "warning")[2]
    assert gap == "retention has removed 3 offsets of partition 0 before they were read"


def test_quarantine(facts, place, broker, new_topic):
    """Entries that can match nothing any more are warned of, each with why; without entries there is no line."""
    topic = new_topic(partitions=1)
    place = place | {"KAFKA_TOPICS": topic}
    assert not [fact for fact in facts(0, **place) if fact[1] == "quarantine"]
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for number in range(10):
        producer.produce(topic, str(number))
    producer.flush(30)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    committed = ConsumerGroupTopicPartitions(place["KAFKA_GROUP_ID"], [TopicPartition(topic, 0, 4)])
    admin.alter_consumer_group_offsets([committed])[place["KAFKA_GROUP_ID"]].result()
    named = f"{topic}:0:3,{topic}:0:4,{topic}:7:0,elsewhere:0:0,schema:5,project:emae"
    found = facts(0, **place | {"QUARANTINE": named})
    assert "6 named" in one(found, "quarantine", "ok")[2]
    assert [fact[2] for fact in found if fact[:2] == ("warning", "quarantine")] == [
        "project:emae matches nothing: the settings have default",
        "elsewhere:0:0 matches nothing: KAFKA_TOPICS does not have the topic",
        f"{topic}:0:3 matches nothing any more: committed is 4",
        f"{topic}:7:0 matches nothing: the topic has no such partition",
    ]


def test_an_open_transaction(facts, place, broker, new_topic):
    """What it holds back is named by its last stable offset; what is committed of it is no matter."""
    topic = new_topic(partitions=1)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": topic})
    producer.init_transactions()
    producer.begin_transaction()
    for number in range(3):
        producer.produce(topic, str(number))
    producer.flush(30)
    held = one(facts(0, **place | {"KAFKA_TOPICS": topic}), "offsets", "warning")[2]
    assert held == "an open transaction holds back 3 offsets of partition 0, from the last stable offset 0 on"
    producer.commit_transaction()
    found = facts(0, **place | {"KAFKA_TOPICS": topic})
    assert [state for state, what, *_ in found if what.startswith("offsets")] == ["ok"]


def test_no_server(facts, place):
    """A name that does not resolve and a port where nobody listens are named; nothing else of Kafka is asked."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        found = facts(1, **place | {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port},no-such-host.invalid:9092"})
    assert "takes no connection: Connection refused" in one(found, "broker 127.0.0.1")[2]
    assert one(found, "broker no-such-host")[2] == "the name does not resolve"
    assert one(found, "Kafka")[0] == "unknown"


def test_one_server_is_enough(facts, place, broker):
    """One bootstrap server that is away is a warning while another one answers."""
    found = facts(0, **place | {"KAFKA_BOOTSTRAP_SERVERS": f"no-such-host.invalid:9092,{broker.bootstrap}"})
    assert one(found, "broker no-such-host")[0] == "warning"


def test_what_is_no_broker(facts, place, schemas):
    """Something that listens and is no broker is a fault with what to check."""
    found = facts(1, **place | {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{schemas.port}"})
    assert "check KAFKA_BOOTSTRAP_SERVERS" in one(found, "brokers", "fault")[2]


def test_rights_and_logins(facts, place, new_broker):
    """On a broker with ACLs: a wrong password, no rights, some rights, all rights."""
    server = new_broker(
        security=Security("SASL_PLAINTEXT", users={"admin": "a", "some": "s", "none": "n"}),
        properties={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:admin;User:ANONYMOUS",
        },
    )
    server.create_topic("changes", 2)
    server.create_topic(
        "letters", 2, config={"max.message.bytes": str(1_048_588 + 131_072), "retention.ms": "-1", AHEAD: FOREVER}
    )
    login = {
        "KAFKA_BOOTSTRAP_SERVERS": server.bootstrap,
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_TOPICS": "changes",
        "KAFKA_DEAD_LETTER_TOPIC": "letters",
    }

    def as_user(name, password, status):
        return facts(status, **place | login | {"KAFKA_SASL_USERNAME": name, "KAFKA_SASL_PASSWORD": password})

    wrong = one(as_user("admin", "wr0ng", 1), "brokers")
    assert wrong[0] == "fault"
    assert "the brokers refuse the login" in wrong[2]
    assert "wr0ng" not in "".join(wrong)

    none = as_user("none", "n", 1)
    assert "may not read it, if it is there" in one(none, "topic changes")[2]
    assert "may not write it, if it is there" in one(none, "dead letters letters")[2]
    assert "may not join it" in one(none, "group ")[2]
    assert "--operation Read --group" in one(none, "group ")[3]

    allowed = [
        (ResourceType.TOPIC, "changes", AclOperation.DESCRIBE),
        (ResourceType.TOPIC, "letters", AclOperation.READ),
        (ResourceType.GROUP, place["KAFKA_GROUP_ID"], AclOperation.DESCRIBE),
    ]
    rules = [
        AclBinding(kind, name, ResourcePatternType.LITERAL, "User:some", "*", operation, AclPermissionType.ALLOW)
        for kind, name, operation in allowed
    ]
    secret = {"sasl.username": "admin", "sasl.password": "a", "sasl.mechanism": "PLAIN"}
    admin = AdminClient({"bootstrap.servers": server.bootstrap, "security.protocol": "sasl_plaintext"} | secret)
    for done in admin.create_acls(rules).values():
        done.result()
    del admin
    some = as_user("some", "s", 1)
    assert one(some, "topic changes", "fault")[2] == "this user may not read it"
    assert "may not write it: a record that cannot be applied" in one(some, "dead letters letters", "fault")[2]
    assert one(some, "group ", "fault")[2] == "this user may not join it"
    assert "may not see its configuration" in one(some, "topic changes", "unknown")[2]

    assert "over SASL_PLAINTEXT, SCRAM-SHA-512 as admin" in one(as_user("admin", "a", 0), "brokers")[2]


def test_tls(facts, place, new_broker, new_certificates):
    """TLS: a certificate that is trusted, one that is not, and a plain port."""
    mine, other = new_certificates(), new_certificates()
    server = new_broker(
        security=Security("SSL", certificate=mine.server_certificate, key=mine.server_key, ca=mine.ca)
    )
    server.create_topic("changes", 1)
    place = place | {"KAFKA_BOOTSTRAP_SERVERS": server.bootstrap, "KAFKA_TOPICS": "changes"}

    good = facts(**place | {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_LOCATION": mine.ca})
    assert "its certificate is valid until" in one(good, "broker ")[2]
    assert one(good, "brokers")[0] == "ok"

    bad = facts(1, **place | {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_LOCATION": other.ca})
    assert "its certificate is refused" in one(bad, "broker ")[2]
    assert "KAFKA_SSL_CA_LOCATION" in one(bad, "broker ")[3]

    plain = facts(1, **place)
    assert "KAFKA_SECURITY_PROTOCOL" in one(plain, "brokers", "fault")[2]


# The registry.


def test_registry_away(facts, place, schemas):
    """A registry that is away is a fault; with another one that answers, a warning."""
    schemas.stop()
    found = facts(1, **place)
    assert one(found, "registry")[:3] == ("fault", f"registry {schemas.url}", "nothing answers there")
    with RegistrySandbox() as other:
        other.register(f"{place['KAFKA_TOPICS']}-value", newest())
        found = facts(0, **place | {"SCHEMA_REGISTRY_URL": f"{schemas.url},{other.url}"})
        assert one(found, f"registry {schemas.url}")[0] == "warning"


def test_registry_login(facts, place):
    """Refused credentials are a fault that names them, right ones are said to be taken."""
    with RegistrySandbox(users={"me": "s3cret"}) as registry:
        registry.register(f"{place['KAFKA_TOPICS']}-value", newest())
        there = place | {"SCHEMA_REGISTRY_URL": registry.url}
        assert "SCHEMA_REGISTRY_PASSWORD" in one(facts(1, **there), "registry")[3]
        login = {"SCHEMA_REGISTRY_USERNAME": "me", "SCHEMA_REGISTRY_PASSWORD": "s3cret"}
        assert "takes the credentials" in one(facts(0, **there, **login), "registry")[2]


@needs_rules
def test_keys_of_encrypted_fields(facts, place, schemas, monkeypatch):
    """Whether they are in the registry, and whether the KMS unwraps them."""
    topic = place["KAFKA_TOPICS"]
    schemas.register(f"{topic}-value", json.dumps(tagged(SCHEMA, "group_id")), rules={"domainRules": [rule()]})
    what = f"schema {topic}-value"
    _, _, detail, fix = one(facts(**place), what, "warning")
    assert "rule hide cannot be run" in detail
    assert "no key-encryption key customers" in detail
    assert "DEK endpoints" in fix
    written(schemas.url, topic, change("acme", plan="gold"))
    _, _, detail, fix = one(facts(1, **place), what, "fault")
    assert "local-kms://here does not unwrap" in detail
    assert "SCHEMA_RULES_LOCAL_SECRET" in fix
    found = facts(0, **place, SCHEMA_RULES_LOCAL_SECRET=SECRET)
    assert one(found, what)[0] == "ok"
    monkeypatch.setattr("consumer.registry.keys.installed", lambda: False)
    monkeypatch.setattr("consumer.commands.check.registry.installed", lambda: False)
    _, _, detail, fix = one(facts(1, **place), what, "fault")
    assert "hide (ENCRYPT)" in detail
    assert "install mixpanel-group-consumer[rules]" in fix


def test_rules_for_reading(facts, place, schemas):
    """A version with rules that are not run holds its partition, or is read as it is where that is set."""
    rules = {"domainRules": [{"name": "hide-owner", "type": "ENCRYPT", "mode": "WRITEREAD"}]}
    schemas.register(f"{place['KAFKA_TOPICS']}-value", newest(), rules=rules)
    what = f"schema {place['KAFKA_TOPICS']}-value"
    _, _, detail, fix = one(facts(1, **place), what, "fault")
    assert "hide-owner (ENCRYPT)" in detail
    assert "hold their partition" in detail
    assert "SCHEMA_RULES=ignore" in fix
    assert "sent as it is" in one(facts(0, **place, SCHEMA_RULES="ignore"), what, "warning")[2]


@needs_rules
def test_rules_and_keys_of_a_mapped_topic(facts, place, schemas, tmp_path):
    """Of values and of keys, by their subjects, whatever the mapping makes of them."""
    topic = place["KAFKA_TOPICS"]
    company = {"type": "record", "name": "Company", "fields": [{"name": "id", "type": "string"}]}
    changed = {"name": "new-id", "kind": "TRANSFORM", "type": "CEL_FIELD", "mode": "READ"}
    schemas.subjects.level = "NONE"
    schemas.register(f"{topic}-value", json.dumps(company), rules={"domainRules": [changed]})
    schemas.register(f"{topic}-key", json.dumps(tagged(company, "id")), rules={"domainRules": [rule()]})
    file = tmp_path / "mapping.toml"
    file.write_text(
        f"""version = 1
[[rule]]
name = "companies"
topics = ["{topic}"]
group = {{ key = "company", id = "key.id" }}
null = "skip"
[rule.set]
Id = "value.id"
"""
    )
    found = facts(1, **place, MAPPING_FILE=str(file))
    assert "new-id (CEL_FIELD)" in one(found, f"schema {topic}-value", "fault")[2]
    assert "no key-encryption key customers" in one(found, f"schema {topic}-key", "warning")[2]


def test_no_registry_at_all(facts, place, mixpanel):
    """A web server that is no registry is a fault."""
    assert one(facts(1, **place | {"SCHEMA_REGISTRY_URL": mixpanel.url}), "registry")[0] == "fault"


def test_a_mapping_file(facts, place, schemas, new_topic, tmp_path):
    """Its topics carry no events; whether it fits what is registered is a line, each fault one with its line."""
    topic, file = new_topic(), tmp_path / "mapping.toml"
    rule = f'name = "r"\ntopics = ["{topic}"]\ngroup = {{ key = "company", id = "value.id" }}\n'
    file.write_text(f'version = 1\n[[rule]]\n{rule}[rule.set]\n"Name" = "value.name"\n')
    fields = [{"name": "id", "type": "string"}, {"name": "name", "type": "string"}]
    schemas.register(f"{topic}-value", json.dumps({"type": "record", "name": "Row", "fields": fields}))
    settings = {**place, "KAFKA_TOPICS": topic, "MAPPING_FILE": str(file)}
    found = facts(**settings)
    state, _, detail, _ = one(found, "mapping")
    assert state in ("ok", "warning")
    assert "fits the registered schemas" in detail
    assert not [fact for fact in found if fact[1] == f"schema {topic}-value"]
    file.write_text(file.read_text().replace("value.name", "value.nam"))
    faults = [fact for fact in facts(**settings) if fact[:2] == ("fault", "mapping")]
    assert any("value.nam" in detail for _, _, detail, _ in faults)
    assert all("map check" in fix for *_, fix in faults)


def test_no_subject(facts, place, new_topic):
    """A topic without a subject is a warning with the command that registers the schema."""
    topic = new_topic()
    fact = one(facts(0, **place | {"KAFKA_TOPICS": topic}), f"schema {topic}-value")
    assert fact[0] == "warning"
    assert f"group-consumer schema register --subject {topic}-value" in fact[3]


def test_schemas_that_cannot_be_read(facts, place, schemas):
    """Each version of the subject that the service cannot read, wholly or partly, is named with its id."""
    subject = f"{place['KAFKA_TOPICS']}-value"
    more = json.loads(newest())
    more["fields"][5]["type"]["symbols"].append("MERGE")
    schemas.register(subject, json.dumps(more))
    schemas.subjects.delete_subject(subject, permanent=False)
    schemas.register(subject, '"string"')
    schemas.subjects.delete_version(subject, "3", permanent=False)
    schemas.register(subject, newest())
    schemas.register(subject, json.dumps(more))
    found = facts(0, **place)
    assert "field operation: the reader lacks a symbol" in one(found, f"schema {subject}", "warning")[2]
    assert "every record of 1 of its 2 versions can" in one(found, f"schema {subject}", "ok")[2]

    schemas.register("bare-value", '"string"')
    topic = one(facts(1, **place | {"KAFKA_TOPICS": "bare"}), "schema bare-value")
    assert topic[0] == "fault"
    assert "version 1 (id " in topic[2]
    assert "cannot be read, its records are dead letters" in topic[2]


# Mixpanel and this machine.


def test_mixpanel_away(facts, place, mixpanel):
    """A Mixpanel that does not answer is a fault."""
    mixpanel.stop()
    assert one(facts(1, **place), "Mixpanel")[:3] == (
        "fault",
        f"Mixpanel {mixpanel.url}",
        "does not answer: connection",
    )


def test_token_is_never_known(facts, place):
    """That a wrong token or region cannot be seen is said plainly, and the token is not shown."""
    fact = one(facts(0, **place | {"MIXPANEL_TOKEN": "c4nary"}), "MIXPANEL_TOKEN")
    assert fact[0] == "unknown"
    assert "a wrong token or region cannot be known" in fact[2]
    assert "it is not 32 hexadecimal digits" in fact[2]
    assert "c4nary" not in "".join(fact)


def test_clock():
    """A clock that is wrong is told from the Date of an answer, as of when that came: a canary takes minutes."""

    def fact(ahead: float, came: float):
        return clock_fact(Answered(formatdate(came + ahead, usegmt=True), "x", came))

    for came in (time.time(), time.time() - 120):
        assert fact(1, came).state == "ok"
        behind = fact(3600, came)
        assert behind.state == "warning"
        assert "s behind x" in behind.detail
        assert "s ahead of x" in fact(-3600, came).detail
    assert clock_fact(Answered("", "x", 0.0)) is None
    assert clock_fact(Answered("soon", "x", 0.0)) is None


def test_port_taken(facts, place):
    """A port that is taken is a warning."""
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert one(facts(0, **place | {"HTTP_PORT": port}), "HTTP_PORT")[0] == "warning"


def test_host_that_is_not_of_this_machine(facts, place):
    """An address that the service could not listen at is a fault: 192.0.2.1 is nobody's."""
    assert (
        "cannot listen at 192.0.2.1" in one(facts(1, **place | {"HTTP_HOST": "192.0.2.1"}), "HTTP_HOST", "fault")[2]
    )


def test_cache_folder(facts, place, tmp_path):
    """The folder for schemas, there or not yet, is looked at."""
    found = facts(0, **place | {"SCHEMA_CACHE_DIR": tmp_path / "new" / "cache"})
    assert one(found, "SCHEMA_CACHE_DIR")[0] == "ok"
    assert not (tmp_path / "new").exists()


def test_unknown_variable(facts, place):
    """A variable that nobody reads is a warning among the facts."""
    fact = one(facts(0, **place, KAFKA_TOPIC="x"), "settings", "warning")
    assert "KAFKA_TOPIC is not a setting" in fact[2]
    assert "did you mean KAFKA_TOPICS?" in fact[3]


def test_the_journal(facts, place, broker, new_topic):
    """Only where $adds are announced: missing it is a warning with the command, and one that forgets is a fault."""
    assert not [fact for fact in facts(0, **place) if fact[1].startswith("journal")]
    strict = place | {"AMBIGUOUS_ADD": "dead-letter"}
    state, what, detail, fix = one(facts(0, **strict), "journal")
    assert (state, what) == ("warning", f"journal {place['KAFKA_GROUP_ID']}.journal")
    assert "each $add waits" in detail
    assert "--partitions 1 --config cleanup.policy=compact" in fix
    broker.create_topic(f"{place['KAFKA_GROUP_ID']}.journal")
    found = facts(1, **strict)
    assert "may be read and written" in one(found, "journal", "ok")[2]
    assert "cleanup.policy=compact" in one(found, "journal", "fault")[3]
