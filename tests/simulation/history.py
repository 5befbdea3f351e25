"""One history: what the seed decides, what happens when, and when it is over."""

from random import Random
from typing import Any

from consumer.core.pipeline import Limits

from .broker import Broker
from .ending import check_ending
from .instance import Instance
from .letters import LetterTopic
from .mixpanel import DIALECTS, FAULTS, Mixpanel
from .oracle import Oracle
from .parts import Registries
from .source import simulated
from .traffic import UNDELETABLE, Partition, Traffic
from .world import Violation, World

# Faults have stopped: so many seconds later everything is settled and committed.
QUIET_WITHIN = 300.0
# The coordinator throws a silent member out after so many seconds.
SESSION = 6.0


class History:
    """A world with one to three instances in it, and the faults that the seed has for it."""

    def __init__(self, seed: int, *, tracing: bool = False) -> None:
        self.world = World(seed, tracing=tracing)
        self.random = random = self.world.random
        self.protocol = random.choice(("eager", "cooperative", "consumer"))
        partitions = [(f"changes-{n % random.randint(1, 2)}", n) for n in range(random.randint(1, 5))]
        self.groups = groups_of(random, partitions)
        self.broker = Broker(self.world, partitions, self.protocol)
        self.mixpanel = Mixpanel(
            self.world,
            faults=random.choice((0.0, 0.02, 0.1, 0.3)),
            dialects=random.choice(((random.choice(DIALECTS),), ("by-index", "records"), DIALECTS)),
            limit=random.choice((100_000, 100_000, 3_000, 1_000)),
            latency=random.choice((0.02, 0.1, 1.0)),
        )
        self.registries = Registries(late_at=self.world.now + random.choice((0.0, 3.0, 20.0)))
        self.letter_topic = LetterTopic(faults=random.choice((0.0, 0.0, 0.3)), slow=random.choice((0.02, 0.1, 8.0)))
        self.oracle = Oracle(self.world, self)
        self.mixpanel.on_applied = self.oracle.applied
        self.faults_until = self.world.now + random.choice((10.0, 25.0, 60.0))
        self.instances: list[Instance] = []
        self.names = 0
        self.limits = self._limits()
        self.drain_timeout = random.choice((2.0, 5.0, 20.0))
        self.oversleep = random.choice((0.0, 0.2, 0.5, 0.5, 1.0, 1.0))
        self.calm = False
        self.ending = False  # all is done, and the instances are told to stop

    def run(self) -> None:
        """From the first record to the last commit. Raises Violation."""
        self._plan_records()
        for _ in range(self.random.choice((1, 1, 2, 3))):
            self.world.after(0.0, self.start)
        self._plan_faults()
        self.world.at(self.faults_until, self._calm_down)
        self.world.at(self.faults_until + QUIET_WITHIN, self._too_late)
        with simulated(self.world):
            self.world.run()

    def running(self) -> list[Instance]:
        """The instances that are up."""
        return [instance for instance in self.instances if not instance.process.dead]

    def start(self) -> None:
        """One more instance."""
        self.names += 1
        name = f"instance-{self.names}"
        self.instances.append(Instance(self, name, self.limits, self.drain_timeout, self.oversleep))

    def _start_again(self) -> None:
        if not self.ending:
            self.start()

    # What the seed decides.

    def _limits(self) -> Limits:
        random = self.random
        return Limits(
            batch_updates=random.choice((2, 5, 20, 2_000)),
            batch_bytes=random.choice((1_000, 100_000)),
            linger=random.choice((0.0, 0.05, 1.0)),
            max_in_flight=random.choice((1, 2, 8)),
            open_records=random.choice((5, 20, 500)),
            open_bytes=random.choice((1_000, 1_000_000)),
            fold=random.random() < 0.8,
            resend_adds=random.random() < 0.6,
            breaker=random.random() < 0.5,
        )

    def _plan_records(self) -> None:
        """Some records are there at the start, the others come while faults last."""
        random, world = self.random, self.world
        traffic = Traffic(
            random,
            self.groups,
            bad=random.choice((0.0, 0.05, 0.3)),
            unreadable=random.choice((0.0, 0.05, 0.2)),
            large=random.choice((0.0, 0.0, 0.1)),
        )
        count = random.choice((10, 40, 100, 200))
        early = random.choice((0.0, 0.5, 1.0))
        for number in range(count):
            meant = traffic.make()
            if number < count * early:
                self._append(meant)
            else:
                world.at(world.between(world.now, self.faults_until), lambda meant=meant: self._append(meant))

    def _append(self, meant: Any) -> None:
        self.broker.append(meant)
        self.oracle.meant.setdefault(meant.partition, {})[meant.number] = meant

    def _plan_faults(self) -> None:
        random, world = self.random, self.world
        length = self.faults_until - world.now
        for _ in range(random.choice((0, 1, 3))):
            self._window(length, "mixpanel")
        for what in ("registry", "letters", "commits", "stuck"):
            if random.random() < 0.25:
                self._window(length, what)
        moves = random.choice((0, 0, 2, 6))
        for _ in range(moves):
            what = random.choice(
                (self._move, self._crash, self._stop, self._evict, self._freeze, self._fence, self._join)
            )
            world.after(world.between(0.0, length), what)
        if random.random() < 0.1:
            world.after(world.between(0.0, length), self._trim)

    def _window(self, length: float, what: str) -> None:
        """A fault that begins and ends."""
        world = self.world
        began = world.between(0.0, length)
        weather = self.random.choice(FAULTS) if what == "mixpanel" else what
        world.after(began, lambda: self._switch(weather, True))
        world.after(began + world.between(1.0, length), lambda: self._switch(weather, False))

    def _switch(self, what: str, on: bool) -> None:
        if self.calm:
            return
        if self.world.tracing:
            self.world.note("world", f"{what} {'begins' if on else 'ends'}")
        if what == "registry":
            self.registries.down = on
        elif what == "letters":
            self.letter_topic.missing = on
        elif what == "commits":
            self.broker.commit_faults = 0.5 if on else 0.0
        elif what == "stuck":
            self.mixpanel.stuck = self.random.choice(list(self.groups)) if on else ""
        else:
            self.mixpanel.weather = what if on else ""

    # What happens to instances.

    def _some(self) -> Instance | None:
        up = [instance for instance in self.running() if not instance.stopping]
        return self.random.choice(up) if up and not self.calm else None

    def _move(self) -> None:
        if not self.calm:
            self.broker.rebalance()

    def _join(self) -> None:
        if len(self.running()) < 3 and not self.calm:
            self.start()

    def _crash(self) -> None:
        instance = self._some()
        if instance is None:
            return
        if self.world.tracing:
            self.world.note("world", f"{instance} is killed")
        instance.process.kill()
        self.world.after(self.world.between(0.0, 10.0), lambda: self.broker.leave(instance))
        self.world.after(self.world.between(0.0, 15.0), self._start_again)

    def _stop(self) -> None:
        instance = self._some()
        if instance is None:
            return
        if self.world.tracing:
            self.world.note("world", f"{instance} is told to stop")
        instance.stopping = True
        self.world.after(self.world.between(0.0, 15.0), self._start_again)

    def _evict(self) -> None:
        """The coordinator has not heard of the instance for too long."""
        instance = self._some()
        if instance is not None:
            if self.world.tracing:
                self.world.note("world", f"{instance} is thrown out of the group")
            self.broker.leave(instance)

    def _freeze(self, least: float = 0.0) -> None:
        """SIGSTOP; the coordinator notices by the session time-out."""
        instance = self._some()
        if instance is None:
            return
        seconds = self.world.between(least, 20.0)
        if self.world.tracing:
            self.world.note("world", f"{instance} is frozen for {seconds:.3f} s")
        instance.process.freeze(seconds)
        if seconds > SESSION:
            self.world.after(SESSION, lambda: self.broker.leave(instance))

    def _fence(self) -> None:
        instance = self._some()
        partitions = instance.source.partitions() if instance else []
        if instance is not None and partitions:
            instance.source.fence(self.random.choice(partitions))

    def _trim(self) -> None:
        partition: Partition = self.random.choice(list(self.broker.logs))
        log = self.broker.logs[partition]
        self.broker.trim(partition, self.random.randint(log.start, log.end))

    # The end.

    def _calm_down(self) -> None:
        """Faults stop, and somebody is there to do the work."""
        if self.world.tracing:
            self.world.note("world", "faults stop")
        self.calm = True
        self.mixpanel.calm()
        self.registries.down = self.letter_topic.missing = False
        self.letter_topic.faults = self.broker.commit_faults = 0.0
        if not any(not instance.stopping for instance in self.running()):
            self.start()
        self._look()

    def _look(self) -> None:
        """Twice a second: is everything done?"""
        if self._quiet():
            check_ending(self)
            self.ending = True
            for instance in self.running():
                instance.stopping = True
            self._wait_for_stop(40)
        else:
            self.world.after(0.5, self._look)

    def _wait_for_stop(self, looks: int) -> None:
        if not self.running():
            self.world.over = True
        elif looks:
            self.world.after(0.5, lambda: self._wait_for_stop(looks - 1))
        else:
            raise Violation(f"liveness: {self.running()} do not stop")

    def _quiet(self) -> bool:
        if any(instance.flying for instance in self.running()):
            return False
        for log in self.broker.logs.values():
            if log.records and log.records[-1].offset >= max(log.committed, log.start):
                return False
        return not any(instance.loop.pipeline.open_records() for instance in self.running())

    def _too_late(self) -> None:
        lines = [f"liveness: {QUIET_WITHIN} s after the last fault it is not quiet"]
        for partition, log in self.broker.logs.items():
            lines.append(
                f"{partition}: committed {log.committed}, end {log.end}, owner {self.broker.owners.get(partition)}"
            )
        for instance in self.running():
            pipeline = instance.loop.pipeline
            lines.append(
                f"{instance}: {pipeline.open_records()} open, {pipeline.in_flight()} in flight, {pipeline.paused()}"
            )
        raise Violation("\n".join(lines))


def groups_of(random: Random, partitions: list[Partition]) -> dict[str, Partition]:
    """Groups, each in one partition; some cannot be deleted."""
    names = [f"g{n}" for n in range(random.choice((1, 4, 15)))]
    if random.random() < 0.2:
        names[0] = UNDELETABLE
    return {name: random.choice(partitions) for name in names}
