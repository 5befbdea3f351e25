"""`demo --serve`: the demo without an end, with a page to watch it on and buttons to disturb it.

The page is the sandbox's Mixpanel; it shows profiles and requests by itself. What is added here: instances of the
service, lag, dead letters, and the buttons.
"""

import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Final

import click
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from confluent_kafka.cimpl import OFFSET_BEGINNING

from consumer.sandbox.audit import headers_of, observer, offsets
from consumer.sandbox.demo import READY, say
from consumer.sandbox.producing import paced, produce
from consumer.sandbox.sandbox import DEAD_LETTERS, GROUP, TOPIC, Sandbox
from consumer.sandbox.service import Service
from consumer.sandbox.steps import Steps
from consumer.sandbox.traffic import Traffic
from consumer.sandbox.traffic_schemas import Writers, register

RATE: Final = 40.0
RATES: Final = (5.0, 40.0, 400.0)
BURST: Final = 5_000
BAD_BURST: Final = 50
INSTANCES: Final = 4  # as many as there are partitions
LETTERS: Final = 100
FREEZE: Final = 10.0
EVERY: Final = 0.5
PATIENCE: Final = 3.0


def serve(seed: int) -> None:
    """Keep it all going until this thread is told to stop."""
    with Sandbox(say=say) as sandbox, Show(sandbox, seed) as show:
        show.add_instance()
        show.wait()
        say(f"service    ready, group {GROUP}")
        click.echo(f"\nOpen {sandbox.mixpanel.url}/ in a browser. Ctrl-C ends it all.")
        click.echo("For other commands in another terminal, such as group-consumer dlq list:")
        click.echo("  export " + " ".join(f"{name}={value}" for name, value in sandbox.exports().items()))
        Event().wait()


