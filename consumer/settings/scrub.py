"""Takes the secrets of the settings out of text that others wrote: an answer repeats what it was asked with."""

import json
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from consumer.settings.properties import HIDDEN

# A shorter secret may be a part of any word: it is looked for only as a word of its own.
LONG: Final = 8


class Scrubber:
    """Called with a text, it returns it without any of the secrets."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms: set[str] = set()
        for secret in secrets:
            forms.update((secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]))
            forms.update((quote(secret), quote(secret, safe="")))
        forms.discard("")
        ordered = sorted(forms, key=lambda form: (-len(form), form))  # a longer one may contain a shorter one
        self._pattern = re.compile("|".join(map(pattern, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """The text, with a mask for each secret."""
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)


def pattern(form: str) -> str:
    """How one form of a secret is found."""
    exact = re.escape(form)
    return exact if len(form) >= LONG else rf"(?<!\w){exact}(?!\w)"
