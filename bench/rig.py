"""The rig: real Kafka, a registry and a cheap Mixpanel on one processor, what is measured alone on another."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from bench import workload as workloads
from bench.stub import MOST
from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.ports import free_port
from consumer.sandbox.registry.server import RegistrySandbox

COMMANDS = {
    "service": [sys.executable, "-P", "-m", "consumer", "run"],
    "popular loop": [sys.executable, "-P", "-m", "bench.loops", "popular"],
    "tuned loop": [sys.executable, "-P", "-m", "bench.loops", "tuned"],
    "retrying loop": [sys.executable, "-P", "-m", "bench.loops", "retrying"],
}
PROCESSORS = sorted(os.sched_getaffinity(0))
MINE, THEIRS = {PROCESSORS[0]}, set(PROCESSORS[1:]) or {PROCESSORS[0]}
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Load:
    """One topic with events in it."""

    name: str
    partitions: int
    events: int
    bytes: int


@dataclass
class Result:
    """What one run of one contestant came to."""

    contestant: str
    workload: str
    events: int
    seconds: float
    most_seconds: float  # until 95 % of the updates had come: the rest may wait for the busiest group
    cpu: float
    mib_sent: float
    peak_mib: float
    requests: int
    updates: int
    failed: int
    refused: int
    first_request: float
    waits: list[float]

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
        self._runs = 0

    def load(
        self, workload: str, events: int, partitions: int = 4, groups: int = workloads.GROUPS, projects: int = 1
    ) -> Load:
        """A new topic with so many events of the workload."""
        source = workloads.events(workload, events, self.schema_id, groups=groups, projects=projects)
        return self.filled(workload, source, partitions)

    def filled(self, name: str, records: Iterable[tuple[str | bytes, bytes]], partitions: int = 4) -> Load:
        """A new topic with these keys and values."""
        self._runs += 1
        load = Load(f"bench-{self._runs}-{name}", partitions, 0, 0)
        self.broker.create_topic(load.name, partitions)
        producer = self.producer(linger_ms=500)  # full batches, however many partitions there are
        for key, value in records:
            producer.produce(load.name, value, key=key)
            load.events += 1
            load.bytes += len(value)
            if load.events % 5_000 == 0:
                producer.poll(0)
        assert producer.flush(120) == 0
        return load

    def producer(self, linger_ms: int = 20) -> Producer:
        """A fast one."""
        return Producer(
            {
                "bootstrap.servers": self.broker.bootstrap,
                "linger.ms": linger_ms,
                "batch.size": 1_000_000,
                "batch.num.messages": 20_000,
                "queue.buffering.max.messages": 5_000_000,
                "queue.buffering.max.kbytes": 2_000_000,
                "compression.type": "lz4",
            }
        )

    def drain(
        self,
        contestant: str,
        load: Load,
        latency: float,
        settings: dict[str, str] | None = None,
        mood: str = "quiet",
    ) -> Result:
        """Time from the first request until everything in the topic is committed; `mood` is that of the stub."""
        with self._started(contestant, load, latency, settings, mood) as (process, stub, began):
            committed = self._committed(load)
            until(lambda: counts(stub)["requests"] > 0)
            started, cpu_before = time.time(), cpu_of(process.pid)
            already = counts(stub)["updates"]
            until(lambda: committed() >= load.events)
            return self._result(contestant, load, process, stub, started, cpu_before, began, already)

    def steady(self, load: Load, rate: int, seconds: float, latency: float) -> Result:
        """Produce at a rate, with one event in a hundred timed from there to Mixpanel's answer."""
        source = list(workloads.events("mixed", int(rate * seconds), self.schema_id, seed=2))
        with self._started("service", load, latency, None) as (process, stub, began):
            producer = self.producer(linger_ms=10)
            producer.produce(load.name, source[0][1])
            producer.flush(60)
            until(lambda: counts(stub)["requests"] > 0)  # it has joined and knows the schema
            started, cpu_before = time.time(), cpu_of(process.pid)
            produce_steadily(producer, load.name, rate, source, self.schema_id)
            producer.flush(60)
            load.events += 1 + len(source)
            committed = self._committed(load)
            until(lambda: committed() >= load.events)
            result = self._result("service", load, process, stub, started, cpu_before, began, 1)
            result.first_request = 0.0  # it waited for the first event
            return result

    def _result(
        self,
        contestant: str,
        load: Load,
        process: "subprocess.Popen[bytes]",
        stub: int,
        started: float,
        cpu_before: float,
        began: float,
        already: int,
    ) -> Result:
        found = counts(stub)
        return Result(
            contestant=contestant,
            workload=load.name.split("-")[-1],
            events=max(1, load.events - already),
            seconds=time.time() - started,
            most_seconds=max(0.001, found["most"] - started),
            cpu=cpu_of(process.pid) - cpu_before,
            mib_sent=found["bytes"] / 2**20,
            peak_mib=peak_of(process.pid),
            requests=found["requests"],
            updates=found["updates"],
            failed=found["failed"],
            refused=found["refused"],
            first_request=found["first"] - began,
            waits=found["waits"],
        )

    @contextmanager
    def _started(
        self, contestant: str, load: Load, latency: float, settings: dict[str, str] | None, mood: str = "quiet"
    ) -> Iterator[tuple["subprocess.Popen[bytes]", int, float]]:
        port = free_port()
        command = [sys.executable, "-P", "-m", "bench.stub", str(port), str(latency), mood]
        stub = pinned(command, THEIRS, {}, subprocess.DEVNULL)
        self._runs += 1
        group = f"bench-group-{self._runs}"
        self.broker.create_topic(f"{group}.dead-letters", load.partitions)
        environ = {
            "KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap,
            "KAFKA_TOPICS": load.name,
            "KAFKA_GROUP_ID": group,
            "SCHEMA_REGISTRY_URL": self.registry.url,
            "MIXPANEL_TOKEN": "0123456789abcdef0123456789abcdef",
            "MIXPANEL_URL": f"http://127.0.0.1:{port}",
            "HTTP_PORT": "0",
            **(settings or {}),
        }
        self._group = group
        with (self.folder / f"{group}.log").open("wb") as log:
            until(lambda: answers(port))
            began = time.time()
            process = pinned(COMMANDS[contestant], MINE, environ, log)
        try:
            yield process, port, began
        finally:
            for one in (process, stub):
                one.send_signal(signal.SIGTERM if one is process and contestant == "service" else signal.SIGKILL)
                one.wait(60)

    def _committed(self, load: Load) -> Any:
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": self._group})
        places = [TopicPartition(load.name, number) for number in range(load.partitions)]

        def total() -> int:
            return sum(max(0, place.offset) for place in consumer.committed(places, timeout=10))

        return total


