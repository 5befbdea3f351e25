"""A destination that refuses everything: credentials or configuration. One batch at a time asks if it is over.

What was sent before the credentials were replaced says nothing of the new ones: the next probe goes at once.
"""

from typing import final

from consumer.core.batch import Batch
from consumer.core.retry import probe_wait, transient_wait


@final
class Halt:
    """`cause` is the answer that halted sending, empty while it goes on. `probe` is the batch that asks now."""

    __slots__ = ("_began", "_renewed", "cause", "probe", "probe_at")

    def __init__(self) -> None:
        self.cause = ""
        self.probe: Batch | None = None
        self.probe_at = 0.0
        self._began = 0
        self._renewed = 0

    def begin(self, batch: Batch, cause: str, started: int, now: float, jitter: float, soon: bool) -> None:
        """The batch was refused: sending is halted, or still is; so many requests had started.

        `soon`: most requests succeed, so the batch is rather to blame: the first probe goes at once.
        """
        if not self.cause:
            self.probe_at = self._next_probe(batch, now, jitter)
            if soon:
                self.probe_at = min(self.probe_at, now + transient_wait(1, True, jitter))
            self._began = started
        self.cause = cause

    def asked(self, batch: Batch, now: float, jitter: float) -> None:
        """The probe failed, whatever it met: another follows it."""
        if self.cause:
            self.probe_at = self._next_probe(batch, now, jitter)

    def renew(self, started: int, now: float) -> None:
        """The credentials are others than those of the requests that had started: ask with them at once."""
        self._renewed = started
        self.probe_at = min(self.probe_at, now)

    def ended_by(self, batch: Batch) -> bool:
        """A request succeeded: whether the halt is over, since it had started after the halt began."""
        if not self.cause or batch.started <= self._began:
            return False
        self.cause = ""
        return True

    def _next_probe(self, batch: Batch, now: float, jitter: float) -> float:
        return now if batch.started <= self._renewed else now + probe_wait(jitter)
