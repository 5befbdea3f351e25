"""Schemas on disk: what was fetched once survives a restart while the registry is away.

One file for each schema, in a folder that is named after the registry's URLs, so that the ids of two registries
never mix. A file that cannot be read, or says that it is of something else, is left alone and not believed.
"""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from consumer.event.model import SchemaRef
from consumer.registry.client import Fetched

log = logging.getLogger("consumer.registry")


class SchemaCache:
    """The folder for these registries below `root` (without one it keeps nothing); their URLs hold no credentials."""

    def __init__(self, root: Path | None, urls: Sequence[str]) -> None:
        self._urls = sorted(set(urls))
        self._folder: Path | None = None
        self._writable = True
        if root is not None:
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
        found = self._parsed(text, ref)
        if found is None:
            log.warning("a cached schema is broken, and ignored", extra={"file": str(path)})
        return found

    def write(self, ref: SchemaRef, fetched: Fetched) -> None:
        """Keep the schema: the file is there as a whole or not at all. A failure is logged once, and does no harm."""
        if self._folder is None:
            return
        content = {"urls": self._urls, "ref": ref, "schema": fetched.schema, "references": list(fetched.references)}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(content, file)
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
        if not isinstance(content, dict) or content.get("urls") != self._urls or content.get("ref") != ref:
            return None
        schema, references = content.get("schema"), content.get("references")
        if not isinstance(schema, str) or not isinstance(references, list):
            return None
        if not all(isinstance(reference, str) for reference in references):
            return None
        return Fetched(schema, tuple(references))
