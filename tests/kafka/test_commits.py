"""Commits: what the group refuses during a rebalance is sent again; what it says of a stranger is told."""

import time
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumer.core.model import Assignment
from consumer.kafka import commits
from consumer.kafka.assignments import Assignments, Owned
from consumer.kafka.beginning import begun
from consumer.kafka.commits import Commits
from consumer.kafka.journal import NoJournal

PLACE = TopicPartition("changes", 0)
REBALANCES = (KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS, KafkaError.STALE_MEMBER_EPOCH)
STRANGERS = (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.FENCED_INSTANCE_ID, KafkaError.FENCED_MEMBER_EPOCH)


class Group:
    """A consumer whose group refuses the first commits with these codes, and takes the next ones."""

    def __init__(self, *refusals: int) -> None:
        self.refusals = list(refusals)
        self.has = -1
        self.asked = 0
        self.sent: list[TopicPartition] = []

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition] | None:
        self.asked += 1
        self.sent = offsets
        if self.refusals:
            refusal = self.refusals.pop(0)
            if asynchronous:
                return None  # the word on it comes inside a poll, and there is none
            raise KafkaException(KafkaError(refusal))
        self.has = offsets[0].offset
        return None if asynchronous else offsets

    def committed(self, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        return [TopicPartition(place.topic, place.partition, self.has) for place in places]


@pytest.fixture
def mine() -> tuple[Commits, Owned]:
    """The commits of a consumer with one partition."""
    owned = Assignments()
    return Commits(owned, NoJournal()), owned.add(PLACE)


def offsets(one: Owned, offset: int) -> dict[Assignment, int]:
    return {one.assignment: offset}


@pytest.mark.parametrize("code", REBALANCES)
def test_the_last_commit_is_sent_until_a_rebalance_is_over(mine, code):
    """It waits behind the join and is of the older generation then: the next one is taken, however many it took."""
    all_of_them, one = mine
    group = Group(code, code, code)
    assert all_of_them.send_and_wait(group, offsets(one, 7), 30)
    assert (group.has, one.committed, group.asked) == (7, 7, 4)
    assert all_of_them.fenced == []


def test_the_last_commit_is_given_up_in_time(mine):
    """A rebalance that does not end leaves the records to the next owner."""
    all_of_them, one = mine
    group = Group(*[KafkaError.REBALANCE_IN_PROGRESS] * 1000)
    assert not all_of_them.send_and_wait(group, offsets(one, 7), 0.2)
    assert one.committed == -1


@pytest.mark.parametrize("code", STRANGERS)
def test_a_stranger_does_not_ask_again(mine, code):
    """The partitions are another's: one word is enough."""
    all_of_them, one = mine
    group = Group(code)
    assert not all_of_them.send_and_wait(group, offsets(one, 7), 30)
    assert group.asked == 1
    assert all_of_them.fenced == [one]


@pytest.mark.parametrize("code", REBALANCES)
def test_a_rebalance_is_no_loss(mine, code):
    """Several commits can wait behind one join; all of them are refused, and the partitions are still ours."""
    all_of_them, one = mine
    group = Group()
    for offset in range(3):
        all_of_them.send(group, offsets(one, offset))
        all_of_them.on_commit(KafkaError(code), [TopicPartition("changes", 0, offset)])
    assert all_of_them.fenced == []
    all_of_them.send(group, offsets(one, 2))
    assert group.asked == 4


def test_inside_a_callback_a_commit_is_sent_again_until_the_group_has_it(mine, monkeypatch):
    """No word on it comes there: what was under way when the callback began may have been refused."""
    monkeypatch.setattr(commits, "SEND_AGAIN_EVERY", 0.0)
    all_of_them, one = mine
    group = Group(KafkaError.ILLEGAL_GENERATION, KafkaError.ILLEGAL_GENERATION)
    all_of_them.send(group, offsets(one, 7))
    assert all_of_them.send_and_look(group, offsets(one, 7), 30)
    assert (group.has, one.committed) == (7, 7)


def test_what_is_committed_is_not_sent_again(mine):
    """Neither by the loop's regular call nor at the end."""
    all_of_them, one = mine
    group = Group()
    assert all_of_them.send_and_wait(group, offsets(one, 7), 30)
    all_of_them.send(group, offsets(one, 7))
    assert all_of_them.send_and_wait(group, offsets(one, 7), 30)
    assert all_of_them.send_and_look(group, offsets(one, 7), 30)
    assert group.asked == 1


def test_verify_asks_even_when_nothing_is_new(mine):
    """The question is whether the group knows us, and not whether it has the offset; a poll brings the word."""
    all_of_them, one = mine
    group = Group()
    assert all_of_them.send_and_wait(group, offsets(one, 7), 30)
    assert not all_of_them.verify(group, offsets(one, 7), 30)
    assert not all_of_them.verify(group, offsets(one, 7), 30)
    assert group.asked == 2
    all_of_them.on_commit(None, group.sent)
    assert all_of_them.verify(group, offsets(one, 7), 30)
    assert group.asked == 2


def test_a_word_that_is_too_old_says_nothing(mine):
    """The process may have stood still since: the group is asked again, and again where it does not answer."""
    all_of_them, one = mine
    group = Group()
    for count in (1, 2, 3):
        assert not all_of_them.verify(group, offsets(one, 7), 0.0)
        assert group.asked == count
        all_of_them.on_commit(None, group.sent)


@pytest.mark.parametrize(
    ("code", "strangers"), [(KafkaError.REBALANCE_IN_PROGRESS, 0), (KafkaError.UNKNOWN_MEMBER_ID, 1)]
)
def test_a_commit_that_is_refused_verifies_nothing(mine, code, strangers):
    """That of a stranger tells that the partitions are lost."""
    all_of_them, one = mine
    group = Group()
    assert not all_of_them.verify(group, offsets(one, 7), 30)
    all_of_them.on_commit(KafkaError(code), group.sent)
    assert not all_of_them.verify(group, offsets(one, 7), 30)
    assert all_of_them.fenced == [one] * strangers


def test_who_verifies_keeps_no_other_call_waiting(mine):
    """A commit that waits on another thread would hold the client, and with it the loop, until the broker is back."""
    all_of_them, one = mine
    away = {"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "session.timeout.ms": 4000, "log_level": 0}
    consumer = Consumer(away)  # whose commits wait for the coordinator as long as a session
    consumer.subscribe(["changes"])
    began = time.monotonic()
    assert not all_of_them.verify(consumer, offsets(one, 7), 0.1)
    consumer.consume(1, 0.01)
    assert time.monotonic() - began < 2
    consumer.close()


@pytest.fixture
def failed(mine) -> list[None]:
    """The failures that were told of."""
    found: list[None] = []
    mine[0]._failed = lambda: found.append(None)
    return found


@pytest.mark.parametrize(("code", "count"), [(KafkaError.UNKNOWN_MEMBER_ID, 1), (KafkaError.ILLEGAL_GENERATION, 0)])
def test_a_commit_that_failed_is_counted(mine, failed, code, count):
    """But for one that waits for the end of a rebalance."""
    all_of_them, one = mine
    all_of_them.send(Group(), offsets(one, 7))
    all_of_them.on_commit(KafkaError(code), [TopicPartition("changes", 0, 7)])
    assert len(failed) == count


def test_a_last_commit_that_is_not_confirmed_in_time_is_counted(mine, failed):
    """The next owner repeats what it covered."""
    all_of_them, one = mine
    assert not all_of_them.send_and_wait(Group(*[KafkaError.ILLEGAL_GENERATION] * 100), offsets(one, 7), 0.2)
    assert len(failed) == 1


class Floors(NoJournal):
    """A journal in which earlier owners had `$add`s applied up to 20."""

    def redone(self, assignment: Assignment, began: int, committed: int) -> int:
        assert began == 7
        return 21 if began < committed < 21 else -1


@pytest.mark.parametrize(("offset", "redone"), [(7, -1), (8, 21), (21, -1)])
def test_the_next_owner_is_told_what_may_be_undone(offset, redone):
    """Beside the offset, from the next epoch's first moment on."""
    group: Any = Group()
    first, second = Assignments(), Assignments()
    begun(first, PLACE, "id", {("changes", 0): TopicPartition("changes", 0, 7)})
    one = first.get(PLACE)
    assert one is not None
    Commits(first, Floors()).send(group, offsets(one, offset + 1))
    Commits(first, Floors()).send(group, offsets(one, offset))
    begun(second, PLACE, "id", {("changes", 0): group.sent[0]})
    found = second.get(PLACE)
    assert found is not None
    assert (found.began, found.redone) == (offset, redone)
