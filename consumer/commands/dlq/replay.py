"""Sends dead letters again, through the same pipeline and loop as the service.

    selected dead letters -> ReplaySource -> Loop(Pipeline) -> Gate -> Mixpanel
                                             \\-> Recorder -> the receipts topic

Each record that is settled gets a receipt, so a replay that was killed goes on where it was, whatever is selected.
"""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Final

import click

from consumer import app
from consumer.commands.dlq.create import ensure
from consumer.commands.dlq.lock import SESSION_MS, Lock
from consumer.commands.dlq.plan import Plan
from consumer.commands.dlq.receipts import SETTLED, SUFFIX, Receipts, RecordIdentity
from consumer.commands.dlq.recorder import Gate, Recorder
from consumer.commands.dlq.replay_observer import ReplayObserver
from consumer.commands.dlq.scan import Failed, opened
from consumer.commands.dlq.source import ReplaySource
from consumer.commands.dlq.topic import Topic
from consumer.core.model import Record
from consumer.kafka.config import admin_config, consumer_config, producer_config
from consumer.mapping.mapper import TopicMap
from consumer.mixpanel.lease import Lease
from consumer.mixpanel.pool import Pool
from consumer.service.exchange import Exchange
from consumer.service.loop import Loop
from consumer.service.ports import Result
from consumer.settings import Settings
from consumer.settings.scrub import Scrubber
from consumer.settings.tokens import ProjectTokens
from consumer.settings.watching import watch
from consumer.terminal.progress import bar

# What is open repeats in a crash, and waits in memory: a replay needs no more than this to keep Mixpanel busy.
MOST_OPEN: Final = 10_000
PROOF_TIMEOUT: Final = 15.0
# Half a session: whoever stood still for longer asks whether another replay has taken over.
SILENCE: Final = SESSION_MS / 2000


@dataclass(frozen=True)
class ReplayOutcome:
    """What a replay came to. `trouble` is why it ended early, empty where it did not."""

    planned: int
    accepted: int = 0
    gone: int = 0  # not in the topic any more
    refused: dict[str, int] = field(default_factory=dict)  # again, by reason
    samples: list[tuple[str, str, str]] = field(default_factory=list)  # source, reason and message of some of these
    trouble: str = ""

    @property
    def left(self) -> int:
        """How many dead letters were not come to."""
        return self.planned - self.accepted - self.gone - sum(self.refused.values())

    @property
    def complete(self) -> bool:
        """Whether all of it was accepted."""
        return not self.trouble and self.accepted == self.planned


def replay(
    settings: Settings,
    mapped: Mapping[str, TopicMap],
    topic: Topic,
    plan: Plan,
    patience: float,
    scrub: Scrubber,
) -> ReplayOutcome:
    """Send what is planned, by the mapping of today; `scrub` takes the secrets out of what others said.

    Raises `Failed` where it cannot begin; after that the outcome says what happened.
    """
    name = topic.name + SUFFIX
    ensure(admin_config(settings), topic, name)
    with until_stopped() as stopping:
        lock = Lock(consumer_config(settings), name)
        try:
            if not lock.acquire(lambda: click.echo("Waiting for another replay to end ...", err=True), stopping):
                return ReplayOutcome(plan.total, trouble="interrupted before anything was sent")
            topic.receipts.into(plan.index)  # of a replay that ended only now
            plan.settled += plan.index.drop_marked((SETTLED,))
            plan.count()
            with bar("Replaying", plan.total) as moved:
                return Replay(settings, mapped, topic, plan, lock, moved, patience, scrub).run(stopping)
        finally:
            lock.release()


class Replay:
    """The replay itself, once the lock is ours: its parts, connected."""

    def __init__(
        self,
        settings: Settings,
        mapped: Mapping[str, TopicMap],
        topic: Topic,
        plan: Plan,
        lock: Lock,
        moved: Callable[[int], object],
        patience: float,
        scrub: Scrubber,
    ) -> None:
        """`moved` is told how many records were settled. Raises `Failed` where a receipt cannot be written."""
        only: dict[Record, frozenset[str]] = {}
        identities: dict[Record, RecordIdentity] = {}
        # A flood of refusals fills no topic here: the breaker has nothing to protect.
        limits = app.limits(settings, breaker=False, most_open=MOST_OPEN)
        results: SimpleQueue[Result] = SimpleQueue()
        self._patience = patience
        self._planned = plan.total
        self._trouble = ""
        self._pipeline = pipeline = app.pipeline(settings, limits, None, mapped, only)
        self._receipts = receipts = Receipts(producer_config(settings), topic.name + SUFFIX)
        receipts.prove(PROOF_TIMEOUT)
        self._reading = reading = opened(consumer_config(settings))
        lease = Lease(time.monotonic, SILENCE)
        pool = Pool(app.endpoints(settings), settings.max_in_flight, results, lease)
        self._unwatch = watch((ProjectTokens(settings, pool.use_token, scrub.learn),))
        gate = Gate(pool, receipts, identities, at_most_once=not limits.resend_adds)
        self._recorder = recorder = Recorder(receipts, identities, only, gate, scrub)
        self._source = ReplaySource(plan.index, reading, topic.name, lock, receipts, identities, only)
        self._observer = ReplayObserver(pipeline, recorder, receipts, moved, patience, scrub)
        registry = app.registry(settings, results, scrub.learn, mapped)
        clock, drain = time.monotonic, settings.drain_timeout
        exchange = Exchange(
            pipeline, gate, registry, recorder, results, self._observer, clock=clock, jitter=random.random
        )
        self._loop = Loop(
            pipeline, self._source, exchange, self._observer, drain_timeout=drain, lease=lease, clock=clock
        )

    def run(self, stopping: Callable[[], bool]) -> ReplayOutcome:
        """Send until nothing is left, nothing goes on, or `stopping` says so."""
        try:
            self._loop.run(lambda: self._over(stopping))
        except Failed as failed:
            self._trouble = str(failed)
            self._loop.stop()
        finally:
            self._unwatch()
            self._reading.close()
        self._observer.turned(time.monotonic())
        return ReplayOutcome(
            self._planned,
            accepted=self._recorder.accepted,
            gone=self._source.gone,
            refused=self._observer.refused,
            samples=self._observer.samples,
            trouble=self._trouble,
        )

    def _over(self, stopping: Callable[[], bool]) -> bool:
        if stopping():
            self._trouble = "interrupted"
        elif self._source.lost:
            self._trouble = "another replay has taken over: this process stood still for too long"
        elif self._observer.stuck:
            self._trouble = f"nothing went on for {self._patience:.0f} s: {self._observer.stuck}"
        at_rest = not self._pipeline.partitions.open_records() and not self._receipts.pending()
        return bool(self._trouble) or (self._source.finished and at_rest)


@contextmanager
def until_stopped() -> Iterator[Callable[[], bool]]:
    """Whether a signal asked to stop; a second one ends the process at once."""
    stopped = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in signals}

    def stop(*_: object) -> None:
        if not stopped.is_set():
            click.echo("\nStopping: what is under way is settled first ...", err=True)
        stopped.set()
        for number in signals:
            signal.signal(number, signal.SIG_DFL)

    for number in signals:
        signal.signal(number, stop)
    try:
        yield stopped.is_set
    finally:
        for number in signals:
            signal.signal(number, before[number])
