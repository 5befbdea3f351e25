"""The rig: real Kafka, a registry and a cheap Mixpanel on one processor, what is measured alone on another."""

import json
import os
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from bench import workload as workloads
from bench.processes import MINE, THEIRS, Process, awake, cpu_of, memory_of, pinned, until
from bench.stub import MOST
from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.ports import free_port
from consumer.sandbox.registry.server import RegistrySandbox

SERVICE: Final = "service"
COMMANDS: Final = {
    SERVICE: ["consumer", "run"],
    "bare": ["bench.bare"],
    "popular": ["bench.loops", "popular"],
    "tuned": ["bench.loops", "tuned"],
    "retrying": ["bench.loops", "retrying"],
}
FULL: Final = 20_000  # so many events to a batch of the producer at most: full, however many partitions there are


@dataclass
class Load:
    """One topic with events in it."""

    name: str
    partitions: int
    events: int = 0


@dataclass(frozen=True)
class Contestant:
    """Who reads what, and under which conditions: `latency` and `mood` are the stub's, times in seconds."""

    load: Load
    latency: float = 0.08
    command: str = SERVICE
    settings: Mapping[str, str] = field(default_factory=dict)
    mood: str = "quiet"
    awake: bool = False  # whether its processor is kept from sleeping while it waits

    def alike(self) -> object:
        """Equal for those whose starts take as much."""
        return self.command, self.load.partitions, self.awake, *sorted(self.settings.items())


@dataclass
class Running:
    """A contestant that was started at `began`, in this group."""

    process: Process
    stub: int
    group: str
    began: float


@dataclass
class Result:
    """What one run came to. `cpu` is that of the whole process, less what a start with nothing to read takes."""

    events: int
    seconds: float  # from the first request until all was committed
    most_seconds: float  # until 95 % of the updates had come: the rest may wait for the linger or the busiest group
    cpu: float
    mib_sent: float
    mib: float  # the most it had
    requests: int
    updates: int
    failed: int
    first_request: float
    waits: list[float]
    dead_letters: int = 0

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def rate_of_most(self) -> float:
        """Events a second until 95 % had come."""
        return MOST * self.events / self.most_seconds

    @property
    def cpu_a_million(self) -> float:
        """CPU seconds for a million events."""
        return self.cpu / self.events * 1e6


