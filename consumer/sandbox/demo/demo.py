"""The demo: the whole job on one machine, watched while it runs, and audited when it is done."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Final

import click

from consumer.sandbox.demo.audit import audit
from consumer.sandbox.demo.plays import COLUMNS, Play, group_changes, table_changes
from consumer.sandbox.demo.service import Service
from consumer.sandbox.demo.summary import Job, show
from consumer.sandbox.errors import SandboxError
from consumer.sandbox.sandbox import DEAD_LETTERS, GROUP, Sandbox
from consumer.sandbox.traffic.event import Expected
from consumer.sandbox.traffic.producing import produce
from consumer.terminal.progress import StatusLine

READY: Final = 90.0
STALLED: Final = 90.0
"""Nothing has moved for so long: longer than the service waits for anything."""
EVERY: Final = 0.2


def say(line: str) -> None:
    """Tell on standard error how far it is."""
    click.echo(line, err=True)


def run_demo(events: int, seed: int, projects: int = 1, *, mapping: bool = False) -> int:
    """Run the whole job on so many events, of a mapped table with `mapping`; says the exit status.

    Raises `SandboxError` where it cannot be started.
    """
    started = time.monotonic()
    with ExitStack() as running:
        sandbox = running.enter_context(Sandbox(projects=projects, say=say))
        play = (table_changes if mapping else group_changes)(sandbox, events, seed)
        service = running.enter_context(_service(sandbox, play))
        service.wait_until_ready(READY)
        say(f"service    ready, group {GROUP}, metrics at http://127.0.0.1:{service.port}/metrics")
        expected = Expected()
        working = time.monotonic()
        with _producing(sandbox, play, expected) as produced:
            _watch(service, events, produced)
        worked = time.monotonic() - working
        status = service.stop()
        play.owed(expected)
        places = {"topic": play.topic, "dead_letters": DEAD_LETTERS, "group": GROUP}
        audited = audit(sandbox.broker, sandbox.mixpanel, expected, **places)
        if status:
            audited.differences.append(f"the service ended with exit status {status}\n{service.said()}")
        job = Job(
            events=expected.events,
            read=play.what,
            updates=service.numbers.total("updates_total"),
            by_project=service.numbers.by_label("updates_total", "project"),
            requests=sandbox.mixpanel.requests.counts()["requests"],
            profiles=len(sandbox.mixpanel.profiles),
            seconds=worked,
            all_seconds=time.monotonic() - started,
            columns=("Group", *COLUMNS),
            rows=play.rows(sandbox.mixpanel.profiles),
        )
    show(job, audited)
    return 0 if audited.balanced else 1


@contextmanager
def _service(sandbox: Sandbox, play: Play) -> Iterator[Service]:
    """The service, pointed at the sandbox; ended with it."""
    with tempfile.TemporaryDirectory(prefix="group-consumer-demo-") as folder:
        service = Service("service", Path(folder), sandbox.exports() | play.settings)
        try:
            yield service
        finally:
            service.kill()


class _Produced:
    """How far the producer is."""

    def __init__(self) -> None:
        self.count = 0
        self.done = Event()
        self.stopping = Event()
        self.error: Exception | None = None


@contextmanager
def _producing(sandbox: Sandbox, play: Play, expected: Expected) -> Iterator[_Produced]:
    """Write the traffic in a thread beside the block."""
    produced = _Produced()

    def told(count: int) -> None:
        produced.count = count

    def work() -> None:
        try:
            produce(
                sandbox.broker.bootstrap,
                play.topic,
                play.events,
                expected=expected,
                progress=told,
                stopping=produced.stopping,
            )
        except Exception as error:  # noqa: BLE001  # told by the thread that watches
            produced.error = error
        finally:
            produced.done.set()

    thread = Thread(target=work, name="traffic", daemon=True)
    thread.start()
    try:
        yield produced
    finally:
        produced.stopping.set()
        thread.join()


def _watch(service: Service, events: int, produced: _Produced) -> None:
    """Show how far it is, until every event is settled and committed. Raises `SandboxError` where it halts."""
    last, moved = (0, 0, 0, 0), time.monotonic()
    with StatusLine(stays=True) as line:
        while True:
            now = service.scrape()
            read, dead_letters = now.total("records_total"), now.total("dead_letters_total")
            committed, updates = now.total("committed_offset"), now.total("updates_total")
            counts = f"read {read:,}   updates {updates:,}   dead letters {dead_letters:,}"
            line.show(f"committed {committed:,} of {events:,}   {counts}")
            if produced.error is not None:
                raise SandboxError(f"the traffic could not be written: {produced.error}")
            if produced.done.is_set() and committed >= events:
                return
            if (read, dead_letters, committed, updates) != last:
                last, moved = (read, dead_letters, committed, updates), time.monotonic()
            if not service.running or time.monotonic() - moved > STALLED:
                why = ", ".join(service.readiness()[1]) or "nobody knows why"
                raise SandboxError(
                    f"the service came to a halt at {committed:,} of {events:,}: {why}\n{service.said()}"
                )
            time.sleep(EVERY)
