"""How far a long job is: one line that changes on a terminal, a line now and then elsewhere."""

import shutil
import sys
import time
from types import TracebackType
from typing import Final, Self

EVERY: Final = 3.0
"""Seconds from line to line where there is no terminal."""


class Live:
    """Shows on standard error what it is given; the last of it stays."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._text = ""
        self._due = 0.0

    def show(self, text: str) -> None:
        """This is how far it is now."""
        if text == self._text:
            return
        self._text = text
        if self._terminal:
            width = shutil.get_terminal_size((80, 24)).columns
            self._write(f"\r\x1b[2K{text[: width - 1]}")
        elif time.monotonic() >= self._due:
            self._due = time.monotonic() + EVERY
            self._write(f"{text}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._text:
            self._write("\n" if self._terminal else f"{self._text}\n")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
