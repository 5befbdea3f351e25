"""One chaos run: real Kafka, real instances, all that can go wrong from one seed, and a ledger that must balance."""

import contextlib
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import TopicPartition

from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.mixpanel.server import MixpanelSandbox
from consumer.sandbox.ports import free_port
from consumer.sandbox.registry.server import RegistrySandbox
from tests.chaos import rows
from tests.chaos.faults import Faults, Repair
from tests.chaos.fleet import Fleet
from tests.chaos.ledger import Balance, Place, Requests, balance
from tests.chaos.observers import Commits, Letters
from tests.chaos.producing import Producing
from tests.chaos.rows import PARTITIONS, Rows
from tests.chaos.story import PROJECTS, TOPIC, Event, Story
from tests.integration.events import SCHEMA
from tests.integration.service import Service
from tests.integration.world import PROTOCOLS, World

GROUPS = 400
PLACES = [TopicPartition(topic, number) for topic in (TOPIC, rows.TOPIC) for number in range(PARTITIONS)]
SETTLE = 150.0  # seconds, once all is fixed


@dataclass
class Outcome:
    """What a run came to."""

    seed: int
    protocol: str
    balance: Balance
    faults: dict[str, int]
    looks: int
    commit_faults: list[str]
    exits: dict[int, int]
    settled: bool
    overlaps: int

    @property
    def well(self) -> bool:
        """Whether every promise held."""
        return self.settled and self.balance.balances and not self.commit_faults


def run(
    folder: Path,
    seed: int,
    seconds: float,
    protocol: str,
    say: Callable[[str], None],
    without: Sequence[str] = (),
    *,
    at_most_once: bool = False,
) -> Outcome:
    """Let things go wrong for so many seconds, put all right, wait until all is settled, and balance the ledger.

    With `at_most_once` an $add of unknown outcome is a dead letter, and none is applied twice.
    """
    rng = random.Random(seed)
    with built(folder, seed, protocol, fold=rng.random() < 0.8) as (world, requests, fleet):
        world.settings["AMBIGUOUS_ADD"] = "dead-letter" if at_most_once else "resend"
        table = Rows(seed, rows.register(world.registry))
        producing = Producing(world.broker.internal_bootstrap, Story(seed, GROUPS), table, seed)
        letters = Letters(world.broker.internal_bootstrap, world.letters_topic, PARTITIONS)
        commits = Commits(world.broker.internal_bootstrap, world.group, PLACES, producing.placed, requests, letters)
        faults = Faults(world, fleet, seed, producing.poison, PROTOCOLS[protocol])
        faults.keep(lambda name: name not in without)
        fleet.fill()
        producing.start()
        commits.start()
        torture(faults, fleet, rng, seconds, say)
        producing.finish()
        fleet.wanted = 2
        fleet.fill()
        settled = settle(producing.placed(), commits, fleet, say)
        fleet.end()
        commits.stop()
        for _ in range(10):
            letters.read(0.3)
        letters.close()
        found = balance(producing.placed(), requests, letters.found, at_most_once=at_most_once)
        found.wrong = table.differences(world.mixpanel.profiles)
        return Outcome(
            seed,
            protocol,
            found,
            faults.struck,
            commits.looks,
            commits.faults,
            fleet.exits,
            settled,
            len(requests.overlaps),
        )


@contextlib.contextmanager
def built(folder: Path, seed: int, protocol: str, *, fold: bool) -> Iterator[tuple[World, Requests, Fleet]]:
    """The world, before anything goes wrong."""
    mixpanel = MixpanelSandbox(free_port(), shuffle=seed, keep_applied=True)
    requests = mixpanel.applied = Requests()
    instances: list[Service] = []
    properties = {"group.consumer.session.timeout.ms": "6000", "group.consumer.heartbeat.interval.ms": "500"}
    with Broker(folder / "broker", properties=properties) as broker, mixpanel, RegistrySandbox() as registry:

        def start(*environments: dict[str, str]) -> Service:
            environ: dict[str, str] = {}
            for environment in environments:
                environ |= environment
            instances.append(Service(folder / f"instance-{len(instances)}", environ))
            return instances[-1]

        registry.register("chaos-value", json.dumps(SCHEMA))
        world = World(broker, TOPIC, "chaos-group", registry, mixpanel, start)
        for topic in (TOPIC, rows.TOPIC, world.letters_topic):
            broker.create_topic(topic, PARTITIONS)
        world.properties(folder, PROTOCOLS[protocol])
        projects = folder / "projects.toml"
        projects.write_text("".join(f'[{name}]\ntoken = "{token}"\n' for name, token in PROJECTS.items()))
        world.settings |= {
            "KAFKA_TOPICS": f"{TOPIC},{rows.TOPIC}",
            "MAPPING_FILE": str(rows.write_mapping(folder)),
            "MIXPANEL_PROJECTS_FILE": str(projects),
            "MIXPANEL_TIMEOUT": "3s",
            "DRAIN_TIMEOUT": "6s",
            "DEAD_LETTER_BREAKER": "off",
            "FOLD": "on" if fold else "off",
            "LOG_LEVEL": "debug",
        }
        try:
            yield world, requests, Fleet(lambda: start(world.settings))
        finally:
            for instance in instances:
                if instance.running:
                    instance.kill()


def torture(faults: Faults, fleet: Fleet, rng: random.Random, seconds: float, say: Callable[[str], None]) -> None:
    """One or two things wrong at any time; each is fixed before the next of its kind."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        repairs: list[Repair] = []
        for _ in range(rng.choice((1, 1, 2))):
            fault, repair = faults.next()
            say(f"  {fault.name}")
            if repair is not None:
                repairs.append(repair)
        time.sleep(rng.uniform(0.5, 4.0))  # the faults last
        for repair in reversed(repairs):
            repair()
        fleet.fill()
        time.sleep(rng.uniform(0.0, 2.0))


def settle(events: dict[Place, Event], commits: Commits, fleet: Fleet, say: Callable[[str], None]) -> bool:
    """Wait until everything that was produced is committed."""
    ends: dict[tuple[str, int], int] = {}
    for topic, partition, offset in events:
        ends[topic, partition] = max(ends.get((topic, partition), 0), offset + 1)
    deadline = time.monotonic() + SETTLE
    found: dict[tuple[str, int], int] = {}
    while time.monotonic() < deadline:
        with contextlib.suppress(Exception):  # the broker may still be coming back
            found = commits.committed()
            if found == ends:
                return True
        fleet.fill()
        time.sleep(0.5)
    say(f"  not settled: committed {found}, ends {ends}")
    return False
