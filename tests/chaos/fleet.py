"""The instances of the service in a chaos run, as a supervisor keeps them: what ends is started again."""

import random
import signal
from collections.abc import Callable

from tests.integration.service import Service


class Fleet:
    """`wanted` instances, once `fill` was called."""

    def __init__(self, start: Callable[[], Service], wanted: int = 2) -> None:
        self._start = start
        self.wanted = wanted
        self.started = 0
        self.running: list[Service] = []
        self.ended: list[Service] = []
        self.exits: dict[int, int] = {}  # exit status, and how often

    def some(self, rng: random.Random) -> Service | None:
        """One of those that run."""
        self._reap()
        return rng.choice(self.running) if self.running else None

    def kill(self, rng: random.Random) -> None:
        """SIGKILL to one of them."""
        instance = self.some(rng)
        if instance is not None:
            instance.kill()

    def stop(self, rng: random.Random) -> None:
        """SIGTERM to one of them; it ends by itself."""
        instance = self.some(rng)
        if instance is not None:
            instance.signal(signal.SIGTERM)

    def fill(self) -> None:
        """Start what is missing, and stop what is too many."""
        self._reap()
        while len(self.running) < self.wanted:
            self.running.append(self._start())
            self.started += 1
        for instance in self.running[self.wanted :]:
            instance.signal(signal.SIGTERM)

    def end(self) -> None:
        """Stop all of them, each with a drain."""
        for instance in self.running:
            instance.signal(signal.SIGCONT)
            instance.signal(signal.SIGTERM)
        for instance in self.running:
            instance.ended(60)
        self._reap()

    def _reap(self) -> None:
        for instance in [instance for instance in self.running if not instance.running]:
            self.running.remove(instance)
            self.ended.append(instance)
            status = instance.process.status or 0
            self.exits[status] = self.exits.get(status, 0) + 1
