"""A real Apache Kafka on loopback: one node, KRaft, up in a few seconds.

    with Broker(folder) as broker:
        broker.create_topic("group-changes", partitions=4)
        consumer = Consumer({"bootstrap.servers": broker.bootstrap, ...})
        broker.freeze()

A stop, a kill and a restart keep its log and its port.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self
from uuid import uuid4

from consumer.sandbox.broker import jars as kafka_jars
from consumer.sandbox.broker.child_process import ChildProcess
from consumer.sandbox.broker.config import JVM, LOGGING, server_properties, startup_cache, tail
from consumer.sandbox.broker.security import SCRAM, Security
from consumer.sandbox.errors import SandboxError
from consumer.sandbox.ports import HOST, free_port, is_free

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

START_TIMEOUT: Final = 120.0  # a machine under load; three seconds are usual
STOP_TIMEOUT: Final = 20.0
ATTEMPTS: Final = 5


class Broker:
    """One Kafka broker with its data below `folder`. `port` 0 takes a free one.

    `properties` are added to the server's, or replace them. With `security` clients need what it says. `jvm` are
    more options for Java.
    """

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        *,
        properties: Mapping[str, str] | None = None,
        security: Security | None = None,
        jvm: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self._jvm = jvm
        self.security = security
        self._properties = dict(properties or {})
        self._wanted_port = port
        self._ports: tuple[int, int, int] = (port, 0, 0)  # for clients, for us, for the controller
        self._process: ChildProcess | None = None
        self._admin: AdminClient | None = None

    @property
    def port(self) -> int:
        """The port for clients; known once it was started."""
        return self._ports[0]

    @property
    def bootstrap(self) -> str:
        """What `KAFKA_BOOTSTRAP_SERVERS` is set to."""
        return f"{HOST}:{self.port}"

    @property
    def internal_bootstrap(self) -> str:
        """The listener that needs no credentials, whatever `security` says."""
        return f"{HOST}:{self._ports[1]}"

    @property
    def log(self) -> Path:
        """What Kafka says of itself."""
        return self.folder / "broker.log"

    @property
    def pid(self) -> int:
        """Java's process id. Raises `SandboxError` where it does not run."""
        return self._running().pid

    def start(self) -> None:
        """Start it, again after a stop, and return once it answers. Raises `SandboxError`."""
        if self._process is not None and self._process.running:
            raise SandboxError(f"the broker on {self.bootstrap} is running already")
        formatted = (self.folder / "data").is_dir()
        if (formatted or self._wanted_port) and not is_free(self.port):
            raise SandboxError(f"port {self.port} of {HOST} is taken, and Kafka cannot listen on it")
        attempts = 1 if formatted else ATTEMPTS
        for attempt in range(attempts):
            if not formatted:
                self._prepare()
            self._process = ChildProcess(self._java(self._jvm, "kafka.Kafka", self._config), self.log)
            try:
                self._wait_until_it_answers()
                if not formatted:
                    self._have_a_coordinator()
                return
            except SandboxError:
                self.kill()
                if attempt + 1 == attempts or "Address already in use" not in self._log_tail(200):
                    raise
                shutil.rmtree(self.folder / "data", ignore_errors=True)

    def stop(self, patience: float = STOP_TIMEOUT) -> None:
        """Shut it down in order; what does not end in so many seconds is killed."""
        self._end(signal.SIGTERM, patience)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it in order and start it again, on the same port with the same data."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Let it keep its connections and answer nothing."""
        self._running().send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._running().send(signal.SIGCONT)

    @property
    def admin(self) -> "AdminClient":
        """A client with every right, by the listener that needs no credentials."""
        if self._admin is None:
            from confluent_kafka.admin import AdminClient

            self._admin = AdminClient({"bootstrap.servers": self.internal_bootstrap, "log_level": 0})
        return self._admin

    def create_topic(self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> None:
        """Create a topic, and return once it can be written to. Raises KafkaException."""
        from confluent_kafka.admin import NewTopic

        topic = NewTopic(name, partitions, 1, config=dict(config or {}))
        self.admin.create_topics([topic], request_timeout=30)[name].result(60)
        deadline = time.monotonic() + 30
        while True:
            created = self.admin.list_topics(name, timeout=30).topics[name].partitions
            if len(created) == partitions and all(partition.leader == 1 for partition in created.values()):
                return
            if time.monotonic() > deadline:
                raise SandboxError(f"topic {name} has no leader after 30 s; see {self.log}")
            time.sleep(0.02)

    def set_password(self, user: str, password: str) -> None:
        """Give a user of SCRAM another password, or make a new user. PLAIN's users stay as they were."""
        from confluent_kafka.admin import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

        asked = self.security.mechanisms if self.security else ()
        for name in [name for name in asked if name in SCRAM]:
            how = ScramCredentialInfo(ScramMechanism[name.replace("-", "_")], 4096)
            change = UserScramCredentialUpsertion(user, how, password.encode())
            self.admin.alter_user_scram_credentials([change])[user].result(30)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def _config(self) -> str:
        return str(self.folder / "server.properties")

    def _running(self) -> ChildProcess:
        if self._process is None or not self._process.running:
            raise SandboxError("the broker is not running")
        return self._process

    def _end(self, number: signal.Signals, patience: float = STOP_TIMEOUT) -> None:
        if self._process is not None:
            if number == signal.SIGTERM:
                self._process.send(signal.SIGCONT)  # a frozen one would not hear of it
            self._process.end(number, patience)
            self._process = None
        self._admin = None

    def _java(self, options: tuple[str, ...], main: str, *arguments: str) -> list[str]:
        """The command that runs one of Kafka's classes."""
        java = str(kafka_jars.java())
        jars = sorted(str(jar) for jar in kafka_jars.jars().iterdir())
        if not options and startup_cache().exists():
            options = (f"-XX:AOTCache={startup_cache()}",)
        return [java, *JVM, *options, *LOGGING, "-cp", os.pathsep.join(jars), main, *arguments]

    def _prepare(self) -> None:
        """Choose ports, write the properties and have Kafka format its folder."""
        client, internal, controller = (self._wanted_port or free_port(), free_port(), free_port())
        if self.security is None:
            internal = client
        self._ports = (client, internal, controller)
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [
            f"{name}={value}"
            for name, value in server_properties(self._ports, self.folder, self.security, self._properties).items()
        ]
        config = Path(self._config)
        config.touch(0o600)
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        cluster = urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
        users = self.security.scram() if self.security else []
        command = self._java(
            (), "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", self._config, *users
        )
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(self.folder / "data", ignore_errors=True)
            raise SandboxError(f"Kafka cannot format {self.folder}:\n{tail(done.stderr + done.stdout, 15)}")

    def _wait_until_it_answers(self) -> None:
        """Return once the broker serves metadata. Raises `SandboxError` where Java ends, or nothing happens."""
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._process is None or not self._process.running:
                raise SandboxError(f"Kafka did not start; the end of {self.log}:\n{self._log_tail(15)}")
            if time.monotonic() > deadline:
                raise SandboxError(f"Kafka is not ready after {START_TIMEOUT:.0f} s; see {self.log}")
            time.sleep(0.02)

    def _have_a_coordinator(self) -> None:
        """Have the topic of committed offsets created, so that the first group need not wait for it.

        Nor need an admin client that asks for a group's offsets: librdkafka 2.16 crashes when it has to.
        """
        from confluent_kafka import Consumer, KafkaException, TopicPartition

        deadline = time.monotonic() + START_TIMEOUT
        consumer = Consumer({"bootstrap.servers": self.internal_bootstrap, "group.id": "sandbox", "log_level": 0})
        try:
            while True:
                try:
                    consumer.committed([TopicPartition("any", 0)], timeout=10)
                    return
                except KafkaException as error:  # its topic is there, and its partition not loaded yet
                    if time.monotonic() > deadline or not self._running():
                        raise SandboxError(f"Kafka has no group coordinator: {error}; see {self.log}") from error
                time.sleep(0.02)
        finally:
            consumer.close()

    def _answers(self) -> bool:
        from confluent_kafka import KafkaException

        try:
            socket.create_connection((HOST, self._ports[1]), 1).close()
            return bool(self.admin.list_topics(timeout=1).brokers)
        except (OSError, KafkaException):
            return False

    def _log_tail(self, lines: int) -> str:
        return tail(self.log.read_text("utf-8", "replace"), lines) if self.log.exists() else ""
