"""How far a long piece of work is, on a terminal's last line; nothing anywhere else."""

import sys
import time
from types import TracebackType
from typing import Final, Self

import click

EVERY: Final = 0.2


class Progress:
    """Counts towards `total` (0: unknown); the line goes away at the end, so that what follows is clean."""

    def __init__(self, verb: str, total: int = 0) -> None:
        self._verb = verb
        self._total = total
        self._began = time.monotonic()
        self._next = self._began + 1.0  # what takes less than a second needs no progress
        self._shown = False
        self._on = sys.stderr.isatty()

    def at(self, count: int) -> None:
        """So many are done."""
        now = time.monotonic()
        if not self._on or now < self._next:
            return
        self._next = now + EVERY
        self._shown = True
        rate = count / (now - self._began)
        of = f" of {self._total:,} ({count * 100 // self._total} %)" if self._total else ""
        click.echo(f"\r\x1b[2K{self._verb} {count:,}{of}, {rate:,.0f} a second", nl=False, err=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            click.echo("\r\x1b[2K", nl=False, err=True)
