"""Builds the compiled wheel into dist/ and tries it in an environment of its own; `make wheel`.

    python scripts/wheel.py            build, install beside nothing but the locked requirements, check, list parts
    python scripts/wheel.py --check    check the package that this Python has (cibuildwheel's test of each wheel)

Checked is what an installed package alone can show: that the core is compiled, that nothing it reads was left out of
the wheel, and that an event becomes an update.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from importlib.metadata import files, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
NAME = "mixpanel-group-consumer"
EVENT = {"operation": "SET", "group_key": "company", "group_id": "1", "properties": {"plan": "pro"}}


def build() -> Path:
    """The wheel; a core that cannot be compiled fails it."""
    for old in DIST.glob("*.whl"):
        old.unlink()
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(DIST)]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"GROUP_CONSUMER_COMPILED": "1"}, check=True)
    (wheel,) = DIST.glob("*.whl")
    return wheel


def try_out(wheel: Path) -> None:
    """Install it into a new environment, without a compiler, and check it from a folder that has no source."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder, "env/bin/python")
        venv.create(Path(folder, "env"))
        pip = (
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(python),
            "install",
            "--quiet",
            "--disable-pip-version-check",
        )
        locked = ("--require-hashes", "--only-binary", ":all:", "-r", str(ROOT / "requirements/runtime.txt"))
        subprocess.run([*pip, *locked], check=True)
        subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
        subprocess.run([str(python), "-P", str(Path(__file__)), "--check"], cwd=folder, check=True)
        list_parts(python)


def list_parts(python: Path) -> None:
    """Write what this environment is made of, versions and licences, to dist/sbom.json (CycloneDX)."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", str(ROOT / "pyproject.toml")]
    command += ["--mc-type", "application", "--output-reproducible", "--output-file", str(DIST / "sbom.json")]
    subprocess.run([*command, str(python)], check=True)


def missing() -> list[str]:
    """What the tree has and the installed package has not."""
    shipped = {str(path) for path in files(NAME) or []}
    kinds = {".py", ".typed", ".avsc", ".html", ".js", ".css"}
    here = ROOT / "consumer"  # a link among its folders leads to the schemas
    tree = [*here.rglob("*"), *(here / "schemas").rglob("*")]
    return sorted({str(path.relative_to(ROOT)) for path in tree if path.suffix in kinds} - shipped)


def check() -> None:
    """What this Python has installed is whole, compiled, and works."""
    from consumer.app import compiled

    if not compiled():
        sys.exit("the core of this wheel is not compiled")
    if left_out := missing():
        sys.exit(f"the wheel lacks {', '.join(left_out)}")
    command = [str(Path(sys.executable).with_name("group-consumer"))]
    env = {"PATH": os.environ["PATH"], "MIXPANEL_TOKEN": "x", "LANG": "C.UTF-8"}
    with tempfile.TemporaryDirectory() as folder:
        for arguments, given, said in (
            (["--version"], "", version(NAME)),
            (["schema", "show"], "", "property_names"),
            (["preview", "-"], json.dumps(EVENT), '"$set"'),
        ):
            done = subprocess.run(
                [*command, *arguments], cwd=folder, env=env, input=given, capture_output=True, text=True, check=False
            )
            if done.returncode or said not in done.stdout:
                sys.exit(f"group-consumer {' '.join(arguments)}: {done.stdout}{done.stderr}")
    print(f"{NAME} {version(NAME)}: compiled, whole, and an event becomes an update")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        check()
    else:
        made = build()
        try_out(made)
        print(made.relative_to(ROOT))
