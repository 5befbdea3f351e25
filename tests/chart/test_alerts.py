"""Each alert, in Prometheus's own rule tests: when it must fire, what it says, and when it must stay silent."""

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ON = {"monitoring": {"rules": {"enabled": True, "runbookUrl": "https://example.com/runbook.md"}}}
OURS = 'namespace="here",app_kubernetes_io_instance="rel"'


def series(name: str, values: str, labels: str = "", pod: str = "a", ours: str = OURS) -> dict[str, str]:
    """One series, a sample each minute."""
    labels = f",{labels}" if labels else ""
    return {"series": f'group_consumer_{name}{{{ours},pod="{pod}"{labels}}}', "values": values}


@dataclass(frozen=True)
class Case:
    """At this time the alert fires with these labels and these words; or is silent, with None."""

    name: str
    alert: str
    at: str
    given: list[dict[str, str]]
    says: str | None = None
    labels: dict[str, str] = field(default_factory=dict)


TOPIC = 'topic="t",partition="0"'
ACCEPTED = 'outcome="accepted"'
BUSY = series("lag_records", "1000+100x60", TOPIC)
STUCK = series("committed_offset", "5x60", TOPIC)
MOVES = series("committed_offset", "5+5x60", TOPIC)
SLOW = [series("lag_records", "100000+6000x60", TOPIC), series("records_total", "0+6000x60", 'topic="t"')]
NO_PROGRESS = "1 partitions of t have lag, and have committed nothing for ten minutes."

