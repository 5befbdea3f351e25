"""A client that knows of no broker any more never connects again: each kind of client is followed by another."""

import pytest
from confluent_kafka import TopicPartition

from consumer.kafka.known_brokers import SEVERAL, WHY, KnownBrokers
from consumer.kafka.lookups import Lookups
from tests.integration.watching import until
from tests.kafka.forgetting import forget, report
from tests.kafka.members import poll_until


@pytest.mark.parametrize("source", ["configured", "learned"])
def test_none_is_known_after_several_reports_in_a_row(source):
    """One may be made while the client goes back to its bootstrap servers; a broker that is away is still known."""
    known = KnownBrokers()
    for _ in range(3):
        for _ in range(SEVERAL - 1):
            known.report(report())
        assert not known.none()
        known.report(report(source))
    for _ in range(SEVERAL):
        assert not known.none()
        known.report(report())
    assert known.none()


def test_a_member_is_replaced_and_reads_on(join, write, committed, caplog):
    """The group gives the partitions to the new client; nothing is read twice of what was committed."""
    member = join("range")
    poll_until(lambda: len(member.mine) == 4, "it is assigned", member)
    write(0, 1, 2)
    poll_until(lambda: member.values(0) == [1, 2], "it reads", member)
    first, asked = member.source._consumer, member.source._member.lookups
    forget(member.source.client_status.known)
    poll_until(lambda: member.source._consumer is not first, "another client is the member", member)
    assert not member.source.client_status.known.none()
    assert member.committed_at_revoke[0][0]
    assert committed() == {0: 2}
    poll_until(lambda: len(member.mine) == 4, "it is assigned again", member)
    write(0, 3)
    poll_until(lambda: member.values(0) == [1, 2, 3], "it reads on", member)
    assert member.source._member.lookups is not asked
    assert caplog.text.count(WHY) == 1


def test_questions_are_asked_by_another_client(broker, topic):
    """It is made beside the one before."""
    lookups = Lookups({"bootstrap.servers": broker.bootstrap})
    first = lookups._admin
    forget(first.known)

    def replaced() -> bool:
        lookups.poll()
        return lookups._admin is not first

    until(replaced, "another client is made")
    answer = next(iter(lookups.ends([TopicPartition(topic, 0)]).values()))
    assert answer.result(20).offset == 0
