"""The numbers of the service for Prometheus; their names are fixed, and described in docs/operations.md.

Counters are counted as things happen. Gauges are taken from one `Gauges` value that the loop replaces as a whole
once a second, so a scrape never waits for the loop, and never sees half of a change.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector

import consumer
from consumer.core.model import Assignment
from consumer.core.partitions import BREAKER, DEAD_LETTER, FAULT, JOURNAL, LIMIT, MAPPING, PROJECT, RULES, SCHEMA
from consumer.event.errors import REASONS
from consumer.event.model import DEFAULT, VERB_NAMES

PREFIX = "group_consumer_"
OUTCOMES = ("accepted", "partial", "opaque", "too_large", "retry", "split", "halt", "withheld")
REBALANCES = ("assigned", "revoked", "lost")
FETCHES = ("known", "refused", "failing")
CAUSES = (LIMIT, PROJECT, FAULT, SCHEMA, RULES, MAPPING, DEAD_LETTER, JOURNAL, BREAKER)

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
UPDATES = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 1500, 2000)


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
    oldest_letter_seconds: float = 0.0
    schemas_known: int = 0
    schema_cache_bytes: int = 0
    breaker_open: bool = False
    dead_letters_blocked: int = 0
    paused: dict[str, int] = field(default_factory=dict)
    blocked: dict[Assignment, tuple[str, float]] = field(default_factory=dict)
    behind_transactions: dict[Assignment, int] = field(default_factory=dict)
    lag: dict[Assignment, int] = field(default_factory=dict)
    committed: dict[Assignment, int] = field(default_factory=dict)


class Metrics:
    """All metrics of one service. Counters are for the loop's thread; `exposition` is for any."""

    def __init__(self, projects: Collection[str], rules: Collection[str] = (), *, compiled: bool = False) -> None:
        """`projects` are the names of all that there are, `rules` those of a mapping file."""
        self.compiled = compiled
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        self._registry = registry
        self.gauges = Gauges()

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(PREFIX + name, meaning, labels, registry=registry)

        self.records = counter("records_total", "Records read", "topic")
        self.updates = counter("updates_total", "Updates that Mixpanel accepted", "project", "operation")
        self.requests = counter("requests_total", "Requests to Mixpanel, by what came of them", "project", "outcome")
        self.dead_letters = counter(
            "dead_letters_total", "Dead letters that the broker confirmed", "project", "reason"
        )
        self.retries = counter(
            "retries_total", "Requests that have to be sent again, by the fault", "project", "cause"
        )
        self.rebalances = counter("rebalances_total", "Assignments that began or ended", "kind")
        self.fetches = counter("schema_fetches_total", "Schemas asked for, by what came of it", "outcome")
        self.commit_failures = counter(
            "commit_failures_total", "Commits that the broker refused, or did not confirm in time"
        )
        self.letter_seconds = Histogram(
            PREFIX + "dead_letter_seconds",
            "From a dead letter to its confirmation",
            buckets=SECONDS,
            registry=registry,
        )
        self.given_up = counter("given_up_requests_total", "Requests given up: Mixpanel may apply them late")
        self.gaps = counter("retention_gap_records_total", "Offsets that retention removed before they were read")
        self.truncations = counter(
            "log_truncations_total", "Logs that lost what was read of them", "topic", "partition"
        )
        self.mapped = counter("mapped_total", "Records that a rule of the mapping file made updates of", "rule")
        self.ignored = counter("ignored_total", "Records that a rule ignored, and why", "rule", "why")
        self.schema_changes = counter(
            "schema_changes_total", "Writers' schemas that mean something new to the mapping", "topic"
        )
        self.scattered = counter("scattered_groups_total", "Groups seen in two partitions, of a sample", "topic")
        self.left_out = counter(
            "left_out_paths_total", "Mapped paths that a record is too old to have, left out", "topic"
        )
        self.seconds = Histogram(
            PREFIX + "request_seconds", "How long requests took", buckets=SECONDS, registry=registry
        )
        self.sizes = Histogram(PREFIX + "batch_updates", "Updates in a request", buckets=UPDATES, registry=registry)
        self.journal_seconds = Histogram(
            PREFIX + "journal_seconds",
            "How long requests with $adds waited for the journal",
            buckets=SECONDS,
            registry=registry,
        )
        # All from the start, so that a rate sees the first one, too.
        for kind in REBALANCES:
            self.rebalances.labels(kind)
        for outcome in FETCHES:
            self.fetches.labels(outcome)
        for rule in rules:
            self.mapped.labels(rule)
        for project in projects:
            for family, values in ((self.updates, VERB_NAMES), (self.requests, OUTCOMES)):
                for value in values:
                    family.labels(project, value)
        for project in (*projects, ""):
            for reason in REASONS:
                self.dead_letters.labels(project, reason)
        registry.register(_Now(self))
        ProcessCollector(registry=registry)

    def exposition(self) -> tuple[bytes, str]:
        """What a scrape gets, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class _Now:
    """The gauges, at the moment of a scrape."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> list[Metric]:
        """Nothing to check for names that come twice."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every gauge."""
        now = self._metrics.gauges
        for name, meaning, value in (
            ("open_records", "Records read and not settled", now.open_records),
            ("open_bytes", "Their bytes", now.open_bytes),
            ("in_flight", "Requests under way", now.in_flight),
            ("suspects", "Requests whose fault is their own, each tried again by itself", now.suspects),
            ("oldest_dead_letter_seconds", "How long the oldest dead letter waits", now.oldest_letter_seconds),
            ("schemas_known", "Schemas that records can be read with", now.schemas_known),
            ("schema_cache_bytes", "What the schema cache holds", now.schema_cache_bytes),
            ("foreign_members", "Members of the group that send to another project", now.foreign_members),
            ("oldest_open_seconds", "How long the oldest open record has waited", now.oldest_open_seconds),
            ("breaker_open", "1 while a flood of rejects has paused the service", float(now.breaker_open)),
            ("dead_letters_blocked", "Dead letters that could not be written so far", now.dead_letters_blocked),
        ):
            yield GaugeMetricFamily(PREFIX + name, meaning, value=value)
        paused = GaugeMetricFamily(PREFIX + "paused", "Partitions not read right now", labels=["cause"])
        for cause in CAUSES:
            paused.add_metric([cause], now.paused.get(cause, 0))
        yield paused
        halted = GaugeMetricFamily(
            PREFIX + "halted", "1 while Mixpanel's answer halts sending", labels=["project", "cause"]
        )
        for project, answer in now.halted.items():
            for cause in sorted({"401", "403", "404", answer} - {""}):
                halted.add_metric([project, cause], float(cause == answer))
        yield halted
        for name, meaning, values in (
            ("lag_records", "Offsets not committed yet", now.lag),
            ("committed_offset", "The committed offset", now.committed),
            ("open_transaction_offsets", "Offsets held back by an open transaction", now.behind_transactions),
        ):
            family = GaugeMetricFamily(PREFIX + name, meaning, labels=["topic", "partition"])
            for place, value in values.items():
                family.add_metric([place.topic, str(place.partition)], value)
            yield family
        blocked = GaugeMetricFamily(
            PREFIX + "blocked_seconds",
            "How long the first open record has waited, by why it waits now",
            labels=["topic", "partition", "cause"],
        )
        for place, (cause, seconds) in now.blocked.items():
            blocked.add_metric([place.topic, str(place.partition), cause], seconds)
        yield blocked
        info = GaugeMetricFamily(
            PREFIX + "build_info", "1, for what runs", labels=["version", "revision", "compiled"]
        )
        info.add_metric([consumer.__version__, consumer.__revision__, str(self._metrics.compiled).lower()], 1)
        yield info
