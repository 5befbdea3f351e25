"""Three projects, one or two of which fail in one way: what is for the others goes on as if they were not there."""

from random import Random

from consumer.core.limits import Limits

from .broker import Broker
from .history import History
from .mixpanel import TIMEOUT
from .traffic import PROJECTS, Meant, Traffic, group_of, project_of
from .world import Violation

PROJECT = "projects"
# Every request of the project is answered so; what is `never` is not applied.
ILLNESSES = (
    "401", "403", "404", "429", "429_after", "503_after", "500_never", "refused", "reset_before", "timeout_never",
)  # fmt: skip
SHARED = ("changes-0", 0)
# Records of the projects that fail alone, and of the others alone.
APART, HEALTHY = ("changes-1", 1), (("changes-0", 2), ("changes-1", 3))
EACH = 120
# When the first records come: everybody has joined by then.
BEGINS = 10.0
LASTS = 90.0
# A record of a healthy project waits no longer: for requests of the other that time out, for its batch, its answer.
PATIENCE = TIMEOUT + 5.0


class Beside(History):
    """`ill` are the projects that fail, from the start or after a while in which they answer well."""

    def __init__(self, seed: int, *, tracing: bool = False) -> None:
        super().__init__(seed, tracing=tracing)
        random = self.random
        self.projects = PROJECTS
        self.journaling = False
        self.alone = True
        self.ill: tuple[str, ...] = (random.choice(PROJECTS),)
        both = Random(f"both {seed}")
        if both.random() < 0.5:
            self.ill += (both.choice([one for one in PROJECTS if one not in self.ill]),)
        self.well_for = random.choice((0.0, 25.0))
        self.mixpanel.faults, self.mixpanel.limit, self.mixpanel.latency = 0.0, 1_000_000, 0.1
        self.letter_topic.faults, self.letter_topic.slow = 0.0, 0.1
        self.oversleep = 0.2
        self.broker = Broker(self.world, [SHARED, APART, *HEALTHY], self.protocol)
        self.groups = {}
        for number in range(24):
            project = PROJECTS[number % 3]
            own = APART if project in self.ill else HEALTHY[number % 2]
            self.groups[group_of(project, number)] = SHARED if number % 4 == 0 else own
        self.came: dict[int, float] = {}
        self.faults_until = self.world.now + LASTS
        self.limits = Limits(
            batch_updates=random.choice((5, 2_000)),
            linger=0.1,
            max_in_flight=random.choice((2, 5, 8)),
            open_records=20,
            breaker=False,
        )

    def plan_faults(self) -> None:
        self.world.at(self.world.now + self.well_for, self._fall_ill)
        for second in range(int(LASTS)):
            self.world.after(second + 0.99, self._check_healthy)
        self.world.at(self.faults_until - 0.01, self._check_shared)

    def _fall_ill(self) -> None:
        self.mixpanel.ill, self.mixpanel.illness = self.ill, self.random.choice(ILLNESSES)

    def _plan_records(self) -> None:
        """Steadily, and from time to time as many of what fails as fill all that may be open."""
        for projects in (list(self.ill), [one for one in PROJECTS if one not in self.ill]):
            groups = {name: place for name, place in self.groups.items() if project_of(name) in projects}
            traffic = Traffic(self.random, groups, bad=0.02, unreadable=0.0, large=0.0)
            traffic.number = 10_000 if projects[0] in self.ill else 20_000
            for number in range(EACH):
                bursts = projects[0] in self.ill and number < EACH // 2
                when = self.random.choice((BEGINS, 40.0)) if bursts else self.world.between(BEGINS, LASTS - 10.0)
                meant = traffic.make()
                self.world.at(self.world.now + when, lambda meant=meant: self._append(meant))

    def _append(self, meant: Meant) -> None:
        super()._append(meant)
        self.came[meant.number] = self.world.now

    def _decided(self) -> set[int]:
        """The records that are accepted, or whose dead letters are confirmed."""
        return {n for e in self.oracle.epochs for n, item in e.items.items() if item.accepted or item.confirmed}

    def _check_healthy(self) -> None:
        """Nothing waits for long in the partitions that what fails has no part in."""
        decided = self._decided()
        for partition in HEALTHY:
            for meant in self.broker.logs[partition].records:
                waited = self.world.now - self.came[meant.number]
                if meant.number not in decided and waited > PATIENCE:
                    words = f"{partition}: {meant.group} @{meant.offset} waits for {waited:.1f} s"
                    raise Violation(f"promise 6: {words}, and only {self.ill} fails ({self.mixpanel.illness})")

    def _check_shared(self) -> None:
        """The shared partition is committed up to the first record of a project that fails now."""
        log, decided = self.broker.logs[SHARED], self._decided()
        for meant in log.records:
            if project_of(meant.group) in self.ill and meant.number not in decided:
                break
            if log.committed <= meant.offset and self.world.now - self.came[meant.number] > PATIENCE:
                raise Violation(f"promise 6: {SHARED} is committed up to {log.committed}, not beyond {meant.offset}")
