"""Histories of a mapped topic, whose records make several updates: each is settled, and named, by its parts.

parts/1..50     refusals, faults of Mixpanel, crashes, revokes; half of them with the journal of $adds
"""

from consumer.core.limits import Limits
from consumer.core.schemas import MappedSchema

from .broker import Broker
from .ending import check_quiet
from .history import History
from .orders import MOST, SCHEMA_ID, TOPIC, made, plan_of, rules
from .several_ending import check_profiles
from .several_oracle import SeveralOracle
from .traffic import PROJECTS, Partition

PARTS = "parts"
LASTS = 40.0


class Several(History):
    """One topic of one to three partitions; two projects."""

    def __init__(self, seed: int, *, tracing: bool = False) -> None:
        super().__init__(seed, tracing=tracing)
        random = self.random
        self.projects = PROJECTS[:2]
        places: list[Partition] = [(TOPIC, number) for number in range(random.randint(1, 3))]
        self.broker = Broker(self.world, places, self.protocol)
        self.groups = {}
        for number, place in enumerate(places):
            for each in range(random.choice((2, 4))):
                self.groups[("", "emea.")[each % 2] + f"g{number}{each}"] = place
        self.mapped = {TOPIC: rules()}
        need: MappedSchema = (TOPIC, SCHEMA_ID, False)
        self.registries.plans[need] = plan_of(self.mapped[TOPIC])
        self.parts_oracle = SeveralOracle(self.world, self)
        self.oracle = self.parts_oracle  # type: ignore[assignment]  # it is told the same
        self.mixpanel.on_applied = self.parts_oracle.applied
        self.mixpanel.limit = 1_000_000
        self.mixpanel.faults = random.choice((0.0, 0.05, 0.3))
        self.letter_topic.slow = random.choice((0.02, 1.0, 8.0))
        self.journaling = random.random() < 0.5
        self.journal_topic.slow = random.choice((0.02, 0.5))
        self.faults_until = self.world.now + LASTS
        self.limits = Limits(
            batch_updates=random.choice((2, 5, 2_000)),
            linger=random.choice((0.0, 0.1, 1.0)),
            max_in_flight=random.choice((1, 2, 8)),
            open_records=random.choice((5, 20, 500)),
            fold=random.random() < 0.8,
            resend_adds=not self.journaling and random.random() < 0.5,
            announces=self.journaling,
            breaker=False,
        )

    def plan_faults(self) -> None:
        world, faults = self.world, self.faults
        moves = (faults.crash, faults.evict, faults.freeze, faults.stop, faults.again, faults.move, faults.join)
        for _ in range(self.random.choice((0, 3, 8))):
            world.after(world.between(0.0, LASTS), self.random.choice(moves))

    def _plan_records(self) -> None:
        random, world = self.random, self.world
        refused = random.choice((0.0, 0.1, 0.4))
        early = random.choice((0.0, 0.5, 1.0))
        for number in range(1, random.choice((5, 20, MOST)) + 1):
            place = random.choice(list(self.broker.logs))
            groups = [group for group, its in self.groups.items() if its == place]
            order = made(random, number, place, groups, refused)
            if random.random() < early:
                self._append(order)
            else:
                world.after(world.between(0.0, LASTS), lambda order=order: self._append(order))

    def check_ending(self) -> None:
        """All is settled, and each profile has what is good of every part."""
        check_quiet(self)
        check_profiles(self, self.parts_oracle)
