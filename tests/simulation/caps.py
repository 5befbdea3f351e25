"""What faults leave of the limits finds its way back.

The least that each cap may be is worked out here from the answers since the last fault of its kind.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .mixpanel import AGAIN, CAPACITY, HALT, LARGE, OPAQUE, PARTIAL, TAKEN, Request

if TYPE_CHECKING:
    from .oracle import Oracle

LONG_AGO = 1_000_000
SMALLEST_BODY = 65_536
# So long a size that was refused is believed, in seconds.
BELIEVED_FOR = 300.0
# The share of good answers is remembered over so many; after so many in a row there is a retry at once again.
MEMORY = 32
EARNED = 11


@dataclass(slots=True)
class Body:
    """The least that the largest body may have, in bytes."""

    limit: int
    least: int
    refused: int = 0  # the smallest size of several updates that was refused; 0 where none is believed to be
    refused_at: float = 0.0

    def heard(self, request: Request, now: float) -> None:
        """One more answer: what was refused is halved, and doubled by each body that is read.

        Up to an eighth below what was refused; beyond once that is 300 s ago, or as large a body was read.
        """
        if request.told == LARGE and len(request.updates) > 1:
            self.refused = min(self.refused or LONG_AGO, request.size)
            self.refused_at = now
            self.least = min(self.least, max(SMALLEST_BODY, request.size // 2))
        elif request.told in (TAKEN, PARTIAL, OPAQUE):
            if request.size >= self.refused or now - self.refused_at > BELIEVED_FOR:
                self.refused = 0
            if not self.refused:
                self.least = min(self.limit, self.least * 2)
            elif request.size * 2 >= self.least:
                most = max(SMALLEST_BODY, self.refused - self.refused // 8)
                self.least = max(self.least, min(self.limit, self.least * 2, most))


@dataclass(slots=True)
class Answers:
    """How many good answers of one project an instance has heard since each kind of fault."""

    timed_out: int = LONG_AGO
    slowed: int = LONG_AGO
    failed: int = LONG_AGO

    def heard(self, request: Request) -> None:
        """One more answer."""
        if request.told not in (AGAIN, CAPACITY, HALT):
            self.timed_out += 1
            self.slowed += 1
            self.failed += 1
        elif not request.suspect:
            self.failed = 0
        if request.told == CAPACITY:
            self.slowed = 0
        elif request.timed_out:
            self.timed_out = 0


def check_caps(oracle: "Oracle", instance: Any) -> None:
    """Fresh batches double with each answer, requests at once grow by one; retries and bodies have their least."""
    limits = instance.limits
    for project, pace in instance.paces.items():
        dispatch, answers = instance.loop.pipeline.destinations.by_name[project].dispatch, pace.answers
        throttle = dispatch.throttle
        least = min(limits.batch_updates, 2 ** min(answers.timed_out, 20))
        for what, cap, at_least in (
            ("updates in a fresh batch", throttle.fresh_updates, least),
            ("requests at once", throttle.allowed, min(limits.max_in_flight, 1 + answers.slowed)),
            ("bytes of a body", dispatch.body.cap, pace.body.least),
        ):
            if cap < at_least:
                raise oracle.fail(10, f"{instance}: {what} of {project} are {cap}, and should be {at_least} again")
        share = 1.0 - (1.0 - 1.0 / MEMORY) ** min(answers.failed, LONG_AGO)
        if dispatch.budget._success < share - 1e-6:
            raise oracle.fail(
                10, f"{instance}: the last {answers.failed} answers of {project} were good, and forgotten"
            )
        if answers.failed >= EARNED and dispatch.budget._left < 1.0:
            raise oracle.fail(10, f"{instance}: {answers.failed} answers of {project} were good: no retry is earned")


def places_of(instance: Any, pace: Any) -> int:
    """How many requests at once are surely left to those that nothing is wrong with."""
    most = instance.limits.max_in_flight
    others = 1 if len(instance.paces) == 1 else max(1, most // 2)
    return max(1, min(most, 1 + pace.answers.slowed) - others)
