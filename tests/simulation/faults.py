"""What goes wrong in a history, and what happens to its instances: planned by the seed, until faults stop."""

from typing import TYPE_CHECKING

from .instance import Instance
from .mixpanel import FAULTS
from .traffic import Partition

if TYPE_CHECKING:
    from .history import History

# The coordinator throws a silent member out after so many seconds.
SESSION = 6.0


class Faults:
    """The faults of one history."""

    def __init__(self, history: "History") -> None:
        self._history = history
        self._world = history.world
        self._random = history.random

    def plan(self) -> None:
        random, world = self._random, self._world
        length = self._history.faults_until - world.now
        for _ in range(random.choice((0, 1, 3))):
            self._window(length, "mixpanel")
        for what in ("registry", "letters", "commits", "stuck"):
            if random.random() < 0.25:
                self._window(length, what)
        moves = random.choice((0, 0, 2, 6))
        for _ in range(moves):
            move = random.choice((self.move, self.crash, self.stop, self.evict, self.freeze, self.fence, self.join))
            world.after(world.between(0.0, length), move)
        if random.random() < 0.1:
            world.after(world.between(0.0, length), self.trim)

    def _window(self, length: float, what: str) -> None:
        """A fault that begins and ends."""
        world = self._world
        began = world.between(0.0, length)
        weather = self._random.choice(FAULTS) if what == "mixpanel" else what
        world.after(began, lambda: self._switch(weather, True))
        world.after(began + world.between(1.0, length), lambda: self._switch(weather, False))

    def _switch(self, what: str, on: bool) -> None:
        if self._history.calm:
            return
        if self._world.tracing:
            self._world.note("world", f"{what} {'begins' if on else 'ends'}")
        if what == "registry":
            self._history.registries.down = on
        elif what == "letters":
            self._history.letter_topic.missing = on
        elif what == "commits":
            self._history.broker.commit_faults = 0.5 if on else 0.0
        elif what == "stuck":
            self._history.mixpanel.stuck = self._random.choice(list(self._history.groups)) if on else ""
        else:
            self._history.mixpanel.weather = what if on else ""

    # What happens to instances.

    def _some(self) -> Instance | None:
        up = [instance for instance in self._history.running() if not instance.stopping]
        return self._random.choice(up) if up and not self._history.calm else None

    def move(self) -> None:
        if not self._history.calm:
            self._history.broker.rebalance()

    def again(self) -> None:
        if not self._history.calm:
            if self._world.tracing:
                self._world.note("world", "partitions are revoked, and assigned to the same again")
            self._history.broker.give_again()

    def join(self) -> None:
        if len(self._history.running()) < 3 and not self._history.calm:
            self._history.start()

    def crash(self) -> None:
        instance = self._some()
        if instance is None:
            return
        if self._world.tracing:
            self._world.note("world", f"{instance} is killed")
        instance.process.kill()
        self._world.after(self._world.between(0.0, 10.0), lambda: self._history.broker.leave(instance))
        self._world.after(self._world.between(0.0, 15.0), self._history.start_again)

    def stop(self) -> None:
        instance = self._some()
        if instance is None:
            return
        if self._world.tracing:
            self._world.note("world", f"{instance} is told to stop")
        instance.stopping = True
        self._world.after(self._world.between(0.0, 15.0), self._history.start_again)

    def evict(self) -> None:
        """The coordinator has not heard of the instance for too long."""
        instance = self._some()
        if instance is not None:
            if self._world.tracing:
                self._world.note("world", f"{instance} is thrown out of the group")
            self._history.broker.leave(instance)

    def freeze(self, least: float = 0.0) -> None:
        """SIGSTOP; the coordinator notices by the session time-out."""
        instance = self._some()
        if instance is None:
            return
        seconds = self._world.between(least, 20.0)
        if self._world.tracing:
            self._world.note("world", f"{instance} is frozen for {seconds:.3f} s")
        instance.process.freeze(seconds)
        if seconds > SESSION:
            self._world.after(SESSION, lambda: self._history.broker.leave(instance))

    def fence(self) -> None:
        instance = self._some()
        partitions = instance.source.partitions() if instance else []
        if instance is not None and partitions:
            instance.source.fence(self._random.choice(partitions))

    def trim(self) -> None:
        partition: Partition = self._random.choice(list(self._history.broker.logs))
        log = self._history.broker.logs[partition]
        self._history.broker.trim(partition, self._random.randint(log.start, log.end))
