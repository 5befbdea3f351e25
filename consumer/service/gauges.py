"""The gauges of the service: what holds at one moment, and how a scrape sees it.

They are one value that the loop replaces as a whole once a second, so a scrape never waits for the loop, and never
sees half of a change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import GaugeMetricFamily

import consumer
from consumer.core.causes import BREAKER, DEAD_LETTER, FAULT, JOURNAL, LIMIT, MAPPING, PROJECT, RULES, SCHEMA
from consumer.core.model import Assignment
from consumer.event.model import DEFAULT

PREFIX = "group_consumer_"
CAUSES = (LIMIT, PROJECT, FAULT, SCHEMA, RULES, MAPPING, DEAD_LETTER, JOURNAL, BREAKER)


@dataclass(frozen=True)
class Gauges:
    """What holds at one moment. `paused` counts partitions by cause; `halted` has the answer of each project.

    `blocked` has for each partition with an open record the cause for which its first waits, and for how long.
    """

    open_records: int = 0
    open_bytes: int = 0
    in_flight: int = 0
    oldest_open_seconds: float = 0.0
    halted: Mapping[str, str] = field(default_factory=lambda: {DEFAULT: ""})
    suspects: int = 0
    foreign_members: int = 0
    oldest_dead_letter_seconds: float = 0.0
    schemas_known: int = 0
    schema_cache_bytes: int = 0
    breaker_open: bool = False
    dead_letters_blocked: int = 0
    paused: dict[str, int] = field(default_factory=dict)
    blocked: dict[Assignment, tuple[str, float]] = field(default_factory=dict)
    behind_transactions: dict[Assignment, int] = field(default_factory=dict)
    lag: dict[Assignment, int] = field(default_factory=dict)
    committed: dict[Assignment, int] = field(default_factory=dict)


def families(now: Gauges) -> Iterator[GaugeMetricFamily]:
    """Every gauge, as a scrape sees it."""
    yield from plain(now)
    yield paused(now)
    yield halted(now)
    yield from by_partition(now)
    yield blocked(now)


def plain(now: Gauges) -> Iterator[GaugeMetricFamily]:
    """Those that are one number."""
    for name, meaning, value in (
        ("open_records", "Records read and not settled", now.open_records),
        ("open_bytes", "Their bytes", now.open_bytes),
        ("in_flight", "Requests under way", now.in_flight),
        ("suspects", "Requests whose fault is their own, each tried again by itself", now.suspects),
        ("oldest_dead_letter_seconds", "How long the oldest dead letter waits", now.oldest_dead_letter_seconds),
        ("schemas_known", "Schemas that records can be read with", now.schemas_known),
        ("schema_cache_bytes", "What the schema cache holds", now.schema_cache_bytes),
        ("foreign_members", "Members of the group that send to another project", now.foreign_members),
        ("oldest_open_seconds", "How long the oldest open record has waited", now.oldest_open_seconds),
        ("breaker_open", "1 while a flood of rejects has paused the service", float(now.breaker_open)),
        ("dead_letters_blocked", "Dead letters that could not be written so far", now.dead_letters_blocked),
    ):
        yield GaugeMetricFamily(PREFIX + name, meaning, value=value)


def paused(now: Gauges) -> GaugeMetricFamily:
    """How many partitions are paused, for each cause that there can be."""
    family = GaugeMetricFamily(PREFIX + "paused", "Partitions not read right now", labels=["cause"])
    for cause in CAUSES:
        family.add_metric([cause], now.paused.get(cause, 0))
    return family


def halted(now: Gauges) -> GaugeMetricFamily:
    """Which projects are halted; the usual answers are there from the start."""
    family = GaugeMetricFamily(
        PREFIX + "halted", "1 while Mixpanel's answer halts sending", labels=["project", "cause"]
    )
    for project, answer in now.halted.items():
        for cause in sorted({"401", "403", "404", answer} - {""}):
            family.add_metric([project, cause], float(cause == answer))
    return family


def by_partition(now: Gauges) -> Iterator[GaugeMetricFamily]:
    """Those with a number for each partition."""
    for name, meaning, values in (
        ("lag_records", "Offsets not committed yet", now.lag),
        ("committed_offset", "The committed offset", now.committed),
        ("open_transaction_offsets", "Offsets held back by an open transaction", now.behind_transactions),
    ):
        family = GaugeMetricFamily(PREFIX + name, meaning, labels=["topic", "partition"])
        for assignment, value in values.items():
            family.add_metric([assignment.topic, str(assignment.partition)], value)
        yield family


def blocked(now: Gauges) -> GaugeMetricFamily:
    """For which cause the first open record of each partition waits."""
    family = GaugeMetricFamily(
        PREFIX + "blocked_seconds",
        "How long the first open record has waited, by why it waits now",
        labels=["topic", "partition", "cause"],
    )
    for assignment, (cause, seconds) in now.blocked.items():
        family.add_metric([assignment.topic, str(assignment.partition), cause], seconds)
    return family


def build_info(*, compiled: bool) -> GaugeMetricFamily:
    """What runs."""
    family = GaugeMetricFamily(PREFIX + "build_info", "1, for what runs", labels=["version", "revision", "compiled"])
    family.add_metric([consumer.__version__, consumer.__revision__, str(compiled).lower()], 1)
    return family