class Rig:
    """Everything that a contestant talks to."""

    def __init__(self, folder: Path, broker: Broker, registry: RegistrySandbox) -> None:
        self.folder = folder
        self.broker = broker
        self.registry = registry
        self.schema_id = registry.register("group-changes-value", workloads.SCHEMA_TEXT)
        self._numbers = count(1)
        self._loads: dict[tuple[object, ...], Load] = {}

    def load(
        self,
        workload: str,
        events: int,
        partitions: int = 4,
        groups: int = workloads.GROUPS,
        projects: int = 1,
        to_a_batch: int = FULL,
    ) -> Load:
        """A topic with so many events of the workload; the one that is there already, if there is one."""
        key = (workload, events, partitions, groups, projects, to_a_batch)
        if key not in self._loads:
            source = workloads.events(workload, events, self.schema_id, groups=groups, projects=projects)
            self._loads[key] = self.filled(workload, source, partitions, to_a_batch)
        return self._loads[key]

    def filled(
        self, name: str, records: Iterable[tuple[str | bytes, bytes]], partitions: int = 4, to_a_batch: int = FULL
    ) -> Load:
        """A new topic with these keys and values."""
        load = Load(f"bench-{next(self._numbers)}-{name}", partitions)
        self.broker.create_topic(load.name, partitions)
        producer = self.producer(linger_ms=500, to_a_batch=to_a_batch)
        for key, value in records:
            producer.produce(load.name, value, key=key)
            load.events += 1
            if load.events % 5_000 == 0:
                producer.poll(0)
        assert producer.flush(120) == 0
        return load

    def producer(self, linger_ms: int = 20, to_a_batch: int = FULL) -> Producer:
        """A fast one."""
        return Producer(
            {
                "bootstrap.servers": self.broker.bootstrap,
                "linger.ms": linger_ms,
                "batch.size": 1_000_000,
                "batch.num.messages": to_a_batch,
                "queue.buffering.max.messages": 5_000_000,
                "queue.buffering.max.kbytes": 2_000_000,
                "compression.type": "lz4",
            }
        )

    def drain(self, contestant: Contestant, started_cpu: float = 0.0) -> Result:
        """Run until everything in the topic is committed; the CPU is what it took beyond that of a start."""
        with self.started(contestant) as running:
            self.settled(running, contestant.load)
            result = self.result(running, contestant.load.events, started_cpu)
            with self._as_member(running.group) as consumer:
                places = [TopicPartition(dead_letters(running.group), n) for n in range(contestant.load.partitions)]
                result.dead_letters = sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in places)
            return result

    def start(self, contestant: Contestant) -> tuple[float, float]:
        """CPU seconds of a start with nothing left to read, until it has its partitions; and MiB resident then."""
        with self.started(contestant, at_the_end=True) as running:
            admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})

            def has_partitions() -> bool:
                described = admin.describe_consumer_groups([running.group])[running.group].result()
                return any(member.assignment.topic_partitions for member in described.members)

            until(has_partitions)
            return cpu_of(running.process.pid), memory_of(running.process.pid)[0]

    def result(self, running: Running, events: int, cpu_before: float, since: float = 0.0) -> Result:
        """What it came to by now: from the first request on, or since a moment."""
        found, now = counts(running.stub), time.time()
        since = since or found["first"]
        return Result(
            events=events,
            seconds=now - since,
            most_seconds=max(0.001, found["most"] - since),
            cpu=cpu_of(running.process.pid) - cpu_before,
            mib_sent=found["bytes"] / 2**20,
            mib=memory_of(running.process.pid)[1],
            requests=found["requests"],
            updates=found["updates"],
            failed=found["failed"],
            first_request=found["first"] - running.began,
            waits=found["waits"],
        )

    def settled(self, running: Running, load: Load) -> None:
        """Wait until all that is in the topic is committed."""
        with self._as_member(running.group) as consumer:
            places = [TopicPartition(load.name, number) for number in range(load.partitions)]

            def committed() -> int:
                return sum(max(0, place.offset) for place in consumer.committed(places, timeout=10))

            until(lambda: committed() >= load.events)

    @contextmanager
    def started(self, contestant: Contestant, at_the_end: bool = False) -> Iterator[Running]:
        """The contestant in a group of its own, with a stub of its own; `at_the_end` all is committed before."""
        load, group, port = contestant.load, f"bench-group-{next(self._numbers)}", free_port()
        self.broker.create_topic(dead_letters(group), load.partitions)
        if at_the_end:
            self._commit_all(group, load)
        command = [sys.executable, "-P", "-m", "bench.stub", str(port), str(contestant.latency), contestant.mood]
        stub = pinned(command, THEIRS)
        environ = {
            "KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap,
            "KAFKA_TOPICS": load.name,
            "KAFKA_GROUP_ID": group,
            "SCHEMA_REGISTRY_URL": self.registry.url,
            "MIXPANEL_TOKEN": "0123456789abcdef0123456789abcdef",
            "MIXPANEL_URL": f"http://127.0.0.1:{port}",
            "HTTP_PORT": "0",
            **contestant.settings,
        }
        with awake(MINE) if contestant.awake else nullcontext(), (self.folder / f"{group}.log").open("wb") as log:
            until(lambda: answers(port))
            began = time.time()
            process = pinned([sys.executable, "-P", "-m", *COMMANDS[contestant.command]], MINE, environ, log)
            try:
                yield Running(process, port, group, began)
            finally:
                for one in (process, stub):
                    gently = one is process and contestant.command == SERVICE
                    one.send_signal(signal.SIGTERM if gently else signal.SIGKILL)
                    one.wait(60)

    def _commit_all(self, group: str, load: Load) -> None:
        with self._as_member(group) as consumer:
            places = [TopicPartition(load.name, number) for number in range(load.partitions)]
            for place in places:
                place.offset = consumer.get_watermark_offsets(place, timeout=10)[1]
            consumer.commit(offsets=places, asynchronous=False)

    @contextmanager
    def _as_member(self, group: str) -> Iterator[Consumer]:
        """A client that may ask and say what the group has committed, and never joins it."""
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": group})
        try:
            yield consumer
        finally:
            consumer.close()


@contextmanager
def built() -> Iterator[Rig]:
    """The rig, with all but what is measured on the other processors."""
    os.sched_setaffinity(0, THEIRS)
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary)
        with Broker(folder / "broker") as broker, RegistrySandbox() as registry:
            yield Rig(folder, broker, registry)


def dead_letters(group: str) -> str:
    """Where the service puts them, if nothing else is set."""
    return f"{group}.dead-letters"


def counts(port: int) -> dict[str, Any]:
    """What the stub saw so far."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/counts", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def answers(port: int) -> bool:
    """Whether the stub listens."""
    try:
        counts(port)
    except OSError:
        return False
    return True
