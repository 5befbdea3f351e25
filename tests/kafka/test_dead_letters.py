"""Dead letters on a real broker: byte for byte, each confirmed once, and never dropped."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Message
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourcePatternType,
    ResourceType,
)

from consumer.core.model import Assignment, DeadLetter, Record
from consumer.kafka.config import PRODUCER
from consumer.kafka.dead_letters import DeadLetters
from consumer.settings.scrub import Scrubber
from tests.integration.watching import until
from tests.integration.world import read
from tests.kafka.forgetting import forget

# Retention goes by the timestamps of records: what is older than a week may be gone as soon as it is written.
AN_HOUR_AGO = int(time.time() - 3600) * 1000
ADVICE = "kafka-topics.sh --create --topic dead"


class Post:
    """The dead letters of a service, with what became of them."""

    def __init__(self, bootstrap: str, topic: str, **more: object) -> None:
        config = {**PRODUCER, "bootstrap.servers": bootstrap, **more}
        self.took: list[float] = []
        self.letters = DeadLetters(
            config, topic, group_id="the-group", clock=time.monotonic, advice=ADVICE, took=self.took.append
        )
        self.confirmed: list[DeadLetter] = []
        self.failed: list[DeadLetter] = []

    def send(self, *records: Record) -> list[DeadLetter]:
        """Hand letters over."""
        letters = [DeadLetter(record, "corrupt", "VALUE_CONVERTER", "it is") for record in records]
        for letter in letters:
            self.letters.produce(letter)
        return letters

    def poll(self) -> "Post":
        """Hear what became of them."""
        confirmed, failed = self.letters.poll()
        self.confirmed += confirmed
        self.failed += failed
        return self

    def all_confirmed(self, count: int) -> None:
        """Wait until so many are confirmed; each is told once."""
        until(lambda: len(self.poll().confirmed) >= count, f"{count} are confirmed")
        assert len(set(self.confirmed)) == len(self.confirmed) == count


@pytest.fixture
def post(broker) -> Iterator[Callable[..., Post]]:
    """Makes producers of dead letters, and closes them."""
    made: list[Post] = []

    def make(topic: str, bootstrap: str = broker.bootstrap, **more: object) -> Post:
        made.append(Post(bootstrap, topic, **more))
        return made[-1]

    yield make
    for one in made:
        one.letters.close()


def record(
    offset: int = 0,
    value: bytes | None = b"value",
    key: bytes | None = b"key",
    headers: list | None = None,
    *,
    partition: int = 0,
    timestamp: int = AN_HOUR_AGO,
) -> Record:
    """A record as it came."""
    return Record(Assignment("source", partition), offset, key, value, headers, timestamp, 0.0)


def test_how_long_each_took_and_the_oldest_waits(post, broker, group_id):
    """From the hand-over: what waits for its topic waits; what is confirmed took so long."""
    one = post(f"{group_id}-letters")
    one.send(record(0), record(1, partition=1))
    began = time.monotonic()
    until(lambda: one.poll().failed, "the topic is missing")
    assert 0 < one.letters.oldest() <= time.monotonic() - began + 5
    one.letters.forget([one.failed[0].record.assignment, one.failed[1].record.assignment])
    assert one.letters.oldest() == 0
    assert one.took == []
    broker.create_topic(f"{group_id}-letters", 2)
    one.send(record(2))
    one.all_confirmed(1)
    assert len(one.took) == 1
    assert one.letters.oldest() == 0


def test_a_producer_that_knows_of_no_broker_is_followed_by_another(post, topic):
    """It would never connect again: what is with it goes to the next one."""
    one = post(topic)
    one.send(record(0))
    one.all_confirmed(1)
    first = one.letters._client.producer
    forget(first.known)
    one.send(record(1))
    one.all_confirmed(2)
    until(lambda: one.poll() and one.letters._client.producer not in (first, None), "another one is made")


@pytest.mark.parametrize("key", [b"key", b"", b"\xff\x00", None])
@pytest.mark.parametrize("value", [b"value", b"", b"\x00\xff", None])
def test_key_and_value_are_byte_for_byte(post, broker, topic, key, value):
    """Null stays null, and empty stays empty."""
    one = post(topic)
    one.send(record(7, value, key))
    one.all_confirmed(1)
    (message,) = read(broker, topic, 1)
    assert (message.key(), message.value()) == (key, value)


def headers_in(message: Message) -> dict[str, Any]:
    """Its headers by their names."""
    pairs: Any = message.headers()
    return dict(pairs)


def test_headers_and_timestamp_are_as_they_came(post, broker, topic):
    """The record's own headers come first: in order, twice where they came twice, null where they were null."""
    own = [("b", b"1"), ("a", b"\xff"), ("b", b"2"), ("none", None), ("", b""), ("mixpanel.reason", b"an older one")]
    one = post(topic)
    one.send(record(headers=own))
    one.all_confirmed(1)
    (message,) = read(broker, topic, 1)
    assert message.headers()[: len(own)] == own
    assert ("mixpanel.reason", b"corrupt") in message.headers()[len(own) :]
    assert message.timestamp()[1] == AN_HOUR_AGO


