"""What the demo plays: group changes, or the changes of a table under a mapping file."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from consumer.sandbox.mixpanel.profiles import Profiles
from consumer.sandbox.sandbox import TOPIC, Sandbox
from consumer.sandbox.traffic import companies
from consumer.sandbox.traffic.event import Expected, TrafficEvent
from consumer.sandbox.traffic.schemas import register
from consumer.sandbox.traffic.traffic import Traffic

SHOWN: Final = 5
COLUMNS: Final = ("$name", "Plan", "MRR", "Seats", "Tier")


@dataclass(frozen=True)
class Play:
    """A topic and its events. `settings` are those that the service needs for it.

    `owed` adds to what is expected once all events are written; `what` says in a table what the events are; `rows`
    are some of the profiles then, for a person to see.
    """

    topic: str
    events: Iterator[TrafficEvent]
    what: str
    settings: dict[str, str] = field(default_factory=dict)
    owed: Callable[[Expected], None] = lambda _: None
    rows: Callable[[Profiles], Sequence[Sequence[Any]]] = lambda _: ()


def group_changes(sandbox: Sandbox, events: int, seed: int) -> Play:
    """The event of the service, by several writers, bad records among them."""
    writers = register(sandbox.registry.register, sandbox.registry.guid)
    traffic = Traffic(writers, seed=seed, projects=sandbox.projects)
    return Play(TOPIC, traffic.events(events), "read from Kafka, Avro of three versions")


def table_changes(sandbox: Sandbox, events: int, seed: int) -> Play:
    """A table of companies, as Debezium writes its changes; its profiles are to end as the table."""
    table = companies.Companies(sandbox.registry.register, seed=seed)
    sandbox.broker.create_topic(companies.TOPIC, sandbox.partitions)
    token = sandbox.mixpanel.project.token

    def owed(expected: Expected) -> None:
        for group_id, properties in table.profiles().items():
            group = {"$token": token, "$group_key": companies.GROUP_KEY, "$group_id": group_id}
            expected.profiles.change([{**group, "$set": properties}])

    def rows(profiles: Profiles) -> list[list[Any]]:
        profile_of_group = [(group, profiles.get(token, companies.GROUP_KEY, group)) for group in table.profiles()]
        return [
            [group, *((profile or {}).get(name, "") for name in COLUMNS)]
            for group, profile in profile_of_group[:SHOWN]
        ]

    settings = {"KAFKA_TOPICS": companies.TOPIC, "MAPPING_FILE": str(companies.mapping_file())}
    what = "changes of a table, as Debezium writes them"
    return Play(companies.TOPIC, table.events(events), what, settings, owed, rows)
