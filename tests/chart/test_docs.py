"""The values that docs/kubernetes.md, docs/sign-in.md and helm/README.md show are values that work."""

import re
import textwrap
from pathlib import Path

import pytest
import yaml

from consumer.settings.declared import NAMES

ROOT = Path(__file__).resolve().parents[2]
PAGE = "".join((ROOT / "docs" / name).read_text() for name in ("kubernetes.md", "sign-in.md"))
BLOCKS = [textwrap.dedent(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
# Lines that are alternatives of each other stand below each other in one block.
VALUES = [
    line
    for block in BLOCKS
    if "apiVersion:" not in block
    for line in (block.splitlines() if block.startswith("strategy:") else [block])
]


@pytest.mark.parametrize("text", VALUES, ids=lambda text: re.sub(r"\W+", "-", text.strip()[:40]))
def test_values_that_are_shown_work(chart, text):
    """Each block of values is accepted beside the least that has to be said."""
    values = yaml.safe_load(text)
    if "kafka" in values and "securityProtocol" in values["kafka"]:
        told = values["kafka"].get("sasl", {}).get("mechanism", "") not in ("OAUTHBEARER", "AWS_MSK_IAM")
        keda = {} if told else {"authenticationRef": {"name": "of-your-own"}}
        values = {"autoscaling": {"mode": "keda", "keda": keda}, **values}  # KEDA can log in, too
    assert "Deployment" in chart.kinds(**values)


def test_the_least_keda_is_the_one_that_is_tried():
    """The page and the values name the version whose definitions the API server is given."""
    (tried,) = re.findall(r'^KEDA = "v([\d.]+)\.0"', (ROOT / "scripts/chart_tools.py").read_text(), re.MULTILINE)
    assert f"KEDA {tried} or newer" in PAGE
    assert f"(KEDA {tried} or newer)" in (ROOT / "helm/values.yaml").read_text()


def test_values_that_are_named_exist():
    """Every value that the pages name in code is one."""
    values = yaml.safe_load((ROOT / "helm/values.yaml").read_text())
    named = set(re.findall(r"`([a-z]\w+(?:\.\w+)+)", PAGE + (ROOT / "docs/runbook.md").read_text()))
    paths = {name for name in named if name.split(".")[0] in values}
    assert len(paths) > 10
    for path in sorted(paths):
        found = values
        for key in path.split("."):
            if found in ({}, None) or path.startswith(("extraEnv.", "monitoring.rules.alerts.", "kafka.properties")):
                break
            assert key in found, path
            found = found[key]


def test_settings_that_are_named_exist():
    """Every variable with one of our prefixes that the values or the page name is a setting."""
    text = PAGE + (ROOT / "helm/values.yaml").read_text()
    named = set(re.findall(r"\b((?:KAFKA|SCHEMA_REGISTRY|MIXPANEL|BATCH|MAX|DRAIN)_[A-Z_]+)\b", text))
    assert named - {"KAFKA_KEY", "KAFKA_SECRET"} <= set(NAMES)
