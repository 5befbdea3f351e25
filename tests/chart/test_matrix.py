"""Every file of helm/ci, with both Helms, against the schemas of many versions of Kubernetes."""

import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm"
TOOLS = ROOT / ".tools"
SCENARIOS = sorted(CHART.glob("ci/*-values.yaml"))
VERSIONS = ("1.27", "1.29", "1.31", "1.33", "1.35", "1.36", "1.37")
scenarios = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem.removesuffix("-values"))


def values_of(scenario: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(scenario.read_text())
    return found


@pytest.fixture(scope="session")
def validate() -> Callable[[dict[str, Any], str], None]:
    """Checks a native object strictly against one version of Kubernetes."""
    if not (TOOLS / "kubernetes-validate").exists():
        pytest.skip("kubernetes-validate is not in .tools: python scripts/chart_tools.py")
    sys.path.insert(0, str(TOOLS / "kubernetes-validate"))
    import kubernetes_validate

    return lambda found, version: kubernetes_validate.validate(found, version, strict=True)


@pytest.fixture(scope="session")
def custom() -> dict[tuple[str, str], dict[str, Any]]:
    """The schemas of custom resources by apiVersion and kind, closed: an unknown field is a fault."""
    if not (TOOLS / "crds").exists():
        pytest.skip("the custom resource definitions are not in .tools: python scripts/chart_tools.py (needs Go)")
    found = {}
    for path in (TOOLS / "crds").glob("*.yaml"):
        definition = yaml.safe_load(path.read_text())["spec"]
        for version in definition["versions"]:
            api = f"{definition['group']}/{version['name']}"
            found[api, definition["names"]["kind"]] = closed(version["schema"]["openAPIV3Schema"])
    return found


def closed(schema: Any) -> Any:
    """The schema with every object that lists its properties closed to others, as the API server sees it."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    result = {name: closed(value) for name, value in schema.items()}
    # The metadata of an object has no properties in a definition: its schema is that of Kubernetes.
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        result["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    return result


@scenarios
def test_lint_is_strict(helm, scenario):
    """`helm lint --strict` finds nothing, and no value of a scenario is refused while it looks."""
    done = helm.run("lint", "--strict", str(CHART), "--values", str(scenario))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cannot work" not in done.stdout + done.stderr


@scenarios
@pytest.mark.parametrize("version", VERSIONS)
def test_native_objects_fit_kubernetes(helm, scenario, version, validate):
    """Every native object fits the strict schema of this version."""
    for found in helm.render(values_of(scenario)):
        if "." not in found["apiVersion"].partition("/")[0] or found["apiVersion"].startswith("networking.k8s.io"):
            validate(found, version)


@scenarios
def test_custom_objects_fit_their_definitions(helm, scenario, custom):
    """Every custom object fits the schema of its definition, unknown fields refused."""
    for found in helm.render(values_of(scenario)):
        schema = custom.get((found["apiVersion"], found["kind"]))
        if schema:
            jsonschema.Draft7Validator(schema).validate(found)
        elif "." in found["apiVersion"].partition("/")[0]:
            assert found["apiVersion"].startswith("networking.k8s.io"), f"no definition of {found['kind']}"


@scenarios
def test_names_are_unique(helm, scenario, specs):
    """No variable, volume, mount or port stands twice in a pod: Helm 4 fails to install what Helm 3 warns of."""
    for found in helm.render(values_of(scenario)):
        for spec in specs(found):
            unique([volume["name"] for volume in spec["volumes"]])
            for container in spec["containers"]:
                unique([entry["name"] for entry in container["env"]])
                unique([mount["mountPath"] for mount in container["volumeMounts"]])
                unique([port["containerPort"] for port in container.get("ports", [])])


@scenarios
def test_every_mount_has_its_volume(helm, scenario, specs):
    """A container mounts only what its pod has."""
    for found in helm.render(values_of(scenario)):
        for spec in specs(found):
            volumes = {volume["name"] for volume in spec["volumes"]}
            for container in spec["containers"]:
                assert {mount["name"] for mount in container["volumeMounts"]} == volumes


@scenarios
def test_rendering_is_repeatable(helms, scenario):
    """The same values give the same text, twice and with both Helms: a GitOps tool sees no change."""
    texts = [helm.template(values_of(scenario)).stdout for helm in (*helms.values(), helms["helm4"])]
    rendered = [list(yaml.safe_load_all(text)) for text in texts]
    order = [sorted(map(str, objects)) for objects in rendered]
    assert order[0] == order[1] == order[2]
    assert texts[1] == texts[2]


@scenarios
def test_pods_fit_the_restricted_standard(helm, scenario, specs):
    """Every pod, the check's and the replay's too, fits the restricted Pod Security Standard and has no token."""
    for found in helm.render(values_of(scenario)):
        for spec in specs(found):
            assert spec["automountServiceAccountToken"] is False
            assert spec["enableServiceLinks"] is False
            pod = spec["securityContext"]
            assert pod["runAsNonRoot"] is True
            assert pod["runAsUser"] > 0
            assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
            for container in spec["containers"]:
                assert container["securityContext"] == {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                }


def test_a_parent_chart_may_pass_global_values(helm, tmp_path):
    """The chart works as another's dependency, with whatever `global` that one has."""
    parent = tmp_path / "parent"
    (parent / "charts").mkdir(parents=True)
    (parent / "charts" / "consumer").symlink_to(CHART)
    (parent / "Chart.yaml").write_text("{apiVersion: v2, name: parent, version: 1.0.0}")
    values = {"global": {"anything": 1}, "mixpanel-group-consumer": values_of(CHART / "ci/minimal-values.yaml")}
    (parent / "values.yaml").write_text(yaml.safe_dump(values))
    done = helm.run("template", "rel", str(parent))
    assert done.returncode == 0, done.stderr
    assert "kind: Deployment" in done.stdout


def test_a_package_is_reproducible(helms, tmp_path):
    """`helm package` gives the same archive twice, without the values that only tests need."""
    archives = []
    for folder in ("one", "two"):
        done = helms["helm4"].run("package", str(CHART), "--destination", str(tmp_path / folder))
        assert done.returncode == 0, done.stderr
        archives.append(next((tmp_path / folder).glob("*.tgz")))
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with tarfile.open(archives[0]) as archive:
        names = archive.getnames()
    assert any(name.endswith("/files/dashboard.json") for name in names)
    assert not [name for name in names if "/ci/" in name]


def unique(names: list[Any]) -> None:
    assert len(names) == len(set(names)), f"twice: {sorted(name for name in names if names.count(name) > 1)}"
