"""Programs in other languages: each is copied to .tools/clients, built there once, and run."""

import filecmp
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consumer.sandbox.mixpanel.server import MixpanelSandbox

ROOT = Path(__file__).parents[2]
WORKSHOPS = ROOT / ".tools" / "clients"
BUILD_TIMEOUT = 500  # what is fetched may come slowly
RUN_TIMEOUT = 60

NPM = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error")

Program = Callable[..., str]

PROGRAMS = {
    "python": ((), "install Python"),
    "node": (("node", "npm"), "install Node.js 18 or newer"),
    "go": (("go",), "install Go 1.26 or newer"),
    "java": (("java", "javac", "mvn"), "install a JDK 17 or newer, and Maven"),
}


def sh(folder: Path, *command: str, timeout: float = BUILD_TIMEOUT) -> str:
    """What a command printed. Fails the test with all of its output where it does not exit with 0."""
    ended = subprocess.run(command, cwd=folder, timeout=timeout, text=True, capture_output=True, check=False)
    if ended.returncode:
        pytest.fail(f"{' '.join(command)}: exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}", pytrace=False)
    return ended.stdout


def build_python(folder: Path) -> tuple[str, ...]:
    """A virtual environment with the requirements."""
    sh(folder, sys.executable, "-m", "venv", ".venv")
    python = os.fspath(folder / ".venv" / "bin" / "python")
    sh(folder, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt")
    return (python, "-W", "error", main_of(folder, "*.py"))


def build_node(folder: Path) -> tuple[str, ...]:
    """The packages, without the scripts that they would run."""
    sh(
        folder,
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
        "--ignore-scripts",
        "--loglevel=error",
    )
    return ("node", main_of(folder, "*.js"))


def build_go(folder: Path) -> tuple[str, ...]:
    """One binary."""
    sh(folder, "go", "build", "-o", "program", ".")
    return (os.fspath(folder / "program"),)


def build_java(folder: Path) -> tuple[str, ...]:
    """The classes, and the path of the jars they need."""
    sh(folder, "mvn", "-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=classpath.txt")
    jars = (folder / "classpath.txt").read_text().strip()
    source = main_of(folder, "*.java")
    sh(folder, "javac", "-Xlint:all", "-Werror", "-cp", jars, "-d", "classes", source)
    return ("java", "-cp", f"{folder / 'classes'}{os.pathsep}{jars}", Path(source).stem)


BUILDS = {"python": build_python, "node": build_node, "go": build_go, "java": build_java}


def main_of(folder: Path, pattern: str) -> str:
    """The one source file of a program."""
    (found,) = folder.glob(pattern)
    return found.name


@pytest.fixture
def program() -> Callable[[Path], Program]:
    """Builds the program of a folder named after its language, or skips with what is missing; calling it runs it."""

    def build(source: Path) -> Program:
        language = source.name
        needed, remedy = PROGRAMS[language]
        missing = [name for name in needed if shutil.which(name) is None]
        if missing:
            pytest.skip(f"no {' and no '.join(missing)} on this machine: {remedy}")
        folder = fresh_copy(source, WORKSHOPS / f"{source.parent.name}-{language}")
        built = folder / "built.json"  # the command that runs it
        if not built.exists():
            built.write_text(json.dumps(BUILDS[language](folder)))
        command = json.loads(built.read_text())
        return lambda *arguments: sh(folder, *command, *arguments, timeout=RUN_TIMEOUT)

    return build


def fresh_copy(source: Path, folder: Path) -> Path:
    """The folder with the files of the source; what an earlier build fetched is kept while they are the same."""
    names = [path.name for path in source.iterdir() if path.is_file()]
    same, _, _ = filecmp.cmpfiles(source, folder, names, shallow=False) if folder.is_dir() else ([], [], [])
    if len(same) < len(names):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in names:
            shutil.copy(source / name, folder)
    return folder


@pytest.fixture
def sandbox() -> Iterator[MixpanelSandbox]:
    """A sandbox's Mixpanel with nothing in it."""
    with MixpanelSandbox() as running:
        yield running
