"""`trace` on a real broker: a record's event, update and fate, and why it waits."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition

from consumer.kafka.config import consumer_config
from consumer.sandbox.answers import of_json
from consumer.sandbox.web import Reply, Web
from consumer.schemas import newest
from tests.commands.scene import Scene, event, partition_row


@pytest.fixture
def trace(scene: Scene) -> Any:
    """Traces: trace("topic:0:1") is what it prints with --output json."""

    def run(*arguments: str, status: int = 0) -> Any:
        result = scene.run("trace", *arguments, "--output", "json", **scene.environ)
        assert result.exit_code == status, result.output
        return json.loads(result.stdout) if status == 0 else result.output

    return run


@pytest.fixture
def instance(scene: Scene) -> Iterator[tuple[Web, dict[str, Any]]]:
    """An instance that answers `/status`, and the row of its one partition."""
    row = partition_row(scene.topic)
    said = {"instance": "a", "ready": True, "reasons": [], "requests": [], "projects": [], "partitions": [row]}
    web = Web(0, lambda arrived: Reply(of_json(200, said)))
    web.start()
    yield web, row
    web.stop()


def test_an_applied_record(scene: Scene, trace: Any) -> None:
    """Decoded, with the update that it makes, without the token."""
    offset = scene.change("acme", "set", {"plan": "pro"})
    scene.commit(offset + 1)
    (found,) = trace(f"{scene.topic}:0:{offset}")
    assert found["fate"] == "applied"
    assert found["event"]["group_id"] == "acme"
    assert found["update"] == {"$group_key": "company", "$group_id": "acme", "$set": {"plan": "pro"}}
    shown = scene.run("trace", f"{scene.topic}:0:{offset}", **scene.environ)
    assert shown.exit_code == 0
    assert '"$group_id": "acme", "$set":' in shown.stdout


def test_a_dead_letter(scene: Scene, trace: Any) -> None:
    """Its reason, and where the letter is."""
    offset = scene.change("acme", "set", {"plan": "pro"})
    scene.letter(offset, "acme", "set", {"plan": "pro"}, "rejected")
    scene.commit(offset + 1)
    (found,) = trace(f"{scene.topic}:0:{offset}")
    assert (found["fate"], found["why"]) == ("dead letter", f"rejected, at 0:0 of {scene.group}.dead-letters")


def test_a_record_that_waits(scene: Scene, trace: Any, instance: Any) -> None:
    """Why, as the instance says: at the head, or behind it."""
    web, row = instance
    first = scene.change("acme", "set", {"a": 1})
    second = scene.change("other", "set", {"a": 1})
    scene.commit(first)
    url = f"http://127.0.0.1:{web.port}"
    (found,) = trace(f"{scene.topic}:0:{first}")
    assert (found["fate"], found["why"]) == (
        "waiting",
        "committed is 0; --url of the instance that reads it tells why",
    )
    (found,) = trace(f"{scene.topic}:0:{first}", "--url", url)
    assert found["why"] == "committed is 0; nothing blocks the partition"
    row["partition"] = 1
    (found,) = trace(f"{scene.topic}:0:{first}", "--url", url)
    assert found["why"] == "committed is 0; none of the instances that were asked, and answered, reads the partition"
    row["partition"] = 0
    row["read"] = first
    (found,) = trace(f"{scene.topic}:0:{first}", "--url", url)
    assert found["why"] == "committed is 0; nothing blocks the partition, which is read up to offset 0"
    row["read"] = second
    (found,) = trace(f"{scene.topic}:0:{first}", "--url", url)
    assert found["why"] == "committed is 0; it is settled, and its commit is not confirmed yet"
    met = {"answered": "503", "attempts": 4, "next_seconds": 1.5}
    row["blocked"] = {"offset": first, "seconds": 61.4, "cause": "retry", "detail": met}
    (found,) = trace(f"{scene.topic}:0:{first}", "--url", url)
    assert found["why"] == "committed is 0; retry for 61 s (answered 503, attempts 4, next_seconds 1.5)"
    (found,) = trace(f"{scene.topic}:0:{second}", "--url", url)
    assert found["why"].startswith(f"committed is 0; behind offset {first}: retry for 61 s")
    row["blocked"] = {"offset": first, "seconds": None, "cause": "limit", "detail": {}}
    (found,) = trace(f"{scene.topic}:0:{second}", "--url", url)
    assert found["why"] == f"committed is 0; behind offset {first}: limit"
    row["blocked"] = {"offset": second, "seconds": 1.0, "cause": "in_flight", "detail": {}}
    (found,) = trace(f"{scene.topic}:0:{first}", "--url", url)
    assert found["why"] == "committed is 0; it is settled, and its commit is not confirmed yet"


def test_a_topic_that_the_service_does_not_read(scene: Scene, trace: Any) -> None:
    """Nobody will ever commit it."""
    offset = scene.change("acme", "set", {"a": 1})
    place, scene.environ["KAFKA_TOPICS"] = f"{scene.topic}:0:{offset}", "other"
    (found,) = trace(place)
    assert found["why"] == "nothing of the partition is committed; KAFKA_TOPICS does not have the topic"


def test_a_topic_that_is_not_there_is_named(scene: Scene, trace: Any) -> None:
    """In whichever way it is asked for."""
    assert "the topic gone.away does not exist" in trace("gone.away:0:1", status=1)
    scene.environ["KAFKA_TOPICS"] = "gone.away"
    assert "gone.away" in trace("--group", "company:acme", status=1)
    assert "gone.away" in scene.call("--all").stderr


def test_an_instance_that_does_not_answer_is_said(scene: Scene) -> None:
    """And what Kafka knows is shown all the same."""
    offset = scene.change("acme", "set", {"a": 1})
    place = f"{scene.topic}:0:{offset}"
    result = scene.run("trace", place, "--url", "http://127.0.0.1:1", **scene.environ)
    assert result.exit_code == 0
    assert "warning: http://127.0.0.1:1: it cannot be reached: connection" in result.stderr


def test_the_changes_of_a_group(scene: Scene, trace: Any) -> None:
    """In order, each with its fate; those of others and older ones are left out."""
    scene.change("acme", "set", {"a": 1})
    scene.change("other", "set", {"a": 1})
    scene.commit(scene.change("acme", "add", {"n": 1}) + 1)
    scene.change("acme", "unset", ["a"])
    found = trace("--group", "company:acme")
    assert [one["fate"] for one in found] == ["applied", "applied", "waiting"]
    assert [one["event"]["operation"] for one in found] == ["SET", "ADD", "UNSET"]
    assert trace("--group", "company:acme", "--since", "2100-01-01") == []
    for everything in ("0001-01-01", "1969-12-31T23:59:59.999", "99999999999d"):
        assert len(trace("--group", "company:acme", "--since", everything)) == 3


def test_the_changes_of_a_group_in_a_company(scene: Scene, trace: Any) -> None:
    """The group is meant in every company; `--company` names one."""
    scene.change("ann", "set", {"a": 1}, company="acme")
    scene.commit(scene.change("ann", "set", {"a": 2}, company="other") + 1)
    assert [one["update"]["$company_id"] for one in trace("--group", "company:ann")] == ["acme", "other"]
    (found,) = trace("--group", "company:ann", "--company", "other")
    assert (found["event"]["company_id"], found["update"]["$set"]) == ("other", {"a": 2})
    shown = scene.run("trace", "--group", "company:ann", **scene.environ).stdout
    assert '"$company_i' in shown


def test_a_record_that_cannot_be_read(scene: Scene, trace: Any) -> None:
    """Its problem takes the place of the update."""
    offset = scene.change("acme", "add", {"n": "text"}, applied=False)
    (found,) = trace(f"{scene.topic}:0:{offset}")
    assert found["update"] is None
    assert found["problem"] == "invalid_change: property 1 of 1 is a string, and ADD needs a number"


@pytest.mark.parametrize(("offset", "words"), [("0:7", "the partition ends at 0"), ("3:0", "has no partition 3")])
def test_what_is_not_there(scene: Scene, trace: Any, offset: str, words: str) -> None:
    """Said in a sentence, exit status 1."""
    assert words in trace(f"{scene.topic}:{offset}", status=1)
    assert trace("a:0:1", "--group", "company:acme", status=2)


def test_a_batch_that_the_client_cannot_read(
    scene: Scene, trace: Any, new_topic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record of it waits, what stands before it is shown, and of a group all that can be read."""
    topic = scene.environ["KAFKA_TOPICS"] = new_topic(2)
    bounded = {"fetch.max.bytes": 1 << 20, "receive.message.max.bytes": 2 << 20}
    config = "consumer.commands.trace.records.consumer_config"
    monkeypatch.setattr(config, lambda settings: consumer_config(settings) | bounded)
    change = event("acme", "set", {"a": 1})
    producer = Producer({"bootstrap.servers": scene.broker.bootstrap})
    for partition in (0, 1, 1):
        producer.produce(topic, change, b"company:acme", partition)
    assert producer.flush(30) == 0
    large = Producer(
        {"bootstrap.servers": scene.broker.bootstrap, "compression.type": "zstd", "message.max.bytes": 8 << 20}
    )
    large.produce(topic, b"7" * (3 << 20), partition=0)
    assert large.flush(30) == 0
    (before,) = trace(f"{topic}:0:0")
    assert (before["fate"], before["problem"]) == ("waiting", "")
    (unread,) = trace(f"{topic}:0:1")
    assert (unread["fate"], unread["update"]) == ("waiting", None)
    assert unread["problem"].startswith(f"{topic}:0:1 cannot be read: ")
    shown = scene.run("trace", "--group", "company:acme", "--output", "json", **scene.environ)
    assert shown.exit_code == 1
    assert sorted(found["place"] for found in json.loads(shown.stdout)) == [
        f"{topic}:{place}" for place in ("0:0", "1:0", "1:1")
    ]
    assert f"warning: {topic}:0:1 cannot be read: " in shown.stderr


