"""The consumer on topics of transactions, on a real broker: what holds no record, and what an open one holds back."""

from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from tests.kafka.members import PROTOCOLS, Member, poll_until, remove

RECORDS = 3


@pytest.fixture
def transactional(broker, topic) -> Callable[[], Producer]:
    """Makes a producer that has begun a transaction."""
    made: list[Producer] = []

    def begin() -> Producer:
        name = f"{topic}-{len(made)}"
        producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": name, "linger.ms": 1})
        producer.init_transactions()
        producer.begin_transaction()
        made.append(producer)
        return producer

    return begin


def fill(producer: Producer, topic: str) -> None:
    """Records that go into partition 0, each followed by a marker, and one that is aborted."""
    for number in range(RECORDS):
        producer.produce(topic, str(number), partition=0)
        producer.commit_transaction()
        producer.begin_transaction()
    producer.produce(topic, "99", partition=0)
    producer.flush(30)
    producer.abort_transaction()


def pass_ends(member: Member) -> None:
    """What the loop does with the ends: the ledger has nothing open here."""
    for assignment, end in member.source.ends():
        member.settled[assignment] = max(end, member.settled.get(assignment, -1))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_holds_no_record_is_passed(join, committed, transactional, topic, broker, protocol):
    """At the end the lag is 0, past markers and what was aborted; that retention removes them is no loss."""
    fill(transactional(), topic)
    member = join(protocol)

    def done() -> bool:
        pass_ends(member)
        member.source.commit(member.settled)
        return set(member.source.lag().values()) == {0} and len(member.read) == RECORDS

    poll_until(done, "nothing is left", member)
    assert committed()[0] == 2 * RECORDS + 2
    member.settled.clear()
    member.source.close(20)
    remove(broker, topic, 0, -1)
    again = join(protocol)
    poll_until(again.source.ends, "it reads", again)
    assert again.gaps == []
    assert again.read == []


def test_an_open_transaction_is_seen(join, write, transactional, topic):
    """It is read up to its last stable offset; how much waits behind that is known, and read when it ends."""
    write(0, 1)
    producer = transactional()
    producer.produce(topic, "2", partition=0)
    producer.flush(30)
    write(0, 3, 4)
    member = join()
    poll_until(member.source.withheld, "it is seen", member)
    assert member.values(0) == [1]
    assert member.source.withheld() == {member.mine[0]: (1, 3)}
    assert (member.mine[0], 1) in member.source.ends()
    producer.commit_transaction()
    poll_until(lambda: member.values(0) == [1, 2, 3, 4], "the rest is read", member)
    poll_until(lambda: not member.source.withheld(), "nothing is held back", member)
