"""Compiles the core, and the loop that feeds it, with mypyc where there is a C compiler; without, both run as is."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

PURE = os.environ.get("GROUP_CONSUMER_PURE") == "1"
PURE_PACKAGES = ("avro", "event", "mapping", "core")
SKIPPED = {"__init__.py", "errors.py"}  # mypyc makes no exceptions of its own
CORE = [path for name in PURE_PACKAGES for path in Path("consumer", name).glob("*.py") if path.name not in SKIPPED]
# Every record passes through these on its way into the core.
INTAKE = [Path("consumer/kafka", name) for name in ("assignments.py", "headers.py", "records.py")]
COMPILED = sorted(map(str, CORE + INTAKE))
# Functions of the core call each other directly, and are inlined: no other library may put its own in their place.
HIDDEN = ["-fvisibility=hidden"]


class OptionalBuild(build_ext):
    """Builds the extensions, or says that it could not and leaves the pure package."""

    def run(self) -> None:
        try:
            super().run()
        except Exception as failure:  # whatever a missing compiler raises: the package works without
            if os.environ.get("GROUP_CONSUMER_COMPILED") == "1":
                raise
            print(f"warning: consumer.core stays uncompiled ({failure})", file=sys.stderr)
            self.extensions = []


class WithRevision(build_py):
    """Leaves the commit that is built in the package, for those who ask a running service."""

    def run(self) -> None:
        super().run()
        Path(self.build_lib, "consumer", "revision.txt").write_text(revision() + "\n")


def revision() -> str:
    """The commit: as the build says it, or as git does; unknown where neither can."""
    if os.environ.get("REVISION"):
        return os.environ["REVISION"]
    try:
        asked = ["git", "-C", str(Path(__file__).resolve().parent), "rev-parse", "HEAD"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def extensions() -> list[Any]:
    """The C extensions, one shared library for all modules."""
    if PURE:
        return []
    from mypyc.build import mypycify

    made = list(
        mypycify(["--strict", "--ignore-missing-imports", *COMPILED], opt_level="3", group_name="consumer_core")
    )
    for extension in made if os.name == "posix" else ():
        extension.extra_compile_args = [*extension.extra_compile_args, *HIDDEN]  # the list was one for all
    return made


setup(ext_modules=extensions(), cmdclass={"build_ext": OptionalBuild, "build_py": WithRevision})
