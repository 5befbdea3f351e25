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
from consumer.commands.dlq.receipts import SETTLED, SUFFIX, Identity, Receipts
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
from consumer.service.loop import Loop
from consumer.service.ports import Result
from consumer.settings import Settings
from consumer.settings.scrub import Scrubber
from consumer.settings.tokens import Tokens
from consumer.settings.watching import watch
from consumer.terminal.progress import bar

# What is open repeats in a crash, and waits in memory: a replay needs no more than this to keep Mixpanel busy.
MOST_OPEN: Final = 10_000
PROOF_TIMEOUT: Final = 15.0
# Half a session: whoever stood still for longer asks whether another replay has taken over.
SILENCE: Final = SESSION_MS / 2000


@dataclass
class Outcome:
    """What a replay came to. `trouble` is why it ended early, empty where it did not."""

    planned: int
    accepted: int = 0
    gone: int = 0  # not in the topic any more
    refused: dict[str, int] = field(default_factory=dict)  # again, by reason
    samples: list[tuple[str, str, str]] = field(default_factory=list)  # source, reason and words of some of these
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
) -> Outcome:
    """Send what is planned, by the mapping of today; `scrub` takes the secrets out of what others said.

    Raises `Failed` where it cannot begin; after that the outcome says what happened.
    """
    name = topic.name + SUFFIX
    ensure(admin_config(settings), topic, name)
    with until_stopped() as stopping:
        lock = Lock(consumer_config(settings), name)
        try:
            if not lock.acquire(lambda: click.echo("Waiting for another replay to end ...", err=True), stopping):
                return Outcome(plan.total, trouble="interrupted before anything was sent")
            topic.receipts.into(plan.index)  # of a replay that ended only now
            plan.settled += plan.index.drop_marked((SETTLED,))
            plan.count()
            return send(settings, mapped, topic, plan, lock, stopping, patience, scrub)
        finally:
            lock.release()


def send(
    settings: Settings,
    mapped: Mapping[str, TopicMap],
    topic: Topic,
    plan: Plan,
    lock: Lock,
    stopping: Callable[[], bool],
    patience: float,
    scrub: Scrubber,
) -> Outcome:
    """The replay itself, once the lock is ours."""
    limits = app.limits(settings)
    limits.breaker = False  # a flood of refusals fills no topic here
    limits.open_records = min(limits.open_records, MOST_OPEN)
    only: dict[Record, frozenset[str]] = {}
    pipeline = app.pipeline(settings, limits, None, mapped, only)
    receipts = Receipts(producer_config(settings), topic.name + SUFFIX)
    receipts.prove(PROOF_TIMEOUT)
    reading = opened(consumer_config(settings))
    results: SimpleQueue[Result] = SimpleQueue()
    lease = Lease(time.monotonic, SILENCE)
    outcome = Outcome(plan.total)
    identities: dict[Record, Identity] = {}
    pool = Pool(app.endpoints(settings), settings.max_in_flight, results, lease)
    unwatch = watch((Tokens(settings, pool.use_token, scrub.learn),))
    gate = Gate(pool, receipts, identities, at_most_once=not limits.resend_adds)
    recorder = Recorder(receipts, identities, only, gate, scrub)
    source = ReplaySource(plan.index, reading, topic.name, lock, receipts, identities, only)
    with bar("Replaying", plan.total) as moved:
        observer = ReplayObserver(pipeline, recorder, receipts, outcome, moved, patience, scrub)
        loop = Loop(
            pipeline,
            source,
            gate,
            app.registry(settings, results, scrub.learn, mapped),
            recorder,
            results,
            observer,
            drain_timeout=settings.drain_timeout,
            lease=lease,
            clock=time.monotonic,
            jitter=random.random,
        )

        def over() -> bool:
            if stopping():
                outcome.trouble = "interrupted"
            elif source.lost:
                outcome.trouble = "another replay has taken over: this process stood still for too long"
            elif observer.stuck:
                outcome.trouble = f"nothing went on for {patience:.0f} s: {observer.stuck}"
            at_rest = not pipeline.partitions.open_records() and not receipts.pending()
            return bool(outcome.trouble) or (source.finished and at_rest)

        try:
            loop.run(over)
        except Failed as failed:
            outcome.trouble = str(failed)
            loop.stop()
        finally:
            unwatch()
            reading.close()
        observer.turned(time.monotonic())
    outcome.gone = source.gone
    return outcome


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
