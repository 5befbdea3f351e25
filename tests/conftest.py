"""Real servers for the tests: one Kafka for each process of pytest, a registry and a Mixpanel for each test."""

import itertools
import logging
import shutil
import signal
import ssl
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from consumer.sandbox.broker import jars as kafka_jars
from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.broker.child_process import ChildProcess
from consumer.sandbox.broker.startup_cache import reuse_startup
from consumer.sandbox.errors import SandboxError
from consumer.sandbox.mixpanel.server import MixpanelSandbox
from consumer.sandbox.ports import free_port
from consumer.sandbox.registry.server import RegistrySandbox
from tests.wire import Behaviour, Wire

EVENT_SCHEMA = Path(__file__).parents[1] / "schemas" / "group_change.avsc"
APICURIO = "3.3.3"
BROKERS = {"broker", "new_broker"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks for a broker is marked as what needs one."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if BROKERS & fixtures:
            item.add_marker(pytest.mark.broker)
        if "apicurio" in fixtures:  # one of it is enough for all processes of a test run
            item.add_marker(pytest.mark.xdist_group("apicurio"))


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """What a test starts of logging ends with it."""
    loggers = [logging.getLogger(name) for name in ("", "consumer", "consumer.librdkafka")]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A Kafka that all tests share: use topics and groups of your own, and leave it running.

    What stops, freezes or configures a broker takes `new_broker`.
    """
    reuse_startup()
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def new_broker(tmp_path: Path) -> Iterator[Callable[..., Broker]]:
    """Makes and starts brokers of this test alone: new_broker(properties={...}, security=Security(...))."""
    brokers: list[Broker] = []
    reuse_startup()

    def build(**options: Any) -> Broker:
        brokers.append(Broker(tmp_path / f"broker-{len(brokers)}", **options))
        brokers[-1].start()
        return brokers[-1]

    yield build
    for made in brokers:
        made.kill()


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def new_topic(broker: Broker, _numbers: Iterator[int], request: pytest.FixtureRequest) -> Callable[..., str]:
    """Creates topics with names that no other test has: new_topic(partitions=1, config={...})."""

    def create(partitions: int = 4, **options: Any) -> str:
        name = f"{request.node.originalname[:60]}-{next(_numbers)}"
        broker.create_topic(name, partitions, **options)
        return name

    return create


@pytest.fixture
def topic(new_topic: Callable[..., str]) -> str:
    """A new topic with 4 partitions."""
    return new_topic()


@pytest.fixture
def group_id(_numbers: Iterator[int], request: pytest.FixtureRequest) -> str:
    """A consumer group that nobody was in."""
    return f"{request.node.originalname[:60]}-group-{next(_numbers)}"


@pytest.fixture
def registry() -> Iterator[RegistrySandbox]:
    """A registry that knows the event schema, as id 1 and subject group-changes-value."""
    with RegistrySandbox(free_port()) as running:
        assert running.register("group-changes-value", EVENT_SCHEMA.read_text()) == 1
        yield running


@pytest.fixture(scope="session")
def apicurio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real registry, Apicurio: 159 MB, downloaded once. Where it cannot be had the tests are skipped."""
    try:
        home = _apicurio_home()
    except SandboxError as error:
        pytest.skip(f"Apicurio, a real registry, cannot be had here: {error}")
    folder = tmp_path_factory.mktemp("apicurio")
    port, management = free_port(), free_port()
    options = {
        "quarkus.http.host": "127.0.0.1",
        "quarkus.http.port": port,
        "quarkus.management.host": "127.0.0.1",
        "quarkus.management.port": management,
        "apicurio.rules.global.compatibility": "BACKWARD",
    }
    java = [str(kafka_jars.java()), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    command = [*java, *(f"-D{name}={value}" for name, value in options.items())]
    process = ChildProcess([*command, "-jar", str(home / "quarkus-run.jar")], folder / "log")
    try:
        _wait_for_apicurio(f"http://127.0.0.1:{management}/health/ready", process, folder / "log")
        yield f"http://127.0.0.1:{port}/apis/ccompat/v7"
    finally:
        process.end(signal.SIGKILL, 10)


def _apicurio_home() -> Path:
    """Where Apicurio is unpacked; downloaded where it is not."""
    home = kafka_jars.cache() / f"apicurio-{APICURIO}"
    if home.is_dir():
        return home
    with kafka_jars.lock(home.with_name(f"{home.name}.lock")):
        if not home.is_dir():
            begun = home.with_name(f"{home.name}.partial")
            shutil.rmtree(begun, ignore_errors=True)
            name = f"io.apicurio:apicurio-registry-app:{APICURIO}:all:tar.gz"
            archive = kafka_jars.fetch(begun / "repository", name)
            with tarfile.open(archive) as packed:
                packed.extractall(begun / "unpacked", filter="data")
            (next((begun / "unpacked").rglob("quarkus-run.jar")).parent).rename(home)
            shutil.rmtree(begun)
    return home


def _wait_for_apicurio(health: str, process: ChildProcess, log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            if requests.get(health, timeout=2).ok:
                return
        except requests.RequestException:
            pass
        assert process.running, f"Apicurio ended: {log.read_text()[-2000:]}"
        assert time.monotonic() < deadline, f"Apicurio is not ready: {log.read_text()[-2000:]}"
        time.sleep(0.05)


@pytest.fixture
def mixpanel() -> Iterator[MixpanelSandbox]:
    """A Mixpanel that applies the updates of a request in a random order, and remembers them all."""
    with MixpanelSandbox(free_port(), shuffle=1, keep_applied=True) as running:
        yield running


@dataclass(frozen=True)
class Certificates:
    """Files in PEM: an authority, and what it signed for a server on 127.0.0.1 and for a client."""

    ca: Path
    server_certificate: Path
    server_key: Path
    client_certificate: Path
    client_key: Path


@pytest.fixture
def new_certificates(tmp_path: Path) -> Callable[[], Certificates]:
    """Makes an authority with certificates; each call makes another one, which does not know the others."""
    import trustme
    from cryptography.hazmat.primitives import serialization as pem

    made = itertools.count()

    def key_of(issued: trustme.LeafCert) -> bytes:
        """The key as PKCS#8, which is what Java reads."""
        key = pem.load_pem_private_key(issued.private_key_pem.bytes(), None)
        return key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())

    def make() -> Certificates:
        folder = tmp_path / f"certificates-{next(made)}"
        folder.mkdir()
        authority = trustme.CA()
        written = {"ca.pem": authority.cert_pem.bytes()}
        issued = {"server": authority.issue_cert("127.0.0.1", "localhost"), "client": authority.issue_cert("client")}
        for name, leaf in issued.items():
            written[f"{name}.pem"] = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
            written[f"{name}.key"] = key_of(leaf)
        for name, content in written.items():
            (folder / name).write_bytes(content)
        names = ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")
        return Certificates(*(folder / name for name in names))

    return make


@pytest.fixture
def new_wire() -> Iterator[Callable[..., Wire]]:
    """Makes servers: new_wire(behaviour, tls=...)."""
    wires: list[Wire] = []

    def make(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> Wire:
        wires.append(Wire(behaviour, tls))
        return wires[-1]

    yield make
    for wire in wires:
        wire.stop()