CASES = [
    Case(
        "halted for two minutes",
        "GroupConsumerHalted",
        "5m",
        [series("halted", "0 0 1x10", 'cause="401"'), series("halted", "0x12", 'cause="403"')],
        "Nothing is sent (401). Records wait in Kafka, and lag grows until it is mended.",
        {"cause": "401"},
    ),
    Case("halted for a moment", "GroupConsumerHalted", "5m", [series("halted", "0 0 1 0x10", 'cause="401"')]),
    Case(
        "another release is halted",
        "GroupConsumerHalted",
        "9m",
        [series("halted", "1x10", 'cause="401"', ours='namespace="here",app_kubernetes_io_instance="other"')],
    ),
    Case(
        "one pod's breaker",
        "GroupConsumerBreakerOpen",
        "3m",
        [series("breaker_open", "0 0 1x10"), series("breaker_open", "0x10", pod="b")],
        "At least half of the records were refused. Look at the dead letters before anything is restarted.",
    ),
    Case("no breaker", "GroupConsumerBreakerOpen", "3m", [series("breaker_open", "0x10")]),
    Case(
        "a dead letter waits",
        "GroupConsumerDeadLetterTopicUnwritable",
        "5m",
        [series("dead_letters_blocked", "0 3x10")],
        "3 dead letters wait, and their partitions with them. The topic is missing, or refuses the service.",
    ),
    Case(
        "it waited a moment",
        "GroupConsumerDeadLetterTopicUnwritable",
        "5m",
        [series("dead_letters_blocked", "0 3 0x9")],
    ),
    Case(
        "a schema is needed",
        "GroupConsumerRegistryFailing",
        "10m",
        [series("paused", "0 2x20", 'cause="schema"'), series("paused", "1x20", 'cause="schema"', pod="b")],
        "3 partitions wait for a schema.",
    ),
    Case("paused for memory", "GroupConsumerRegistryFailing", "20m", [series("paused", "9x30", 'cause="limit"')]),
    Case(
        "only retries",
        "GroupConsumerRetriesWithoutSuccess",
        "20m",
        [series("retries_total", "0+2x60", 'cause="503"'), series("requests_total", "7x60", ACCEPTED)],
        "Requests fail, and are tried again. Nothing is lost; lag grows.",
    ),
    Case(
        "nothing was ever accepted",
        "GroupConsumerRetriesWithoutSuccess",
        "20m",
        [series("retries_total", "0+2x60", 'cause="timeout"')],
        "Requests fail, and are tried again. Nothing is lost; lag grows.",
    ),
    Case(
        "retries beside success",
        "GroupConsumerRetriesWithoutSuccess",
        "20m",
        [series("retries_total", "0+2x60", 'cause="503"'), series("requests_total", "0+1x60", ACCEPTED)],
    ),
    Case("no traffic", "GroupConsumerRetriesWithoutSuccess", "20m", [series("requests_total", "7x60", ACCEPTED)]),
    Case("lag and no commit", "GroupConsumerNoProgress", "20m", [BUSY, STUCK], NO_PROGRESS, {"topic": "t"}),
    Case("lag and never a commit", "GroupConsumerNoProgress", "20m", [BUSY], NO_PROGRESS, {"topic": "t"}),
    Case("lag and commits", "GroupConsumerNoProgress", "20m", [BUSY, MOVES]),
    Case("no lag and no commit", "GroupConsumerNoProgress", "20m", [series("lag_records", "0x60", TOPIC), STUCK]),
    Case(
        "one partition of two",
        "GroupConsumerNoProgress",
        "20m",
        [
            *(BUSY, STUCK),
            series("lag_records", "1000x60", 'topic="t",partition="1"'),
            series("committed_offset", "5+5x60", 'topic="t",partition="1"'),
        ],
        NO_PROGRESS,
        {"topic": "t"},
    ),
    Case(
        "a partition that moved to another pod",
        "GroupConsumerNoProgress",
        "12m",
        [
            series("lag_records", "1000x5 stale", TOPIC),
            series("committed_offset", "5+5x5 stale", TOPIC),
            series("lag_records", "_x6 1000x20", TOPIC, pod="b"),
            series("committed_offset", "_x6 35x20", TOPIC, pod="b"),
        ],
    ),
    Case(
        "the cause has its own alert", "GroupConsumerNoProgress", "20m", [BUSY, STUCK, series("breaker_open", "1x60")]
    ),
    Case(
        "more comes in than goes out",
        "GroupConsumerLagGrows",
        "40m",
        SLOW,
        "It would take 56m 40s to read what waits, and more comes in than goes out.",
    ),
    Case(
        "a backlog that shrinks",
        "GroupConsumerLagGrows",
        "20m",
        [series("lag_records", "1000000-6000x60", TOPIC), series("records_total", "0+6000x60", 'topic="t"')],
    ),
    Case(
        "a little lag that grows",
        "GroupConsumerLagGrows",
        "40m",
        [series("lag_records", "0+10x60", TOPIC), series("records_total", "0+6000x60", 'topic="t"')],
    ),
    Case("halted meanwhile", "GroupConsumerLagGrows", "40m", [*SLOW, series("halted", "1x60", 'cause="401"')]),
    Case(
        "retention was faster",
        "GroupConsumerRetentionGap",
        "20m",
        [series("retention_gap_records_total", "0x10 500x20")],
        "About 500 records are gone: retention is shorter than the lag was.",
    ),
    Case(
        "retention was faster than a new pod",
        "GroupConsumerRetentionGap",
        "20m",
        [series("retention_gap_records_total", "0x30"), series("retention_gap_records_total", "_x9 500x20", pod="b")],
        "About 500 records are gone: retention is shorter than the lag was.",
    ),
    Case("an old gap", "GroupConsumerRetentionGap", "30m", [series("retention_gap_records_total", "500x60")]),
    Case(
        "no pod",
        "GroupConsumerAbsent",
        "20m",
        [series("build_info", "1x5 stale", 'version="1"')],
        "No pod runs, or its metrics are not scraped.",
        {"namespace": "here", "app_kubernetes_io_instance": "rel"},
    ),
    Case("one pod", "GroupConsumerAbsent", "20m", [series("build_info", "1x60", 'version="1"')]),
    Case(
        "rejects of one kind",
        "GroupConsumerDeadLetters",
        "20m",
        [
            series("dead_letters_total", "0x15 14x20", 'reason="rejected"'),
            series("dead_letters_total", "0x60", 'reason="corrupt"'),
        ],
        "About 14 dead letters in a quarter of an hour: rejected.",
        {"reason": "rejected"},
    ),
    Case(
        "rejects before the first scrape of a new pod",
        "GroupConsumerDeadLetters",
        "20m",
        [
            series("dead_letters_total", "9x30", 'reason="corrupt"'),
            series("dead_letters_total", "_x9 3x20", 'reason="corrupt"', pod="b"),
        ],
        "About 3 dead letters in a quarter of an hour: corrupt.",
        {"reason": "corrupt"},
    ),
    Case(
        "rejects of yesterday",
        "GroupConsumerDeadLetters",
        "40m",
        [series("dead_letters_total", "9x60", 'reason="corrupt"')],
    ),
    Case(
        "partitions are lost again and again",
        "GroupConsumerLosesPartitions",
        "40m",
        [series("rebalances_total", "0x10 1x5 2x5 4x30", 'kind="lost"')],
        "4 times in half an hour the group took partitions away from a pod that it could not hear.",
    ),
    Case(
        "rebalances that are none's fault",
        "GroupConsumerLosesPartitions",
        "40m",
        [
            series("rebalances_total", "0+1x60", 'kind="revoked"'),
            series("rebalances_total", "0x20 1x40", 'kind="lost"'),
        ],
    ),
]


@pytest.fixture(scope="module")
def rules(helms):
    """The rules as a release renders them."""
    objects = helms["helm4"].render(least(ON))
    (found,) = (found["spec"] for found in objects if found["kind"] == "PrometheusRule")
    return found


@pytest.fixture(scope="module")
def alerts(rules):
    """The alerts by name."""
    return {rule["alert"]: rule for group in rules["groups"] for rule in group["rules"]}


def least(more):
    return {
        "kafka": {"bootstrapServers": ["kafka:9092"]},
        "schemaRegistry": {"urls": ["http://schema-registry:8081"]},
        "mixpanel": {"existingSecret": "mixpanel"},
        **more,
    }


