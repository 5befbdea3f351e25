"""The exposition: every name of the interface, with its labels, as Prometheus reads it."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from consumer.core.model import Assignment
from consumer.event.errors import REASONS
from consumer.service.gauges import Gauges
from consumer.service.metrics import Metrics

PLACE = Assignment("group-changes", 3)
# The interface's names, each with its labels.
NAMES = {
    "records_total": {"topic"},
    "updates_total": {"project", "operation"},
    "requests_total": {"project", "outcome"},
    "request_seconds_bucket": {"le"},
    "request_seconds_count": set(),
    "batch_updates_bucket": {"le"},
    "dead_letters_total": {"project", "reason"},
    "retries_total": {"project", "cause"},
    "open_records": set(),
    "open_bytes": set(),
    "in_flight": set(),
    "lag_records": {"topic", "partition"},
    "oldest_open_seconds": set(),
    "blocked_seconds": {"topic", "partition", "cause"},
    "committed_offset": {"topic", "partition"},
    "paused": {"cause"},
    "halted": {"project", "cause"},
    "suspects": set(),
    "foreign_members": set(),
    "commit_failures_total": set(),
    "dead_letter_seconds_bucket": {"le"},
    "oldest_dead_letter_seconds": set(),
    "schemas_known": set(),
    "schema_cache_bytes": set(),
    "build_info": {"version", "revision", "compiled"},
    "rebalances_total": {"kind"},
    "schema_fetches_total": {"outcome"},
}


@pytest.fixture
def metrics() -> Metrics:
    """The metrics of a service that has done a little of everything."""
    found = Metrics(["default"])
    found.records.labels("group-changes").inc(5)
    found.updates.labels("default", "$set").inc(2)
    found.requests.labels("default", "accepted").inc()
    found.retries.labels("default", "503").inc()
    found.seconds.observe(0.2)
    found.sizes.observe(2)
    found.take(
        Gauges(
            open_records=7,
            open_bytes=700,
            in_flight=1,
            oldest_open_seconds=1.5,
            halted={"default": "401"},
            breaker_open=True,
            dead_letters_blocked=2,
            paused={"schema": 3},
            blocked={PLACE: ("schema", 12.5)},
            lag={PLACE: 9},
            committed={PLACE: 41},
        )
    )
    return found


def samples(metrics: Metrics) -> dict[tuple[str, frozenset], float]:
    """Every sample by its name without the prefix and its labels."""
    text, kind = metrics.exposition()
    assert kind.startswith("text/plain")
    return {
        (sample.name.removeprefix("group_consumer_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_the_interface_is_exported(metrics, name):
    """With the labels that dashboards and alerts use, and no others."""
    labels = [{label for label, _ in labels} for found, labels in samples(metrics) if found == name]
    assert labels
    assert all(found == NAMES[name] for found in labels)


def test_values_are_what_was_counted(metrics):
    """Counters count, and gauges are those of the last look."""
    found = samples(metrics)
    place = frozenset({("topic", "group-changes"), ("partition", "3")})
    assert found["records_total", frozenset({("topic", "group-changes")})] == 5
    assert found["updates_total", frozenset({("project", "default"), ("operation", "$set")})] == 2
    assert found["lag_records", place] == 9
    assert found["committed_offset", place] == 41
    assert found["paused", frozenset({("cause", "schema")})] == 3
    assert found["blocked_seconds", place | {("cause", "schema")}] == 12.5
    assert found["halted", frozenset({("project", "default"), ("cause", "401")})] == 1
    assert found["oldest_open_seconds", frozenset()] == 1.5
    assert found["breaker_open", frozenset()] == 1
    assert found["dead_letters_blocked", frozenset()] == 2


def test_a_first_reject_is_seen_by_a_rate():
    """What has few values is there from the start, with zero: all reasons, the usual causes of a halt and a pause."""
    found = samples(Metrics(["default"]))
    for project in ("default", ""):
        dead = [frozenset({("project", project), ("reason", reason)}) for reason in REASONS]
        assert [found["dead_letters_total", labels] for labels in dead] == [0] * len(REASONS)
    assert all(
        found["halted", frozenset({("project", "default"), ("cause", cause)})] == 0 for cause in ("401", "403", "404")
    )
    causes = ("limit", "schema", "dead_letter", "breaker")
    assert all(found["paused", frozenset({("cause", cause)})] == 0 for cause in causes)
    kinds = ("assigned", "revoked", "lost")
    assert all(found["rebalances_total", frozenset({("kind", kind)})] == 0 for kind in kinds)


def test_a_partition_that_is_gone_is_not_exported(metrics):
    """The lag of a partition is that of its owner alone."""
    metrics.take(Gauges())
    assert not [
        name for name, _ in samples(metrics) if name in ("lag_records", "committed_offset", "blocked_seconds")
    ]


def test_two_services_do_not_share_their_metrics():
    """No global registry: what one counts the other does not show."""
    first, second = Metrics(["default"]), Metrics(["default"])
    first.records.labels("t").inc()
    assert ("records_total", frozenset({("topic", "t")})) not in samples(second)