def test_a_schema_that_cannot_be_had_does_not_hide_the_changes_of_a_group(scene: Scene, trace: Any) -> None:
    """The registry is asked once for it, and said to be away; what the key tells is shown all the same."""
    asked: list[str] = []

    def answer(request: Any) -> Reply:
        asked.append(request.path)
        if request.path.startswith("/schemas/ids/1"):
            return Reply(of_json(200, {"schema": newest()}))
        return Reply(of_json(503, {"error_code": 50301}))

    web = Web(0, answer)
    web.start()
    try:
        scene.environ["SCHEMA_REGISTRY_URL"] = f"http://127.0.0.1:{web.port}"
        scene.change("acme", "set", {"a": 1})
        producer = Producer({"bootstrap.servers": scene.broker.bootstrap})
        for key in (b"company:acme", b"company:acme", b"company:other"):
            producer.produce(scene.topic, b"\0\0\0\0\7", key, partition=0)
        assert producer.flush(30) == 0
        shown = scene.run("trace", "--group", "company:acme", "--output", "json", **scene.environ)
    finally:
        web.stop()
    assert shown.exit_code == 1, shown.output
    found = json.loads(shown.stdout)
    assert [one["place"] for one in found] == [f"{scene.topic}:0:{offset}" for offset in range(3)]
    assert found[0]["problem"] == ""
    assert "the schema registry cannot be asked" in found[1]["problem"]
    assert shown.stderr.count("warning: ") == 1
    assert "such records are shown where their key is company:acme" in shown.stderr
    assert len([path for path in asked if "/7" in path]) == 1


def test_a_record_that_retention_removed(scene: Scene, trace: Any) -> None:
    """Its dead letter still says what became of it; without one no more is known than what is committed."""
    first = scene.change("acme", "set", {"a": 1})
    scene.letter(first, "acme", "set", {"a": 1}, "rejected")
    second = scene.change("acme", "set", {"a": 2})
    scene.commit(second + 1)
    until = TopicPartition(scene.topic, 0, second + 1)
    scene.broker.admin.delete_records([until])[until].result(20)
    (found,) = trace(f"{scene.topic}:0:{first}")
    assert (found["fate"], found["why"]) == ("dead letter", f"rejected, at 0:0 of {scene.group}.dead-letters")
    assert found["problem"] == f"it is gone by retention: the partition begins at {second + 1}"
    said = trace(f"{scene.topic}:0:{second}", status=1)
    assert "is gone by retention" in said
    assert f"it has no dead letter, and committed is {second + 1}" in said