def check(promtool, folder, rules, tests):
    """Run promtool's rule tests on these rules."""
    (folder / "rules.yaml").write_text(json.dumps(rules))
    (folder / "tests.yaml").write_text(json.dumps({"rule_files": ["rules.yaml"], "tests": tests}))
    command = [str(promtool), "test", "rules", "tests.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_rules_are_well_formed(tool, rules, tmp_path):
    """promtool takes the rules as they are rendered."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    command = [str(tool("promtool")), "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}: {case.name}")
def test_alert(tool, rules, alerts, tmp_path, case):
    """It fires when it must, with the words that it must say; and not otherwise."""
    alert = alerts[case.alert]
    expected = []
    if case.says is not None:
        annotations = {**alert["annotations"], "description": case.says}
        labels = {**case.labels, "severity": alert["labels"]["severity"]}
        expected = [{"exp_labels": labels, "exp_annotations": annotations}]
    ask = {"eval_time": case.at, "alertname": case.alert, "exp_alerts": expected}
    done = check(
        tool("promtool"), tmp_path, rules, [{"interval": "1m", "input_series": case.given, "alert_rule_test": [ask]}]
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_both_ways(alerts):
    """Each alert has a case in which it fires and one in which it does not."""
    assert alerts.keys() == {case.alert for case in CASES if case.says is not None}
    assert alerts.keys() == {case.alert for case in CASES if case.says is None}


def test_every_alert_has_its_page(alerts):
    """The link of each alert leads to its section of the runbook, and each section has its four parts."""
    runbook = (ROOT / "docs/runbook.md").read_text()
    sections = dict(re.findall(r"^## (GroupConsumer\w+)\n(.*?)(?=^## |\Z)", runbook, re.MULTILINE | re.DOTALL))
    assert sections.keys() == alerts.keys()
    for name, alert in alerts.items():
        assert alert["annotations"]["runbook_url"] == f"https://example.com/runbook.md#{name.lower()}"
        for part in ("**What it means.**", "**How to see.**", "**What to do.**", "**What never to do.**"):
            assert part in sections[name], f"{name} lacks {part}"


def test_the_log_lines_of_the_runbook_are_written():
    """Every line that the runbook has somebody grep for is one that the service writes."""
    code = "".join(path.read_text() for path in (ROOT / "consumer").rglob("*.py"))
    code = code.replace("partitions %s", "partitions lost")
    lines = re.findall(r'(?:grep|-e) "([^"]+)"', (ROOT / "docs/runbook.md").read_text())
    assert len(lines) > 5
    assert [line for line in lines if line not in code] == []


def test_the_panels_of_the_runbook_are_on_the_dashboard():
    """Every panel that it names is there."""
    board = json.loads((ROOT / "helm/files/dashboard.json").read_text())
    titles = {panel["title"] for panel in board["panels"]}
    named = {
        panel
        for line in re.findall(r"Panels? (\*[^.:;`]*\*)", (ROOT / "docs/runbook.md").read_text())
        for panel in re.findall(r"\*([^*]+)\*", line)
    }
    assert len(named) > 5
    assert named <= titles


def test_an_alert_can_be_changed(chart):
    """Off, later, quieter, at another number; the others stay as they are."""
    changes = {
        "GroupConsumerAbsent": {"enabled": False},
        "GroupConsumerLagGrows": {"for": "30m", "severity": "warning", "threshold": 1000000},
    }
    rules = chart.one(
        "PrometheusRule", monitoring={"rules": {"enabled": True, "alerts": changes, "alertLabels": {"team": "x"}}}
    )
    found = {rule["alert"]: rule for rule in rules["spec"]["groups"][0]["rules"]}
    assert "GroupConsumerAbsent" not in found
    lag = found["GroupConsumerLagGrows"]
    assert (lag["for"], lag["labels"]) == ("30m", {"severity": "warning", "team": "x"})
    assert "> 1000000 " in lag["expr"]
    assert found["GroupConsumerHalted"]["labels"] == {"severity": "critical", "team": "x"}


def test_no_pod_is_no_fault_where_scaling_may_take_the_last(chart):
    """With `minReplicas: 0` the absence of every pod wakes nobody."""
    monitoring = {"rules": {"enabled": True}}
    rules = chart.one("PrometheusRule", autoscaling={"mode": "keda", "minReplicas": 0}, monitoring=monitoring)
    assert "GroupConsumerAbsent" not in str(rules)


def test_monitors_give_the_label_that_alerts_select(chart):
    """The release's name comes from the pod onto every sample, as the alerts' selector has it."""
    for kind, key in (("PodMonitor", "podMonitor"), ("ServiceMonitor", "serviceMonitor")):
        spec = chart.one(kind, monitoring={key: {"enabled": True}})["spec"]
        assert spec["podTargetLabels"] == ["app.kubernetes.io/instance"]
    service = chart.one("Service", monitoring={"serviceMonitor": {"enabled": True}})
    monitor = chart.one("ServiceMonitor", monitoring={"serviceMonitor": {"enabled": True}})
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["spec"]["publishNotReadyAddresses"] is True  # a pod that is not ready is the one to watch