def test_a_record_without_a_timestamp_gets_one(post, broker, topic):
    """Formats before 0.10 have none: the broker's clock is what there is."""
    one = post(topic)
    one.send(record(timestamp=-1))
    one.all_confirmed(1)
    (message,) = read(broker, topic, 1)
    assert abs(message.timestamp()[1] / 1000 - time.time()) < 60


def test_the_partition_number_is_kept(post, broker, topic):
    """Where the topic has it; a number beyond goes by key, and one key always to one partition."""
    one = post(topic)
    one.send(*[record(number, partition=number) for number in range(4)])
    one.send(*[record(number, partition=40 + number, key=b"the key") for number in range(5)])
    one.all_confirmed(9)
    found = read(broker, topic, 9)
    assert sorted(message.partition() or 0 for message in found if message.key() == b"key") == [0, 1, 2, 3]
    assert len({message.partition() for message in found if message.key() == b"the key"}) == 1


def test_a_topic_that_has_grown_is_seen(post, broker, new_topic):
    """A partition that the topic did not have at first is used once it is known."""
    topic = new_topic(1)
    one = post(topic)
    one.send(record())
    one.all_confirmed(1)
    broker.admin.create_partitions([NewPartitions(topic, 3)])[topic].result(20)
    one.letters._topic.ask_at = 0.0  # it is asked for at most every half a minute
    one.send(record(1, partition=2))
    one.all_confirmed(2)
    one.send(record(2, partition=2))
    one.all_confirmed(3)
    assert 2 in {message.partition() for message in read(broker, topic, 3)}


def test_a_missing_topic_blocks_and_is_found_at_once(post, broker, topic, caplog):
    """What is handed over waits, is told as failed once it is known, with the command; made, the topic is written."""
    later = f"{topic}-later"
    with caplog.at_level(logging.INFO, "consumer.dead_letters"):
        one = post(later)
        letters = one.send(*[record(number) for number in range(3)])
        until(lambda: set(one.poll().failed) == set(letters), "they are told as failed")
        assert one.letters.blocked() == 3
        assert one.letters.pending() == 0
        (line,) = [line for line in caplog.records if "dead-letter topic missing" in line.message]
        assert line.create == ADVICE
        broker.create_topic(later, 1)
        one.all_confirmed(3)
        assert one.letters.blocked() == 0
        assert [line for line in caplog.records if "written again" in line.message]
    assert len(read(broker, later, 3)) == 3


def test_a_missing_topic_is_told_before_it_is_needed(post, topic, caplog):
    """The start says so, though nothing waits for it."""
    with caplog.at_level(logging.WARNING, "consumer.dead_letters"):
        one = post(f"{topic}-later")
        until(lambda: one.poll() and "dead-letter topic missing" in caplog.text, "it is told")
    assert one.letters.blocked() == 0


