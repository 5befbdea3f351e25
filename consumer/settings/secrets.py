"""Secrets that may change while the service runs: one from a file is read again whenever it is used.

Kubernetes and Vault replace the file; who asks next has the new text. A file that cannot be read, or whose text is
not what the setting takes, leaves the last good one in force: it may be half written.
"""

import logging
from collections.abc import Callable
from typing import TypeAlias

from consumer.settings.declared import BY_NAME
from consumer.settings.load import Settings
from consumer.settings.sources import read, secret_in
from consumer.settings.values import Wrong
from consumer.settings.variable import FILE_TWIN, Variable

log = logging.getLogger("consumer.settings")

# Is told a secret before it is used.
Learn: TypeAlias = Callable[[str], None]


def unlearnt(_secret: str) -> None:
    """Learns nothing."""


def read_file(variable: Variable, path: str) -> str:
    """The secret that the file holds now. Raises `Wrong`."""
    return str(read(variable, secret_in(path, variable.name + FILE_TWIN), path))


class Secret:
    """One secret of the settings. `text` is for any thread; it is empty where nothing is set.

    `path` is the file that it is read from, empty where it is from none.
    """

    def __init__(self, settings: Settings, name: str, learn: Learn = unlearnt) -> None:
        """`learn` is told each other text of it before that is used."""
        self._variable = BY_NAME[name]
        self._text: str = getattr(settings, self._variable.field)
        self._learn = learn
        given = settings.given.get(name)
        self.path = given.file if given is not None else ""
        self._wrong = ""

    def text(self) -> str:
        """What it is now."""
        if not self.path:
            return self._text
        try:
            text = read_file(self._variable, self.path)
        except Wrong as wrong:
            if str(wrong) != self._wrong:
                log.warning("%s; the last one that could be read stays in force", wrong)
            self._wrong = str(wrong)
            return self._text
        self._wrong = ""
        if text != self._text:
            self._learn(text)
            self._text = text
            name = self._variable.name + FILE_TWIN
            log.info("%s has changed, and is used from now on", name, extra={"file": self.path})
        return text

    def __repr__(self) -> str:
        return self._variable.name
