"""What a batch met so far."""

from typing import Final, final

NEVER_STARTED: Final = -1


@final
class History:
    """What a batch met so far: `cause` of its last failure, `same` times in a row, after `attempts` in all.

    `failures` are the attempts, and one more for a part of what failed as a whole. After `soon` of the attempts the
    next came at once, within the budget of an overload.
    `alone` of them were met as a suspect that cannot be cut. `since` is when it failed first; `started` how many
    requests of the destination had started by then: a success of a later one says that the fault is this batch's own.
    Until `asked_until` it is not to be sent, since an answer asked for that. `part`: it was in a larger request, and
    `named` by its answer.
    """

    __slots__ = (
        "alone",
        "asked_until",
        "attempts",
        "cause",
        "failures",
        "named",
        "part",
        "same",
        "since",
        "soon",
        "started",
    )

    def __init__(self) -> None:
        self.attempts = 0
        self.alone = 0
        self.failures = 0
        self.soon = 0
        self.cause = ""
        self.same = 0
        self.since = 0.0
        self.started = NEVER_STARTED
        self.asked_until = 0.0
        self.part = False
        self.named = False

    def failed(self, cause: str, started: int, now: float) -> None:
        """One more failure."""
        self.attempts += 1
        self.failures += 1
        if self.started == NEVER_STARTED:
            self.started = started
            self.since = now
        self.same = self.same + 1 if cause == self.cause else 1
        self.cause = cause

    @property
    def waits(self) -> int:
        """How often it has failed, but for what was tried again at once: the steps of a wait that doubles."""
        return self.attempts - self.soon

    def failed_alone(self) -> int:
        """It failed as a suspect that cannot be cut: how often it did."""
        self.alone += 1
        return self.alone

    def of_part(self) -> "History":
        """What a part of the batch has behind it: the fault met it once, as a whole."""
        part = History()
        part.part = True
        part.cause = self.cause
        part.same = min(self.same, 1)
        part.failures = part.same
        part.since = self.since
        part.started = self.started
        part.asked_until = self.asked_until
        return part
