"""The real `consumer.kafka.source` on the simulated client, with the oracle at both of its sides."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

from consumer.core.model import Assignment, Record
from consumer.kafka import (
    commit_places,
    commits,
    dead_letter_client,
    dead_letter_topic,
    lookups,
    member,
    source,
    succession,
)
from consumer.kafka.journal import Journal
from consumer.service.loop import Loop

from .admin import Admin
from .broker import Broker
from .client import Client
from .traffic import Partition
from .world import Process, Violation, World

# A commit with that many seconds can be made again after a refusal.
PATIENCE = 1.8
CONFIG = {
    "eager": {"partition.assignment.strategy": "range"},
    "cooperative": {"partition.assignment.strategy": "cooperative-sticky"},
    "consumer": {"group.protocol": "consumer"},
}


class Closing:
    """The thread that closes the client: over before it is started for good."""

    def __init__(self, target: Callable[[], None], **_: Any) -> None:
        self._target = target

    def start(self) -> None:
        self._target()

    def join(self, timeout: float) -> None:
        pass

    def is_alive(self) -> bool:
        return False


def closing(client: Client) -> Closing:
    """The client closes at once."""
    thread = Closing(client.close)
    thread.start()
    return thread


class Making:
    """The client that is made on a thread: there at once."""

    def __init__(self, make: Callable[[], Client], what: str, after: float = 0.0) -> None:
        self._make = make

    def take(self, timeout: float) -> Client:
        return self._make()

    def stop(self) -> None:
        pass


class Asking:
    """The thread that asks for metadata: an event a while later."""

    def __init__(self, world: World, target: Callable[..., None], args: tuple[Any, ...], **_: Any) -> None:
        self._start = lambda: world.after(world.between(0.01, 1.0), lambda: target(*args))

    def start(self) -> None:
        self._start()


class Time:
    """`time`, as the process that runs now has it."""

    @staticmethod
    def monotonic() -> float:
        assert Process.running is not None
        return Process.running.now()

    @staticmethod
    def time() -> float:
        return Time.monotonic()

    @staticmethod
    def sleep(seconds: float) -> None:
        assert Process.running is not None
        Process.running.wait(seconds, "sleep")


@contextmanager
def simulated(world: World) -> Iterator[None]:
    """Puts simulated clients, clock and threads in the place of the real ones."""
    asking = mock.Mock(Thread=partial(Asking, world))
    with (
        mock.patch.multiple(member, Consumer=lambda config: config["client"](config)),
        mock.patch.multiple(succession, Making=Making, closing=closing),
        mock.patch.multiple(lookups, WatchedAdmin=lambda config: config["admin"]()),
        mock.patch.multiple(commit_places, time=Time),
        mock.patch.multiple(commits, time=Time, _ask=lambda client, places, timeout: client.ask(places, timeout)),
        mock.patch.multiple(dead_letter_client, made=lambda config: config["client"]()),
        mock.patch.multiple(dead_letter_topic, threading=asking),
    ):
        yield


class Source:
    """What the loop reads from: the real source, overheard."""

    def __init__(self, world: World, broker: Broker, instance: Any, journal: Journal | None) -> None:
        self._broker = broker
        self._instance = instance
        self._mine: dict[Partition, Assignment] = {}
        config = {**CONFIG[broker.protocol], "client": self._client, "admin": lambda: Admin(world, broker)}
        self._world = world
        self._source = source.Source(config, ["changes"], clock=lambda: world.now, journal=journal)

    def subscribe(self, loop: Loop) -> None:
        self._loop = loop
        self._source.subscribe(self)

    def _client(self, config: dict[str, Any]) -> Client:
        self.client = Client(self._world, self._broker, self._instance, config)
        return self.client

    def gap(self, topic: str, partition: int, records: int) -> None:
        self._instance.gap((topic, partition), records)

    def truncated(self, topic: str, partition: int) -> None:
        raise Violation(f"the log of {topic}[{partition}] was never cut")

    # What the loop calls.

    def poll(self, timeout: float, limit: int = 500) -> list[Record]:
        records = self._source.poll(timeout, limit)
        self._instance.read(records)
        return records

    def ends(self) -> list[tuple[Assignment, int]]:
        ends = self._source.ends()
        self._instance.ended(ends)
        return ends

    def unreadable(self) -> Mapping[Assignment, tuple[int, float]]:
        return self._source.unreadable()

    def pause(self, wanted: Mapping[Assignment, str]) -> None:
        self._source.pause(wanted)
        self._instance.pausing()

    def commit(self, offsets: Mapping[Assignment, int]) -> None:
        self._instance.committing(offsets)
        self._source.commit(offsets)

    def commit_without_polling(self, offsets: Mapping[Assignment, int], timeout: float) -> bool:
        self._instance.committing(offsets)
        willing = self._willing()
        done = self._source.commit_without_polling(offsets, timeout)
        if not done and willing and self._willing() and self._enough(timeout):
            raise Violation(f"commit: {self._instance} gave up a commit that the group would have taken")
        return done

    def verify(self, offsets: Mapping[Assignment, int], timeout: float) -> bool:
        self._instance.committing(offsets)
        return self._source.verify(offsets, timeout)

    def prove(self, offsets: Mapping[Assignment, int]) -> int:
        self._instance.committing(offsets)
        return self._source.prove(offsets)

    def proven(self, assignment: Assignment) -> int:
        return self._source.proven(assignment)

    def look(self, assignments: Collection[Assignment]) -> None:
        self._source.look(assignments)

    def journal_start(self, assignment: Assignment) -> tuple[int, int]:
        return self._source.journal_start(assignment)

    def close(self, timeout: float) -> None:
        self._source.close(timeout)

    # What the source tells the loop.

    def assigned(self, assignments: list[Assignment]) -> None:
        for assignment in assignments:
            partition = (assignment.topic, assignment.partition)
            log = self._broker.logs[partition]
            self._mine[partition] = assignment
            self._instance.assigned(assignment, partition, log.committed if log.committed >= 0 else log.start)
        self._loop.assigned(assignments)

    def revoked(self, assignments: list[Assignment]) -> None:
        began = self._world.now
        self._instance.draining(assignments)
        self._loop.revoked(assignments)
        self._forget(assignments)
        self._instance.revoked(assignments, self._world.now - began)

    def lost(self, assignments: list[Assignment]) -> None:
        if assignments and not self.client.stranger:
            raise Violation(f"lost: {self._instance} gave up {assignments}, and nobody took them away")
        self.client.stranger = False
        self._loop.lost(assignments)
        self._forget(assignments)
        self._instance.lost(assignments)

    def _enough(self, timeout: float) -> bool:
        """Whether a commit could be made again after refusals; inside a callback it is given up sooner."""
        given = timeout if self._instance.stopping else min(timeout, commits.LOOK_FOR)
        return given - 4 * self._instance.oversleep >= PATIENCE

    def _willing(self) -> bool:
        """Whether the group takes commits of this instance, be it at the second attempt."""
        frozen = self._instance.process.was_frozen
        return not (self.client.stranger or self.client.fenced or self._broker.commit_faults or frozen)

    def _forget(self, assignments: list[Assignment]) -> None:
        for assignment in assignments:
            self._mine.pop((assignment.topic, assignment.partition), None)

    # What the history asks and does.

    def partitions(self) -> list[Partition]:
        """What is ours now."""
        return list(self._mine)

    def fence(self, partition: Partition) -> None:
        """Let the broker's next word on a commit of this partition be that we are strangers."""
        self.client.fenced.add(partition)