def test_a_topic_that_refuses_the_size_blocks_and_the_log_says_the_size(post, broker, new_topic, caplog):
    """A letter larger than max.message.bytes waits for a larger limit; the limit that the log names is enough."""
    topic = new_topic(1, config={"max.message.bytes": "2000"})
    one = post(topic)
    with caplog.at_level(logging.WARNING, "consumer.dead_letters"):
        (letter,) = one.send(record(value=os.urandom(50_000)))
        until(lambda: letter in one.poll().failed, "it is told as failed")
    (line,) = [line for line in caplog.records if "max.message.bytes" in vars(line)]
    set_limit(broker, topic, vars(line)["max.message.bytes"])
    one.all_confirmed(1)


def set_limit(broker, topic: str, size: int) -> None:
    """Change the topic's max.message.bytes."""
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    broker.admin.incremental_alter_configs([resource])[resource].result(20)


def test_letters_that_fit_alone_are_written_though_together_they_do_not(post, broker, new_topic):
    """The broker judges a batch by its size: what fits one by one must not fail for ever together."""
    topic = new_topic(1, config={"max.message.bytes": "20000"})
    one = post(topic)
    one.send(*[record(number, os.urandom(3000)) for number in range(100)])
    one.all_confirmed(100)
    assert sorted(headers_offset(message) for message in read(broker, topic, 100)) == list(range(100))


def test_one_letter_that_does_not_fit_holds_no_other(post, broker, new_topic):
    """Beside one that is too large the others are written; it waits."""
    topic = new_topic(1, config={"max.message.bytes": "20000"})
    one = post(topic)
    (large,) = one.send(record(0, os.urandom(50_000)))
    one.send(*[record(number, os.urandom(3000)) for number in range(1, 30)])
    one.all_confirmed(29)
    assert large not in one.confirmed
    set_limit(broker, topic, 400_000)
    one.all_confirmed(30)


def headers_offset(message) -> int:
    """Where the record came from."""
    return int(headers_in(message)["__connect.errors.offset"])


def test_a_broker_that_does_not_confirm_is_a_failure_until_it_does(post, new_broker, caplog):
    """Frozen, the broker confirms nothing: told as failed after a while; thawed, each is written exactly once."""
    broker = new_broker()
    broker.create_topic("dead")
    one = post("dead", broker.bootstrap)
    one.send(record(0))
    one.all_confirmed(1)
    broker.freeze()
    letters = one.send(record(1), record(2))
    with caplog.at_level(logging.WARNING, "consumer.dead_letters"):
        until(lambda: set(one.poll().failed) == set(letters), "they are told as failed")
    assert "the broker does not confirm it" in causes(caplog)
    assert one.letters.blocked() == 2
    assert not one.letters.flush(0.1)
    broker.thaw()
    one.all_confirmed(3)
    assert [headers_offset(message) for message in read(broker, "dead", 3)] == [0, 1, 2]
    assert one.letters.blocked() == 0


def test_what_the_broker_gave_up_is_tried_again(post, new_broker):
    """The client's own time-out is no end: the letter is tried until it is confirmed."""
    broker = new_broker()
    broker.create_topic("dead")
    one = post("dead", broker.bootstrap, **{"message.timeout.ms": 2000, "socket.timeout.ms": 1000})
    one.send(record(0))
    one.all_confirmed(1)
    broker.stop()
    (letter,) = one.send(record(1))
    until(lambda: one.poll().failed.count(letter) >= 2, "it failed, and was tried again")
    broker.start()
    one.all_confirmed(2)


def test_a_topic_that_is_made_automatically_is_written(post, new_broker):
    """Where the cluster makes topics by itself the first letter finds one."""
    broker = new_broker(properties={"auto.create.topics.enable": "true"})
    one = post("made-by-the-broker", broker.bootstrap)
    one.send(record())
    one.all_confirmed(1)
    assert len(read(broker, "made-by-the-broker", 1)) == 1


