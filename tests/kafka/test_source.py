"""The Kafka consumer on a real broker, under each of the three group protocols."""

import ctypes
import logging
import time
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, TopicPartition

from consumer.kafka.asked import ENDS_EVERY
from consumer.kafka.reading import SourceFailed
from consumer.kafka.rebalances import ADOPT_AFTER
from tests.kafka.members import PROTOCOLS, poll_until, remove


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_new_group_starts_at_the_earliest(join, write, protocol):
    """Where nothing was committed everything is read, in the order of each partition, with nothing told as missed."""
    for partition in range(4):
        write(partition, *range(25))
    member = join(protocol)
    poll_until(lambda: len(member.read) >= 100, "all is read", member)
    assert all(member.values(partition) == list(range(25)) for partition in range(4))
    assert member.gaps == []
    assert [what for what, _ in member.told] == ["assigned"]
    write(2, 25)
    poll_until(lambda: len(member.read) > 100, "what came later is read", member)
    assert member.values(2)[-1] == 25


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_successor_goes_on_at_the_committed_offset(join, write, committed, protocol):
    """What was committed is not read again, what was not is; the committed offset is what was asked for, no more."""
    write(0, *range(10))
    first = join(protocol)
    poll_until(lambda: len(first.read) == 10, "all is read", first)
    first.source.commit({first.mine[0]: 7})
    poll_until(lambda: first.source.committed() == {first.mine[0]: 7}, "it is committed", first)
    assert committed() == {0: 7}
    assert first.source.lag()[first.mine[0]] == 3
    first.settled.clear()
    first.source.close(20)
    second = join(protocol)
    poll_until(lambda: len(second.read) == 3, "the rest is read", second)
    assert second.values(0) == [7, 8, 9]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_partitions_move_with_their_offsets(join, write, committed, protocol):
    """What is committed at a revoke is committed when it returns, soon, and the next owner goes on there."""
    for partition in range(4):
        write(partition, *range(10))
    first = join(protocol)
    poll_until(lambda: len(first.read) == 40, "all is read", first)
    second = join(protocol)
    poll_until(lambda: len(first.mine) == len(second.mine) == 2, "they share the partitions", first, second)
    assert set(first.mine) | set(second.mine) == set(range(4))
    moved = [partitions for what, partitions in first.told if what == "revoked"]
    assert set(second.mine) <= {partition for partitions in moved for partition in partitions}
    assert protocol == "consumer" or len(moved[0]) == (4 if protocol == "range" else 2)
    (settled, seconds), *_ = first.committed_at_revoke
    assert settled
    assert seconds < 2
    assert all(committed()[partition] == 10 for partition in second.mine)
    for partition in range(4):
        write(partition, 10)
    poll_until(lambda: len(first.read) + len(second.read) >= 44, "the new records are read", first, second)
    assert [second.values(partition) for partition in second.mine] == [[10], [10]]
    second.source.close(20)
    poll_until(lambda: len(first.mine) == 4, "the first has all of them again", first)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pause_holds_one_partition_and_loses_nothing(join, write, protocol):
    """A paused partition is not read, the others are; resumed, it goes on with the very next record."""
    member = join(protocol)
    write(0, *range(5))
    write(1, *range(5))
    poll_until(lambda: len(member.read) == 10, "all is read", member)
    member.source.pause({member.mine[0]: "limit"})
    write(0, *range(5, 10))
    write(1, *range(5, 10))
    poll_until(lambda: len(member.values(1)) == 10, "the other goes on", member)
    assert member.values(0) == list(range(5))
    member.source.pause({})
    poll_until(lambda: len(member.values(0)) == 10, "it goes on", member)
    assert member.values(0) == list(range(10))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_lag_of_a_paused_partition_stays_fresh(join, write, protocol):
    """The client hears of an end only with what it fetches; of what is paused the brokers are asked."""
    member = join(protocol)
    write(0, *range(5))
    poll_until(lambda: len(member.read) == 5, "all is read", member)
    place = member.mine[0]
    member.source.pause({place: "schema"})
    poll_until(lambda: member.source.lag().get(place) == 5, "its lag is known", member)
    write(0, *range(5, 25))
    member.ahead += ENDS_EVERY
    poll_until(lambda: member.source.lag().get(place) == 25, "its lag is fresh", member)
    assert len(member.read) == 5


