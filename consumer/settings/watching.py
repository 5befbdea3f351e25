"""Files of the settings that may change while the service runs: one thread looks at them every few seconds.

Kubernetes swaps links and other tools write in place, so what counts is the content, and only once it has not changed
between two looks.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol

log = logging.getLogger("consumer.settings")

EVERY: Final = 3.0


class Files:
    """What some files hold, as digests. A file that cannot be read now is as one that is not there."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._taken = self._seen = digests(paths)

    def __bool__(self) -> bool:
        return bool(self._taken)

    def settled(self, paths: Iterable[str]) -> bool:
        """Look once: whether they hold what they held at the look before."""
        current = digests(paths)
        same, self._seen = current == self._seen, current
        return same

    def changed(self) -> frozenset[str]:
        """Those that held something else at the last look than what was taken."""
        return frozenset(path for path, content in self._seen.items() if content != self._taken.get(path, ""))

    def take(self, paths: Iterable[str]) -> None:
        """What was seen at the last look is used from now on; what was not looked at before, as it is now."""
        self._seen = self._seen | digests(path for path in paths if path not in self._seen)
        self._taken = self._seen


class Watched(Protocol):
    """What is made of some files."""

    files: Files

    def look(self) -> None: ...


def watch(every: Sequence[Watched]) -> Callable[[], None]:
    """Look at each from now on, on one thread, where there is a file to look at. Returns what ends that."""
    watched = [item for item in every if item.files]
    stopped = threading.Event()
    if watched:
        threading.Thread(target=look_on, args=(watched, stopped), name="settings", daemon=True).start()
    return stopped.set


def look_on(watched: Sequence[Watched], stopped: threading.Event) -> None:
    """Look at each every few seconds; what one of them fails at stops no other."""
    while not stopped.wait(EVERY):
        for item in watched:
            try:
                item.look()
            except Exception:
                log.exception("a file of the settings could not be used: what was used before stays in force")


def digests(paths: Iterable[str]) -> dict[str, str]:
    """A digest of each file that can be read now."""
    by_path = {path: digest(Path(path)) for path in paths if path}
    return {path: content for path, content in by_path.items() if content}


def digest(path: Path) -> str:
    """Of a file, or of every file of a folder; empty where it cannot be read now."""
    total = hashlib.sha256()
    try:
        files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
        for file in files:
            total.update(hashlib.sha256(file.read_bytes()).digest())
    except OSError:
        return ""
    return total.hexdigest()
