"""KAFKA_PROPERTIES_FILE, and what the Kafka clients are configured with in the end."""

import ctypes
import re
from pathlib import Path

import confluent_kafka
import pytest

from consumer.kafka.config import (
    CONSUMER_ONLY,
    PRODUCER_ONLY,
    admin_config,
    consumer_config,
    producer_config,
)
from consumer.kafka.refusals import refused_by_client
from consumer.settings import SettingsError, load
from consumer.settings.properties import FIXED, SECRET, SET_BY, said

REQUIRED = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "SCHEMA_REGISTRY_URL": "http://registry:8081",
    "MIXPANEL_TOKEN": "t0ken",
}


@pytest.fixture
def with_file(tmp_path):
    """Loads the settings with these lines in the properties file."""

    def load_with(lines, **more):
        file = tmp_path / "kafka.properties"
        file.write_text(lines)
        settings = load(REQUIRED | more | {"KAFKA_PROPERTIES_FILE": str(file)})
        problems = refused_by_client(settings)
        if problems:
            raise SettingsError(problems)
        return settings

    return load_with


@pytest.fixture
def refused(with_file):
    """The problems with these lines."""

    def problems(lines, **more):
        with pytest.raises(SettingsError) as error:
            with_file(lines, **more)
        return error.value.problems

    return problems


def test_lines(with_file):
    """Comments, blank lines and space around names and values are left out; the rest is taken as it stands."""
    settings = with_file('\ufeff# why\n\n ! also\n client.rack = eu west \r\nclient.id="a=b\\\\"\n')
    assert settings.kafka_properties == {"client.rack": "eu west", "client.id": '"a=b\\\\"'}


def test_pem(with_file):
    """In a PEM \\n is a line break, so that it fits in one line."""
    settings = with_file("ssl.ca.pem=BEGIN\\nEND\n")
    assert settings.kafka_properties == {"ssl.ca.pem": "BEGIN\nEND"}


@pytest.mark.parametrize("name", [*FIXED, *SET_BY])
def test_refused_by_name(name, refused):
    """A property that a promise rests on, or that a setting sets, is refused by name and line."""
    (problem,) = refused(f"# first\n{name}=1\n")
    assert f"line 2: {name} " in problem


def test_what_the_promises_rest_on():
    """These can be changed by no file, whatever else is added to the list."""
    assert FIXED.keys() | SET_BY.keys() >= {
        "enable.auto.commit",
        "auto.commit.interval.ms",
        "enable.auto.offset.store",
        "auto.offset.reset",
        "enable.idempotence",
        "acks",
        "request.required.acks",
        "delivery.report.only.error",
        "transactional.id",
        "message.max.bytes",
        "bootstrap.servers",
        "metadata.broker.list",
        "group.id",
    }


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("no.such.property=1", "no.such.property is no property of librdkafka"),
        (
            "linger.ms=soon",
            'linger.ms: Invalid value for configuration property "queue.buffering.max.ms" (it is "soon")',
        ),
        ("fetch.min.bytes=-1", "outside allowed range"),
        ("sasl.jaas.config=org.apache...", "Java JAAS configuration is not supported"),
        ("ssl.truststore.location=a.jks", "Java TrustStores are not supported"),
        ("error_cb=print", "error_cb is a function"),
        ("client.rack=", "client.rack has no value"),
        ("client.rack", "line 1: is not key=value"),
        ("client rack=1", "line 1: is not key=value"),
        ("client.rack=a\nclient.rack=b", "line 2: client.rack stands in line 1 already"),
        ("max.poll.interval.ms=10000", "DRAIN_TIMEOUT is 20s: allowed is at most 9s"),
        ("security.protocol=sasl_ssl", "KAFKA_SASL_MECHANISM is not set"),
        ("sasl.oauthbearer.method=oidc\nsasl.password=x", "KAFKA_SASL_PASSWORD is given"),
    ],
)
def test_refused(line, why, refused):
    """What librdkafka does not know or take is named before anything starts."""
    (problem,) = refused(line)
    assert why in problem


def test_both_given(refused):
    """A property beside its own setting is an error."""
    (problem,) = refused(
        "sasl.mechanism=PLAIN\n",
        KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT",
        KAFKA_SASL_MECHANISM="PLAIN",
        KAFKA_SASL_USERNAME="u",
        KAFKA_SASL_PASSWORD="p",
    )
    assert "KAFKA_SASL_MECHANISM and sasl.mechanism in KAFKA_PROPERTIES_FILE are both given" in problem