def test_a_topic_that_was_made_anew_is_written(post, broker, new_topic):
    """Deleted and created again under a running producer: what follows is written."""
    topic = new_topic(1)
    one = post(topic)
    one.send(record(0))
    one.all_confirmed(1)
    broker.admin.delete_topics([topic])[topic].result(20)
    until(lambda: topic not in broker.admin.list_topics(timeout=10).topics, "it is gone")
    one.send(record(1))
    until(lambda: len(one.poll().failed) or len(one.confirmed) > 1, "it is missed")
    broker.create_topic(topic)
    one.all_confirmed(2)


def test_a_right_that_is_missing_blocks_until_it_is_given(post, new_broker, caplog):
    """Without the right to write, which ends an idempotent producer for good, a new one goes on once it is given."""
    broker = new_broker(
        properties={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "true",
        }
    )
    broker.create_topic("dead")
    denied = [
        acl(ResourceType.TOPIC, "*", AclOperation.WRITE, AclPermissionType.DENY),
        acl(ResourceType.BROKER, "kafka-cluster", AclOperation.IDEMPOTENT_WRITE, AclPermissionType.DENY),
    ]
    the_rest = acl(ResourceType.BROKER, "kafka-cluster", AclOperation.ALL, AclPermissionType.ALLOW)
    for done in broker.admin.create_acls([the_rest, *denied]).values():
        done.result(20)
    one = post("dead", broker.bootstrap)
    with caplog.at_level(logging.WARNING, "consumer.dead_letters"):
        letters = one.send(*[record(number) for number in range(20)])
        until(lambda: set(one.poll().failed) == set(letters), "they are told as failed")
        until(lambda: one.poll() and one.letters.blocked() == 20, "all of them are blocked")
    assert any("authorization failed" in cause for cause in causes(caplog))
    anything: Any = None
    every = AclBindingFilter(
        ResourceType.ANY,
        anything,
        ResourcePatternType.ANY,
        anything,
        anything,
        AclOperation.ANY,
        AclPermissionType.DENY,
    )
    for done in broker.admin.delete_acls([every]).values():
        done.result(20)
    one.all_confirmed(20)
    assert len(read(broker, "dead", 20)) == 20


def causes(caplog) -> list[str]:
    """Why letters were not written, as it was logged."""
    return [line.cause for line in caplog.records if line.name == "consumer.dead_letters" and hasattr(line, "cause")]