def test_a_pause_ends_with_its_assignment(join, write):
    """A partition that comes back is read, though it was paused when it went."""
    first = join()
    poll_until(lambda: len(first.mine) == 4, "the first has all", first)
    first.source.pause(dict.fromkeys(first.mine.values(), "limit"))
    second = join()
    poll_until(lambda: len(second.mine) == 2, "they share", first, second)
    second.source.close(20)
    poll_until(lambda: len(first.mine) == 4, "the first has all again", first)
    kept = {place for what, partitions in first.told[1:2] for place in range(4) if place not in partitions}
    for partition in range(4):
        write(partition, 1)
    came_back = set(range(4)) - kept
    poll_until(lambda: all(first.values(partition) for partition in came_back), "what came back is read", first)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_retention_removed_is_told(join, write, broker, topic, caplog, protocol):
    """At a committed offset that is gone, or gone while it was paused: on at the earliest, with the gap told."""
    write(0, *range(20))
    write(1, *range(20))
    first = join(protocol)
    poll_until(lambda: len(first.read) == 40, "all is read", first)
    first.source.commit({first.mine[0]: 5, first.mine[1]: 20})
    poll_until(lambda: len(first.source.committed()) == 2, "it is committed", first)
    first.settled.clear()
    first.source.close(20)
    remove(broker, topic, 0, 12)
    second = join(protocol)
    with caplog.at_level(logging.ERROR, "consumer.source"):
        poll_until(lambda: second.values(0) == list(range(12, 20)), "the rest is read", second)
    assert second.gaps == [(0, 7)]
    assert "retention removed records before they were read" in caplog.text
    second.source.pause({second.mine[1]: "schema"})
    write(1, *range(20, 30))
    remove(broker, topic, 1, 25)
    second.source.pause({})
    poll_until(lambda: len(second.values(1)) == 5, "the rest is read", second)
    assert second.values(1) == list(range(25, 30))
    assert second.gaps == [(0, 7), (1, 5)]
    assert second.values(0) == list(range(12, 20))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_topic_that_is_made_later_is_read(join, write, broker, topic, caplog, protocol):
    """A topic that is made later is read; until then its name is told as trouble, where the client hears of it."""
    later = f"{topic}-later"
    member = join(protocol, later, topic_metadata_refresh_interval_ms=500)
    if protocol != "consumer":  # there the broker resolves the names, and says nothing of one that it does not know
        poll_until(lambda: "a topic of KAFKA_TOPICS does not exist" in caplog.text, "it is told", member)
    broker.create_topic(later, 2)
    write(1, 7, to=later)
    poll_until(lambda: member.values(1) == [7], "it is read", member)


def test_a_refused_commit_loses_every_partition_at_once(join, write, committed):
    """A commit refused as a stranger's means that all is another's; where it never was, it is adopted."""
    write(0, *range(5))
    write(1, *range(5))
    member = join()
    poll_until(lambda: len(member.read) == 10, "all is read", member)
    member.source.commit({member.mine[0]: 3, member.mine[1]: 5})
    poll_until(lambda: committed() == {0: 3, 1: 5}, "it is committed", member)
    old = member.mine[0]
    member.source.commit({old: 4})
    refusal = KafkaError(KafkaError.UNKNOWN_MEMBER_ID)
    member.source._commits.on_commit(refusal, [TopicPartition(old.topic, 0, 4)])
    member.poll()
    assert member.told[-1] == ("lost", [0, 1, 2, 3])
    write(0, 5)
    write(1, 5)
    member.poll()
    assert len(member.read) == 10
    member.ahead = ADOPT_AFTER + 1
    poll_until(lambda: len(member.mine) == 4, "they are adopted", member)
    assert member.mine[0] is not old
    start = committed()[0]
    poll_until(lambda: member.values(0)[5:] == list(range(start, 6)), "it goes on at the committed offset", member)
    poll_until(lambda: member.values(1)[5:] == [5], "so does the other", member)


def test_a_member_that_did_not_poll_hears_that_its_partitions_are_lost(join, write):
    """After max.poll.interval.ms they are another's: lost, not revoked, and a new epoch when they come back."""
    write(0, *range(3))
    member = join(max_poll_interval_ms=6000)
    poll_until(lambda: len(member.read) == 3, "all is read", member)
    old = member.mine[0]
    time.sleep(7)  # the time itself is what is tested
    poll_until(lambda: member.told[-1][0] == "assigned" and len(member.told) > 1, "it is a member again", member)
    assert [what for what, _ in member.told] == ["assigned", "lost", "assigned"]
    assert member.mine[0] is not old
    poll_until(lambda: member.values(0)[3:] == [0, 1, 2], "what was not committed comes again", member)


