"""The journal's reader on a real broker: up to the end, all of it or nothing, and why not."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from consumer.core.announced import START, Note
from consumer.core.model import Assignment
from consumer.kafka import journal_reading, journal_topic
from consumer.kafka.config import CONSUMER
from consumer.kafka.journal import Stretch
from consumer.kafka.journal_format import key_of, value_of
from consumer.kafka.journal_reading import Reader
from consumer.kafka.journal_topic import TOPIC_CONFIG, forgetful
from tests.integration.watching import until

PLACE = Assignment("changes", 0, "id")


def advice(replicas: int) -> str:
    return f"make it with {replicas} replicas"


@pytest.fixture
def reader(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[..., Reader]]:
    """Makes readers, and closes them."""
    made: list[Reader] = []

    def make(broker: Any, topic: str, *sources: str) -> Reader:
        config = {**CONSUMER, "bootstrap.servers": broker.bootstrap, "group.id": "g"}
        made.append(Reader(config, topic, sources, advice=advice))
        return made[-1]

    with caplog.at_level(logging.INFO, "consumer.journal"):
        yield make
    for one in made:
        one.close()


@pytest.fixture
def journal(new_topic: Callable[..., str]) -> str:
    """A topic as the service makes it."""
    return new_topic(1, config=TOPIC_CONFIG)


def write(broker: Any, topic: str, *records: tuple[bytes, bytes | None]) -> None:
    """In this order."""
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for key, value in records:
        producer.produce(topic, value, key, 0)
    assert producer.flush(30) == 0


def noted(number: int) -> tuple[bytes, bytes]:
    """An announcement."""
    note = Note("changes", "id", 0, f"a.{number}", [(number, "", 7)], [])
    return key_of(note), value_of(note)


def read(one: Reader) -> Stretch:
    """The next stretch."""
    found = until(one.poll, "it is read")
    assert len(found) == 1
    return found[0]


def names(stretch: Stretch) -> list[str]:
    """Of the notes of the partition."""
    return [note.name for note in stretch.gathered.about(PLACE)]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Why it is not read, or may forget."""
    return [line.cause for line in caplog.records if hasattr(line, "cause") and line.levelno >= logging.WARNING]


