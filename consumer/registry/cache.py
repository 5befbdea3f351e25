"""Schemas on disk: what was fetched once survives a restart while the registry is away.

One file for each schema, in a folder that is named after the registry's URLs, so that the ids of two registries
never mix. A file that cannot be read, or says that it is of something else, is left alone and not believed. All
files below the root have a budget together: the oldest go first.
"""

import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from consumer.event.model import SchemaRef
from consumer.registry.client import Fetched

# Of what a file says: older ones may not say every rule that counts.
FORMAT: Final = 2
# Of all files together, in bytes: half of the smallest volume that a chart would give.
BUDGET: Final = 8 * 1024 * 1024
# A schema larger than this would push too many others out.
MAX_FILE: Final = BUDGET // 4
# A file that is older than this, in seconds, and not complete will never be.
WRITE_TIME: Final = 60.0

log = logging.getLogger("consumer.registry")


class SchemaCache:
    """The folder for these registries below `root` (without one it keeps nothing); their URLs hold no credentials."""

    def __init__(self, root: Path | None, urls: Sequence[str]) -> None:
        self._urls = sorted(set(urls))
        self._root = root
        self._folder: Path | None = None
        self._writable = True
        self.bytes = 0  # that it holds, of all registries
        if root is not None:
            with suppress(OSError):  # said when one is to be written
                self.bytes = make_room(root, 0, root)
            self._folder = root / hashlib.sha256("\n".join(self._urls).encode()).hexdigest()[:16]

    def read(self, ref: SchemaRef) -> Fetched | None:
        """The schema, if it is here; a broken file is logged and ignored."""
        if self._folder is None:
            return None
        path = self._path(self._folder, ref)
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as failure:
            log.warning("a cached schema cannot be read", extra={"file": str(path), "error": type(failure).__name__})
            return None
        fetched = self._parsed(text, ref)
        if fetched is None:
            log.warning("a cached schema is broken or of an older release, and ignored", extra={"file": str(path)})
        return fetched

    def write(self, ref: SchemaRef, fetched: Fetched) -> None:
        """Keep the schema: the file is there as a whole or not at all. A failure is logged once, and does no harm.

        One of more than `MAX_FILE` bytes is not kept.
        """
        if self._folder is None or self._root is None:
            return
        content = {
            "format": FORMAT,
            "urls": self._urls,
            "ref": ref,
            "schema": fetched.schema,
            "references": list(fetched.references),
            "rules": list(fetched.rules),
        }
        data = json.dumps(content).encode()
        if len(data) > MAX_FILE:
            log.info("a schema is too large to be cached", extra={"schema": ref, "bytes": len(data)})
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.bytes = make_room(self._root, len(data), self._path(self._folder, ref))
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                Path(name).replace(self._path(self._folder, ref))
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            self._writable = True
        except OSError as failure:
            if self._writable:
                extra = {"folder": str(self._folder), "error": failure.strerror or type(failure).__name__}
                log.warning("schemas cannot be cached: make the folder of SCHEMA_CACHE_DIR writable", extra=extra)
            self._writable = False

    def _path(self, folder: Path, ref: SchemaRef) -> Path:
        return folder / (f"id-{ref}.json" if isinstance(ref, int) else f"guid-{ref}.json")

    def _parsed(self, text: str, ref: SchemaRef) -> Fetched | None:
        """What the file says, if it is about this schema of these registries."""
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            return None
        if content.get("urls") != self._urls or content.get("ref") != ref:
            return None
        schema, references, rules = content.get("schema"), content.get("references"), content.get("rules")
        if not isinstance(schema, str) or not isinstance(references, list) or not isinstance(rules, list):
            return None
        if not all(isinstance(text, str) for text in [*references, *rules]):
            return None
        return Fetched(schema, tuple(references), tuple(rules))


def make_room(root: Path, size: int, replaced: Path) -> int:
    """Remove the oldest files of all registries below `root` until there is room for one of this size.

    Returns how many bytes there are then, the new file included. The file that it replaces counts as gone. What is
    left of a write that did not end is removed with the others.
    """
    files = []
    ended = time.time() - WRITE_TIME
    for path in (*root.glob("*/*.json"), *root.glob("*/.new-*")):
        with suppress(FileNotFoundError):
            stat = path.stat()
            if path.suffix == ".json" or stat.st_mtime < ended:
                files.append((stat.st_mtime, stat.st_size, path))
    total = size + sum(length for _, length, path in files if path != replaced)
    for _, length, path in sorted(files):
        if total <= BUDGET:
            break
        if path != replaced:
            path.unlink(missing_ok=True)
            total -= length
    return total
