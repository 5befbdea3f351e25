"""Simulated time: events in order, processes that wait, and all chance from one seed.

A process is a greenlet: the loop of one instance, which believes that it blocks. Nothing sleeps and no thread is
involved: whatever waits gives control back to `World.run`, which goes on with the next event.
"""

import heapq
from collections.abc import Callable
from random import Random
from typing import ClassVar

from greenlet import getcurrent, greenlet

FAR = 1e18


class Violation(AssertionError):
    """A promise was broken; the text says which, where and by what."""


class World:
    """The clock, the events to come, and chance."""

    def __init__(self, seed: int, *, tracing: bool = False) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.now = 1_000.0
        self.began = self.now
        self.tracing = tracing
        self.trace: list[str] = []
        self.main = getcurrent()
        self.over = False
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Let it happen at this time, after what was planned for it before."""
        self._count += 1
        heapq.heappush(self._events, (when, self._count, do))

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        """Let it happen in so many seconds."""
        self.at(self.now + seconds, do)

    def run(self) -> None:
        """Go on until somebody says that it is over."""
        while not self.over:
            when, _, do = heapq.heappop(self._events)
            self.now = max(self.now, when)
            do()

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self.random.random() < probability

    def between(self, low: float, high: float) -> float:
        """A random time or length."""
        return low + (high - low) * self.random.random()

    def note(self, who: str, what: str) -> None:
        """A line of the trace. Callers ask `tracing` first, so that nothing is formatted for nobody."""
        self.trace.append(f"{self.now - self.began:9.3f}  {who:<10} {what}")


class Process:
    """One instance's thread of control. `running` is the one that has it now."""

    running: ClassVar["Process | None"] = None

    def __init__(self, world: World, oversleep: float) -> None:
        self._world = world
        self._greenlet: greenlet | None = None
        self._number = 0
        self._waits_for = ""
        self._oversleep = oversleep  # a wait may last so much longer, as on a busy machine
        self._frozen_since = FAR
        self._frozen_until = 0.0
        self.was_frozen = False
        self.on_wake: Callable[[float], None] = lambda seconds: None
        self.dead = False

    def start(self, body: Callable[[], None]) -> None:
        """Run the body from now on."""
        self._greenlet = greenlet(body, parent=self._world.main)
        number = self._number
        self._world.after(0.0, lambda: self._resume(number))

    def now(self) -> float:
        """The time."""
        return self._world.now

    def wait(self, seconds: float, for_what: str) -> None:
        """Give control away for so long, or until `poke` says that it is there."""
        self._number += 1
        number = self._number
        self._waits_for = for_what
        late = self._oversleep * self._world.random.random() if self._oversleep else 0.0
        self._world.after(seconds + late, lambda: self._resume(number))
        self._world.main.switch()

    def poke(self, what: str) -> None:
        """What the process may be waiting for is there."""
        if self._waits_for == what:
            self._waits_for = ""
            number = self._number
            self._world.after(0.0, lambda: self._resume(number))

    def freeze(self, seconds: float) -> None:
        """Let nothing of it run for so long, as SIGSTOP does."""
        self.was_frozen = True
        self._frozen_since = min(self._frozen_since, self._world.now)
        self._frozen_until = max(self._frozen_until, self._world.now + seconds)

    def kill(self) -> None:
        """Nothing of it runs ever again, and nothing is cleaned up."""
        self.dead = True

    def _resume(self, number: int) -> None:
        if number != self._number or self.dead:
            return
        if self._world.now < self._frozen_until:
            self._world.at(self._frozen_until, lambda: self._resume(number))
            return
        if self._frozen_since < FAR:
            self._frozen_since, since = FAR, self._frozen_since
            self.on_wake(self._world.now - since)
        self._number += 1
        self._waits_for = ""
        assert self._greenlet is not None
        Process.running = self
        self._greenlet.switch()
        Process.running = None
