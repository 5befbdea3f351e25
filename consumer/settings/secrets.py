"""Secrets that may change while the service runs: one from a file is read again whenever it is used.

Kubernetes and Vault replace the file; who asks next has the new text. A file that cannot be read, or whose text is
not what the setting takes, leaves the last good one in force: it may be half written.
"""

import logging
from typing import Final

from consumer.settings.declared import BY_NAME
from consumer.settings.load import Settings
from consumer.settings.sources import read, secret_in
from consumer.settings.values import Wrong
from consumer.settings.variable import FILE_TWIN

log = logging.getLogger("consumer.settings")

ELSEWHERE: Final = ("option", "environment")


class Secret:
    """One secret of the settings. `text` is for any thread; it is empty where nothing is set.

    `path` is the file that it is read from, empty where it is from none.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        self._variable = BY_NAME[name]
        self._text: str = getattr(settings, self._variable.field)
        given = settings.given.get(name)
        self.path = given.origin if given is not None and given.origin not in ELSEWHERE else ""
        self._wrong = ""

    def text(self) -> str:
        """What it is now."""
        if not self.path:
            return self._text
        name = self._variable.name + FILE_TWIN
        try:
            found = str(read(self._variable, secret_in(self.path, name), self.path))
        except Wrong as wrong:
            if str(wrong) != self._wrong:
                log.warning("%s; the last one that could be read stays in force", wrong)
            self._wrong = str(wrong)
            return self._text
        self._wrong = ""
        if found != self._text:
            self._text = found
            log.info("%s has changed, and is used from now on", name, extra={"file": self.path})
        return found

    def __repr__(self) -> str:
        return self._variable.name
