"""What goes wrong in a chaos run: one thing after another, each put right after a while, all drawn from one seed."""

import random
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from consumer.sandbox.answers import DIALECTS
from tests.chaos.fleet import Fleet
from tests.chaos.story import PROJECTS
from tests.integration.world import TOKEN, World

Repair = Callable[[], object]


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong: its name for the table, and how; what it returns puts it right."""

    name: str
    strike: Callable[[random.Random], Repair | None]
    weight: int = 1


class Faults:
    """All that can go wrong with one world."""

    def __init__(
        self,
        world: World,
        fleet: Fleet,
        seed: int,
        produce_poison: Callable[[int], None],
        protocol: Mapping[str, object],
    ) -> None:
        """`protocol` is that of the group, as properties of a consumer."""
        self._protocol = protocol
        self._world = world
        self._fleet = fleet
        self._random = random.Random(seed)
        self._poison = produce_poison
        self.struck: dict[str, int] = {}
        self._all = [
            Fault("instance killed (SIGKILL)", self._kill, 3),
            Fault("instance stopped (SIGTERM)", self._stop, 3),
            Fault("instance frozen, shorter than its session", self._freeze_short, 1),
            Fault("instance frozen, longer than its session", self._freeze_long, 2),
            Fault("instance joins or leaves", self._resize, 3),
            Fault("partitions revoked, and at once assigned again", self._again, 3),
            Fault("broker restarted", self._restart_broker, 1),
            Fault("broker frozen (SIGSTOP)", self._freeze_broker, 1),
            Fault("dead-letter topic unwritable", self._unwritable, 2),
            Fault("registry down", self._registry, 2),
            Fault("Mixpanel down", self._mixpanel_down, 2),
            Fault("Mixpanel refuses in another dialect", self._dialect, 4),
            Fault("Mixpanel answers with a status", self._status, 4),
            Fault("Mixpanel resets, drips, hangs or is unreadable", self._broken_answer, 4),
            Fault("Mixpanel fails for one project of three", self._project, 3),
            Fault("Mixpanel takes small bodies only (413)", self._small, 1),
            Fault("poison flood", self._flood, 1),
        ]

    def keep(self, wanted: Callable[[str], bool]) -> None:
        """Have only the faults whose names are wanted."""
        self._all = [fault for fault in self._all if wanted(fault.name)]

    def next(self) -> tuple[Fault, Repair | None]:
        """Let one thing go wrong."""
        fault = self._random.choices(self._all, [fault.weight for fault in self._all])[0]
        self.struck[fault.name] = self.struck.get(fault.name, 0) + 1
        return fault, fault.strike(self._random)

    # The instances.

    def _kill(self, rng: random.Random) -> Repair | None:
        self._fleet.kill(rng)
        return self._fleet.fill

    def _stop(self, rng: random.Random) -> Repair | None:
        self._fleet.stop(rng)
        return self._fleet.fill

    def _freeze_short(self, rng: random.Random) -> Repair | None:
        return self._freeze(rng, 2.0)

    def _freeze_long(self, rng: random.Random) -> Repair | None:
        return self._freeze(rng, 9.0)

    def _freeze(self, rng: random.Random, seconds: float) -> Repair | None:
        instance = self._fleet.some(rng)
        if instance is None:
            return None
        instance.signal(signal.SIGSTOP)
        until = time.monotonic() + seconds

        def thaw() -> None:
            time.sleep(max(0.0, until - time.monotonic()))  # the fault itself: it has to last
            instance.signal(signal.SIGCONT)

        return thaw

    def _resize(self, rng: random.Random) -> Repair | None:
        self._fleet.wanted = rng.choice((1, 2, 3))
        self._fleet.fill()
        return None

    def _again(self, _: random.Random) -> Repair | None:
        """A guest joins and leaves at once, while requests take long: what it was given goes back to its owners."""
        slow = self._world.mixpanel.faults.on("slow", probability=1.0, milliseconds=2000)
        group = {"bootstrap.servers": self._world.broker.internal_bootstrap, "group.id": self._world.group}
        guest = Consumer({**group, **self._protocol, "enable.auto.commit": False})
        guest.subscribe(self._world.settings["KAFKA_TOPICS"].split(","))
        end = time.monotonic() + 10.0
        while not guest.assignment() and time.monotonic() < end:
            guest.poll(0.1)
        guest.close()
        return lambda: self._world.mixpanel.faults.off(slow.name)

    # The servers.

    def _restart_broker(self, _: random.Random) -> Repair | None:
        self._world.broker.restart()
        return None

    def _freeze_broker(self, _: random.Random) -> Repair | None:
        self._world.broker.freeze()
        return self._world.broker.thaw

    def _unwritable(self, _: random.Random) -> Repair | None:
        self._limit_letters("1")
        return lambda: self._limit_letters("1048588")

    def _limit_letters(self, size: str) -> None:
        entry = ConfigEntry("max.message.bytes", size, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, self._world.letters_topic, incremental_configs=[entry])
        for _ in range(20):
            with suppress(KafkaException):
                for answer in self._world.broker.admin.incremental_alter_configs([resource]).values():
                    answer.result(5)
                return

    def _registry(self, _: random.Random) -> Repair | None:
        self._world.registry.stop()
        return self._world.registry.start

    # Mixpanel.

    def _mixpanel_down(self, _: random.Random) -> Repair | None:
        self._world.mixpanel.stop()
        return self._world.mixpanel.start

    def _dialect(self, rng: random.Random) -> Repair | None:
        return self._on(
            "dialect",
            dialect=rng.choice(DIALECTS),
            http_status=rng.choice((200, 400)),
            count=rng.choice(("honest", "absent")),
        )

    def _status(self, rng: random.Random) -> Repair | None:
        status = rng.choice((302, 400, 401, 403, 404, 408, 418, 429, 500, 502, 503, 504))
        retry_after = rng.choice(("", "1")) if status in (429, 503) else ""
        applied = rng.random() < 0.5 and status in (408, 500, 502, 504)
        return self._on("status", status=status, retry_after=retry_after, applied=applied)

    def _broken_answer(self, rng: random.Random) -> Repair | None:
        kind = rng.choice(("reset", "drip", "slow", "unreadable", "temporary", "hang"))
        options: dict[str, dict[str, Any]] = {
            "reset": {"at": rng.choice(("before-reading", "before-applying", "after-applying"))},
            "drip": {"milliseconds": 20},
            "slow": {"milliseconds": 300},
            "unreadable": {"applied": rng.random() < 0.5},
            "temporary": {},
            "hang": {"applied": rng.random() < 0.5},
        }
        return self._on(kind, **options[kind])

    def _project(self, rng: random.Random) -> Repair | None:
        token = rng.choice((TOKEN, *PROJECTS.values()))
        kind = rng.choice(("status", "status", "hang", "reset", "temporary", "unreadable"))
        status = {"status": rng.choice((401, 403, 404, 429, 500, 503))} if kind == "status" else {}
        fault = self._world.mixpanel.faults.on(kind, probability=1.0, token=token, **status)
        return lambda: self._world.mixpanel.faults.off(fault.name)

    def _small(self, _: random.Random) -> Repair | None:
        return self._on("too-large", bytes=5000)

    def _on(self, kind: str, **options: Any) -> Repair:
        off = self._world.mixpanel.faults.off
        fault = self._world.mixpanel.faults.on(kind, probability=self._random.choice((0.3, 1.0)), **options)
        return lambda: off(fault.name)

    def _flood(self, rng: random.Random) -> Repair | None:
        self._poison(rng.randrange(100, 400))
        return None
