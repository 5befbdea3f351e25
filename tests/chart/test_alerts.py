"""Each alert, in Prometheus's own rule tests: when it must fire, what it says, and when it must stay silent."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.chart.alert_cases import CASES

ROOT = Path(__file__).resolve().parents[2]
ON = {"monitoring": {"rules": {"enabled": True, "runbookUrl": "https://example.com/runbook.md"}}}


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


def test_without_a_url_an_alert_names_its_page(chart):
    """Whoever is woken finds the section, even where nobody said where the runbook can be read."""
    rules = chart.one("PrometheusRule", monitoring={"rules": {"enabled": True}})
    for rule in rules["spec"]["groups"][0]["rules"]:
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert "runbook_url" not in rule["annotations"]


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
