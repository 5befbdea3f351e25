"""One request's worth of updates, and what an answer decided on them."""

from typing import Final, final

from consumer.core.runs import Update
from consumer.event.encode import request_json

# Later than any clock: there is nothing to wait for.
NEVER: Final = 1e18

# Why a batch waits.
TRANSIENT: Final = 0
CAPACITY: Final = 1
HALTED: Final = 2

# What was decided on an update that was not accepted.
REFUSED: Final = 0
AMBIGUOUS: Final = 1


@final
class Batch:
    """The updates of one request, with the body as sent. `number` tells it from others in logs."""

    __slots__ = ("attempt", "body", "due", "number", "released", "same", "status", "suspect", "updates", "waits_for")

    def __init__(self, number: int, updates: list[Update]) -> None:
        self.number = number
        self.carry(updates)
        self.attempt = 0
        self.due = 0.0
        self.waits_for = TRANSIENT
        self.released = False  # its wait was ended once by another's success
        self.status = 0  # of the last server error, and how often it came in a row
        self.same = 0
        self.suspect = -1  # of a half that failed as a whole: how many requests had succeeded by then

    def carry(self, updates: list[Update]) -> None:
        """These are the updates to send."""
        self.updates = updates
        self.body = request_json([update.json for update in updates])


@final
class Decision:
    """What one answer decided on an update that is not accepted. `reason` of a refusal: `rejected`, `too_large`."""

    __slots__ = ("kind", "reason", "update")

    def __init__(self, update: Update, kind: int, reason: str = "") -> None:
        self.update = update
        self.kind = kind
        self.reason = reason


@final
class Report:
    """What an answer meant: `outcome` as in the metric, `cause` of a retry or halt, and what it decided."""

    __slots__ = ("accepted", "cause", "decisions", "outcome", "wait")

    def __init__(self, outcome: str, cause: str = "", wait: float = 0.0) -> None:
        self.outcome = outcome
        self.cause = cause
        self.wait = wait
        self.accepted: list[Update] = []
        self.decisions: list[Decision] = []


def cut(updates: list[Update]) -> int:
    """Where to halve: near the middle, between two runs where there are two."""
    middle = len(updates) // 2
    for step in range(middle):
        for place in (middle + step, middle - step):
            if 0 < place < len(updates) and updates[place].run is not updates[place - 1].run:
                return place
    return middle
