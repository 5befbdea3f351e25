"""The numbers of the service for Prometheus; their names are fixed, and described in docs/operations.md.

Counters are counted as things happen; the gauges are in service/gauges.py.
"""

from collections.abc import Collection, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector

from consumer.event.errors import REASONS
from consumer.event.model import VERB_NAMES
from consumer.service.gauges import PREFIX, Gauges, build_info, families

OUTCOMES = ("accepted", "partial", "opaque", "too_large", "retry", "split", "halt", "withheld")
REBALANCES = ("assigned", "revoked", "lost")
FETCHES = ("known", "refused", "failing")

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
UPDATES = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 1500, 2000)


class Metrics:
    """All metrics of one service. Counters are for the loop's thread; `exposition` is for any."""

    def __init__(self, projects: Collection[str], rules: Collection[str] = (), *, compiled: bool = False) -> None:
        """`projects` are the names of all that there are, `rules` those of a mapping file."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self.gauges = Gauges()
        count = self._counter
        self.records = count("records_total", "Records read", "topic")
        self.updates = count("updates_total", "Updates that Mixpanel accepted", "project", "operation")
        self.requests = count("requests_total", "Requests to Mixpanel, by what came of them", "project", "outcome")
        self.retries = count("retries_total", "Requests that have to be sent again, by the fault", "project", "cause")
        self.given_up = count("given_up_requests_total", "Requests given up: Mixpanel may apply them late")
        self.seconds = self._histogram("request_seconds", "How long requests took")
        self.sizes = self._histogram("batch_updates", "Updates in a request", UPDATES)
        self.journal_seconds = self._histogram(
            "journal_seconds", "How long requests with $adds waited for the journal"
        )
        confirmed = "Dead letters that the broker confirmed"
        self.dead_letters = count("dead_letters_total", confirmed, "project", "reason")
        self.dead_letter_seconds = self._histogram("dead_letter_seconds", "From a dead letter to its confirmation")
        self.rebalances = count("rebalances_total", "Assignments that began or ended", "kind")
        unconfirmed = "Commits that the broker refused, or did not confirm in time"
        self.commit_failures = count("commit_failures_total", unconfirmed)
        self.gaps = count("retention_gap_records_total", "Offsets that retention removed before they were read")
        self.truncations = count(
            "log_truncations_total", "Logs that lost what was read of them", "topic", "partition"
        )
        self.fetches = count("schema_fetches_total", "Schemas asked for, by what came of it", "outcome")
        self.mapped = count("mapped_total", "Records that a rule of the mapping file made updates of", "rule")
        self.ignored = count("ignored_total", "Records that a rule ignored, and why", "rule", "why")
        new_meaning = "Writers' schemas that mean something new to the mapping"
        self.schema_changes = count("schema_changes_total", new_meaning, "topic")
        self.scattered = count("scattered_groups_total", "Groups seen in two partitions, of a sample", "topic")
        left_out = "Mapped paths that a record is too old to have, left out"
        self.left_out = count("left_out_paths_total", left_out, "topic")
        self._begin(projects, rules)
        self._registry.register(_Now(self, compiled=compiled))
        ProcessCollector(registry=self._registry)

    def take(self, gauges: Gauges) -> None:
        """A scrape sees these gauges from now on."""
        self.gauges = gauges

    def exposition(self) -> tuple[bytes, str]:
        """What a scrape gets, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, meaning, labels, registry=self._registry)

    def _histogram(self, name: str, meaning: str, buckets: Sequence[float] = SECONDS) -> Histogram:
        return Histogram(PREFIX + name, meaning, buckets=buckets, registry=self._registry)

    def _begin(self, projects: Collection[str], rules: Collection[str]) -> None:
        """All from the start, so that a rate sees the first one, too."""
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


class _Now:
    """The gauges, at the moment of a scrape."""

    def __init__(self, metrics: Metrics, *, compiled: bool) -> None:
        self._metrics = metrics
        self._compiled = compiled

    def describe(self) -> list[Metric]:
        """Nothing to check for names that come twice."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every gauge."""
        yield from families(self._metrics.gauges)
        yield build_info(compiled=self._compiled)
