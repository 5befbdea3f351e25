"""What makes a release: the workflows, the version in every place, the audit's judgement, and who runs uncompiled."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from consumer.app import UNCOMPILED
from scripts import audit, release, wheel

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
# Whose actions run with the rights of a release.
TRUSTED = {"actions", "docker"}


def jobs():
    """Every job of every workflow."""
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            yield f"{path.name}: {name}", job


def steps():
    """Every step of every job."""
    return [step for _, job in jobs() for step in job.get("steps", [])]


def test_jobs_have_no_more_rights_and_time_than_they_need():
    """Reading is the default; a job that writes says so itself; each ends; no fork's code runs with our rights."""
    for path in WORKFLOWS:
        assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}, path.name
        assert "pull_request_target" not in path.read_text()
    for name, job in jobs():
        assert "uses" in job or job["timeout-minutes"] <= 90, name
    writing = {name.split(": ")[1] for name, job in jobs() if "write" in str(job.get("permissions"))}
    assert writing == {"image", "publish"}


def test_actions_are_few_and_have_a_version():
    """Of the forge and of Docker alone, none from a branch, and a checkout leaves no token behind."""
    used = [step for step in steps() if "uses" in step]
    assert len(used) > 8
    for step in used:
        owner, version = re.fullmatch(r"([\w-]+)/[\w/-]+@v(\d[\d.]*)", step["uses"]).groups()
        assert owner in TRUSTED, version
        if "checkout" in step["uses"]:
            assert step["with"]["persist-credentials"] is False


def test_what_workflows_run_exists():
    """Targets of make, scripts and requirements that are named are there, and jobs wait for jobs that are."""
    text = "\n".join(step.get("run", "") for step in steps()) + (ROOT / ".ci/run").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", text)) - {"gcc"}  # a package beside make
    assert {"lint", "test", "wheel", "audit", "chart"} <= named <= targets
    for path in re.findall(r"(?:scripts|requirements|\.ci)/[\w.]+", text):
        assert (ROOT / path).exists(), path
    for path in WORKFLOWS:
        found = yaml.safe_load(path.read_text())["jobs"]
        for job in found.values():
            needed = job.get("needs", [])
            assert ({needed} if isinstance(needed, str) else set(needed)) <= found.keys(), path.name


def test_ci_runs_what_a_change_must_pass():
    """The workflow runs .ci/run, whose words bash understands; a release is checked the same way first."""
    ci, made = (yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text()) for name in ("ci", "release"))
    assert ".ci/run" in [step.get("run") for step in ci["jobs"]["run"]["steps"]]
    assert made["jobs"]["check"]["uses"] == "./.github/workflows/ci.yml"
    for name in ("image", "publish"):
        assert "check" in made["jobs"][name]["needs"]
    subprocess.run(["bash", "-n", str(ROOT / ".ci/run")], check=True)


def test_wheels_are_built_for_the_interpreters_that_are_promised():
    """From the oldest that pyproject.toml allows, compiled or not at all, and each is tried."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    built = project["tool"]["cibuildwheel"]
    oldest = project["project"]["requires-python"].removeprefix(">=").replace(".", "")
    assert built["build"].split()[0] == f"cp{oldest}-*"
    assert built["environment"] == {"GROUP_CONSUMER_COMPILED": "1"}
    assert "scripts/wheel.py --check" in built["test-command"]


def test_a_version_stands_everywhere_or_nothing_is_released(monkeypatch, tmp_path):
    """The tree agrees with itself; a tag of another version, or without a section of the changelog, is refused."""
    assert len(set(release.versions().values())) == 1
    found = release.problems("v9.9.9")
    assert len(found) == len(release.PLACES) + 1
    assert "CHANGELOG.md has no section" in found[-1]
    for name in release.PLACES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    version = release.versions()["pyproject.toml"]
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## {version} (today)\n\nnews\n\n## 0.0.1\n\nolder\n")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    assert release.problems(f"v{version}") == []
    assert release.notes(version) == "news"


def test_a_package_that_could_not_be_asked_about_is_not_audited(monkeypatch, capsys):
    """pip-audit calls it free of vulnerabilities; here it counts as unasked, and a strict audit fails."""
    skipped = [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not found"}]
    known = {"id": "CVE-1", "fix_versions": ["2"]}
    monkeypatch.setattr(audit, "ask", lambda source: skipped if source == "osv" else None)
    monkeypatch.setattr(sys, "argv", ["audit.py"])
    assert audit.main() == 0
    assert "NOT AUDITED" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["audit.py", "--strict"])
    assert audit.main() == 3
    monkeypatch.setattr(audit, "ask", lambda source: skipped[:1])
    assert audit.main() == 0
    monkeypatch.setattr(audit, "ask", lambda source: [{"name": "a", "version": "1", "vulns": [known]}])
    assert audit.main() == 1
    assert "a 1: CVE-1" in capsys.readouterr().out


def test_everything_of_the_tree_is_installed():
    """No module, schema or page is left out of the package."""
    assert wheel.missing() == [], "after a change of the tree: make install"


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "compiled"])
def test_who_runs_uncompiled_is_told(plain, tmp_path):
    """The plain source says at its start that it is slow, and what to do; the compiled package says nothing of it."""
    env = {"PATH": os.environ["PATH"], "HTTP_PORT": "0", "MIXPANEL_TOKEN": "x", "LOG_FORMAT": "json"}
    env |= {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1"}
    command = [sys.executable, *([] if plain else ["-P"]), "-m", "consumer", "run"]
    log = tmp_path / "log"
    with log.open("w") as out:
        service = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out)
    try:
        until_said(log, service)
    finally:
        service.terminate()
        service.wait(30)
    assert (UNCOMPILED in log.read_text()) is plain


def until_said(log, service):
    """Wait until the service has started and speaks of Kafka."""
    while "kafka: " not in log.read_text():
        assert service.poll() is None, log.read_text()


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md"])
def test_files_that_are_named_are_there(page):
    """Every path and every link of the page leads somewhere."""
    text = (ROOT / page).read_text()
    named = set(re.findall(r"`((?:consumer|tests|docs|helm|scripts|\.github)/[\w./-]+)`", text))
    named |= {link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link}
    assert len(named) > 1
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


@pytest.mark.parametrize("works", [True, False], ids=["apt works", "apt does not"])
def test_ci_installs_what_its_proofs_need(tmp_path, works):
    """On a machine without any of it: where it may, else it says so; and it goes on with what can be proved."""
    for name, text in {
        "apt-get": f'echo "$@" >> {tmp_path}/asked\nexit {int(not works)}',
        "make": "echo make $1",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    for name in ("bash", "dirname", "env"):
        (tmp_path / name).symlink_to(shutil.which(name))
    script = [str(tmp_path / "bash"), str(ROOT / ".ci/run")]
    done = subprocess.run(
        script, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    needed = {"buildah", "mmdebstrap", "bubblewrap", "chromium", "postgresql"}
    if os.geteuid() == 0:
        asked = (tmp_path / "asked").read_text()
        assert ("install" in asked) is works
        assert works is (needed <= set(asked.split()))
    assert ("are skipped" in done.stdout) is not (works and os.geteuid() == 0)
    assert needed <= set(re.findall(r"\w+", done.stdout))
    assert [line for line in done.stdout.splitlines() if line.startswith("make ")][-1] == "make chart"
