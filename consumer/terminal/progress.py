"""How far a long piece of work is, on stderr: a bar where something is counted, else one line that changes."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from types import TracebackType
from typing import Final, Self

import click

SMALL: Final = 2_000  # fewer are done before a bar could be seen
STEPS: Final = 1_000  # how many a bar moves by at least, where nobody knows how many there are
EVERY: Final = 3.0  # seconds from line to line where there is no terminal
CLEAR: Final = "\r\x1b[2K"


@contextmanager
def bar(label: str, total: int | None) -> Iterator[Callable[[int], object]]:
    """A bar on the terminal, moved by so many. Nothing elsewhere, or for few; `total` is None where nobody knows."""
    if not sys.stderr.isatty() or (total is not None and total < SMALL):
        yield lambda _: None
        return
    step = STEPS if total is None else total // 200
    endless = count() if total is None else None
    with click.progressbar(
        endless, total, label, show_pos=total is None, file=sys.stderr, update_min_steps=step
    ) as shown:
        yield shown.update


def say(text: str) -> None:
    """A line for people while a bar is there."""
    click.echo(f"{CLEAR if sys.stderr.isatty() else ''}{text}", err=True)


class StatusLine:
    """One line that changes on a terminal, and goes away when the work ends.

    One that `stays` is for a long job: its last text is kept, and without a terminal it is written now and then.
    """

    def __init__(self, *, stays: bool = False) -> None:
        self._terminal = sys.stderr.isatty()
        self._stays = stays
        self._text = ""
        self._due = 0.0

    def show(self, text: str) -> None:
        """This is how far it is now."""
        if text == self._text:
            return
        self._text = text
        if self._terminal:
            width = shutil.get_terminal_size((80, 24)).columns
            click.echo(CLEAR + click.style(text[: width - 1], dim=True), nl=False, err=True)
        elif self._stays and time.monotonic() >= self._due:
            self._due = time.monotonic() + EVERY
            click.echo(text, err=True)

    def clear(self) -> None:
        """Something else is to be written."""
        if self._text and self._terminal:
            click.echo(CLEAR, nl=False, err=True)
        self._text = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._stays:
            self.clear()
        elif self._text:
            click.echo("" if self._terminal else self._text, err=True)
