"""Histories of one fault at a time, which say what must go on beside it.

letters    the dead-letter topic is missing: partitions without a reject go on (promise 7)
registry   one schema cannot be had: partitions that do not need it go on (promise 6)
stuck      every request with one group in it meets one fault: all other groups go on (promises 6, 10)
flood      rejects without end: the breaker opens, or has no reason to (promise 8)
refused    a few refused values in a long run of one group: each is found with few requests (promise 10)
full       a full state that is refused, in any dialect: little more than what is open is kept (promises 5, 10)
large      large bodies are refused for a while, as by a proxy: they come back once that is over (promise 10)
again      partitions are revoked and at once assigned to the same again, with requests in flight (promises 2, 4)
journal    instances end, or are thrown out, at any moment: no $add is applied twice, or lost unsaid (promise 9)
"""

from collections.abc import Callable
from random import Random

from consumer.core.limits import Limits

from .history import History
from .instance import SILENCE
from .mixpanel import NEVER_APPLIED
from .traffic import LATE, PROJECTS, Meant, Traffic, group_of
from .world import Violation

LETTERS, REGISTRY, STUCK, FLOOD, FENCED, ASLEEP = "letters", "registry", "stuck", "flood", "fenced", "asleep"
REFUSED, CRASHES, AGAIN, FULL, LARGE = "refused", "journal", "again", "full", "large"
FLOODS = ("all rejects", "half rejects", "breaker off", "too few rejects", "too slow rejects")
STUCK_BY = (NEVER_APPLIED, NEVER_APPLIED, "429", "429_after", "403", "reset_before", "timeout_never")
LASTS = {LETTERS: 40.0, STUCK: 1_000.0, FLOOD: 200.0, ASLEEP: 90.0, LARGE: 500.0}
REJECTS = 1_000
WINDOW = 60.0
RUN = 200
FULL_RECORDS = 200
BURST_EVERY = 20.0


