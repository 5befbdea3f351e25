"""What is written from something else says the same: README, dashboard, schema; and metrics that are named exist."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm"
NAMED = re.compile(r"\b(group_consumer_[a-z_]+|process_[a-z_]+)\b")


@pytest.mark.parametrize("script", ["chart_docs.py", "chart_dashboard.py"])
def test_written_files_are_up_to_date(script):
    """The README's table is that of values.yaml, and the dashboard that of its script."""
    command = [sys.executable, str(ROOT / "scripts" / script), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


# What has no default cannot stand in values.yaml, and may be said all the same.
OPTIONAL = ("probes.", "autoscaling.keda.authenticationRef.", "resources.")
# What templates write out as a whole.
WHOLE = (*OPTIONAL, "autoscaling.keda.fallback.", "monitoring.rules.alerts")


def test_schema_and_values_have_the_same_names():
    """Every value is in the schema, and every name of the schema is a value."""
    known = schema_names()
    values = set(value_names(yaml.safe_load((CHART / "values.yaml").read_text()), known))
    assert values <= known
    assert {name for name in known - values if not name.startswith(OPTIONAL)} == set()


def test_every_value_is_used():
    """No value is there for nothing: each is read by a template."""
    text = "\n".join(path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file())
    unread = {name for name in schema_names() if not re.search(rf"\.{name.split('.')[-1]}\b", text)}
    assert {name for name in unread if not name.startswith(WHOLE)} == {"global"}


def schema_names():
    """The dotted names of the schema, groups left out."""
    schema = json.loads((CHART / "values.schema.json").read_text())

    def named(node, path):
        if "$ref" in node:
            node = schema["definitions"][node["$ref"].removeprefix("#/definitions/")]
        if node.get("properties") and node.get("additionalProperties") is False:
            for key, one in node["properties"].items():
                yield from named(one, f"{path}.{key}".lstrip("."))
        else:
            yield path

    return set(named(schema, ""))


def value_names(values, known, path=""):
    """The dotted names of the values; a map that the schema leaves open is one of them."""
    if path in known or not isinstance(values, dict):
        yield path
    else:
        for key, one in values.items():
            yield from value_names(one, known, f"{path}.{key}".lstrip("."))


@pytest.fixture(scope="module")
def asked(helms):
    """Every expression of the alerts and of the dashboard."""
    values = {
        "kafka": {"bootstrapServers": ["kafka:9092"]},
        "schemaRegistry": {"urls": ["http://schema-registry:8081"]},
        "mixpanel": {"existingSecret": "mixpanel"},
        "monitoring": {"rules": {"enabled": True}, "dashboard": {"enabled": True}},
    }
    objects = helms["helm4"].render(values)
    (rules,) = (found["spec"] for found in objects if found["kind"] == "PrometheusRule")
    (board,) = (
        json.loads(text) for found in objects if found["kind"] == "ConfigMap" for text in found["data"].values()
    )
    alerts = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    panels = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    variables = [one["query"]["query"] for one in board["templating"]["list"] if isinstance(one["query"], dict)]
    return alerts + panels + variables


@pytest.fixture(scope="module")
def exported():
    """The samples of a running service: it needs no broker to show its numbers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {
        "PATH": os.environ["PATH"],
        "HTTP_PORT": str(port),
        "LOG_LEVEL": "error",
        "MIXPANEL_TOKEN": "x",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1",
    }
    service = subprocess.Popen([sys.executable, "-m", "consumer", "run"], cwd=ROOT, env=env)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                    return answer.read().decode()
            except OSError:
                assert service.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
    finally:
        service.terminate()
        service.wait(30)


def test_every_metric_named_is_exported(asked, exported):
    """Alerts and dashboard ask only for what a running service shows."""
    families = set(re.findall(r"^# TYPE (\S+)", exported, re.MULTILINE))
    families |= {f"{name}_bucket" for name in re.findall(r"^# TYPE (\S+) histogram", exported, re.MULTILINE)}
    names = {name for expression in asked for name in NAMED.findall(expression)}
    assert len(names) > 15
    assert names <= families


def test_every_metric_exported_is_shown(asked, exported):
    """And every metric of the service is on the dashboard or in an alert, so that none is forgotten."""
    families = set(re.findall(r"^# TYPE (group_consumer_\S+)", exported, re.MULTILINE))
    names = {name.removesuffix("_bucket") for expression in asked for name in NAMED.findall(expression)}
    assert families <= names


def test_every_label_value_named_is_exported(asked, exported):
    """A `cause="schema"` or `outcome="accepted"` that an expression picks is one that the service has."""
    picked = set(re.findall(r'(group_consumer_\w+)\{[^}]*,(\w+)=~?"([a-z_|]+)"\}', " ".join(asked)))
    for name, label, value in sorted(picked):
        for one in value.split("|") if label != "app_kubernetes_io_instance" else ():
            assert re.search(rf'^{name}\{{.*{label}="{one}".*\}}', exported, re.MULTILINE), (
                f'{name}{{{label}="{one}"}}'
            )


def test_panels_do_not_overlap():
    """Each panel has a place of its own in the grid."""
    board = json.loads((CHART / "files/dashboard.json").read_text())
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_expressions_of_the_dashboard_parse(tool, asked, tmp_path):
    """Prometheus's own parser takes every expression of the dashboard."""
    expressions = [
        re.sub(r"\$__rate_interval", "5m", expression) for expression in asked if "label_values" not in expression
    ]
    rules = [{"record": f"one:{number}", "expr": expression} for number, expression in enumerate(expressions)]
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    command = [str(tool("promtool")), "check", "rules", "rules.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
