"""Mutation testing of core, mapping, event and avro: small changes, one at a time, and which of them no test notices.

    python scripts/mutants.py [--sample 400] [--minutes 30] [--seed 1] [--children 1] [--floor 90] [core.fold ...]

Works on a copy in `mutants/`, with the tests of the pure parts alone: those are exact and quick, the properties
would take hours. Ends with the survivors as differences and a table; status 1 where the score is below the floor.
What the survivors mean is in docs/testing-mutation.md. Needs `pip install mutmut==3.8.1`.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORK = ROOT / "mutants"
# The pure packages, compiled otherwise: every module of them that does something.
MODULES = tuple(
    f"{package}.{path.stem}"
    for package in ("avro", "event", "mapping", "core")
    for path in sorted((ROOT / "consumer" / package).glob("*.py"))
    if path.stem not in ("__init__", "errors")
)
SETUP = """[mutmut]
source_paths=consumer
only_mutate=
    {files}
also_copy=
    consumer
    schemas
    docs
pytest_add_cli_args=
    -pno:cacheprovider
    -pno:xdist
pytest_add_cli_args_test_selection=
    tests/avro
    tests/event
    tests/core
    tests/mapping
"""
# mutmut's exit codes: 0 no test noticed, 5 and 33 no test runs it, else a test failed, crashed or took too long.
SURVIVED, UNTESTED = (0,), (5, 33)


def prepare(modules: list[str]) -> None:
    """A fresh copy of the package, its schemas and pages, and the tests."""
    shutil.rmtree(WORK, ignore_errors=True)
    for folder in ("consumer", "schemas", "docs", "tests/avro", "tests/event", "tests/core", "tests/mapping"):
        shutil.copytree(ROOT / folder, WORK / folder, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    (WORK / "tests" / "__init__.py").touch()
    files = "\n    ".join(source(module) for module in modules)
    (WORK / "setup.cfg").write_text(SETUP.format(files=files))
    (WORK / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib -q\n")


def source(module: str) -> str:
    """The file of a module, from the root."""
    return f"consumer/{module.replace('.', '/')}.py"


def mutmut(*arguments: str, minutes: float = 60.0) -> str:
    """Run mutmut in the copy, no longer than this; its output. What was tried by then is kept."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    pipe = subprocess.PIPE
    running = subprocess.Popen(command, cwd=WORK, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    try:
        output, errors = running.communicate(timeout=60 * minutes)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)  # its own children too
        return running.communicate()[0]
    if running.returncode and arguments[0] == "run":
        sys.exit(f"mutmut failed:\n{output[-2000:]}\n{errors[-2000:]}")
    return output


def outcomes(modules: list[str]) -> dict[str, int | None]:
    """The exit code of each mutant, None where it was not tried."""
    found: dict[str, int | None] = {}
    for module in modules:
        meta = WORK / "mutants" / f"{source(module)}.meta"
        if meta.exists():  # a module of constants alone has nothing to change
            found |= json.loads(meta.read_text())["exit_code_by_key"]
    return found


def report(tried: dict[str, int], modules: list[str]) -> float:
    """Print the table and the survivors; the share of mutants that a test noticed, in percent."""
    counts: Counter[tuple[str, str]] = Counter()
    survivors = []
    for name, code in tried.items():
        kind = "survived" if code in SURVIVED else "untested" if code in UNTESTED else "killed"
        counts[".".join(name.split(".")[1:3]), kind] += 1
        if kind != "killed":
            survivors.append(name)
    for name in sorted(survivors):
        lines = mutmut("show", name).splitlines()
        print("\n" + name.removeprefix("consumer."))
        print("\n".join("    " + line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")))
    print(f"\n{'module':18}{'tried':>8}{'killed':>8}{'survived':>10}{'untested':>10}")
    for module in modules:
        killed, survived, untested = (counts[module, kind] for kind in ("killed", "survived", "untested"))
        print(f"{module:18}{killed + survived + untested:8}{killed:8}{survived:10}{untested:10}")
    score = 100 * (1 - len(survivors) / max(1, len(tried)))
    print(f"\n{len(tried)} mutants tried, {score:.1f} % of them noticed")
    return score


def main() -> int:
    """Prepare, sample, run, report."""
    parser = argparse.ArgumentParser(description="Mutation testing of the core.")
    parser.add_argument(
        "modules", nargs="*", metavar="PACKAGE.MODULE", default=list(MODULES), help=", ".join(MODULES)
    )
    parser.add_argument("--sample", type=int, default=400, help="how many mutants are tried; 0: all of them")
    parser.add_argument("--minutes", type=float, default=30.0, help="after which no more are tried")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--children", type=int, default=1, help="at once")
    parser.add_argument("--floor", type=float, default=90.0, help="the least score in percent")
    options = parser.parse_args()
    if find_spec("mutmut") is None:
        sys.exit("mutmut is not installed: pip install mutmut==3.8.1")
    prepare(options.modules)
    children = ("--max-children", str(options.children))
    mutmut("run", *children, f"consumer.{options.modules[0]}.*__mutmut_1")  # writes all, tries a few
    names = sorted(outcomes(options.modules))
    random.Random(options.seed).shuffle(names)
    chosen = names[: options.sample or len(names)]
    print(f"{len(names)} mutants, of which {len(chosen)} are tried", flush=True)
    mutmut("run", *children, *chosen, minutes=options.minutes)
    codes = outcomes(options.modules)
    tried = {name: code for name in chosen if (code := codes[name]) is not None}
    return 0 if report(tried, options.modules) >= options.floor else 1


if __name__ == "__main__":
    sys.exit(main())
