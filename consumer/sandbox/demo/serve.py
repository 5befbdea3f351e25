"""`demo --serve`: the demo without an end, with a page to watch it on and buttons to disturb it.

The page is the sandbox's Mixpanel; it shows profiles and requests by itself. What is added here: instances of the
service, lag, dead letters, and the buttons.
"""

import os
import sys
import tempfile
import webbrowser
from collections.abc import Callable
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Final, Self

import click
from confluent_kafka import KafkaException

from consumer.sandbox.demo.dashboard import Dashboard
from consumer.sandbox.demo.demo import READY, say
from consumer.sandbox.demo.service import Service
from consumer.sandbox.sandbox import GROUP, TOPIC, Sandbox
from consumer.sandbox.stopping import wait
from consumer.sandbox.traffic.order_probe import OrderProbe
from consumer.sandbox.traffic.producing import paced, produce
from consumer.sandbox.traffic.schemas import Writers, register
from consumer.sandbox.traffic.traffic import Traffic

RATE: Final = 40.0
RATES: Final = (5.0, 40.0, 400.0)
BURST: Final = 5_000
BAD_BURST: Final = 50
INSTANCES: Final = 4  # as many as there are partitions
FREEZE: Final = 10.0


def serve(seed: int, projects: int = 1) -> None:
    """Keep it all going until this thread is told to stop."""
    with Sandbox(projects=projects, say=say) as sandbox, Show(sandbox, seed) as show:
        show.add_instance()
        show.wait()
        say(f"service    ready, group {GROUP}")
        click.echo(f"\nOpen {sandbox.mixpanel.url}/ in a browser. Ctrl-C ends it all.")
        click.echo("For other commands in another terminal, such as group-consumer dlq list:")
        click.echo("  export " + " ".join(f"{name}={value}" for name, value in sandbox.exports().items()))
        if _has_screen():
            webbrowser.open(f"{sandbox.mixpanel.url}/")
        wait()


def _has_screen() -> bool:
    """Whether somebody sits at this terminal who can see a browser's window."""
    screen = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return screen and sys.stdout.isatty()


class Show:
    """The traffic, the instances of the service, and what the page asks of them."""

    def __init__(self, sandbox: Sandbox, seed: int) -> None:
        self._sandbox = sandbox
        self._seed = count(seed)
        self._writers: Writers = register(sandbox.registry.register, sandbox.registry.guid)
        self._lock = Lock()
        self._instances: list[Service] = []
        self._numbers = count(1)
        self._order = OrderProbe()
        self._rate = RATE
        self._stopping = Event()
        self._dashboard = Dashboard(sandbox, self._living, self._stopping)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        self._folder = Path(self._running.enter_context(tempfile.TemporaryDirectory(prefix="group-consumer-demo-")))
        self._running.callback(self._end)
        mixpanel = self._sandbox.mixpanel
        mixpanel.watch(self._order.see)
        mixpanel.provide("service", lambda: self._dashboard.service | {"order": self._order.as_json()})
        mixpanel.provide("dead-letters", lambda: list(self._dashboard.dead_letters))
        for name, label, act in self._buttons():
            mixpanel.action(name, label, act)
        self._threads = [
            Thread(target=work, daemon=True)
            for work in (self._traffic, self._dashboard.watch, self._dashboard.follow)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def wait(self) -> None:
        """Return once every instance is ready. Raises `SandboxError`."""
        for service in self._living():
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
        self._produce(Traffic(self._writers, seed=next(self._seed), projects=self._sandbox.projects), BURST)
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

    def _living(self) -> list[Service]:
        with self._lock:
            return list(self._instances)

    def _take(self) -> Service | None:
        """The newest instance, if another one stays."""
        with self._lock:
            if len(self._instances) < 2:
                return None
            service = self._instances.pop()
        self._dashboard.remember(service)
        return service

    # What goes on beside the page.

    def _traffic(self) -> None:
        """Steady traffic, over whatever is done to the broker."""
        while not self._stopping.is_set():
            traffic = Traffic(self._writers, seed=next(self._seed), projects=self._sandbox.projects)
            events = paced(self._order.among(traffic.events(1_000_000), traffic), lambda: self._rate, self._stopping)
            with suppress(KafkaException, TimeoutError):
                produce(
                    self._sandbox.broker.bootstrap, TOPIC, events, stopping=self._stopping, config={"linger.ms": 5}
                )

    def _produce(self, traffic: Traffic, events: int) -> None:
        produce(self._sandbox.broker.bootstrap, TOPIC, traffic.events(events), stopping=self._stopping)

    def _end(self) -> None:
        """End the traffic, then every instance in order."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        with self._lock:
            instances, self._instances = self._instances, []
        for service in instances:
            service.kill()
