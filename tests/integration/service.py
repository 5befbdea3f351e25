"""One instance of the service: `python -m consumer run` as a process, seen from outside as an operator sees it."""

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

import consumer
from consumer.sandbox.broker.child_process import ChildProcess
from tests.integration.watching import PATIENCE, until

# The service runs the very code that these tests see, installed or in the tree.
CODE = str(Path(consumer.__file__).parents[1])
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")


class Service:
    """Started at once. Its log is one JSON object a line."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        folder.mkdir(parents=True)
        self.log_file = folder / "log"
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        settings = {"HTTP_PORT": "0", "LOG_FORMAT": "json", "PYTHONPATH": CODE, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-P", "-m", "consumer", "run"]
        self.process = ChildProcess(command, self.log_file, {**kept, **settings, **environ})
        self._port = 0

    # As a supervisor.

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send(number)

    def stop(self, patience: float = 40.0) -> int:
        """Stop it in order; its exit status."""
        self.signal(signal.SIGTERM)
        return self.ended(patience)

    def ended(self, patience: float = 40.0) -> int:
        """Wait for its end; its exit status."""
        return self.process.wait(patience)

    def kill(self) -> None:
        """End it as a crash does; nothing where it has ended."""
        self.process.end(signal.SIGKILL, PATIENCE)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.running

    # As a probe and a scraper.

    @property
    def port(self) -> int:
        """The port of its metrics, as its first line says."""
        if not self._port:
            line = until(lambda: self.lines("starting") or not self.running, "the service says that it starts")
            assert line is not True, self.log_file.read_text()
            self._port = line[0]["port"]
        return self._port

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; 0 where there is no answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    def reasons(self) -> list[str]:
        """Why it is not ready; empty where it is. A service without an answer has that for a reason."""
        _, body = self.get("/readyz")
        return json.loads(body)["reasons"] if body else ["no answer"]

    def ready(self) -> bool:
        """Whether `/readyz` says so."""
        return self.get("/readyz")[0] == 200

    def metrics(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """Every sample by its name without the prefix."""
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                found.setdefault(sample.name.removeprefix("group_consumer_"), []).append(
                    (sample.labels, sample.value)
                )
        return found

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels."""
        samples = self.metrics().get(name, [])
        return sum(value for has, value in samples if labels.items() <= has.items())

    # As a reader of its log.

    def log(self) -> list[dict[str, Any]]:
        """Every whole line; each has to be an object, or the service has crashed."""
        text = self.log_file.read_text("utf-8")
        lines = text[: text.rfind("\n") + 1].splitlines()
        assert all(line.startswith("{") for line in lines), text[-3000:]
        return [json.loads(line) for line in lines]

    def lines(self, words: str) -> list[dict[str, Any]]:
        """The lines with these words in them, in the message or in a field."""
        return [line for line in self.log() if words in json.dumps(line, ensure_ascii=False)]

    def said(self, words: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The first line with these words, once there is one."""
        return until(lambda: self.lines(words), f"the log says {words!r}", seconds)[0]

    def check_log(self) -> None:
        """Every line is an object that a machine can read, and none tells of a mistake in the program."""
        for line in self.log():
            assert {"time", "level", "logger", "message"} <= line.keys(), line
            assert "exception" not in line, line
