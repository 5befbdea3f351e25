"""Batches that the client cannot read, on a real broker: each is named, and holds its partition alone."""

import logging

import pytest
from confluent_kafka import Producer

from consumer.kafka.unreadable import AGAIN_AFTER
from tests.kafka.members import poll_until, remove

BOUNDED = {"fetch_max_bytes": 1 << 20, "receive_message_max_bytes": 2 << 20}


@pytest.fixture
def write_large(broker, topic):
    """Writes one record that is small on the wire, and larger than BOUNDED once decompressed."""

    def write(partition: int, codec: str = "zstd") -> None:
        config = {"bootstrap.servers": broker.bootstrap, "compression.type": codec, "message.max.bytes": 8 << 20}
        producer = Producer(config)
        producer.produce(topic, b"7" * (3 << 20), partition=partition)
        assert producer.flush(30) == 0

    return write


def hold(member):
    """What the loop does in each turn."""
    member.source.pause(dict.fromkeys(member.source.unreadable(), "fault"))


def test_a_batch_too_large_once_decompressed_holds_its_partition_alone(
    join, write, write_large, broker, topic, caplog
):
    """It is named once, by topic, partition and offset, with the property; the others go on; it is tried again."""
    write(0, 1, 2)
    write_large(0)
    write(0, 3)
    member = join(**BOUNDED)
    with caplog.at_level(logging.ERROR, "consumer.source"):
        poll_until(member.source.unreadable, "it is told", member)
    assert list(member.source.unreadable()) == [member.mine[0]]
    (line,) = [line for line in caplog.records if line.msg.startswith("a batch of records cannot be read")]
    assert (line.partition, line.offset) == (repr(member.mine[0]), 2)
    assert "receive.message.max.bytes (2097152)" in line.advice
    hold(member)
    write(1, *range(5))
    poll_until(lambda: member.values(1) == list(range(5)), "the others go on", member)
    assert member.values(0) == [1, 2]
    member.ahead = AGAIN_AFTER
    remove(broker, topic, 0, 3)
    hold(member)
    poll_until(lambda: member.values(0) == [1, 2, 3], "it is read once the batch is gone", member)
    assert not member.source.unreadable()
    assert len([line for line in caplog.records if line.msg.startswith("a batch of records")]) == 1


def test_it_is_tried_at_times_and_not_in_between(join, write_large, caplog):
    """Each try decompresses as much as the client receives: in a while there is one, not two in a second."""
    write_large(0)
    member = join(**BOUNDED)
    with caplog.at_level(logging.ERROR, "consumer.source"):
        poll_until(member.source.unreadable, "it is told", member)
        (mine,) = member.source.unreadable()
        batches = member.source._reading.unreadable.found
        tries = []
        for ahead in (0.0, AGAIN_AFTER, 2 * AGAIN_AFTER):
            member.ahead = ahead
            before = batches[mine].due
            stands = member.source.unreadable()[mine]
            hold(member)
            if ahead:
                poll_until(
                    lambda before=before: batches[mine].due > before,
                    "it is tried",
                    member,
                )
                hold(member)
            assert member.source.unreadable()[mine] == stands
            tries.append((mine.topic, mine.partition) in member.source._pauses.places)
    assert tries == [True, True, True]


def test_one_below_what_is_committed_keeps_nobody(join, write, write_large, committed):
    """An assignment begins at the start of the log, until it is sent where it goes on: a bad batch there is none."""
    write_large(0)
    write(0, 1, 2)
    first = join(receive_message_max_bytes=64 << 20, fetch_max_bytes=1 << 20)
    poll_until(lambda: len(first.read) == 3, "all is read", first)
    first.source.close(20)
    assert committed() == {0: 3}
    second = join(**BOUNDED)
    poll_until(lambda: 0 in second.mine, "it is assigned", second)
    write(0, 3)
    poll_until(lambda: second.values(0) == [3], "it goes on where it is committed", second)
    assert not second.source.unreadable()
