"""`verify` on a real broker, a registry and a Mixpanel: what differs is listed, and nothing is changed."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import fastavro
import pytest
from click.testing import Result
from confluent_kafka import Consumer, Producer, TopicPartition

from consumer.app import reader
from consumer.core.model import Assignment, DeadLetter, Record
from consumer.kafka.dead_letter_format import headers_of
from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.mixpanel.project import Project
from consumer.sandbox.mixpanel.server import MixpanelSandbox
from consumer.sandbox.registry.server import RegistrySandbox

SCHEMA = fastavro.parse_schema(reader())
TOKEN = "token"


def event(group: str, operation: str, values: Any) -> bytes:
    """A change, framed with the schema's id 1."""
    content = {
        "event_id": "e",
        "occurred_at": 0,
        "project": None,
        "group_key": "company",
        "group_id": group,
        "operation": operation.upper(),
        "properties": {} if operation in ("unset", "delete") else values,
        "property_names": values if operation == "unset" else [],
    }
    written = io.BytesIO(b"\0\0\0\0\1")
    written.seek(5)
    fastavro.schemaless_writer(written, SCHEMA, content)
    return written.getvalue()


@dataclass
class Scene:
    """A topic with changes, what is committed of it, and the profiles beside it."""

    broker: Broker
    topic: str
    group: str
    mixpanel: MixpanelSandbox
    environ: dict[str, str]
    run: Callable[..., Result]

    def change(self, group: str, operation: str, values: Any = None, *, applied: bool = True) -> int:
        """A change in partition 0, applied as the service would; its offset."""
        told: list[Any] = []
        producer = Producer({"bootstrap.servers": self.broker.bootstrap})
        producer.produce(
            self.topic,
            event(group, operation, values),
            f"company:{group}".encode(),
            partition=0,
            on_delivery=lambda error, message: told.append(message.offset()),
        )
        assert producer.flush(30) == 0
        if applied:
            value = "" if operation == "delete" else values
            update = {"$token": TOKEN, "$group_key": "company", "$group_id": group, f"${operation}": value}
            self.mixpanel.profiles.change([update])
            self.mixpanel.reading.note([update], placed=True)
        return int(told[0])

    def commit(self, offset: int) -> None:
        """What the service has committed."""
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": self.group})
        consumer.commit(offsets=[TopicPartition(self.topic, 0, offset)], asynchronous=False)
        consumer.close()

    def letter(self, offset: int, group: str, operation: str, values: Any, reason: str) -> None:
        """The dead letter of a change."""
        key = f"company:{group}".encode()
        record = Record(Assignment(self.topic, 0), offset, key, event(group, operation, values), None, 0, 0.0)
        producer = Producer({"bootstrap.servers": self.broker.bootstrap})
        headers = headers_of(DeadLetter(record, reason, "TASK_PUT", "why", 1), self.group)
        producer.produce(f"{self.group}.dead-letters", record.value, key, partition=0, headers=headers)
        assert producer.flush(30) == 0

    def call(self, *arguments: str, **environ: str) -> Result:
        """`group-consumer verify ... --settle 0s`"""
        return self.run("verify", "--settle", "0s", *arguments, **{**self.environ, **environ})

    def verify(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """What it prints with --output json, with this exit status."""
        result = self.call(*arguments, "--output", "json")
        assert result.exit_code == status, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found


@pytest.fixture
def scene(
    broker: Broker,
    new_topic: Callable[..., str],
    group_id: str,
    registry: RegistrySandbox,
    call: Callable[..., Result],
) -> Iterator[Scene]:
    """A scene with one partition, and nothing in it."""
    topic = new_topic(1)
    broker.create_topic(f"{group_id}.dead-letters", 1, {"retention.ms": "-1"})
    with MixpanelSandbox(project=Project(token=TOKEN)) as mixpanel:
        mine = mixpanel.project
        environ = {
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
            "KAFKA_TOPICS": topic,
            "KAFKA_GROUP_ID": group_id,
            "SCHEMA_REGISTRY_URL": registry.url,
            "MIXPANEL_QUERY_URL": mixpanel.url,
            "MIXPANEL_PROJECT_ID": mine.id,
            "MIXPANEL_SERVICE_ACCOUNT_USERNAME": mine.username,
            "MIXPANEL_SERVICE_ACCOUNT_SECRET": mine.secret,
        }
        yield Scene(broker, topic, group_id, mixpanel, environ, call)


def told(found: dict[str, Any]) -> set[tuple[str, str, str | None]]:
    """Kind, group and property of each finding."""
    return {(one["kind"], one["group_id"], one["property"]) for one in found["findings"]}


def test_all_is_as_it_should_be(scene: Scene) -> None:
    """Every operation; one query for all groups; nothing is written anywhere, no group joined."""
    scene.change("acme", "set", {"plan": "pro", "seats": 3})
    scene.change("acme", "add", {"seats": 2})
    scene.change("acme", "union", {"tags": ["a", "b"]})
    scene.change("acme", "unset", ["plan"])
    scene.change("gone", "set", {"a": 1})
    scene.commit(scene.change("gone", "delete") + 1)
    before = scene.mixpanel.profiles.snapshot()
    found = scene.verify("--all")
    assert (found["checked"], found["same"], found["findings"]) == (2, 2, [])
    assert scene.mixpanel.profiles.snapshot() == before
    assert scene.mixpanel.requests.newest() == []
    assert scene.mixpanel.query.limits.used() == 1


def test_what_was_lost_is_listed(scene: Scene) -> None:
    """Missing profile, missing property, other value, left over: exit status 1, and exactly these."""
    scene.change("whole", "set", {"a": 1}, applied=False)
    scene.change("part", "set", {"a": 1, "b": 1})
    scene.change("part", "set", {"a": 2}, applied=False)
    scene.change("part", "set", {"c": 1}, applied=False)
    scene.change("part", "unset", ["b"], applied=False)
    scene.commit(scene.change("fine", "set", {"a": 1}) + 1)
    found = scene.verify("--all", status=1)
    assert told(found) == {
        ("missing profile", "whole", None),
        ("other", "part", "a"),
        ("left over", "part", "b"),
        ("missing", "part", "c"),
    }
    (other,) = [one for one in found["findings"] if one["kind"] == "other"]
    assert (other["expected"], other["found"]) == (2, 1)
    table = scene.call("--all")
    assert table.exit_code == 1
    assert "3 groups looked at, 1 as they should be" in table.stdout
    assert scene.verify("company:fine")["same"] == 1


def test_what_waits_is_not_lost(scene: Scene) -> None:
    """Records that are not committed may be applied or not."""
    scene.commit(scene.change("acme", "set", {"a": 1}) + 1)
    scene.change("acme", "set", {"a": 2}, applied=False)
    scene.change("new", "set", {"a": 2}, applied=False)
    found = scene.verify("--all")
    assert told(found) == {("waiting", "acme", "a"), ("waiting", "new", None)}
    assert any("waits is not lost" in note for note in found["notes"])


def test_a_dead_letter_is_not_expected(scene: Scene) -> None:
    """A refused change is not in the profile; an ambiguous $add is unknown."""
    scene.change("acme", "set", {"a": 1, "n": 1})
    refused = scene.change("acme", "set", {"a": 2}, applied=False)
    scene.letter(refused, "acme", "set", {"a": 2}, "rejected")
    doubtful = scene.change("acme", "add", {"n": 1}, applied=False)
    scene.letter(doubtful, "acme", "add", {"n": 1}, "ambiguous_add")
    scene.commit(doubtful + 1)
    assert told(scene.verify("--all")) == {("unknown", "acme", "n")}


def test_a_late_profile_is_looked_at_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs is read once more after a while, and only that."""
    now = 1000.0
    scene.mixpanel.reading._clock = lambda: now
    scene.mixpanel.reading.lag = (5.0, 5.0)
    scene.commit(scene.change("acme", "set", {"a": 1}) + 1)

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr("consumer.commands.verify.verdict.time.sleep", sleep)
    monkeypatch.setattr("consumer.commands.verify.verdict.verify.__defaults__", (sleep,))
    assert scene.verify("--all", "--settle", "10s")["same"] == 1
    assert scene.mixpanel.query.limits.used() == 2


def test_a_sample_is_of_the_last_changes(scene: Scene) -> None:
    """And their whole history counts."""
    scene.change("b", "add", {"n": 1})
    scene.change("a", "set", {"x": 1})
    scene.change("b", "add", {"n": 1})
    scene.commit(scene.change("c", "set", {"x": 1}) + 1)
    assert scene.verify("--sample", "2")["checked"] == 2
    assert scene.mixpanel.query.queries()[0]["parameters"]["distinct_ids"] in (["b", "c"], ["c", "b"])


def test_after_retention_totals_are_unknown(scene: Scene) -> None:
    """What an $add came to is not told by what is left of the topic."""
    scene.change("acme", "set", {"n": 1})
    end = scene.change("acme", "add", {"n": 1}) + 1
    scene.commit(end)
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": scene.broker.bootstrap})
    deleted = admin.delete_records([TopicPartition(scene.topic, 0, 1)])
    assert [one.result(30).low_watermark for one in deleted.values()] == [1]
    found = scene.verify("--all")
    assert told(found) == {("unknown", "acme", "n")}
    assert found["findings"][0]["why"] == "the topic's earlier records are gone"


def test_a_compacted_topic(scene: Scene, new_topic: Callable[..., str]) -> None:
    """Every key of it; what the last records set is compared."""
    scene.topic = new_topic(1, config={"cleanup.policy": "compact"})
    scene.environ["KAFKA_TOPICS"] = scene.topic
    scene.change("acme", "set", {"a": 1})
    scene.commit(scene.change("acme", "add", {"n": 1}) + 1)
    found = scene.verify("--all")
    assert told(found) == {("unknown", "acme", "n")}
    assert "compacted" in found["findings"][0]["why"]


def test_the_wrong_project_is_suspected(scene: Scene) -> None:
    """Where no profile at all is there."""
    scene.commit(scene.change("acme", "set", {"a": 1}) + 1)
    scene.mixpanel.faults.on("other-token")
    found = scene.verify("--all", status=1)
    assert told(found) == {("missing profile", "acme", None)}
    assert "check --canary company" in found["notes"][0]


def test_what_cannot_be_read_is_no_difference(scene: Scene) -> None:
    """It is said, and the exit status is 1: nothing was verified."""
    scene.commit(scene.change("acme", "set", {"a": 1}) + 1)
    scene.mixpanel.faults.on("query-refused", answer="hour")
    found = scene.verify("--all", status=1)
    assert told(found) == {("unread", "acme", None)}
    assert "60 queries an hour are used up" in found["findings"][0]["why"]


def test_a_group_that_the_topic_does_not_have(scene: Scene) -> None:
    """Is unknown."""
    scene.commit(scene.change("acme", "set", {"a": 1}) + 1)
    assert told(scene.verify("company:acme", "company:none")) == {("unknown", "none", None)}


def test_wrong_usage(scene: Scene) -> None:
    """Exit status 2, before anything is read."""
    assert scene.call().exit_code == 2
    assert scene.call("--all", "company:a").exit_code == 2
    assert scene.call("company").exit_code == 2
    result = scene.call("--all", MIXPANEL_PROJECT_ID="")
    assert result.exit_code == 2
    assert "MIXPANEL_PROJECT_ID is not set" in result.stderr


def test_the_registry_is_away(scene: Scene) -> None:
    """Said in a sentence, exit status 1."""
    scene.change("acme", "set", {"a": 1})
    result = scene.call("--all", SCHEMA_REGISTRY_URL="http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "the schema registry cannot be asked" in result.stderr
