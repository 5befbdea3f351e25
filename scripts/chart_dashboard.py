"""Writes helm/files/dashboard.json, the Grafana dashboard, from the panels below.

python scripts/chart_dashboard.py            write it
python scripts/chart_dashboard.py --check    fail where it differs
"""

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent.parent / "helm/files/dashboard.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
OURS = 'namespace="$namespace",app_kubernetes_io_instance="$release"'
WIDTH = 24
Json = dict[str, Any]


def metric(name: str, labels: str = "") -> str:
    """One of the service's metrics, of the chosen release."""
    return f"group_consumer_{name}{{{OURS}{',' if labels else ''}{labels}}}"


def rate(name: str, labels: str = "") -> str:
    """Its rate."""
    return f"rate({metric(name, labels)}[$__rate_interval])"


def quantile(share: float, name: str) -> str:
    """A quantile of a histogram."""
    return f"histogram_quantile({share}, sum by (le) ({rate(name + '_bucket')}))"


def panel(kind: str, title: str, meaning: str, unit: str, *targets: tuple[str, str], width: int = 8) -> Json:
    """One panel; each target is an expression and a legend."""
    return {
        "type": kind,
        "title": title,
        "description": meaning,
        "datasource": SOURCE,
        "gridPos": {"w": width, "h": 4 if kind == "stat" else 8},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(65 + number), "expr": expression, "legendFormat": legend, "datasource": SOURCE}
            for number, (expression, legend) in enumerate(targets)
        ],
    }


def stat(title: str, meaning: str, unit: str, expression: str, *limits: float) -> Json:
    """One number, that turns orange and red at the limits."""
    made = panel("stat", title, meaning, unit, (expression, ""), width=3)
    steps: list[Json] = [{"color": "green", "value": None}]
    steps += [{"color": color, "value": limit} for color, limit in zip(("orange", "red"), limits, strict=False)]
    made["fieldConfig"]["defaults"]["thresholds"] = {"mode": "absolute", "steps": steps}
    made["options"] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background"}
    return made


def graph(title: str, meaning: str, unit: str, *targets: tuple[str, str], width: int = 8) -> Json:
    """Lines over time."""
    return panel("timeseries", title, meaning, unit, *targets, width=width)


def stack(made: Json) -> Json:
    """The graph with its lines on top of each other."""
    made["fieldConfig"]["defaults"]["custom"] = {"stacking": {"mode": "normal"}, "fillOpacity": 30}
    return made