def unseen(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Why it is not known how it is configured."""
    return [line.cause for line in caplog.records if hasattr(line, "cause") and "not seen" in line.cause]


def test_it_is_read_from_where_the_commit_says_up_to_its_end(
    reader: Callable[..., Reader], broker: Any, journal: str
):
    """All of it where nothing says so, or where it does not reach so far: it was recreated."""
    write(broker, journal, *map(noted, range(5)))
    one = reader(broker, journal)
    for start, first in ((2, 2), (START, 0), (5, 5), (99, 0)):
        one.ask(PLACE, start)
        stretch = read(one)
        assert (names(stretch), stretch.end) == ([f"a.{number}" for number in range(first, 5)], 5)


def test_a_missing_topic_is_made(reader: Callable[..., Reader], broker: Any, group_id: str, topic: str, caplog: Any):
    """Compacted, with one partition; and anew where it was deleted meanwhile."""
    name = f"{group_id}.journal"
    one = reader(broker, name, topic)
    until(one.exists, "it is made")
    write(broker, name, noted(1))
    broker.admin.delete_topics([name])[name].result(20)
    until(lambda: name not in broker.admin.list_topics(timeout=10).topics, "it is gone")
    one.look()
    one.ask(PLACE, 1)
    stretch = read(one)
    assert (names(stretch), stretch.end) == ([], 0)
    made = [line for line in caplog.records if line.message == "the journal of $adds is made"]
    assert [line.replicas for line in made] == [1, 1]
    assert len(broker.admin.list_topics(timeout=10).topics[name].partitions) == 1


def test_a_topic_that_is_deleted_before_it_is_read_is_made_again(
    reader: Callable[..., Reader], broker: Any, group_id: str, topic: str, caplog: pytest.LogCaptureFixture
):
    """Nothing is announced before it is read, so that no write tells that it is gone."""
    name = f"{group_id}.journal"
    one = reader(broker, name, topic)
    until(one.exists, "it is made")
    write(broker, name, (b'[2,"later"]', b"{}"))
    one.ask(PLACE, START)
    until(lambda: said(caplog), "it cannot be read")
    broker.admin.delete_topics([name])[name].result(20)
    stretch = read(one)
    assert (names(stretch), stretch.end) == ([], 0)
    assert one.exists()


def test_a_record_that_cannot_be_read_holds_all(
    reader: Callable[..., Reader], broker: Any, journal: str, caplog: pytest.LogCaptureFixture
):
    """It may be an announcement. The log has its offset; without it all is read."""
    write(broker, journal, noted(0), (b'[2,"later"]', b"{}"), noted(2))
    one = reader(broker, journal)
    one.ask(PLACE, START)
    until(lambda: said(caplog), "it is told")
    assert f"offset 1 of the topic {journal}" in said(caplog)[0]
    assert one.poll() == []
    write(broker, journal, (b'[2,"later"]', None))
    assert names(read(one)) == ["a.0", "a.2"]
    assert "is read again" in caplog.text


def test_a_broker_that_stands_still_is_told_and_read_later(
    reader: Callable[..., Reader], new_broker: Any, monkeypatch: Any, caplog: pytest.LogCaptureFixture
):
    """Nothing is taken for the end that is none."""
    for module in (journal_reading, journal_topic):
        monkeypatch.setattr(module, "TIMEOUT", 0.5)
    broker = new_broker()
    broker.create_topic("j", 1, config=TOPIC_CONFIG)
    write(broker, "j", noted(0))
    one = reader(broker, "j")
    until(one.exists, "it is found")
    broker.freeze()
    one.ask(PLACE, START)
    until(lambda: said(caplog), "it is told")
    assert one.poll() == []
    broker.thaw()
    assert names(read(one)) == ["a.0"]


def test_reading_that_comes_to_nothing_begins_anew(
    reader: Callable[..., Reader], broker: Any, journal: str, monkeypatch: Any, caplog: pytest.LogCaptureFixture
):
    """The end is known, and no record comes up to it: a leader that is lost in between."""
    write(broker, journal, noted(0))
    monkeypatch.setattr(journal_reading, "SILENCE", -1.0)
    one = reader(broker, journal)
    one.ask(PLACE, START)
    until(lambda: said(caplog), "it is told")
    assert "nothing is read" in said(caplog)[0]
    assert one.poll() == []
    monkeypatch.setattr(journal_reading, "SILENCE", 30.0)
    assert names(read(one)) == ["a.0"]


def test_one_that_forgets_is_told_of_once(
    reader: Callable[..., Reader], broker: Any, new_topic: Callable[..., str], caplog: pytest.LogCaptureFixture
):
    """With the command that mends it; it is read all the same."""
    name = new_topic(1, config={"cleanup.policy": "delete"})
    one = reader(broker, name)
    until(lambda: said(caplog), "it is told")
    assert "cleanup.policy is delete, with retention.ms 604800000: it forgets" in said(caplog)[0]
    assert (
        f"--bootstrap-server {broker.bootstrap} --alter --topic {name} --add-config cleanup.policy=compact"
        in said(caplog)[0]
    )
    one.look()
    for _ in range(2):
        one.ask(PLACE, START)
        assert names(read(one)) == []
    assert len(said(caplog)) == 1


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, ""),
        ({"cleanup.policy": "compact", "retention.ms": "1000", "retention.bytes": "1"}, ""),
        (
            {"cleanup.policy": "compact,delete", "retention.ms": "-1", "retention.bytes": "9"},
            "with retention.bytes 9: it",
        ),
        (
            {"cleanup.policy": "delete", "retention.ms": "7", "retention.bytes": "9"},
            "retention.ms 7 and retention.bytes",
        ),
        ({"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}, "it grows for ever"),
    ],
)
def test_what_forgets(config: dict[str, str | None], words: str):
    """Only where records are deleted by age or size."""
    assert words in forgetful(config)
    assert bool(words) == bool(forgetful(config))


def test_what_the_broker_refuses_is_told_with_the_command(
    reader: Callable[..., Reader], new_broker: Any, caplog: pytest.LogCaptureFixture
):
    """It may not be made, nor read; once it may be, it is."""
    broker = new_broker(
        properties={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "true",
        }
    )
    the_rest = acl(ResourceType.BROKER, "kafka-cluster", AclOperation.ALL, AclPermissionType.ALLOW)
    make = acl(ResourceType.BROKER, "kafka-cluster", AclOperation.CREATE, AclPermissionType.DENY)
    use = acl(ResourceType.TOPIC, "j", AclOperation.ALL, AclPermissionType.DENY)
    for done in broker.admin.create_acls([the_rest, make, use]).values():
        done.result(20)
    one = reader(broker, "j")
    until(lambda: said(caplog), "it may not be made")
    assert "this user may not make it: make it with -1 replicas" in said(caplog)[0]
    lift(broker, make)
    until(one.exists, "it is made")
    one.ask(PLACE, START)
    until(lambda: len(said(caplog)) == 2, "it may not be read")
    assert one.poll() == []
    until(lambda: unseen(caplog), "nor may it be described")
    lift(broker, use)
    assert names(read(one)) == []
    assert len(unseen(caplog)) == 1


def acl(kind: ResourceType, name: str, operation: AclOperation, permission: AclPermissionType) -> AclBinding:
    """Nobody may do this, or everybody may."""
    return AclBinding(kind, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", operation, permission)


def lift(broker: Any, one: AclBinding) -> None:
    """It holds no more."""
    anyone: Any = None
    every = AclBindingFilter(
        one.restype, one.name, ResourcePatternType.ANY, anyone, anyone, one.operation, AclPermissionType.DENY
    )
    for done in broker.admin.delete_acls([every]).values():
        done.result(20)