def test_a_static_member_that_was_replaced_is_of_no_more_use(join, write):
    """Two instances with one group.instance.id: the older one ends with a message, and does not fight."""
    write(0, 1)
    first = join(group_instance_id="one")
    poll_until(lambda: len(first.read) == 1, "it is read", first)
    second = join(group_instance_id="one")
    poll_until(lambda: len(second.mine) == 4, "the second has taken over", second)
    with pytest.raises(SourceFailed, match="cannot go on"):
        poll_until(lambda: False, "it fails", first)


def test_a_static_member_that_returns_gets_its_partitions_back(join, write):
    """With a group.instance.id a restart is no rebalance for the others."""
    first, other = join(group_instance_id="one"), join(group_instance_id="two")
    poll_until(lambda: len(first.mine) == len(other.mine) == 2, "they share", first, other)
    had, told = set(first.mine), len(other.told)
    first.source.close(20)
    again = join(group_instance_id="one")
    poll_until(lambda: set(again.mine) == had, "it has what it had", again, other)
    assert len(other.told) == told


def test_verify_asks_the_group(join, write):
    """A member that is known is told so; nothing is lost by asking."""
    write(0, 1)
    member = join()
    poll_until(lambda: len(member.read) == 1, "it is read", member)
    poll_until(lambda: member.source.verify({member.mine[0]: 0}, 5), "the group knows us", member)
    assert member.told[-1][0] == "assigned"


def test_a_header_without_a_value_is_kept(join, write):
    """Headers come in their order, duplicates and nulls too; a record without any has none."""
    own = [("a", b"1"), ("a", b"\xff"), ("none", None), ("", b"")]
    write(0, 1, headers=own)
    write(0, 2)
    member = join()
    poll_until(lambda: len(member.read) == 2, "all is read", member)
    assert member.read[0].headers == own
    assert not member.read[1].headers


def test_a_header_that_cannot_be_read_is_no_poison(join, write, broker, topic, caplog):
    """Names that are not UTF-8, as only clients in C write them: all others are read, these are counted and told."""
    own = [
        (b"first", b"1"),
        (b"\xff\xfe", b"x"),
        (b"null", None),
        (b"__value_schema_id", b"\x01" * 17),
        (b"\x80", b""),
    ]
    raw_produce(broker.bootstrap, topic, b"1", own)
    write(0, 2)
    member = join()
    with caplog.at_level(logging.WARNING, "consumer.source"):
        poll_until(lambda: member.values(0) == [1, 2], "both are read", member)
    assert member.read[0].headers == [("first", b"1"), ("null", None), ("__value_schema_id", b"\x01" * 17)]
    assert [record.headers_lost for record in member.read] == [2, 0]
    assert "their names are not UTF-8" in caplog.text


def raw_produce(bootstrap: str, topic: str, value: bytes, own: list[tuple[bytes, bytes | None]]) -> None:
    """Write a record to partition 0 by librdkafka's own functions, which take any bytes as a header's name."""
    folder = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    library = ctypes.CDLL(str(next(folder.glob("librdkafka*.so*"))))
    for function in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_headers_new"):
        getattr(library, function).restype = ctypes.c_void_p
    pointer, number, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_ssize_t
    words = ctypes.create_string_buffer(512)
    config = pointer(library.rd_kafka_conf_new())
    assert library.rd_kafka_conf_set(config, b"bootstrap.servers", bootstrap.encode(), words, 512) == 0
    client = pointer(library.rd_kafka_new(0, config, words, 512))
    headers = pointer(library.rd_kafka_headers_new(size(1)))
    for name, header in own:
        length = size(-1 if header is None else len(header))
        assert library.rd_kafka_header_add(headers, name, size(len(name)), header, length) == 0
    topic_, partition, value_, flags, headers_, end = (number(kind) for kind in (1, 3, 4, 7, 10, 0))
    failed = library.rd_kafka_producev(
        client,
        *(topic_, ctypes.c_char_p(topic.encode())),
        *(partition, ctypes.c_int32(0)),
        *(value_, ctypes.c_char_p(value), size(len(value))),
        *(flags, number(2)),
        *(headers_, headers),
        end,
    )
    assert failed == 0
    assert library.rd_kafka_flush(client, 10_000) == 0
    library.rd_kafka_destroy(client)
