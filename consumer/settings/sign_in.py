"""What the service signs in to Kafka with, as the files of the settings have it now.

One thread looks at them every few seconds. Kubernetes swaps links and other tools write in place, so what counts is
the content, and only once it has not changed between two looks. A file that cannot be read, or that is wrong, leaves
the last good content in force.
"""

import hashlib
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from consumer.settings.load import Settings
from consumer.settings.properties import read_properties
from consumer.settings.secrets import Secret

log = logging.getLogger("consumer.settings")

EVERY: Final = 3.0
SECRETS: Final = ("KAFKA_SASL_PASSWORD", "KAFKA_SSL_KEY_PASSWORD")
LOCATIONS: Final = ("KAFKA_SSL_CA_LOCATION", "KAFKA_SSL_CERTIFICATE_LOCATION", "KAFKA_SSL_KEY_LOCATION")
# Properties that name a file which a client reads when it is made.
NAMES_A_FILE: Final = (".location", ".private.key.file")

Tell = Callable[[Settings, frozenset[str]], None]


class SignIn:
    """Tells of each change: the settings with it, and the files that have another content."""

    def __init__(self, settings: Settings, tell: Tell) -> None:
        """`tell` is called on the thread that looks."""
        self._settings = settings
        self._tell = tell
        self._secrets = {name: Secret(settings, name) for name in SECRETS}
        self._of_secrets = {secret.path for secret in self._secrets.values()}
        self._stopped = threading.Event()
        self._used = self._contents()
        self._seen = self._used
        self._thread = threading.Thread(target=self._watch, name="sign-in", daemon=True)

    def start(self) -> None:
        """Look from now on, where there is a file to look at."""
        if self._used:
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def look(self) -> None:
        """Look once."""
        contents = self._contents()
        settled, self._seen = contents == self._seen, contents
        if not settled:
            return
        files = frozenset(path for path in contents if contents[path] != self._used.get(path, ""))
        found = replace(
            self._settings,
            kafka_sasl_password=self._secrets["KAFKA_SASL_PASSWORD"].text(),
            kafka_ssl_key_password=self._secrets["KAFKA_SSL_KEY_PASSWORD"].text(),
        )
        if found.kafka_properties_file in files:
            found = replace(found, kafka_properties=self._properties(found))
        if found == self._settings and not files:
            return
        self._settings = found
        self._used = self._contents() if found.kafka_properties_file in files else contents
        for path in sorted(files - self._of_secrets):  # which say so themselves
            log.info("a file has changed, and is used from now on", extra={"file": path})
        self._tell(found, files)

    def _watch(self) -> None:
        while not self._stopped.wait(EVERY):
            self.look()

    def _contents(self) -> dict[str, str]:
        """A digest of each file that can be read now."""
        settings = self._settings
        paths = [str(getattr(settings, name.lower())) for name in LOCATIONS]
        paths += [value for name, value in settings.kafka_properties.items() if name.endswith(NAMES_A_FILE)]
        paths += [settings.kafka_properties_file, *self._of_secrets]
        found = {path: digest(Path(path)) for path in paths if path}
        return {path: content for path, content in found.items() if content}

    def _properties(self, settings: Settings) -> dict[str, str]:
        """Those of the file, or the last ones where it is wrong."""
        properties, wrong = read_properties(settings.kafka_properties_file)
        if not wrong:
            return properties
        log.warning("KAFKA_PROPERTIES_FILE %s; the last one that was right stays in force", "; ".join(wrong))
        return settings.kafka_properties


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