@pytest.mark.parametrize("name", ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"])
def test_broker_side(name, refused):
    """With group.protocol=consumer the broker decides these, and librdkafka would refuse them."""
    (problem,) = refused(f"group.protocol=consumer\n{name}={'range' if 'assignment' in name else 6000}\n")
    assert f"{name} has no place beside group.protocol=consumer" in problem


def test_login_from_file(with_file):
    """A client's own properties file may hold the login, and the rows say that it does."""
    settings = with_file(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\nsasl.username=u\nsasl.password=c4nary\n"
    )

    assert consumer_config(settings)["sasl.mechanisms"] == "SCRAM-SHA-512"
    assert admin_config(settings)["sasl.password"] == "c4nary"
    rows = {row.name: row for row in settings.rows()}
    assert rows["KAFKA_SASL_PASSWORD"].value == "********"
    assert rows["KAFKA_SECURITY_PROTOCOL"].origin.endswith("kafka.properties")
    assert "c4nary" not in repr(settings) + repr(settings.rows())


@pytest.mark.parametrize(
    "name",
    [
        "sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
        "sasl.jaas.config",
        "sasl.oauthbearer.assertion.private.key.pem",
        "sasl.oauthbearer.assertion.private.key.passphrase",
    ],
)
def test_secret_properties(name):
    """Properties that hold a secret are known as such."""
    assert SECRET.search(name)


def test_librdkafka_does_not_quote_a_secret():
    """Where librdkafka quotes a value that is a secret, it is masked; another one is shown."""
    error = confluent_kafka.KafkaException(confluent_kafka.KafkaError(-186, 'Invalid value "c4nary" for it'))
    assert said(error, "ssl.key.password", "c4nary") == 'ssl.key.password: Invalid value "********" for it'
    assert said(error, "client.rack", "c4nary") == 'client.rack: Invalid value "c4nary" for it'


# The clients' configuration.


def test_promises_in_the_configuration():
    """What the promises rest on is configured, for the consumer and for the producer."""
    settings = load(REQUIRED)
    consumer, producer = consumer_config(settings), producer_config(settings)

    assert consumer["enable.auto.commit"] is False
    assert consumer["enable.auto.offset.store"] is False
    assert consumer["auto.offset.reset"] == "error"
    assert consumer["isolation.level"] == "read_committed"
    assert consumer["partition.assignment.strategy"] == "cooperative-sticky"
    assert consumer["group.id"] == "mixpanel-groups"
    assert producer["enable.idempotence"] is True
    assert producer["acks"] == "all"
    assert producer["message.max.bytes"] == 1_000_000_000


def test_clients_take_the_configuration():
    """librdkafka takes our own defaults, under both group protocols."""
    settings = load(REQUIRED)
    for config in (consumer_config(settings), {**consumer_config(settings), "max.poll.interval.ms": 400_000}):
        confluent_kafka.Consumer(config).close()
    confluent_kafka.Producer(producer_config(settings))


def test_each_client_gets_its_own(with_file):
    """Each property goes to the clients that know it."""
    settings = with_file("fetch.min.bytes=7\ncompression.codec=gzip\nclient.rack=r\nqueue.buffering.max.ms=9\n")
    consumer, producer, admin = consumer_config(settings), producer_config(settings), admin_config(settings)

    assert consumer["fetch.min.bytes"] == "7"
    assert "fetch.min.bytes" not in producer | admin
    assert producer["compression.type"] == "gzip"
    assert producer["linger.ms"] == "9"
    assert not {"compression.codec", "compression.type", "linger.ms"} & (consumer.keys() | admin.keys())
    assert consumer["client.rack"] == producer["client.rack"] == admin["client.rack"] == "r"


def test_a_small_response_is_a_matter_of_the_one_that_fetches(with_file):
    """The tools' consumers fetch by librdkafka's own limits, and none is made with a response below those."""
    settings = with_file("receive.message.max.bytes=10000000\n")
    confluent_kafka.Consumer(consumer_config(settings)).close()
    confluent_kafka.Consumer({**admin_config(settings), "group.id": "looking"}).close()


def test_kip_848(with_file):
    """With group.protocol=consumer our defaults for session, heartbeat and assignor are dropped."""
    config = consumer_config(with_file("group.protocol=consumer\ngroup.instance.id=pod-1\n"))

    assert not {"session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"} & config.keys()
    assert config["group.instance.id"] == "pod-1"
    confluent_kafka.Consumer(config).close()


def test_session_below_poll_interval(with_file):
    """A short max.poll.interval.ms shortens our session time-out, which librdkafka wants below it."""
    config = consumer_config(with_file("max.poll.interval.ms=30000\n"))
    assert config["session.timeout.ms"] == 30000


def test_prefetch_follows_the_limit():
    """The prefetch queue is a quarter of MAX_OPEN_BYTES, and 4 MiB at most."""
    small = load(REQUIRED | {"MAX_OPEN_BYTES": "8MiB"})
    large = load(REQUIRED | {"MAX_OPEN_BYTES": "8GiB"})
    assert consumer_config(small)["queued.max.messages.kbytes"] == 2048
    assert consumer_config(large)["queued.max.messages.kbytes"] == 4096


def test_properties_known(tmp_path):
    """The lists of what only one client knows are those of the librdkafka that is installed."""
    with Path("/proc/self/maps").open() as maps:
        library = next(line.split()[-1] for line in maps if "librdkafka" in line)
    shown = tmp_path / "properties"
    libc, librdkafka = ctypes.CDLL(None), ctypes.CDLL(library)
    libc.fopen.restype = ctypes.c_void_p
    file = ctypes.c_void_p(libc.fopen(str(shown).encode(), b"w"))
    librdkafka.rd_kafka_conf_properties_show(file)
    libc.fclose(file)
    found = {"C": set(), "P": set(), "*": set()}
    for line in shown.read_text().splitlines():
        match = re.match(r"([a-z][\w.]+)\s+\|\s+([CP*])\s+\|", line)
        if match and not match[1].endswith("_cb"):
            found[match[2]].add(match[1])

    assert found["C"] - found["*"] == CONSUMER_ONLY
    assert found["P"] - found["*"] == PRODUCER_ONLY
