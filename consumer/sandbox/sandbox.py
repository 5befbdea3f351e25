"""Everything that the service talks to, together on loopback: broker, registry, Mixpanel.

    with Sandbox() as sandbox:
        environment = os.environ | sandbox.exports()

Its topics exist and the event schema is registered once it has started. What it wrote is gone when it ends.
"""

import tempfile
from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from consumer.kafka.dead_letter_format import ROOM
from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.errors import SandboxError
from consumer.sandbox.mixpanel.project import TOKEN
from consumer.sandbox.mixpanel.server import MixpanelSandbox
from consumer.sandbox.ports import free_port, is_free
from consumer.sandbox.registry.server import RegistrySandbox
from consumer.sandbox.traffic.schemas import SUBJECT
from consumer.schemas import newest

PARTS: Final = ("broker", "registry", "mixpanel")
TOPIC: Final = "group-changes"
GROUP: Final = "mixpanel-groups"
DEAD_LETTERS: Final = f"{GROUP}.dead-letters"
PARTITIONS: Final = 4
# How long after a write Mixpanel's Query API has been seen to show it, in seconds.
LAG: Final = (2.0, 30.0)
# Dead letters are kept for good, of whatever time, and have room for what is added to a record of the largest size.
DEAD_LETTER_CONFIG: Final = {
    "retention.ms": "-1",
    "max.message.bytes": str(1_048_588 + ROOM),
    "message.timestamp.after.max.ms": str(2**63 - 1),
}


class Sandbox:
    """All parts, or those that are named; `say` is told how far the start is.

    A port of 0 takes a free one. There are so many `projects`: the default one, and others that events can name.
    """

    def __init__(
        self,
        parts: Collection[str] = PARTS,
        *,
        broker_port: int = 0,
        registry_port: int = 0,
        mixpanel_port: int = 0,
        partitions: int = PARTITIONS,
        projects: int = 1,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.parts = tuple(part for part in PARTS if part in parts)
        self.partitions = partitions
        # Name and token of each project beside the default one: all of them are of the one Mixpanel.
        self.projects = {f"project-{number}": f"{TOKEN}-{number}" for number in range(2, projects + 1)}
        self._projects_file = ""
        self.registry = RegistrySandbox(registry_port or free_port())
        self.mixpanel = MixpanelSandbox(mixpanel_port or free_port(), lag=LAG)
        self._broker_port = broker_port
        self._broker: Broker | None = None
        self._say = say
        self._running = ExitStack()

    @property
    def broker(self) -> Broker:
        """The broker. Raises `SandboxError` where there is none."""
        if self._broker is None:
            raise SandboxError("this sandbox has no broker")
        return self._broker

    def start(self) -> None:
        """Start every part; where one cannot be started none is left. Raises `SandboxError`."""
        try:
            if "mixpanel" in self.parts:
                self._serve("mixpanel", self.mixpanel)
                self._write_projects()
                self._say(f"Mixpanel   {self.mixpanel.url}/  (a page to look at)")
            if "registry" in self.parts:
                self._serve("registry", self.registry)
                self.registry.register(SUBJECT, newest())
                self._say(f"registry   {self.registry.url}")
            if "broker" in self.parts:
                self._start_broker()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every part, and forget all data."""
        self._running.close()

    def exports(self) -> dict[str, str]:
        """The settings that point the service at it."""
        settings: dict[str, str] = {}
        if "broker" in self.parts:
            settings |= {
                "KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap,
                "KAFKA_TOPICS": TOPIC,
                "KAFKA_GROUP_ID": GROUP,
                "KAFKA_DEAD_LETTER_TOPIC": DEAD_LETTERS,
            }
        if "registry" in self.parts:
            settings["SCHEMA_REGISTRY_URL"] = self.registry.url
        if "mixpanel" in self.parts:
            project = self.mixpanel.project
            settings |= {
                "MIXPANEL_URL": self.mixpanel.url,
                "MIXPANEL_TOKEN": project.token,
                "MIXPANEL_PROJECT_ID": project.id,
                "MIXPANEL_SERVICE_ACCOUNT_USERNAME": project.username,
                "MIXPANEL_SERVICE_ACCOUNT_SECRET": project.secret,
                "MIXPANEL_QUERY_URL": self.mixpanel.url,
            }
        if self._projects_file:
            settings["MIXPANEL_PROJECTS_FILE"] = self._projects_file
        return settings

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _serve(self, part: str, server: RegistrySandbox | MixpanelSandbox) -> None:
        try:
            server.start()
        except OSError as error:
            taken = "is taken" if not is_free(server.port) else f"cannot be had: {error.strerror}"
            raise SandboxError(f"port {server.port} of 127.0.0.1 {taken}; --{part}-port takes another") from error
        self._running.callback(server.stop)

    def _write_projects(self) -> None:
        """The file that names the projects beside the default one, where there are any."""
        if self.projects:
            folder = self._running.enter_context(tempfile.TemporaryDirectory(prefix="group-consumer-sandbox-"))
            file = Path(folder) / "projects.toml"
            file.write_text("".join(f'[{name}]\ntoken = "{token}"\n' for name, token in self.projects.items()))
            self._projects_file = str(file)

    def _start_broker(self) -> None:
        folder = self._running.enter_context(tempfile.TemporaryDirectory(prefix="group-consumer-sandbox-"))
        self._broker = Broker(Path(folder) / "broker", self._broker_port)
        self._running.callback(self._broker.kill)  # its data is forgotten: nothing to shut down in order
        self._say("Kafka      starting")
        self._broker.start()
        self._broker.create_topic(TOPIC, self.partitions)
        self._broker.create_topic(DEAD_LETTERS, self.partitions, DEAD_LETTER_CONFIG)
        self._say(f"Kafka      {self._broker.bootstrap}, topics {TOPIC} and {DEAD_LETTERS}")
