"""Takes the secrets of the settings out of text that others wrote: an answer repeats what it was asked with."""

import json
import re
import threading
from collections import deque
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from consumer.settings.properties import HIDDEN

# A shorter secret may be a part of any word: it is looked for only as a word of its own.
LONG: Final = 8
# A token that is replaced every hour is of no use to anybody after some days.
MOST_LEARNT: Final = 100


class Scrubber:
    """Called with a text, it returns it without any of the secrets. For any thread."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._given = list(secrets)
        self._learnt: deque[str] = deque(maxlen=MOST_LEARNT)
        self._lock = threading.Lock()
        self._pattern = pattern_of(self._given)

    def __call__(self, text: str) -> str:
        """The text, with a mask for each secret."""
        pattern = self._pattern
        return text if pattern is None else pattern.sub(HIDDEN, text)

    def learn(self, secret: str) -> None:
        """Take this one out as well from now on, beside those before: what is under way still has them."""
        with self._lock:
            if secret not in self._given and secret not in self._learnt:
                self._learnt.append(secret)
                self._pattern = pattern_of([*self._given, *self._learnt])


def pattern_of(secrets: Iterable[str]) -> re.Pattern[str] | None:
    """Finds each of them, however it is written; None where there is none."""
    forms: set[str] = set()
    for secret in secrets:
        forms.update((secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]))
        forms.update((quote(secret), quote(secret, safe="")))
    forms.discard("")
    ordered = sorted(forms, key=lambda form: (-len(form), form))  # a longer one may contain a shorter one
    return re.compile("|".join(map(pattern, ordered))) if ordered else None


def pattern(form: str) -> str:
    """How one form of a secret is found."""
    exact = re.escape(form)
    return exact if len(form) >= LONG else rf"(?<!\w){exact}(?!\w)"
