"""Where to read on where the client knows no valid offset; each partition waits for its own answer alone."""

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumer.core.model import Assignment
from consumer.kafka.assignments import Owned
from consumer.kafka.lookups import Lookups, Question, Span
from consumer.kafka.placing import (
    ASK_AGAIN,
    GAP,
    RECREATED,
    SLACK_MS,
    TRUNCATED,
    UNTOLD,
    VALID,
    Placing,
    Start,
    Unplaced,
    start,
)

NOW = 1_800_000_000_000


def owned(wanted: int = 100, committed: int = 90, at: int = NOW, topic_id: str = "id") -> Owned:
    """A partition that was read up to `wanted`."""
    one = Owned(Assignment("changes", 0, topic_id))
    one.next = one.read = wanted
    one.committed, one.committed_at = committed, at
    return one


@pytest.mark.parametrize(
    ("one", "invalid", "cut", "span", "offset", "why"),
    [
        (owned(-1, -1), -1, -1, Span(3, 50, 50, "id"), 3, VALID),  # nothing was ever committed
        (owned(), 100, -1, Span(0, 100, 100, "id"), 100, VALID),  # it has become valid
        (owned(), 100, -1, Span(120, 150, 150, "id"), 120, GAP),
        (owned(), -1, 60, Span(0, 70, 70, "id"), 60, TRUNCATED),
        (owned(), -1, 60, Span(0, 500, 70, "id"), 60, TRUNCATED),  # grown past what was read
        (owned(), -1, 95, Span(0, 95, 70, "id"), 90, TRUNCATED),  # 90 to 95 were read and are not settled
        (owned(), -1, 60, Span(65, 70, 70, "id"), 65, TRUNCATED),
        (owned(), 100, -1, Span(0, 70, 55, "id"), 55, TRUNCATED),  # by the time of the last commit
        (owned(at=-1), 100, -1, Span(0, 70, 55, "id"), 0, TRUNCATED),  # no time is known
        (owned(topic_id=""), 100, -1, Span(0, 70, 55, "id"), 0, TRUNCATED),  # nor whether it is the same topic
        (owned(), 100, -1, Span(0, 70, 55, "other"), 0, RECREATED),
        (owned(), -1, 60, Span(0, 500, 55, "other"), 0, RECREATED),
    ],
)
def test_where_it_goes_on(one, invalid, cut, span, offset, why):
    """Nothing new is skipped, and no more comes again than must."""
    found = start(one, Unplaced(invalid, cut), span)
    assert (found.offset, found.why) == (offset, why)


@pytest.mark.parametrize(
    ("invalid", "cut", "span", "offset", "doubtful"),
    [
        (100, -1, Span(0, 70, 55, "id"), 55, 70),
        (-1, UNTOLD, Span(0, 70, 55, "id"), 55, 70),
        (-1, UNTOLD, Span(0, 500, 55, "id"), 55, 500),  # grown past what was read
        (-1, UNTOLD, Span(0, 500, 200, "id"), 90, 500),  # nothing that is not settled is skipped
        (-1, 60, Span(0, 70, 55, "id"), 60, 60),  # told: of an earlier doubt what is below it is left
        (-1, 60, Span(0, 70, 55, "other"), 0, 0),  # another topic
    ],
)
def test_what_may_have_been_applied_before(invalid, cut, span, offset, doubtful):
    """Where nobody says where the log was cut: all that it has by now. What comes later is new."""
    one = owned()
    one.assignment.doubtful = 80
    found = start(one, Unplaced(invalid, cut), span)
    assert (found.offset, found.doubtful) == (offset, doubtful)


@pytest.mark.parametrize(
    ("words", "cut"),
    [
        ("Partition log truncation detected at offset 9: broker end offset is 60 (leader epoch 3)", 60),
        ("No epoch found less or equal to 4: broker end offset is -1 (leader epoch -1)", UNTOLD),
        ("Broker: Offset out of range", -1),
    ],
)
def test_what_the_client_tells(words, cut):
    """It has only words for it."""
    placing = Placing()
    placing.refused(("changes", 0), 100, words)
    assert placing.unplaced["changes", 0].cut == cut


def test_markers_alone_that_were_cut_are_no_loss():
    """Between the last record and the end that was passed there is none."""
    one = owned(wanted=100, committed=100)
    one.read = 97
    assert start(one, Unplaced(-1, 98), Span(0, 120, 120, "id")) == Start(98, VALID, 100, Span(0, 120, 120, "id"), 0)


class Unanswered(Lookups):
    """The brokers: each question is answered when the test says so."""

    def __init__(self) -> None:
        self.asked: dict[tuple[str, int], tuple[int, list[Future[Any]]]] = {}

    def about(self, place: tuple[str, int], since: int) -> Question:
        parts: list[Future[Any]] = [Future() for _ in range(4)]
        self.asked[place] = since, parts
        return Question(*parts)

    def poll(self) -> None:
        """Nothing to serve."""


class Offset:
    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.topic_id = "id"


def test_one_without_an_answer_keeps_no_other_waiting():
    """It is asked again after a while; the others are placed meanwhile, and nothing waits."""
    lookups = Unanswered()
    placing = Placing()
    one, other = owned(), owned()
    placing.refused(("changes", 0), 100, "Broker: Offset out of range")
    placing.refused(("changes", 1), 100, "Broker: Offset out of range")
    assert placing.answered(("changes", 0), one, lookups, 0.0) is None
    assert placing.answered(("changes", 1), other, lookups, 0.0) is None
    assert lookups.asked["changes", 0][0] == NOW - SLACK_MS
    for part, offset in zip(lookups.asked["changes", 1][1], (120, 150, -1, 0), strict=True):
        part.set_result(Offset(offset))
    assert placing.answered(("changes", 0), one, lookups, 0.1) is None
    found = placing.answered(("changes", 1), other, lookups, 0.1)
    assert (found.offset, found.why, found.span.since) == (120, GAP, 150)
    lookups.asked["changes", 0][1][0].set_exception(KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE)))
    for part in lookups.asked.pop(("changes", 0))[1][1:]:
        part.set_result(Offset(0))
    with pytest.raises(KafkaException):
        placing.answered(("changes", 0), one, lookups, 0.2)
    assert placing.answered(("changes", 0), one, lookups, 0.3) is None
    assert ("changes", 0) not in lookups.asked
    assert placing.answered(("changes", 0), one, lookups, 0.3 + ASK_AGAIN) is None
    assert ("changes", 0) in lookups.asked