class Show:
    """The traffic, the instances of the service, and what the page asks of them."""

    def __init__(self, sandbox: Sandbox, seed: int) -> None:
        self._sandbox = sandbox
        self._seed = count(seed)
        self._writers: Writers = register(sandbox.registry.register, sandbox.registry.guid)
        self._lock = Lock()
        self._instances: list[Service] = []
        self._ended: Counter[str] = Counter()  # what instances that are gone had counted
        self._numbers = count(1)
        self._steps = Steps()
        self._rate = RATE
        self._stopping = Event()
        self._letters: deque[dict[str, Any]] = deque(maxlen=LETTERS)
        self._state: dict[str, Any] = {
            "events_read": 0,
            "dead_letters": {},
            "lag": 0,
            "committed": 0,
            "consumed": 0,
            "instances": [],
        }
        self._running = ExitStack()

    def __enter__(self) -> "Show":
        self._folder = Path(self._running.enter_context(tempfile.TemporaryDirectory(prefix="group-consumer-demo-")))
        self._running.callback(self._end)
        mixpanel = self._sandbox.mixpanel
        mixpanel.watch(self._steps.see)
        mixpanel.provide("service", lambda: self._state | {"order": self._steps.as_json()})
        mixpanel.provide("dead-letters", lambda: list(self._letters))
        for name, label, act in self._buttons():
            mixpanel.action(name, label, act)
        self._threads = [
            Thread(target=work, daemon=True) for work in (self._traffic, self._watch, self._follow_letters)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def wait(self) -> None:
        """Return once every instance is ready. Raises `SandboxError`."""
        for service in list(self._instances):
            service.wait_until_ready(READY)

    # The buttons.

    def _buttons(self) -> list[tuple[str, str, Callable[[], str]]]:
        return [
            ("add-instance", "Add an instance (rebalance)", self.add_instance),
            ("stop-instance", "Stop an instance", self.stop_instance),
            ("kill-instance", "Kill an instance", self.kill_instance),
            ("rate", "Change the rate of events", self.change_rate),
            ("burst", f"{BURST:,} events at once", self.burst),
            ("bad", f"{BAD_BURST} bad records", self.bad_records),
            ("registry", "Stop or start the registry", self.toggle_registry),
            ("freeze", f"Freeze Kafka for {FREEZE:.0f} s", self.freeze),
        ]

    def add_instance(self) -> str:
        """One more member of the group: partitions move to it."""
        with self._lock:
            if len(self._instances) >= INSTANCES:
                return f"{INSTANCES} instances already: there are no more partitions"
            name = f"service-{next(self._numbers)}"
            self._instances.append(Service(name, self._folder, self._sandbox.exports()))
        return f"{name} starts, and partitions move to it"

    def stop_instance(self) -> str:
        """The newest drains, commits and leaves: its partitions move on with nothing repeated."""
        service = self._take()
        if service is None:
            return "one instance has to stay"
        status = service.stop()
        return f"{service.name} has drained and ended with status {status}"

    def kill_instance(self) -> str:
        """The newest dies: the group misses it after the session's time-out, and repeats what was not committed."""
        service = self._take()
        if service is None:
            return "one instance has to stay"
        service.kill()
        return f"{service.name} is dead: the group will miss it in a while, and read again what it had not committed"

    def change_rate(self) -> str:
        """The next rate."""
        self._rate = RATES[(RATES.index(self._rate) + 1) % len(RATES)]
        return f"{self._rate:.0f} events a second from now on"

    def burst(self) -> str:
        """Many events at once."""
        self._produce(Traffic(self._writers, seed=next(self._seed)), BURST)
        return f"{BURST:,} events are in the topic"

    def bad_records(self) -> str:
        """Nothing but bad records, of every reason."""
        self._produce(Traffic(self._writers, seed=next(self._seed), bad=1.0), BAD_BURST)
        return f"{BAD_BURST} bad records are in the topic"

    def toggle_registry(self) -> str:
        """Known schemas go on; a service that is new has to wait."""
        registry = self._sandbox.registry
        if registry.running:
            registry.stop()
            return "the registry is down: known schemas go on, a new instance waits for it"
        registry.start()
        return "the registry is back"

    def freeze(self) -> str:
        """A broker that keeps its connections and says nothing."""
        self._sandbox.broker.freeze()
        self._stopping.wait(FREEZE)
        self._sandbox.broker.thaw()
        return "Kafka is back: nothing was lost"

    def _take(self) -> Service | None:
        """The newest instance, if another one stays."""
        with self._lock:
            if len(self._instances) < 2:
                return None
            service = self._instances.pop()
        self._remember(service)
        return service

    def _remember(self, service: Service) -> None:
        numbers = service.scrape()
        with self._lock:
            self._ended["read"] += numbers.total("records_total")
            self._ended.update(
                {f"reason {name}": value for name, value in numbers.by_label("dead_letters_total", "reason").items()}
            )

    # What goes on beside the page.

    def _traffic(self) -> None:
        """Steady traffic, over whatever is done to the broker."""
        while not self._stopping.is_set():
            traffic = Traffic(self._writers, seed=next(self._seed))
            events = paced(self._steps.among(traffic.events(1_000_000), traffic), lambda: self._rate, self._stopping)
            with suppress(KafkaException, TimeoutError):
                produce(
                    self._sandbox.broker.bootstrap, TOPIC, events, stopping=self._stopping, config={"linger.ms": 5}
                )

    def _produce(self, traffic: Traffic, events: int) -> None:
        produce(self._sandbox.broker.bootstrap, TOPIC, traffic.events(events), stopping=self._stopping)

    def _watch(self) -> None:
        """Keep the page's figures."""
        with observer(self._sandbox.broker, GROUP) as group:
            while not self._stopping.wait(EVERY):
                with suppress(KafkaException):
                    self._look(group)

    def _look(self, group: Consumer) -> None:
        with self._lock:
            instances = list(self._instances)
            ended = self._ended.copy()
        dead: Counter[str] = Counter()
        read = ended.pop("read", 0)
        for name, value in ended.items():
            dead[name.removeprefix("reason ")] += value
        shown = []
        for service in instances:
            numbers = service.scrape()
            read += numbers.total("records_total")
            dead.update(numbers.by_label("dead_letters_total", "reason"))
            ready, reasons = service.readiness()
            assigned = sorted(numbers.by_label("lag_records", "partition"))
            shown.append({"name": service.name, "ready": ready, "reasons": reasons, "assigned": assigned})
        self._state = self._state | {"events_read": read, "dead_letters": dict(+dead), "instances": shown}
        committed, end = offsets(group, TOPIC, PATIENCE)
        self._state = self._state | {"lag": end - committed, "committed": committed, "consumed": max(read, committed)}

    def _follow_letters(self) -> None:
        """Keep the newest dead letters."""
        places = [TopicPartition(DEAD_LETTERS, one, OFFSET_BEGINNING) for one in range(self._sandbox.partitions)]
        with observer(self._sandbox.broker, "sandbox-page") as consumer:
            consumer.assign(places)
            while not self._stopping.is_set():
                record = consumer.poll(0.2)
                if record is not None and not record.error():
                    self._letters.appendleft(_letter(record))

    def _end(self) -> None:
        """End the traffic, then every instance in order."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        with self._lock:
            instances, self._instances = self._instances, []
        for service in instances:
            service.kill()


def _letter(record: Message) -> dict[str, Any]:
    """One dead letter as the page shows it."""
    headers = headers_of(record)
    place = [headers.get(f"__connect.errors.{name}", "?") for name in ("topic", "partition", "offset")]
    return {
        "source": "{}[{}]@{}".format(*place),
        "topic": record.topic(),
        "partition": record.partition(),
        "offset": record.offset(),
        "when": time.time(),
        "reason": headers.get("mixpanel.reason"),
        "detail": headers.get("mixpanel.detail"),
        "error": headers.get("mixpanel.error"),
        "update": headers.get("mixpanel.update"),
    }