def acl(kind: ResourceType, name: str, operation: AclOperation, permission: AclPermissionType) -> AclBinding:
    """Nobody may do this, or everybody may."""
    return AclBinding(kind, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", operation, permission)


def test_what_is_forgotten_is_not_written(post, broker, topic):
    """Letters of partitions that are gone, and not yet with the producer, are the next owner's."""
    later = f"{topic}-later"
    one = post(later)
    (gone,), (kept,) = one.send(record(0, partition=0)), one.send(record(1, partition=1))
    until(lambda: len(one.poll().failed) >= 2, "both wait")
    one.letters.forget([gone.record.assignment])
    broker.create_topic(later, 2)
    one.all_confirmed(1)
    assert one.confirmed == [kept]
    assert [headers_offset(message) for message in read(broker, later, 1)] == [1]


def test_flush_waits_for_the_broker(post, topic):
    """After a flush what was with the producer is confirmed, without a poll between."""
    one = post(topic)
    one.send(record(0))
    one.all_confirmed(1)
    one.send(*[record(number) for number in range(1, 500)])
    assert one.letters.flush(20)
    assert len(one.poll().confirmed) == 500


FAR_AHEAD = int(time.time() * 1000) * 1000  # a producer that gave microseconds


def test_a_timestamp_that_the_topic_refuses_goes_into_a_header(post, broker, new_topic):
    """Out of the topic's bounds, ahead or behind: those go with the time of writing, all others as they came."""
    topic = new_topic(1, config={"message.timestamp.before.max.ms": "86400000", "retention.ms": "-1"})
    one = post(topic)
    one.send(record(0), record(1, timestamp=FAR_AHEAD), record(2), record(3, timestamp=1000))
    one.all_confirmed(4)
    found = {headers_offset(message): message for message in read(broker, topic, 4)}
    assert [found[number].timestamp()[1] for number in (0, 2)] == [AN_HOUR_AGO, AN_HOUR_AGO]
    for number, own in ((1, FAR_AHEAD), (3, 1000)):
        assert abs(found[number].timestamp()[1] / 1000 - time.time()) < 60
        assert headers_in(found[number])["mixpanel.record.timestamp"] == str(own).encode()
    assert "mixpanel.record.timestamp" not in headers_in(found[0])
    assert one.failed == []


def test_one_that_the_topic_refuses_holds_no_other(post, broker, new_topic, caplog):
    """A compacted topic takes no record without a key: that one alone waits, and the log says what to set."""
    topic = new_topic(1, config={"cleanup.policy": "compact"})
    one = post(topic)
    with caplog.at_level(logging.INFO, "consumer.dead_letters"):
        (refused,) = one.send(record(0, key=None, partition=0))
        others = one.send(*[record(number, key=b"%d" % number, partition=1) for number in range(1, 30)])
        one.all_confirmed(29)
        until(lambda: refused in one.poll().failed, "it is told as failed")
        assert not set(others) & set(one.failed)
        assert (one.letters.blocked(), one.letters.pending()) == (1, 0)
        one.send(record(40, partition=1))  # while it waits
        one.all_confirmed(30)
        (line,) = [line for line in caplog.records if "refused by the topic" in line.message]
        assert "cleanup.policy=delete" in line.set
        assert line.record == "source[0]@0"
        entry = ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        broker.admin.incremental_alter_configs([resource])[resource].result(20)
        one.all_confirmed(31)
        assert [line for line in caplog.records if "refused any more" in line.message]


def test_a_refused_one_of_a_partition_that_is_gone_is_the_next_owners(post, new_topic):
    """Forgotten, it is not tried again."""
    one = post(new_topic(1, config={"cleanup.policy": "compact"}))
    (refused,) = one.send(record(0, key=None))
    until(lambda: refused in one.poll().failed and one.letters.blocked(), "it is told as failed")
    one.letters.forget([refused.record.assignment])
    assert one.letters.blocked() == 0


def test_nothing_is_said_of_dead_letters_while_there_is_none(post, caplog):
    """With the brokers away the log does not speak of a dead letter that does not exist."""
    with caplog.at_level(logging.INFO, "consumer.dead_letters"):
        one = post("dead", "127.0.0.1:9")
        until(
            lambda: one.poll() and one.letters._topic.ask_at and not one.letters._topic.asking,
            "the topic was asked for",
        )
    assert "dead letter" not in caplog.text


def test_secrets_are_no_part_of_it(broker, topic):
    """Mixpanel's words repeat what it was sent, and the update names the token."""
    letters = DeadLetters(
        {**PRODUCER, "bootstrap.servers": broker.bootstrap},
        topic,
        group_id="g",
        clock=time.monotonic,
        advice="",
        scrub=Scrubber(["the-secret-token"]),
    )
    update = b'{"$token":"the-secret-token","$group_key":"company","$group_id":"acme","$set":{"plan":"pro"}}'
    words = "$token the-secret-token is wrong"
    letters.produce(DeadLetter(record(), "rejected", "TASK_PUT", words, 7, 200, words, update))
    until(lambda: letters.poll()[0], "it is confirmed")
    (message,) = read(broker, topic, 1)
    letters.close()
    found = headers_in(message)
    assert b"the-secret-token" not in b"".join(found.values())
    assert found["mixpanel.update"] == update.replace(b'"$token":"the-secret-token",', b"")
    assert found["mixpanel.error"] == b"$token ******** is wrong"