class Isolated(History):
    """A world in which nothing goes wrong but one thing."""

    def __init__(self, kind: str, seed: int, *, tracing: bool = False) -> None:
        super().__init__(seed, tracing=tracing)
        self.kind = kind
        self.mixpanel.faults = 0.0
        self.mixpanel.limit = 1_000_000
        self.letter_topic.faults = 0.0
        self.letter_topic.slow = 0.1
        self.oversleep = 0.5
        self.lasts = LASTS.get(kind, 60.0)
        self.faults_until = self.world.now + self.lasts
        self.flood = self.random.choice(FLOODS)
        self.limits = Limits(
            batch_updates=self.random.choice((5, 2_000)),
            linger=0.1,
            max_in_flight=self.random.choice((2, 8)),
            open_records={FLOOD: 2_000, STUCK: 500, REFUSED: 500}.get(kind, 20),
            breaker=self.flood != "breaker off",
            resend_adds=kind != CRASHES,
            announces=kind == CRASHES,
        )
        self.journaling = kind == CRASHES
        self.alone = kind in (STUCK, REFUSED, FULL, LARGE, ASLEEP, REGISTRY, FENCED)
        self.full = kind == FULL
        if self.full:
            self._fill_up()
        if kind == LARGE:
            self._refuse_large()
        if kind == CRASHES:
            self.mixpanel.faults = self.random.choice((0.0, 0.05))
            self.journal_topic.slow = self.random.choice((0.02, 0.5, 3.0))

        if kind == AGAIN:  # a drain is over before its requests are answered
            self.mixpanel.faults = 0.3
            self.mixpanel.latency = self.random.choice((1.0, 3.0))
            self.drain_timeout = 0.5

    def _spread(self, groups: int) -> None:
        """So many groups over all partitions."""
        places = list(self.broker.logs)
        self.groups = {group_of(PROJECTS[0], number): self.random.choice(places) for number in range(groups)}

    def _fill_up(self) -> None:
        """All that is open goes in requests at once, in runs of ten of which one update is sent."""
        random = self.random
        self._spread(FULL_RECORDS // 10)
        self.mixpanel.latency = random.choice((0.02, 0.1))
        self.limits = Limits(
            batch_updates=random.choice((5, 2_000)),
            linger=0.1,
            max_in_flight=random.choice((2, 8)),
            open_records=FULL_RECORDS,
            breaker=False,
        )

    def _refuse_large(self) -> None:
        """A proxy takes 70 to 300 KB, for a while."""
        random = self.random
        self._spread(60)
        self.mixpanel.limit = random.choice((70_000, 150_000, 300_000))
        self.limits = Limits(
            batch_updates=2_000, batch_bytes=random.choice((200_000, 1_000_000)), linger=0.1, breaker=False
        )

    def plan_faults(self) -> None:
        end = self.faults_until - 0.01
        if self.kind == LETTERS:
            self.letter_topic.missing = True
            self.world.at(end, lambda: self._check_committed(is_reject))
        elif self.kind == REGISTRY:
            self.registries.without = LATE
            self.world.at(end, lambda: self._check_committed(is_late))
        elif self.kind == STUCK:
            self.mixpanel.stuck = self.random.choice(list(self.groups))
            self.mixpanel.stuck_by = Random(f"stuck {self.world.seed}").choice(STUCK_BY)
            self.world.at(end, self._check_accepted)
        elif self.kind == ASLEEP:
            for began in (2.0, 2.0, 40.0):  # before there was a record, so that nothing was ever committed; and later
                self.world.after(began, lambda: self.faults.freeze(SILENCE + 1.0))
        elif self.kind == CRASHES:
            for _ in range(8):
                what = self.random.choice(
                    (self.faults.crash, self.faults.crash, self.faults.evict, self.faults.freeze)
                )
                self.world.after(self.world.between(0.0, self.lasts), what)
        elif self.kind == AGAIN:
            for _ in range(12):
                self.world.after(self.world.between(1.0, self.lasts), self.faults.again)
        elif self.kind == FENCED:
            for _ in range(4):
                self.world.after(self.world.between(5.0, self.lasts), self.faults.fence)
        elif self.kind == FLOOD:
            self.world.at(end, self._check_flood)
        elif self.kind == LARGE:
            self.world.after(self.world.between(50.0, 100.0), lambda: setattr(self.mixpanel, "limit", 10_000_000))

    def _plan_records(self) -> None:
        if self.kind == FLOOD:
            self._plan_flood(self.random)
            return
        if self.kind == REFUSED:
            self._plan_refused(self.random)
            return
        if self.kind == FULL:
            self._plan_full(self.random)
            return
        if self.kind == LARGE:
            self._plan_large(self.random)
            return
        unreadable = {LETTERS: 0.8, REGISTRY: 0.05}.get(self.kind, 0.0)
        traffic = Traffic(
            self.random, self.groups, bad=0.05 if self.kind == LETTERS else 0.0, unreadable=0.0, large=0.0
        )
        marked = self.random.sample(list(self.groups), max(1, len(self.groups) // 3))
        first, last = {ASLEEP: (10.0, 90.0), FENCED: (0.0, 60.0), CRASHES: (0.0, 60.0), AGAIN: (0.0, 60.0)}.get(
            self.kind, (0.0, self.random.choice((0.0, 10.0)))
        )
        for _ in range(100):
            meant = traffic.make()
            if self.random.random() < unreadable and meant.group in marked:
                meant = traffic.rejected(meant.group, "late" if self.kind == REGISTRY else "tombstone")
            when = self.world.now + self.world.between(first, last)
            self.world.at(when, lambda meant=meant: self._append(meant))

    def _plan_flood(self, random: Random) -> None:
        rejects, good, seconds = {
            "all rejects": (1_500, 0, 30.0),
            "half rejects": (1_400, 1_000, 30.0),
            "breaker off": (1_500, 0, 30.0),
            "too few rejects": (1_200, 1_800, 30.0),
            "too slow rejects": (1_500, 100, 150.0),
        }[self.flood]
        traffic = Traffic(random, self.groups, bad=0.0, unreadable=0.0, large=0.0)
        kinds = ["tombstone"] * rejects + ["good"] * good
        random.shuffle(kinds)
        for number, kind in enumerate(kinds):
            meant = traffic.make()
            if kind == "tombstone":
                meant = traffic.rejected(meant.group, kind)
            when = self.world.now + seconds * number / len(kinds)
            self.world.at(when, lambda meant=meant: self._append(meant))

    def _plan_refused(self, random: Random) -> None:
        """All is there at the start, and folds into one update of a group."""
        traffic = Traffic(random, self.groups, bad=0.01, unreadable=0.0, large=0.0)
        hot = next(iter(self.groups))
        left = RUN
        while left:
            meant = traffic.make()
            if meant.group == hot and meant.verb == "$set":
                self._append(meant)
                left -= 1

    def _plan_full(self, random: Random) -> None:
        """More than may be open, of many small properties or a large one; all of it is there at the start."""
        bad, small = random.choice((0.1, 0.5, 1.0)), random.random() < 0.5
        traffic = Traffic(random, self.groups, bad=0.0, unreadable=0.0, large=0.0)
        for number in range(FULL_RECORDS * 3 // 2):
            group = list(self.groups)[number // 10 % len(self.groups)]
            self._append(traffic.broad(group, size=0 if small else 1_500, bad=random.random() < bad))

    def _plan_large(self, random: Random) -> None:
        """Half a megabyte at once, again and again."""
        traffic = Traffic(random, self.groups, bad=0.0, unreadable=0.0, large=0.0)
        for number in range(int(self.lasts / BURST_EVERY)):
            for group in self.groups:
                meant = traffic.broad(group, size=random.choice((2_000, 14_000)))
                self.world.at(self.world.now + number * BURST_EVERY, lambda meant=meant: self._append(meant))

    # What must be true just before the fault ends.

    def _check_committed(self, stops: Callable[[Meant], bool]) -> None:
        """Each partition is committed up to its first record that cannot go on."""
        for partition, log in self.broker.logs.items():
            stop = next((m.offset for m in log.records if stops(m)), log.end)
            before = [meant.offset for meant in log.records if meant.offset < stop]
            if before and log.committed < before[-1] + 1:
                words = f"is committed up to {log.committed}, and nothing stands in its way before {stop}"
                raise Violation(f"promise 6, 7: {partition} {words}")

    def _check_accepted(self) -> None:
        """Every record of another group is accepted."""
        accepted = {n for e in self.oracle.epochs for n, item in e.items.items() if item.accepted or item.confirmed}
        for log in self.broker.logs.values():
            for meant in log.records:
                if meant.group != self.mixpanel.stuck and meant.number not in accepted:
                    raise Violation(
                        f"promise 6: {meant.group} is held for {self.lasts:.0f} s by {self.mixpanel.stuck}"
                    )

    def _check_flood(self) -> None:
        """The breaker is open exactly where it should be, and an open one lets nothing more through.

        Each instance has its own: where all rejects together are fewer than so many for each, none has to be open.
        """
        opened = [instance for instance in self.running() if instance.loop.pipeline.breaker_open]
        letters = len(self.oracle.letters)
        most = REJECTS * len(self.instances)
        if self.flood in ("all rejects", "half rejects") and (opened or letters >= most):
            if not opened or letters > most + 1:
                raise Violation(f"promise 8: {self.flood}: {letters} dead letters, the breaker open at {opened}")
            for instance in opened:
                if self.world.now - instance.polled_at > 5.0:
                    raise Violation(f"promise 8: {instance} does not poll any more")
            self.over_at_flood()
        elif opened:
            raise Violation(f"promise 8: {self.flood}: the breaker is open at {opened} after {letters} dead letters")

    def over_at_flood(self) -> None:
        """Nothing more is going to happen: only that everybody stops is left to be seen."""
        self.calm = self.ending = True
        for instance in self.running():
            instance.stopping = True
        self._wait_for_stop(80)

    def _calm_down(self) -> None:
        self.registries.without = None
        if not self.ending:
            super()._calm_down()


def is_reject(meant: Meant) -> bool:
    """Whether the record becomes a dead letter."""
    return meant.verdict != "good"


def is_late(meant: Meant) -> bool:
    """Whether the record waits for its schema."""
    return meant.verdict == "late"
