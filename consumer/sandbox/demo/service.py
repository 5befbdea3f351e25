"""One instance of the real service, in a process of its own, and what it says of itself."""

import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import requests
from prometheus_client.parser import text_string_to_metric_families

import consumer
from consumer.sandbox.broker.child_process import ChildProcess
from consumer.sandbox.broker.config import tail
from consumer.sandbox.errors import SandboxError
from consumer.sandbox.ports import free_port

PREFIX: Final = "group_consumer_"
OURS: Final = (
    "KAFKA_",
    "SCHEMA_",
    "MIXPANEL_",
    "BATCH_",
    "MAX_",
    "DRAIN_",
    "FOLD",
    "AMBIGUOUS_",
    "ADD_",
    "DEAD_",
    "MAPPING_",
    "HTTP_",
    "LOG_",
)
TIMEOUT: Final = 5.0


@dataclass
class Numbers:
    """The service's metrics at one moment: by name without the prefix, each value with its labels."""

    values: dict[str, list[tuple[dict[str, str], float]]] = field(default_factory=dict)

    def total(self, name: str) -> int:
        """The sum over all labels."""
        return round(sum(value for _, value in self.values.get(name, ())))

    def halted(self) -> list[str]:
        """The projects that Mixpanel refuses, each with its answer."""
        return [f"{labels['project']}: {labels['cause']}" for labels, value in self.values.get("halted", ()) if value]

    def by_label(self, name: str, label: str) -> dict[str, int]:
        """A metric's values by one of its labels."""
        values: dict[str, int] = {}
        for labels, value in self.values.get(name, ()):
            values[labels[label]] = values.get(labels[label], 0) + round(value)
        return values


class Service:
    """The service as `group-consumer run` starts it. `settings` are environment variables."""

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str]) -> None:
        """Start it. It reads no settings of this process's own environment."""
        self.name = name
        self.port = free_port()
        self.log = folder / f"{name}.log"
        self.numbers = Numbers()
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        package = str(Path(consumer.__file__).parents[1])
        environment = {
            **inherited,
            "PYTHONPATH": package,
            "PYTHONUNBUFFERED": "1",
            "HTTP_PORT": str(self.port),
            "LOG_FORMAT": "json",
            **settings,
        }
        self._process = ChildProcess([sys.executable, "-P", "-m", "consumer", "run"], self.log, environment)
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process.running

    def readiness(self) -> tuple[bool, list[str]]:
        """Whether it can do its work, and why not."""
        if not self.running:
            return False, [f"ended with exit status {self._process.status}"]
        try:
            answer = self._session.get(f"http://127.0.0.1:{self.port}/readyz", timeout=TIMEOUT)
            return answer.status_code == 200, list(answer.json()["reasons"])
        except (requests.RequestException, ValueError, KeyError):
            return False, ["does not answer yet"]

    def scrape(self) -> Numbers:
        """Its metrics now; the last that were had where it does not answer."""
        try:
            text = self._session.get(f"http://127.0.0.1:{self.port}/metrics", timeout=TIMEOUT).text
        except requests.RequestException:
            return self.numbers
        values: dict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                values[sample.name.removeprefix(PREFIX)].append((sample.labels, sample.value))
        self.numbers = Numbers(dict(values))
        return self.numbers

    def wait_until_ready(self, seconds: float) -> None:
        """Return once it is ready. Raises `SandboxError` with what its log says last where it is not."""
        deadline = time.monotonic() + seconds
        while not self.readiness()[0]:
            if not self.running or time.monotonic() > deadline:
                raise SandboxError(f"the service is not ready: {', '.join(self.readiness()[1])}\n{self.said()}")
            time.sleep(0.05)

    def stop(self, patience: float = 60.0) -> int:
        """Let it drain, commit and end; says its exit status."""
        self._session.close()
        return self._process.end(signal.SIGTERM, patience)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._session.close()
        self._process.end(signal.SIGKILL, 10)

    def said(self, lines: int = 10) -> str:
        """The end of its log."""
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        return f"the end of {self.log}:\n{tail(text, lines)}"
