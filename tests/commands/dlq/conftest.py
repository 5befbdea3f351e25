"""Dead letters as the service writes them, in topics of a real broker, and the command line that reads them."""

import importlib.resources
import io
import itertools
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fastavro
import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer

import consumer
from consumer.app import READER, reader
from consumer.cli import main
from consumer.commands.dlq.topic import Topic
from consumer.core.model import Assignment, DeadLetter, Record
from consumer.event.model import VERB_NAMES
from consumer.kafka.dead_letter_format import headers_of
from consumer.registry.cache import SchemaCache
from consumer.registry.client import Fetched
from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.mixpanel.server import MixpanelSandbox
from consumer.sandbox.ports import free_port
from consumer.settings import load

SCHEMA = fastavro.parse_schema(reader())
SCHEMA_ID = 7
TOKEN = "token"
VERBS = frozenset(VERB_NAMES)
CODE = str(Path(consumer.__file__).parents[1])
GONE = f"http://127.0.0.1:{free_port()}"  # a registry that is away
NOON = 1_786_968_000_000  # 2026-08-17 12:00 UTC


def event(group: str, operation: str = "SET", company: str | None = None, **properties: Any) -> bytes:
    """A change of the group, framed as Confluent's serializers do."""
    content = {
        "event_id": f"event-of-{group}",
        "occurred_at": NOON,
        "project": None,
        "group_key": "company",
        "group_id": group,
        "operation": operation,
        "properties": properties,
        "property_names": [],
        "company_id": company,
    }
    written = io.BytesIO(b"\0" + SCHEMA_ID.to_bytes(4, "big"))
    written.seek(5)
    fastavro.schemaless_writer(written, SCHEMA, content)
    return written.getvalue()


def letter(
    offset: int,
    group: str = "acme",
    reason: str = "rejected",
    *,
    topic: str = "changes",
    partition: int = 0,
    value: bytes | None = None,
    key: bytes | None = None,
    headers: Any = None,
    timestamp: int = NOON,
    project: str = "",
    company: str | None = None,
    **properties: Any,
) -> DeadLetter:
    """The dead letter of one change; its key names the group, as producers are asked to do."""
    record = Record(
        Assignment(topic, partition),
        offset,
        key if key is not None else f"company:{group}".encode(),
        value if value is not None else event(group, company=company, **(properties or {"plan": f"v{offset}"})),
        headers,
        timestamp,
        0.0,
    )
    stage = "TASK_PUT" if reason in ("rejected", "ambiguous_add") else "VALUE_CONVERTER"
    words = "plan is not what it should be" if reason == "rejected" else ""
    status = 400 if reason == "rejected" else 0
    update = b'{"$set":{"plan":1}}'
    return DeadLetter(record, reason, stage, f"why {offset}", SCHEMA_ID, status, words, update, project, company)


@dataclass
class Board:
    """One dead-letter topic with its sources, and the commands on it."""

    broker: Broker
    group: str
    names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def topic(self) -> str:
        """The dead-letter topic."""
        return f"{self.group}.dead-letters"

    @property
    def environ(self) -> dict[str, str]:
        """What points the commands at it."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap,
            "KAFKA_GROUP_ID": self.group,
        }

    def write(self, letters: Iterable[DeadLetter]) -> None:
        """Write the letters as the service does."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "linger.ms": 5, "acks": "all"})
        for one in letters:
            record = one.record
            while True:
                try:
                    producer.produce(
                        self.topic,
                        value=record.value,
                        key=record.key,
                        headers=[*(record.headers or []), *headers_of(one, self.group)],
                        timestamp=record.timestamp,
                        partition=record.assignment.partition,
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
        assert producer.flush(60) == 0

    def call(self, *arguments: str, **environ: str) -> Result:
        """`group-consumer dlq ...`"""
        return CliRunner().invoke(main, ["dlq", *arguments], env={**self.environ, **environ})

    def json(self, *arguments: str, **environ: str) -> Any:
        """What the command prints with --output json, once it has succeeded."""
        result = self.call(*arguments, "--output", "json", **environ)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """A command starts the log of its process: undo that."""
    root, own = logging.getLogger(), logging.getLogger("consumer")
    before = root.handlers[:], root.level, own.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    own.setLevel(before[2])


@pytest.fixture
def new_board(broker: Broker, group_id: str) -> Callable[..., Board]:
    """Makes a dead-letter topic: new_board(partitions=2)."""

    def create(partitions: int = 2, **config: str) -> Board:
        board = Board(broker, group_id)
        # The letters have the old times of their records: a topic with a retention would throw them away at once.
        broker.create_topic(board.topic, partitions, {"retention.ms": "-1", **config})
        return board

    return create


@pytest.fixture
def board(new_board: Callable[..., Board]) -> Board:
    """A dead-letter topic with two partitions."""
    return new_board()


@pytest.fixture
def schemas(tmp_path: Path) -> dict[str, str]:
    """The settings of a registry that is away, whose schema is in the cache folder."""
    text = importlib.resources.files("consumer.schemas").joinpath(READER).read_text("utf-8")
    SchemaCache(tmp_path, [GONE]).write(SCHEMA_ID, Fetched(text, ()))
    return {"SCHEMA_REGISTRY_URL": GONE, "SCHEMA_CACHE_DIR": str(tmp_path)}


@dataclass
class Replays:
    """`dlq replay` as a process of its own, against a Mixpanel."""

    board: Board
    mixpanel: MixpanelSandbox
    environ: dict[str, str]

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL, **environ: str) -> "subprocess.Popen[str]":
        """Begin one."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        settings = {"MIXPANEL_TOKEN": TOKEN, "MIXPANEL_URL": self.mixpanel.url, "BATCH_LINGER": "10ms"}
        return subprocess.Popen(
            [sys.executable, "-m", "consumer", "dlq", "replay", *arguments],
            env={**kept, "PYTHONPATH": CODE, **self.board.environ, **self.environ, **settings, **environ},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, *arguments: str, status: int = 0, **environ: Any) -> str:
        """Have one done, with this exit status; what it printed."""
        process = self.start(*arguments, **environ)
        out, err = process.communicate(timeout=120)
        assert process.returncode == status, (process.returncode, out, err)
        return out + err

    def json(self, *arguments: str, status: int = 0, **environ: Any) -> Any:
        """Have one done; its JSON."""
        process = self.start(*arguments, "--output", "json", **environ)
        out, err = process.communicate(timeout=120)
        assert process.returncode == status, (process.returncode, out, err)
        assert out, err
        return json.loads(out)

    def applied(self, group: str) -> list[dict[str, Any]]:
        """What Mixpanel applied to the group, without the envelope."""
        assert self.mixpanel.applied is not None
        sent = self.mixpanel.applied.of(TOKEN, "company", group)
        return [{name: value for name, value in update.items() if name in VERBS} for update in sent]

    def receipts(self) -> dict[str, str]:
        """The state of every record in the topic of the receipts."""
        found: dict[str, str] = {}
        with Topic(load(self.board.environ, need=())) as topic:
            topic.receipts.each(lambda key, receipt: found.__setitem__(key, receipt.state))
        return found


@pytest.fixture
def replays(board: Board, mixpanel: MixpanelSandbox, schemas: dict[str, str]) -> Replays:
    """Replays of the board's letters."""
    return Replays(board, mixpanel, schemas)
