"""The mapping file while the service runs: it is read at the start alone, and a change of it is told."""

import logging
from typing import Final

from consumer.mapping.reading import InvalidMapping
from consumer.settings.load import Settings
from consumer.settings.mapping import mapping_of
from consumer.settings.watching import Files, digests

log = logging.getLogger("consumer.settings")

SHOWN: Final = 10  # faults in one line of the log


class MappingWatch:
    """Looks whether MAPPING_FILE still holds what was read at the start, and what a restart would make of it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._paths = [settings.mapping_file] if settings.mapping_file else []
        self.files = Files(self._paths)
        self._read = self._told = digests(self._paths)

    def look(self) -> None:
        """Look once."""
        if not self.files.settled(self._paths):
            return
        now = digests(self._paths)
        if now != self._told:
            self._told = now
            self._tell()

    def _tell(self) -> None:
        name = self._settings.mapping_file
        if self._told == self._read:
            log.info("the mapping file is again as it was read at the start", extra={"file": name})
            return
        try:
            mapping_of(self._settings, sends=True)
        except InvalidMapping as invalid:
            faults = list(map(str, invalid.faults[:SHOWN]))
            says = "the mapping file has changed and has faults: the next start would end with status 2"
            log.error(says, extra={"file": name, "faults": faults})
        except OSError as failure:
            says = "the mapping file cannot be read any more: the next start would end with status 2"
            log.error(says, extra={"file": name, "error": failure.strerror})
        else:
            says = "the mapping file has changed: the one before stays in force until the next start, which reads it"
            log.warning(says, extra={"file": name})