LAG = f"sum({metric('lag_records')})"
ROWS: dict[str, list[Json]] = {
    "At a glance": [
        stat("Pods", "Pods that are scraped", "none", f"count({metric('build_info')})"),
        stat("Lag", "Records not committed yet", "short", LAG, 10_000, 1_000_000),
        stat("Time to catch up", "Lag at the present pace", "s", f"{LAG} / sum({rate('records_total')})", 60, 600),
        stat(
            "Oldest open",
            "How long the oldest open record has waited",
            "s",
            f"max({metric('oldest_open_seconds')})",
            60,
            300,
        ),
        stat(
            "Halted",
            "Mixpanel refuses: see the runbook, GroupConsumerHalted",
            "none",
            f"max({metric('halted')})",
            1,
            1,
        ),
        stat(
            "Breaker open",
            "See the runbook, GroupConsumerBreakerOpen",
            "none",
            f"max({metric('breaker_open')})",
            1,
            1,
        ),
        stat(
            "Dead letters blocked", "Dead letters that wait", "none", f"sum({metric('dead_letters_blocked')})", 1, 1
        ),
        stat(
            "Lost to retention",
            "Since the pods started",
            "short",
            f"sum({metric('retention_gap_records_total')})",
            1,
            1,
        ),
    ],
    "Kafka": [
        stack(graph("Records read", "By topic", "cps", (f"sum by (topic) ({rate('records_total')})", "{{topic}}"))),
        graph(
            "Lag by partition",
            "The ten greatest",
            "short",
            (f"topk(10, max by (topic, partition) ({metric('lag_records')}))", "{{topic}} {{partition}}"),
        ),
        graph(
            "What waits",
            "How long each partition's first open record has waited, and for what: see /status",
            "s",
            (
                f"topk(10, max by (topic, partition, cause) ({metric('blocked_seconds')}))",
                "{{topic}} {{partition}}: {{cause}}",
            ),
        ),
        graph(
            "Mapped",
            "Records that rules of the mapping file made updates of, ignored, or found too old for a path",
            "cps",
            (f"sum by (rule) ({rate('mapped_total')})", "{{rule}}"),
            (f"sum by (rule, why) ({rate('ignored_total')})", "{{rule}} ignored: {{why}}"),
            (f"sum by (topic) ({rate('left_out_paths_total')})", "{{topic}}: paths left out"),
            (f"sum by (topic) ({rate('schema_changes_total')})", "{{topic}}: schemas that mean something new"),
            (f"sum by (topic) ({rate('scattered_groups_total')})", "{{topic}}: groups in two partitions"),
        ),
        graph(
            "Committed offset",
            "How fast each partition's moves",
            "cps",
            (f"max by (topic, partition) (deriv({metric('committed_offset')}[5m]))", "{{topic}} {{partition}}"),
        ),
        graph("Open records", "Read and not settled, by pod", "short", (metric("open_records"), "{{pod}}")),
        graph("Open bytes", "Theirs, by pod", "bytes", (metric("open_bytes"), "{{pod}}")),
        graph(
            "Partitions paused",
            "By cause: memory, a project's share of it, a schema, a dead letter, the breaker",
            "none",
            (f"sum by (cause) ({metric('paused')})", "{{cause}}"),
        ),
        graph(
            "Rebalances",
            "Assignments that began or ended",
            "none",
            (f"sum by (kind) (increase({metric('rebalances_total')}[$__rate_interval]))", "{{kind}}"),
        ),
        graph(
            "Schemas asked for",
            "By what came of it",
            "none",
            (f"sum by (outcome) (increase({metric('schema_fetches_total')}[$__rate_interval]))", "{{outcome}}"),
        ),
        stack(
            graph(
                "Dead letters",
                "By reason",
                "none",
                (f"sum by (reason) (increase({metric('dead_letters_total')}[$__rate_interval]))", "{{reason}}"),
            )
        ),
    ],
    "The writing side": [
        graph(
            "Commits that failed",
            "Refused, or not confirmed before a drain was over",
            "none",
            (f"sum by (pod) (increase({metric('commit_failures_total')}[$__rate_interval]))", "{{pod}}"),
        ),
        graph(
            "Time of a dead letter",
            "Until it is confirmed, for half of them and all but one in a hundred; how long the oldest has waited",
            "s",
            (quantile(0.5, "dead_letter_seconds"), "p50"),
            (quantile(0.99, "dead_letter_seconds"), "p99"),
            (f"max({metric('oldest_dead_letter_seconds')})", "oldest that waits"),
        ),
        graph(
            "Schemas",
            "That records can be read with, by pod",
            "none",
            (metric("schemas_known"), "{{pod}}"),
        ),
        graph("Schema cache", "On disk, by pod", "bytes", (metric("schema_cache_bytes"), "{{pod}}")),
        graph(
            "Foreign members",
            "Of the group, that send to another project: data is mixed",
            "none",
            (f"max({metric('foreign_members')})", "members"),
        ),
        graph(
            "What runs",
            "Pods by version, revision, and whether the core is compiled",
            "none",
            (
                f"count by (version, revision, compiled) ({metric('build_info')})",
                "{{version}} {{revision}} compiled: {{compiled}}",
            ),
        ),
    ],
    "Mixpanel": [
        stack(
            graph(
                "Updates accepted",
                "By operation",
                "cps",
                (f"sum by (operation) ({rate('updates_total')})", "{{operation}}"),
            )
        ),
        stack(
            graph(
                "Requests",
                "By what came of them",
                "reqps",
                (f"sum by (outcome) ({rate('requests_total')})", "{{outcome}}"),
            )
        ),
        graph(
            "Time of a request",
            "Half of them, and all but one in a hundred",
            "s",
            (quantile(0.5, "request_seconds"), "p50"),
            (quantile(0.99, "request_seconds"), "p99"),
        ),
        graph(
            "Waiting for the journal",
            "Requests with $adds: half of them, and all but one in a hundred",
            "s",
            (quantile(0.5, "journal_seconds"), "p50"),
            (quantile(0.99, "journal_seconds"), "p99"),
        ),
        graph("Requests in flight", "By pod", "none", (metric("in_flight"), "{{pod}}")),
        graph(
            "Updates in a request",
            "Half of them, and all but one in twenty",
            "none",
            (quantile(0.5, "batch_updates"), "p50"),
            (quantile(0.95, "batch_updates"), "p95"),
        ),
        graph(
            "Retries",
            "By the fault; and requests given up, which may be applied late",
            "none",
            (f"sum by (cause) (increase({metric('retries_total')}[$__rate_interval]))", "{{cause}}"),
            (f"sum(increase({metric('given_up_requests_total')}[$__rate_interval]))", "given up"),
        ),
    ],
    "Projects": [
        stack(
            graph(
                "Updates by project",
                "That Mixpanel accepted",
                "cps",
                (f"sum by (project) ({rate('updates_total')})", "{{project}}"),
            )
        ),
        graph(
            "Failing by project",
            "Requests to be sent again, in the time of a point",
            "none",
            (f"sum by (project) (increase({metric('retries_total')}[$__rate_interval]))", "{{project}}"),
        ),
        graph(
            "Halted projects",
            "Whose credentials or configuration Mixpanel refuses: see the runbook, GroupConsumerHalted",
            "none",
            (f"max by (project, cause) ({metric('halted')}) > 0", "{{project}}: {{cause}}"),
        ),
    ],
    "Pods": [
        graph(
            "CPU",
            "Cores, by pod",
            "none",
            (f"rate(process_cpu_seconds_total{{{OURS}}}[$__rate_interval])", "{{pod}}"),
        ),
        graph("Memory", "Resident, by pod", "bytes", (f"process_resident_memory_bytes{{{OURS}}}", "{{pod}}")),
        graph(
            "Partitions",
            "That each pod reads; a pod without is one too many, all without is GroupConsumerReadsNothing",
            "none",
            (f"count by (pod) ({metric('lag_records')})", "{{pod}}"),
        ),
    ],
}


