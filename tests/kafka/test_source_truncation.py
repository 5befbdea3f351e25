"""Logs that end before what was committed, and recreated topics, on a real broker: nothing new is skipped."""

import logging
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from consumer.kafka.commit_metadata import parsed
from consumer.kafka.config import CONSUMER
from consumer.sandbox.broker.broker import Broker
from tests.kafka.members import PROTOCOLS, Member, poll_until

TOPIC = "cut"
KEPT = 5
GROUP = "group"


class Cluster:
    """A broker whose partition can lose its end, as after an unclean election."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        broker.create_topic(TOPIC, 1)
        self.write(*range(KEPT))
        broker.stop()  # so that what follows is written in another epoch of the leader
        self._size = self._log.stat().st_size
        broker.start()

    def write(self, *numbers: int) -> None:
        """Append to the log."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "linger.ms": 1})
        for number in numbers:
            producer.produce(TOPIC, str(number), partition=0)
        assert producer.flush(30) == 0

    def cut(self) -> None:
        """Take away all but the first records; another leader's epoch begins."""
        self.broker.stop()
        with self._log.open("r+b") as log:
            log.truncate(self._size)
        for pattern in ("*.index", "*.timeindex", "*.snapshot"):
            for file in self._log.parent.glob(pattern):
                file.unlink()
        for pattern in (".kafka_cleanshutdown", "*recovery-point*"):
            for file in (self.broker.folder / "data").rglob(pattern):
                file.unlink()
        self.broker.start()

    def member(self, protocol: str = "cooperative") -> Member:
        """A member of the group."""
        servers = {"bootstrap.servers": self.broker.bootstrap, "group.id": GROUP}
        return Member({**CONSUMER, **PROTOCOLS[protocol], **servers}, TOPIC)

    def committed(self) -> TopicPartition:
        """The group's commit."""
        client = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": GROUP})
        (found,) = client.committed([TopicPartition(TOPIC, 0)], timeout=10)
        client.close()
        return found

    def commit(self, offset: int, metadata: str = "") -> None:
        """Commit as another service would, without an epoch."""
        client = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": GROUP})
        client.commit(offsets=[TopicPartition(TOPIC, 0, offset, metadata)], asynchronous=False)
        client.close()

    @property
    def _log(self) -> Path:
        return next((self.broker.folder / "data").rglob(f"{TOPIC}-0")) / "00000000000000000000.log"


@pytest.fixture
def cluster(new_broker) -> Cluster:
    """A broker of this test alone."""
    return Cluster(new_broker())


def read_all(cluster: Cluster, protocol: str = "cooperative") -> Member:
    """A member that has read and committed ten records."""
    cluster.write(*range(KEPT, 10))
    member = cluster.member(protocol)
    poll_until(lambda: len(member.read) == 10, "all is read", member)
    member.source.commit(member.settled)
    poll_until(lambda: member.source.committed() == {member.mine[0]: 10}, "it is committed", member)
    return member


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_commit_carries_what_a_cut_log_is_known_by(cluster, protocol):
    """The leader's epoch, the topic's id, the last record and the time."""
    member = read_all(cluster, protocol)
    found = cluster.committed()
    assert found.leader_epoch > 0
    metadata = parsed(found.metadata)
    assert metadata.topic_id == member.mine[0].topic_id != ""
    assert (metadata.read, metadata.at > 1.7e12) == (10, True)
    member.source.close(20)


@pytest.mark.parametrize("grown", [3, 20])
def test_a_log_that_was_cut_while_nobody_read_it(cluster, caplog, grown):
    """Whether it is shorter than what was committed or has grown past it: on where it was cut, and told."""
    member = read_all(cluster)
    member.settled.clear()
    member.source.close(20)
    cluster.cut()
    cluster.write(*range(100, 100 + grown))
    again = cluster.member()
    with caplog.at_level(logging.ERROR, "consumer.source"):
        poll_until(lambda: len(again.read) >= grown, "what is new is read", again)
    assert again.values(0) == list(range(100, 100 + grown))
    assert again.cut == [0]
    assert "the log was cut" in caplog.text
    again.source.close(20)


def test_a_log_that_is_cut_while_it_is_read(cluster, caplog):
    """What was in flight is lost with its epoch, and a new one begins where the log was cut."""
    member = read_all(cluster)
    old = member.mine[0]
    cluster.cut()
    cluster.write(100, 101)
    with caplog.at_level(logging.ERROR, "consumer.source"):
        poll_until(lambda: member.values(0)[10:] == [100, 101], "what is new is read", member)
    assert member.cut == [0]
    assert member.mine[0] is not old
    assert ("lost", [0]) in member.told
    member.source.close(20)


def test_a_cut_that_nobody_tells_of_repeats_what_was_written_since_the_commit(cluster):
    """Without an epoch in the commit the time of it decides: old records do not come again, new ones do."""
    member = read_all(cluster)
    topic = member.mine[0].topic_id
    member.settled.clear()
    member.source.close(20)
    written = max(record.timestamp for record in member.read)
    cluster.cut()
    cluster.write(100)
    for at, expected in ((written + 3_600_000, []), (written, [*range(KEPT), 100])):
        cluster.commit(10, f"topic={topic};read=10;at={at}")
        again = cluster.member()
        poll_until(lambda again=again: again.cut == [0], "it is told", again)
        assert again.mine[0].doubtful == KEPT + 1
        poll_until(lambda again=again: KEPT + 1 in again.ends(), "all is read", again)
        assert again.values(0) == expected
        again.settled.clear()
        again.source.close(20)


@pytest.mark.parametrize("grown", [0, 20])
def test_what_may_be_a_repetition_is_known_through_a_restart(cluster, grown):
    """From the first commit on, which is made at once: though the log has grown past the old one by then."""
    member = read_all(cluster)
    topic, written = member.mine[0].topic_id, member.read[0].timestamp
    member.settled.clear()
    member.source.close(20)
    cluster.cut()
    cluster.commit(10, f"topic={topic};read=10;at={written}")
    again = cluster.member()
    poll_until(lambda: again.ends()[:1] == [0], "it begins again", again)
    again.source.commit({again.mine[0]: 0})
    poll_until(lambda: again.source.committed() == {again.mine[0]: 0}, "that is committed", again)
    again.settled.clear()
    again.source.close(20)
    cluster.write(*range(100, 100 + grown))
    for first, committed in ((0, 3), (3, KEPT)):
        third = cluster.member()
        poll_until(lambda third=third: third.read, "it reads", third)
        assert (third.read[0].offset, third.mine[0].doubtful) == (first, KEPT)
        third.source.commit({third.mine[0]: committed})
        now = {third.mine[0]: committed}
        poll_until(lambda third=third, now=now: third.source.committed() == now, "it is committed", third)
        third.settled.clear()
        third.source.close(20)
    assert parsed(cluster.committed().metadata).doubtful == -1


def test_a_topic_that_was_made_anew_is_read_from_its_start(cluster, caplog):
    """By its id, though it holds more than was committed of the old one."""
    member = read_all(cluster)
    member.settled.clear()
    member.source.close(20)
    found = cluster.committed()
    cluster.broker.admin.delete_topics([TOPIC])[TOPIC].result(20)
    cluster.broker.create_topic(TOPIC, 1)
    cluster.write(*range(200, 215))
    cluster.commit(10, found.metadata)
    again = cluster.member()
    with caplog.at_level(logging.ERROR, "consumer.source"):
        poll_until(lambda: len(again.read) >= 15, "it is read", again)
    assert again.values(0) == list(range(200, 215))
    assert again.cut == []
    assert "recreated" in caplog.text
    again.source.close(20)
