"""One history: what the seed decides, what happens when, and when it is over."""

from collections.abc import Sequence
from random import Random
from typing import Any

from consumer.core.limits import Limits
from consumer.mapping.mapper import TopicMap

from .broker import Broker
from .ending import check_ending
from .faults import Faults
from .instance import Instance
from .journal import JournalTopic
from .letters import LetterTopic
from .mixpanel import DIALECTS, Mixpanel
from .oracle import Oracle
from .parts import Registries
from .source import simulated
from .traffic import PROJECTS, UNDELETABLE, Partition, Traffic, changed_by, group_of, project_of
from .world import Violation, World

# Faults have stopped: so many seconds later everything is settled and committed.
QUIET_WITHIN = 300.0
# In so many of all histories there are three projects.
MANY_PROJECTS = 0.3


class History:
    """A world with one to three instances in it, and the faults that the seed has for it."""

    def __init__(self, seed: int, *, tracing: bool = False) -> None:
        self.world = World(seed, tracing=tracing)
        self.random = random = self.world.random
        self.protocol = random.choice(("eager", "cooperative", "consumer"))
        partitions = [(f"changes-{n % random.randint(1, 2)}", n) for n in range(random.randint(1, 5))]
        several = Random(f"projects {seed}").random() < MANY_PROJECTS
        self.projects: tuple[str, ...] = PROJECTS if several else PROJECTS[:1]
        self.groups = groups_of(random, partitions, self.projects)
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
        self.journal_topic = JournalTopic()
        self.mapped: dict[str, TopicMap] = {}
        self.oracle = Oracle(self.world, self)
        self.mixpanel.on_applied = self.oracle.applied
        self.faults_until = self.world.now + random.choice((10.0, 20.0, 45.0))
        self.instances: list[Instance] = []
        self.names = 0
        self.limits = self._limits()
        # By chance of its own, so that all else of a seed stays as it is.
        self.journaling = not self.limits.resend_adds and Random(f"journal {seed}").random() < 0.8
        self.limits.announces = self.journaling
        self.drain_timeout = random.choice((2.0, 5.0, 20.0))
        self.oversleep = random.choice((0.0, 0.2, 0.5, 0.5, 1.0, 1.0))
        self.calm = False
        self.faults = Faults(self)
        self.alone = False  # what is wrong concerns some groups alone
        self.full = False  # so much is open that what is kept beside it can be weighed
        self.ending = False  # all is done, and the instances are told to stop

    def run(self) -> None:
        """From the first record to the last commit. Raises Violation."""
        self._plan_records()
        for _ in range(self.random.choice((1, 1, 2, 3))):
            self.world.after(0.0, self.start)
        self.plan_faults()
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

    def start_again(self) -> None:
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
        count = random.choice((10, 40, 80, 160))
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

    def plan_faults(self) -> None:
        """What goes wrong until faults stop."""
        self.faults.plan()

    def is_ill(self, group: str) -> bool:
        """Whether the group itself is what something is wrong with."""
        return group == self.mixpanel.stuck or project_of(group) in self.mixpanel.ill

    def is_ill_request(self, request: Any) -> bool:
        """Whether such a group is in the request, or a part of a run again for a refusal."""
        if any(self.is_ill(changed_by(update)) for update in request.updates):
            return True
        return any(item.again for items in request.covers for item in items)

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
            self.check_ending()
            self.ending = True
            for instance in self.running():
                instance.stopping = True
            self._wait_for_stop(40)
        else:
            self.world.after(0.5, self._look)

    def check_ending(self) -> None:
        """What must hold once everything is quiet."""
        check_ending(self)

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
            if log.committed < log.end:
                return False
        return not any(instance.loop.pipeline.partitions.open_records() for instance in self.running())

    def _too_late(self) -> None:
        lines = [f"liveness: {QUIET_WITHIN} s after the last fault it is not quiet"]
        for partition, log in self.broker.logs.items():
            lines.append(
                f"{partition}: committed {log.committed}, end {log.end}, owner {self.broker.owners.get(partition)}"
            )
        for instance in self.running():
            pipeline = instance.loop.pipeline
            records, flying = pipeline.partitions.open_records(), pipeline.destinations.in_flight()
            lines.append(f"{instance}: {records} open, {flying} in flight, {pipeline.paused()}")
        raise Violation("\n".join(lines))


def groups_of(random: Random, partitions: list[Partition], projects: Sequence[str]) -> dict[str, Partition]:
    """Groups, each in one partition and of the projects in turn; some cannot be deleted."""
    names = [group_of(projects[n % len(projects)], n) for n in range(random.choice((1, 4, 15)))]
    if random.random() < 0.2:
        names[0] = UNDELETABLE
    return {name: random.choice(partitions) for name in names}
