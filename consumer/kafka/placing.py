"""Where to read on where the client knows no valid offset: decided from what the brokers say of the partition.

gap         retention removed what was to be read next: on at the earliest
truncated   the log was cut (an unclean election): on where it was cut, or at what was written since the commit
recreated   the topic was recreated: at its start
"""

import re
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import KafkaException

from consumer.kafka.assignments import Owned, Place
from consumer.kafka.lookups import Lookups, Question, Span

VALID: Final = "valid"
GAP: Final = "gap"
TRUNCATED: Final = "truncated"
RECREATED: Final = "recreated"

ASK_AGAIN: Final = 1.0
# Clocks of producers that are behind the broker's by less lose nothing.
SLACK_MS: Final = 10 * 60 * 1000
# The client's words for where a log was cut: it has no other way to say it.
CUT_AT: Final = re.compile(r"truncation detected at offset .*broker end offset is (\d+)")
CUT_SOMEWHERE: Final = "No epoch found"
UNTOLD: Final = -2


@dataclass
class Unplaced:
    """A partition that is not read. `invalid` is the offset that the client refused.

    `cut` is where the log was cut: UNTOLD where the broker does not say, -1 where it says nothing of a cut.
    """

    invalid: int
    cut: int = -1
    question: Question | None = None
    ask_at: float = 0.0


@dataclass(frozen=True)
class Start:
    """Where to read on, and why there; `doubtful` as the new epoch has it, where one begins."""

    offset: int
    why: str
    wanted: int
    span: Span
    doubtful: int = 0


@dataclass
class Placing:
    """All such partitions. Each is asked about by itself: one without a leader keeps no other waiting."""

    unplaced: dict[Place, Unplaced] = field(default_factory=dict)

    def refused(self, place: Place, invalid: int, reason: str) -> None:
        """The client has no valid offset for this partition, and says so once."""
        match = CUT_AT.search(reason)
        cut = int(match[1]) if match else UNTOLD if CUT_SOMEWHERE in reason else -1
        self.unplaced[place] = Unplaced(invalid, cut)

    def forget(self, place: Place) -> None:
        """It is not ours any more."""
        self.unplaced.pop(place, None)

    def answered(self, place: Place, owned: Owned, lookups: Lookups | None, now: float) -> Start | None:
        """Where to read on; None while it is not known. Raises KafkaException, and asks again after a while."""
        waiting = self.unplaced[place]
        if waiting.question is None:
            if now >= waiting.ask_at and lookups is not None:
                since = owned.committed_at - SLACK_MS if owned.committed_at >= 0 else 0
                waiting.question = lookups.about(place, since)
            return None
        if lookups is not None:
            lookups.poll()
        if not waiting.question.done():
            return None
        try:
            span = waiting.question.answer()
        except KafkaException:
            waiting.question, waiting.ask_at = None, now + ASK_AGAIN
            raise
        del self.unplaced[place]
        return start(owned, waiting, span)


def start(owned: Owned, waiting: Unplaced, span: Span) -> Start:
    """Decide. Nothing that was written since the log was cut is skipped.

    Where nobody says where it was cut, what it has now is old or new; what comes is new.
    """
    wanted = owned.next if owned.next >= 0 else waiting.invalid
    known = owned.assignment.topic_id
    if known and span.topic_id and known != span.topic_id:
        return Start(span.low, RECREATED, wanted, span)
    if wanted < 0:
        return Start(span.low, VALID, wanted, span)  # nothing was ever committed
    if 0 <= waiting.cut < wanted:
        cut = max(waiting.cut, span.low)
        doubtful = min(owned.assignment.doubtful, cut)
        return Start(within(span, owned, cut), TRUNCATED if cut < owned.read else VALID, wanted, span, doubtful)
    if wanted > span.high or waiting.cut == UNTOLD:
        since = span.since if known and owned.committed_at >= 0 else span.low
        return Start(within(span, owned, since), TRUNCATED, wanted, span, span.high)
    if wanted < span.low:
        return Start(span.low, GAP, wanted, span)
    return Start(wanted, VALID, wanted, span)


def within(span: Span, owned: Owned, offset: int) -> int:
    """Not beyond what is settled of what is left, nor outside of the log."""
    if owned.committed >= 0:
        offset = min(offset, owned.committed)
    return max(span.low, min(offset, span.high))
