"""The image: how it is written, and what it does when it is built and started as Kubernetes would."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from consumer.sandbox.ports import free_port
from consumer.sandbox.sandbox import Sandbox
from scripts import chart_image

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 150_000_000
pytestmark = pytest.mark.xdist_group("image")


def test_hadolint_finds_nothing(tool):
    """The Dockerfile is clean."""
    command = [str(tool("hadolint")), "--failure-threshold", "style", "Dockerfile"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def test_everything_installed_is_locked():
    """Each pip install takes hashes, or nothing from outside; and both lists have a hash for each package."""
    dockerfile = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip [^&]*?install ([^&\n]*)", dockerfile)
    assert len(installs) == 3
    assert all("--require-hashes" in install or "--no-index" in install for install in installs)
    for name in ("build", "runtime"):
        pins = re.split(r"\n(?=\S)", (ROOT / f"requirements/{name}.txt").read_text().strip())
        assert all("==" in pin and "--hash=sha256:" in pin for pin in pins if not pin.startswith("#"))


def test_the_build_uses_what_the_tests_use():
    """What compiles the core is locked to the versions that the tests ran with."""
    versions = {}
    for name in ("build", "dev"):
        text = (ROOT / f"requirements/{name}.txt").read_text()
        versions[name] = set(re.findall(r"^([\w.-]+==[\w.]+)", text, re.MULTILINE))
    assert versions["build"] <= versions["dev"]


def test_nothing_but_the_sources_reaches_the_build():
    """The context is an allow-list: no .git, no environment, no test."""
    first, *allowed = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")
    ]
    assert first == "*"
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = {source.rstrip("/") for line in copied for source in line.split()}
    assert sources == {line[1:] for line in allowed if line.startswith("!")}


def test_chart_and_image_agree():
    """The same number runs it, the same port is open, and the chart's version is the package's."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    values = yaml.safe_load((ROOT / "helm/values.yaml").read_text())
    user = values["podSecurityContext"]
    assert f"USER {user['runAsUser']}:{user['runAsGroup']}" in dockerfile
    assert f"EXPOSE {values['httpPort']}" in dockerfile
    version = yaml.safe_load((ROOT / "helm/Chart.yaml").read_text())["appVersion"]
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()
    assert f"ARG VERSION={version}" in dockerfile


@pytest.fixture(scope="module")
def image():
    """The image on stand-ins of its bases: root file system and configuration."""
    with ExitStack() as stack:
        try:
            built = stack.enter_context(chart_image.proof())
        except chart_image.Unavailable as missing:
            pytest.skip(f"the Dockerfile is not proved: {missing}")
        yield built


def start(image: "tuple[Path, chart_image.Config]", *arguments, given="", **env):
    """What the image prints, started as Kubernetes starts it."""
    command = [*chart_image.sandboxed(*image, env), *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.timeout(1800)
def test_the_configuration_is_that_of_a_restricted_pod(image):
    """A number as user, the service itself as PID 1, SIGTERM as the way to stop, and labels that say what it is."""
    config = image[1]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["/opt/group-consumer/bin/group-consumer"]
    assert config["Cmd"] == ["run"]
    assert config["StopSignal"] == "SIGTERM"
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels["licenses"] == "Apache-2.0"
    assert labels["revision"] == "proof"


def test_it_is_small(image):
    """Less than 150 MB, everything counted."""
    assert chart_image.size(image[0]) < LIMIT


def test_there_is_nothing_to_install_with(image):
    """No pip and no compiler."""
    folders = ("usr/bin", "usr/local/bin", "opt/group-consumer/bin")
    found = {path.name for folder in folders for path in (image[0] / folder).glob("*")}
    assert not found & {"pip", "pip3", "gcc", "cc", "ld", "make"}
    assert not list((image[0] / "opt").rglob("pip"))


def test_the_core_is_compiled(image):
    """The core's modules are libraries, and the loop that feeds it, and the same Python loads them."""
    package = next((image[0] / "opt/group-consumer/lib").glob("python*/site-packages/consumer"))
    assert len(list(package.glob("core/*.so"))) > 10
    assert list(package.glob("kafka/records*.so"))
    event = {"operation": "SET", "group_key": "company", "group_id": "1", "properties": {"a": 1}}
    done = start(image, "preview", "-", given=json.dumps(event))
    assert done.returncode == 0, done.stderr
    assert "$set" in done.stdout


def test_it_runs_as_its_number_and_writes_nowhere(image, tmp_path):
    """Root file system read-only, only /tmp can be written; settings are read, and wrong ones are exit status 2."""
    env = {"MIXPANEL_TOKEN": "x", "KAFKA_BOOTSTRAP_SERVERS": "k:1", "SCHEMA_REGISTRY_URL": "http://r"}
    done = start(image, "settings", "--output", "json", **env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["warnings"] == []
    assert start(image, "settings").returncode == 2


def test_it_serves_and_drains_as_pid_1(image, tmp_path):
    """Against a real broker: it reads, sends and commits; SIGTERM to PID 1 drains, and the exit status is 0."""
    with Sandbox() as sandbox:
        env = {**sandbox.exports(), "HTTP_PORT": str(free_port()), "LOG_FORMAT": "json"}
        produced = [sys.executable, "-m", "consumer", "produce", "--generate", "300"]
        subprocess.run(produced, cwd=ROOT, env=os.environ | env, check=True, timeout=120, capture_output=True)
        command = [*chart_image.sandboxed(*image, env=env), "run"]
        with (tmp_path / "log").open("w") as log:
            service = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            until(lambda: ask(f"http://127.0.0.1:{env['HTTP_PORT']}/readyz"), service)
            until(lambda: len(json.loads(ask(f"{sandbox.mixpanel.url}/profiles") or "[]")) > 10, service)
            (child,) = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()
            assert re.search(r"NSpid:\s+\d+\s+1$", Path(f"/proc/{child}/status").read_text(), re.MULTILINE)
            os.kill(int(child), signal.SIGTERM)
            assert service.wait(30) == 0, (tmp_path / "log").read_text()
        finally:
            service.kill()
            service.wait()
        assert '"stopped"' in (tmp_path / "log").read_text()


def ask(url):
    """The answer, or nothing where there is none or it is no 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read()
    except OSError:
        return b""


def until(condition, service, seconds=60):
    """Wait for a condition while the service runs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert service.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
