"""What the service signs in to Kafka with, as the files of the settings have it now.

A file that cannot be read, or that is wrong, leaves the last good content in force.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from consumer.settings.load import Settings
from consumer.settings.properties import read_properties
from consumer.settings.secrets import Learn, Secret, unlearnt
from consumer.settings.watching import Files

log = logging.getLogger("consumer.settings")

SECRETS: Final = ("KAFKA_SASL_PASSWORD", "KAFKA_SSL_KEY_PASSWORD")
LOCATIONS: Final = ("KAFKA_SSL_CA_LOCATION", "KAFKA_SSL_CERTIFICATE_LOCATION", "KAFKA_SSL_KEY_LOCATION")
# Properties that name a file which a client reads when it is made.
NAMES_A_FILE: Final = (".location", ".private.key.file")

Tell = Callable[[Settings, frozenset[str]], None]


class SignIn:
    """Tells of each change: the settings with it, and the files that have another content."""

    def __init__(self, settings: Settings, tell: Tell, learn: Learn = unlearnt) -> None:
        """`tell` is called on the thread that looks; `learn` is told every secret before that."""
        self._settings = settings
        self._tell = tell
        self._learn = learn
        self._secrets = {name: Secret(settings, name, learn) for name in SECRETS}
        self._of_secrets = {secret.path for secret in self._secrets.values()}
        self.files = Files(self._paths())

    def look(self) -> None:
        """Look once."""
        if not self.files.settled(self._paths()):
            return
        changed = self.files.changed()
        settings = replace(
            self._settings,
            kafka_sasl_password=self._secrets["KAFKA_SASL_PASSWORD"].text(),
            kafka_ssl_key_password=self._secrets["KAFKA_SSL_KEY_PASSWORD"].text(),
        )
        if settings.kafka_properties_file in changed:
            settings = replace(settings, kafka_properties=self._properties(settings))
        if settings == self._settings and not changed:
            return
        self._settings = settings
        self.files.take(self._paths())
        for secret in settings.secrets():
            self._learn(secret)
        for path in sorted(changed - self._of_secrets):  # which say so themselves
            log.info("a file has changed, and is used from now on", extra={"file": path})
        self._tell(settings, changed)

    def _paths(self) -> list[str]:
        settings = self._settings
        paths = [str(getattr(settings, name.lower())) for name in LOCATIONS]
        paths += [value for name, value in settings.kafka_properties.items() if name.endswith(NAMES_A_FILE)]
        return [*paths, settings.kafka_properties_file, *self._of_secrets]

    def _properties(self, settings: Settings) -> dict[str, str]:
        """Those of the file, or the last ones where it is wrong."""
        properties, wrong = read_properties(settings.kafka_properties_file)
        if not wrong:
            return properties
        log.warning("KAFKA_PROPERTIES_FILE %s; the last one that was right stays in force", "; ".join(wrong))
        return settings.kafka_properties
