"""One request's worth of updates, its history, and what an answer decided on them."""

from typing import Final, final

from consumer.core.blame import Refusal
from consumer.core.entry import Update
from consumer.core.history import History

# What was decided on an update that was not accepted.
REFUSED: Final = 0
AMBIGUOUS: Final = 1
DIVIDED: Final = 2


@final
class Batch:
    """The updates of one request of one destination. `number` tells it from others in logs.

    `started` is its place among the requests of its destination; `due` when it may go again; `suspect` says that its
    fault is its own, not Mixpanel's; `announcing` that it waits for the journal, and is not sent yet.
    """

    __slots__ = (
        "announcing",
        "destination",
        "due",
        "history",
        "number",
        "released",
        "sent_at",
        "started",
        "suspect",
        "updates",
        "waits_for",
    )

    def __init__(self, number: int, destination: str, updates: list[Update]) -> None:
        self.number = number
        self.destination = destination
        self.updates = updates
        self.history = History()
        self.started = 0
        self.sent_at = 0.0
        self.due = 0.0
        self.waits_for = 0  # a kind of fault, as in `retry`
        self.released = False  # its wait was ended once by another's success
        self.suspect = False
        self.announcing = False

    def tails(self) -> list[bytes]:
        """The JSON of each update, but for the token."""
        return [update.json for update in self.updates]

    def size(self, opening: int) -> int:
        """The bytes of the body, where each update begins with so many."""
        size = 1
        for update in self.updates:
            size += len(update.json) + opening + 1
        return size

    @property
    def free(self) -> bool:
        """Whether no group of it is in another request."""
        for update in self.updates:
            if update.run.flying:
                return False
        return True


@final
class Decision:
    """What one answer decided on an update that is not accepted: REFUSED or AMBIGUOUS with why.

    Or DIVIDED, with the history of the request that could not be sent: its records go on by halves.
    """

    __slots__ = ("history", "kind", "refusal", "update")

    def __init__(
        self, update: Update, kind: int, refusal: Refusal | None = None, history: History | None = None
    ) -> None:
        self.update = update
        self.kind = kind
        self.refusal = refusal
        self.history = history


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


def pieces(updates: list[Update], count: int) -> list[list[Update]]:
    """So many pieces, about equal, cut between two runs where there are two."""
    places = [place for place in range(1, len(updates)) if updates[place].run is not updates[place - 1].run]
    if not places:
        places = [len(updates) // 2] if len(updates) > 1 else []
    cuts: list[int] = []
    for number in range(1, count):
        wanted = len(updates) * number // count
        best = -1
        for place in places:
            if (not cuts or place > cuts[-1]) and (best < 0 or abs(place - wanted) < abs(best - wanted)):
                best = place
        if best >= 0:
            cuts.append(best)
    return [updates[start:end] for start, end in zip([0, *cuts], [*cuts, len(updates)], strict=True)]
