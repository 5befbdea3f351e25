"""A destination that refuses everything: credentials or configuration. One batch at a time asks if it is over."""

from typing import final

from consumer.core.batch import Batch
from consumer.core.retry import probe_wait


@final
class Halt:
    """`cause` is the answer that halted sending, empty while it goes on. `probe` is the batch that asks now."""

    __slots__ = ("_began", "cause", "probe", "probe_at")

    def __init__(self) -> None:
        self.cause = ""
        self.probe: Batch | None = None
        self.probe_at = 0.0
        self._began = 0

    def begin(self, cause: str, started: int, was_probe: bool, now: float, jitter: float) -> None:
        """Sending is halted, or still is; `started` requests of this destination had started by now."""
        if not self.cause or was_probe:
            self.probe_at = now + probe_wait(jitter)
        if not self.cause:
            self._began = started
        self.cause = cause

    def asked(self, now: float, jitter: float) -> None:
        """The probe met another fault: it says nothing, and is followed by another."""
        if self.cause:
            self.probe_at = now + probe_wait(jitter)

    def ended_by(self, batch: Batch) -> bool:
        """A request succeeded: whether the halt is over, since it had started after the halt began."""
        if not self.cause or batch.started <= self._began:
            return False
        self.cause = ""
        return True