def placed() -> list[Json]:
    """The panels with their places: rows from top to bottom, panels from left to right."""
    found: list[Json] = []
    top = 0
    for title, panels in ROWS.items():
        found.append(
            {"type": "row", "title": title, "collapsed": False, "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1}}
        )
        top, left, height = top + 1, 0, 0
        for one in panels:
            size = one["gridPos"]
            if left + size["w"] > WIDTH:
                top, left = top + height, 0
            found.append({**one, "gridPos": {"x": left, "y": top, **size}})
            left, height = left + size["w"], size["h"]
        top += height
    return [{"id": number, **one} for number, one in enumerate(found, 1)]


def chosen(name: str, label: str, query: str) -> Json:
    """A variable whose choices are a label's values."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
    }


def dashboard() -> Json:
    """The whole dashboard."""
    of_namespace = 'group_consumer_build_info{namespace="$namespace"}'
    return {
        "uid": "mixpanel-group-consumer",
        "title": "Mixpanel group consumer",
        "tags": ["kafka", "mixpanel"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
                chosen("namespace", "Namespace", "label_values(group_consumer_build_info, namespace)"),
                chosen("release", "Release", f"label_values({of_namespace}, app_kubernetes_io_instance)"),
            ]
        },
        "panels": placed(),
    }


def main() -> None:
    """Write, or compare."""
    text = json.dumps(dashboard(), indent=1) + "\n"
    if "--check" not in sys.argv:
        TARGET.write_text(text)
    elif TARGET.read_text() != text:
        sys.exit("helm/files/dashboard.json is not what scripts/chart_dashboard.py makes: run it")


if __name__ == "__main__":
    main()
