"""Builds the image, with the engine that is there; `make image`.

    python scripts/chart_image.py              docker or podman: the image as it is meant
    python scripts/chart_image.py --prove      without an engine: build on stand-ins of the bases, and start it

A proof needs root, buildah, mmdebstrap and bubblewrap (all packages of Debian) and Debian's package registry. The
bases cannot be pulled there, so Debian's own Python of the same version stands in for them: every instruction of the
Dockerfile is executed, the compiler's too, and the result is started as Kubernetes would start it. What it does not
show is the size that the real bases have.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STAND_INS = ROOT / ".tools/stand-ins"
TAG = "mixpanel-group-consumer"
SUITE = "trixie"
# What the real bases have, as far as the Dockerfile uses it.
PACKAGES = {
    "build": (
        *("python3", "python3-venv", "python3-pip", "python3-dev", "ca-certificates"),
        *("gcc", "libc6-dev", "binutils"),
    ),
    "slim": ("python3", "ca-certificates"),
}
NEEDED = ("buildah", "mmdebstrap", "bwrap")
Config = dict[str, Any]
TRUST = Path("/etc/ssl/certs/ca-certificates.crt")


class Failed(Exception):
    """A step failed."""


class Unavailable(Failed):
    """What a proof needs cannot be had here; it says nothing of the image."""


def run(*command: str) -> str:
    """What a command prints; Failed with its last words."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{command[0]} failed: {(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def engine() -> str | None:
    """The engine that answers."""
    for name in ("docker", "podman"):
        if shutil.which(name) and subprocess.run([name, "info"], capture_output=True, check=False).returncode == 0:
            return name
    return None


def build(name: str) -> None:
    """The image as it is meant, with its revision."""
    revision = run("git", "rev-parse", "HEAD").strip()
    run(name, "build", "--tag", TAG, "--build-arg", f"REVISION={revision}", ".")
    print(run(name, "image", "ls", TAG), end="")


@cache
def store() -> tuple[str, ...]:
    """Where buildah keeps images: on overlays where the kernel has them, else on copies, which take minutes."""
    for driver in ("overlay", "vfs"):
        folder = STAND_INS / driver
        options = ("--storage-driver", driver, "--root", str(folder), "--runroot", str(folder / "run"))
        if subprocess.run(["buildah", *options, "info"], capture_output=True, check=False).returncode == 0:
            return options
    raise Unavailable("buildah has no file system to keep images on")


def buildah(*arguments: str) -> str:
    """buildah with a store of its own."""
    return run("buildah", *store(), *arguments)


def stand_in(name: str) -> str:
    """The tag of the stand-in for one base, made where it is missing."""
    tag = f"localhost/stand-in-{name}:{SUITE}"
    tarball = STAND_INS / f"{name}.tar"
    if not tarball.exists():
        STAND_INS.mkdir(parents=True, exist_ok=True)
        made = STAND_INS / f".{name}.tar"
        try:
            packages = f"--include={','.join(PACKAGES[name])}"
            run("mmdebstrap", "--quiet", "--variant=minbase", packages, SUITE, str(made))
        except Failed as failure:
            raise Unavailable(f"Debian's packages for a stand-in cannot be had: {str(failure)[-300:]}") from failure
        made.rename(tarball)
    if tag not in buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
        folder = STAND_INS / f"context-{name}"
        folder.mkdir(exist_ok=True)
        (folder / "base.tar").unlink(missing_ok=True)
        (folder / "base.tar").hardlink_to(tarball)
        shutil.copyfile(TRUST, folder / "trust.crt")
        (folder / "Dockerfile").write_text(
            "FROM scratch\nADD base.tar /\nCOPY trust.crt /etc/ssl/certs/ca-certificates.crt\n"
            "RUN ln -s /usr/bin/python3 /usr/local/bin/python\n"
            "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt\n"
        )
        buildah("bud", "--isolation", "chroot", "--tag", tag, str(folder))
    return tag


@contextmanager
def proof() -> Iterator[tuple[Path, Config]]:
    """Build on stand-ins; gives the image's root file system and its configuration."""
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        raise Unavailable(f"a proof needs root and {', '.join(NEEDED)}; missing: {', '.join(missing) or 'root'}")
    bases = [f"--build-arg={name.upper()}={stand_in(name)}" for name in PACKAGES]
    here = ("--isolation", "chroot", "--network", "host", "--pull-never", "--layers=false")
    buildah("bud", *here, *bases, "--build-arg", "REVISION=proof", "--tag", TAG, ".")
    config: Config = json.loads(buildah("inspect", "--type", "image", TAG))["OCIv1"]["config"]
    container = buildah("from", "--pull-never", TAG).strip()
    try:
        yield Path(buildah("mount", container).strip()), config
    finally:
        buildah("umount", container)
        buildah("rm", container)


def sandboxed(root: Path, config: Config, env: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """The command that starts the image as Kubernetes does: read-only, its own number, PID 1, an empty /tmp."""
    known = dict(entry.split("=", 1) for entry in config["Env"])
    variables = [part for name, value in {**known, **env}.items() for part in ("--setenv", name, value)]
    user, group = config["User"].split(":")
    confined = ["bwrap", "--clearenv", *variables, "--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev"]
    confined += ["--tmpfs", "/tmp", "--unshare-pid", "--as-pid-1", "--die-with-parent"]
    confined += ["--unshare-user", "--uid", user, "--gid", group, "--chdir", config["WorkingDir"]]
    return [*confined, *config["Entrypoint"]]


def size(root: Path) -> int:
    """The bytes of every file below, hard links once."""
    seen: dict[tuple[int, int], int] = {}
    for folder, _, names in os.walk(root):
        for name in names:
            found = os.lstat(Path(folder) / name)
            seen[found.st_dev, found.st_ino] = found.st_size
    return sum(seen.values())


def main() -> None:
    """Build, or prove, or say what is missing."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--prove", action="store_true", help="build on stand-ins, without an engine")
    found = engine()
    try:
        if options.parse_args().prove:
            with proof() as (root, config):
                print(json.dumps(config, indent=1), f"{size(root) / 1e6:.0f} MB on stand-ins", sep="\n")
                print(run(*sandboxed(root, config), "--version"))
        elif found:
            build(found)
        else:
            sys.exit("no docker and no podman answers; chart_image.py --prove builds on stand-ins of the bases")
    except Failed as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