@contextmanager
def built() -> Iterator[Rig]:
    """The rig, with all but what is measured on the other processors."""
    os.sched_setaffinity(0, THEIRS)
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary)
        with Broker(folder / "broker") as broker, RegistrySandbox() as registry:
            yield Rig(folder, broker, registry)


def produce_steadily(
    producer: Producer, topic: str, rate: int, source: list[tuple[str, bytes]], schema_id: int
) -> None:
    """So many events a second, in slices of 10 ms; one in a hundred says when it was made."""
    began = time.time()
    for written, (key, value) in enumerate(source):
        if written % 100 == 0:
            key, value = timed(schema_id, written)
        producer.produce(topic, value, key=key)
        ahead = written / rate - (time.time() - began)
        if ahead > 0.01:
            producer.poll(ahead)


def timed(schema_id: int, number: int) -> tuple[str, bytes]:
    """An event that says when it was made."""
    import io

    import fastavro

    event = {
        "event_id": str(number),
        "occurred_at": 0,
        "project": None,
        "group_key": "company",
        "group_id": f"timed-{number}",
        "operation": "SET",
        "properties": {"sent_at": int(time.time() * 1e6)},
        "property_names": [],
    }
    written = io.BytesIO()
    written.write(b"\0" + schema_id.to_bytes(4, "big"))
    fastavro.schemaless_writer(written, workloads.SCHEMA, event)
    return f"company:timed-{number}", written.getvalue()


def pinned(command: list[str], processors: set[int], environ: dict[str, str], log: Any) -> "subprocess.Popen[bytes]":
    """A process that may use these processors alone."""
    return subprocess.Popen(
        command,
        env={**os.environ, **environ},
        stdout=log,
        stderr=log,
        preexec_fn=lambda: os.sched_setaffinity(0, processors),
    )


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


def cpu_of(pid: int) -> float:
    """CPU seconds of a process so far, all threads, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_of(pid: int) -> float:
    """The most memory that a process had, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def until(condition: Any, seconds: float = 600.0) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the contestant does not come to an end"
        time.sleep(0.05)
