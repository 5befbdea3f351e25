"""Kafka Connect with Debezium's PostgreSQL connectors, in one process of its own; jars from Maven Central, once."""

import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import requests

from consumer.sandbox.broker import jars as kafka_jars
from consumer.sandbox.broker.child_process import ChildProcess
from consumer.sandbox.errors import SandboxError
from consumer.sandbox.ports import HOST, free_port

DEBEZIUM = "3.6.1.Final"
CONNECT = "4.3.0"  # what this Debezium was built with: 4.4.0 lacks a class of Kafka's (utils.Sanitizer) that it needs
CONVERTER = "2.6.2.Final"
JARS = [
    f"org.apache.kafka:connect-runtime:{CONNECT}",
    f"io.debezium:debezium-connector-postgres:{DEBEZIUM}",
    f"io.debezium:debezium-api:{DEBEZIUM}",
    f"io.debezium:debezium-embedded:{DEBEZIUM}",
    f"io.apicurio:apicurio-registry-utils-converter:{CONVERTER}",
    "org.slf4j:slf4j-simple:1.7.36",
]
PROGRAMS = ("java", "mvn")
DOWNLOAD_TIMEOUT = 400  # 43 MB, which may come slowly
START_TIMEOUT = 90.0


def jars() -> Path:
    """The folder with all jars, downloaded where this machine does not have them yet. Raises `SandboxError`."""
    folder = kafka_jars.cache() / f"debezium-{DEBEZIUM}-connect-{CONNECT}-converter-{CONVERTER}"
    if folder.is_dir():
        return folder
    with kafka_jars.lock(folder.with_name(f"{folder.name}.lock")):
        if not folder.is_dir():
            begun = folder.with_name(f"{folder.name}.partial")
            shutil.rmtree(begun, ignore_errors=True)
            begun.mkdir(parents=True)
            (begun / "pom.xml").write_text(_pom(), "utf-8")
            copy = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"]
            ended = subprocess.run(
                copy, cwd=begun, text=True, capture_output=True, timeout=DOWNLOAD_TIMEOUT, check=False
            )
            if ended.returncode:
                raise SandboxError(f"Debezium cannot be downloaded by Maven:\n{ended.stdout}\n{ended.stderr}")
            (begun / "jars").rename(folder)
            shutil.rmtree(begun)
    return folder


def _pom() -> str:
    wanted = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
        for group, name, version in (one.split(":") for one in JARS)
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>cdc</groupId>'
        f"<artifactId>cdc</artifactId><version>1</version><dependencies>{wanted}</dependencies></project>"
    )


class Connect:
    """One worker with its source connectors. What it has read is kept in the folder, over a restart."""

    def __init__(
        self, folder: Path, bootstrap: str, registry: str, sources: Mapping[str, Mapping[str, object]]
    ) -> None:
        """`registry` is the registry's root URL; `sources` are connectors by name, each with its own properties."""
        self.folder = folder
        self.port = free_port()
        self._process: ChildProcess | None = None
        folder.mkdir(parents=True, exist_ok=True)
        files = {"worker": self._worker(bootstrap, registry), **{name: dict(one) for name, one in sources.items()}}
        for name, properties in files.items():
            lines = [f"{key}={value}\n" for key, value in properties.items()]
            (folder / f"{name}.properties").write_text("".join(lines), "utf-8")
        self._names = list(sources)
        self._files = [str(folder / f"{name}.properties") for name in files]

    @property
    def log(self) -> Path:
        """What it says of itself."""
        return self.folder / "connect.log"

    def start(self) -> None:
        """Start it, again after an end; returns once its connectors run."""
        java = ["java", "-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars()}/*"]
        main = "org.apache.kafka.connect.cli.ConnectStandalone"
        self._process = ChildProcess([*java, main, *self._files], self.log)
        deadline = time.monotonic() + START_TIMEOUT
        while not all(self._runs(name) for name in self._names):
            assert self._process.running, f"Connect ended:\n{self.said()}"
            assert time.monotonic() < deadline, f"Connect's connectors do not run:\n{self.said()}"
            time.sleep(0.1)

    def stop(self) -> None:
        """Let it end in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does: what it had not noted is written again."""
        self._end(signal.SIGKILL)

    def check(self) -> None:
        """Fail where a connector has stopped."""
        for name in self._names:
            assert self._runs(name), f"connector {name} has stopped:\n{self.said()}"

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text("utf-8", "replace")[-4000:]

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.end(number, 20)
            self._process = None

    def _runs(self, name: str) -> bool:
        try:
            answer = requests.get(f"http://{HOST}:{self.port}/connectors/{name}/status", timeout=5)
        except requests.RequestException:
            return False
        tasks = answer.json().get("tasks", []) if answer.ok else []
        failed = [task["trace"] for task in tasks if task["state"] == "FAILED"]
        assert not failed, f"connector {name}: {failed[0]}"
        return bool(tasks) and all(task["state"] == "RUNNING" for task in tasks)

    def _worker(self, bootstrap: str, registry: str) -> dict[str, object]:
        properties: dict[str, object] = {
            "bootstrap.servers": bootstrap,
            "offset.storage.file.filename": self.folder / "offsets",
            "offset.flush.interval.ms": 500,
            "listeners": f"http://{HOST}:{self.port}",
            "plugin.discovery": "hybrid_warn",
            "topic.creation.enable": "true",
        }
        for side in ("key", "value"):
            properties |= {
                f"{side}.converter": "io.apicurio.registry.utils.converter.AvroConverter",
                f"{side}.converter.apicurio.registry.url": f"{registry}/apis/registry/v2",
                f"{side}.converter.apicurio.registry.as-confluent": "true",
                f"{side}.converter.apicurio.registry.use-id": "contentId",
                f"{side}.converter.apicurio.registry.headers.enabled": "false",
                f"{side}.converter.apicurio.registry.auto-register": "true",
                f"{side}.converter.apicurio.registry.find-latest": "true",
            }
        return properties
