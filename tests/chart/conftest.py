"""Rendering the chart with the real Helm, 3 and 4; see scripts/chart_tools.py for where it comes from."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm"
TOOLS = ROOT / ".tools"
Object = dict[str, Any]

# The least that has to be said; tests add what they are about.
LEAST: Object = {
    "kafka": {"bootstrapServers": ["kafka:9092"]},
    "schemaRegistry": {"urls": ["http://schema-registry:8081"]},
    "mixpanel": {"existingSecret": "mixpanel"},
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is `chart`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.chart)


@pytest.fixture(scope="session")
def tool() -> Callable[[str], Path]:
    """A program of .tools/bin by its name, or a skip that says how to get it."""

    def find(name: str) -> Path:
        program = TOOLS / "bin" / name
        if not program.exists():
            extra = " --api-server" if name in ("etcd", "kube-apiserver", "kube-controller-manager") else ""
            pytest.skip(f"{name} is not in .tools/bin: python scripts/chart_tools.py{extra}")
        return program

    return find


class Helm:
    """One version of Helm, without any cluster and with folders of its own."""

    def __init__(self, program: Path, home: Path) -> None:
        self.program = program
        self.env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "KUBECONFIG": str(home / "none")}
        for name in ("CONFIG", "CACHE", "DATA"):
            self.env[f"HELM_{name}_HOME"] = str(home / name.lower())
        self._rendered: dict[str, list[Object]] = {}

    def run(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Helm's answer, whatever it is."""
        command = [str(self.program), *arguments]
        return subprocess.run(
            command, env=self.env, input=given, capture_output=True, text=True, timeout=60, check=False
        )

    def template(self, values: Object, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The answer of `helm template` for these values, in namespace `here`."""
        arguments = ("template", "rel", str(CHART), "--namespace", "here", "--values", "-", *arguments)
        return self.run(*arguments, given=json.dumps(values))

    def render(self, values: Object) -> list[Object]:
        """The objects for these values; kept, since many tests look at the same ones."""
        key = json.dumps(values, sort_keys=True)
        if key not in self._rendered:
            done = self.template(values)
            assert done.returncode == 0, done.stderr
            self._rendered[key] = [found for found in yaml.safe_load_all(done.stdout) if found]
        return self._rendered[key]


@pytest.fixture(scope="session")
def helms(tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Helm]:
    """Both Helms."""
    return {name: Helm(tool(name), tmp_path_factory.mktemp(name)) for name in ("helm3", "helm4")}


@pytest.fixture(params=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest, helms: dict[str, Helm]) -> Helm:
    """Each Helm in turn."""
    return helms[request.param]


def merged(base: Object, more: Object) -> Object:
    """Both, deeply; the second wins."""
    result = dict(base)
    for name, value in more.items():
        both = isinstance(value, dict) and isinstance(result.get(name), dict)
        result[name] = merged(result[name], value) if both else value
    return result


class Chart:
    """What the chart makes of values, one Helm asked."""

    def __init__(self, helm: Helm) -> None:
        self.helm = helm

    def objects(self, **values: Any) -> list[Object]:
        """Every object, the least values filled in."""
        return self.helm.render(merged(LEAST, values))

    def kinds(self, **values: Any) -> set[str]:
        """The kinds of the objects."""
        return {found["kind"] for found in self.objects(**values)}

    def one(self, kind: str, **values: Any) -> Object:
        """The one object of this kind."""
        found = [found for found in self.objects(**values) if found["kind"] == kind]
        assert len(found) == 1, f"{len(found)} objects of kind {kind}"
        return found[0]

    def pod(self, **values: Any) -> Object:
        """The pod template of the service."""
        kind = "StatefulSet" if values.get("staticMembership", {}).get("enabled") else "Deployment"
        template: Object = self.one(kind, **values)["spec"]["template"]
        return template

    def container(self, **values: Any) -> Object:
        """The service's container."""
        found: Object = self.pod(**values)["spec"]["containers"][0]
        return found

    def env(self, **values: Any) -> dict[str, Any]:
        """Its environment: texts, or `valueFrom`."""
        return {
            entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in self.container(**values)["env"]
        }

    def refusal(self, **values: Any) -> str:
        """Why Helm refuses these values."""
        done = self.helm.template(merged(LEAST, values))
        assert done.returncode != 0, "these values are not refused"
        return done.stderr


@pytest.fixture
def chart(helm: Helm) -> Chart:
    """The chart, with each Helm in turn."""
    return Chart(helm)


def pod_specs(found: Object) -> Iterator[Object]:
    """The pod specs inside an object."""
    spec = found.get("spec") or {}
    if found["kind"] == "Pod":
        yield spec
    if found["kind"] in ("Deployment", "StatefulSet"):
        yield spec["template"]["spec"]
    if found["kind"] == "CronJob":
        yield spec["jobTemplate"]["spec"]["template"]["spec"]


@pytest.fixture(scope="session")
def specs() -> Callable[[Object], list[Object]]:
    """`pod_specs`, for tests."""
    return lambda found: list(pod_specs(found))
