"""`verify` on a real broker, a registry and a Mixpanel: what differs is listed, and nothing is changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from consumer.commands.dlq.scan import Failed
from consumer.sandbox.answers import of_json
from consumer.sandbox.web import Reply, Web
from tests.commands.scene import Scene, partition_row


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


def test_a_group_in_two_companies_is_two_profiles(scene: Scene) -> None:
    """One is as it should be, the other is not, and the finding says whose it is; each can be looked at alone."""
    scene.change("ann", "set", {"a": 1})
    scene.change("ann", "set", {"a": 2}, company="acme")
    scene.change("ann", "set", {"a": 3}, company="other")
    scene.commit(scene.change("ann", "set", {"a": 4}, company="other", applied=False) + 1)
    found = scene.verify("--all", status=1)
    assert (found["checked"], found["same"]) == (3, 2)
    (finding,) = found["findings"]
    assert (finding["company_id"], finding["expected"], finding["found"]) == ("other", 4, 3)
    assert "company:ann of other" in scene.call("company:ann").stdout
    assert scene.verify("company:ann", "--company", "acme")["findings"] == []
    assert scene.verify("--sample", "5", "--company", "acme")["checked"] == 1


def test_a_named_project_is_read_by_its_own_account(scene: Scene, tmp_path: Path) -> None:
    """Only its changes count, and only its profiles; what it lacks to be read back is named."""
    file, account = tmp_path / "projects.toml", scene.mixpanel.project
    file.write_text(
        f"[emea]\ntoken = 'other'\nurl = '{scene.mixpanel.url}'\nproject_id = '{account.id}'\n"
        f"service_account_username = '{account.username}'\nservice_account_secret = '{account.secret}'\n"
        "[bare]\ntoken = 'bare'\n"
    )
    scene.environ |= {"MIXPANEL_PROJECTS_FILE": str(file), "MIXPANEL_TOKEN": "", "MIXPANEL_PROJECT_ID": ""}
    scene.environ |= {"MIXPANEL_SERVICE_ACCOUNT_USERNAME": "", "MIXPANEL_SERVICE_ACCOUNT_SECRET": ""}
    scene.change("acme", "set", {"a": 1}, project="emea")
    scene.commit(scene.change("acme", "set", {"a": 2}, applied=False) + 1)
    assert scene.verify("--all", "--project", "emea")["same"] == 1
    unset = scene.call("--all", "--project", "bare")
    assert unset.exit_code == 2
    assert "project_id of [bare] in MIXPANEL_PROJECTS_FILE is not set" in unset.output
    absent = scene.call("--all", "--project", "nobody")
    assert absent.exit_code == 2
    assert "there are emea, bare" in absent.output


def test_what_waits_is_not_lost(scene: Scene) -> None:
    """Records that are not committed may be applied or not."""
    scene.commit(scene.change("acme", "set", {"a": 1}) + 1)
    scene.change("acme", "set", {"a": 2}, applied=False)
    scene.change("new", "set", {"a": 2}, applied=False)
    found = scene.verify("--all")
    assert told(found) == {("waiting", "acme", "a"), ("waiting", "new", None)}
    assert any("waits is not lost" in note for note in found["notes"])


def test_an_instance_says_why_it_waits(scene: Scene) -> None:
    """Of the first record of the group that does; one that gives no answer is said, and no fault."""
    blocked = {"offset": 1, "seconds": 61.4, "cause": "halted", "detail": {}}
    row = partition_row(scene.topic) | {"blocked": blocked}
    said = {"instance": "a", "ready": True, "reasons": [], "requests": [], "projects": [], "partitions": [row]}
    web = Web(0, lambda arrived: Reply(of_json(200, said)))
    web.start()
    try:
        scene.commit(scene.change("acme", "set", {"a": 1}) + 1)
        scene.change("acme", "set", {"a": 2}, applied=False)
        scene.change("acme", "set", {"a": 3}, applied=False)
        found = scene.verify("--all", "--url", f"http://127.0.0.1:{web.port}", "--url", "http://127.0.0.1:1")
    finally:
        web.stop()
    (finding,) = found["findings"]
    assert finding["why"] == f"2 of its changes are not committed; {scene.topic}:0:1: halted for 61 s"
    assert "http://127.0.0.1:1: it cannot be reached: connection" in found["notes"]


def test_dead_letters_that_may_not_be_read(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Are no missing topic: what was refused would seem lost."""

    def denied(*_: Any) -> None:
        raise Failed("the topic cannot be read: Topic authorization failed")

    monkeypatch.setattr("consumer.commands.dlq.topic.partitions_of", denied)
    scene.change("acme", "set", {"a": 1})
    result = scene.call("--all")
    assert (result.exit_code, "authorization failed" in result.stderr) == (1, True)


def test_a_dead_letter_is_not_expected(scene: Scene) -> None:
    """A refused change is not in the profile; an ambiguous $add is unknown."""
    scene.change("acme", "set", {"a": 1, "n": 1})
    refused = scene.change("acme", "set", {"a": 2}, applied=False)
    scene.letter(refused, "acme", "set", {"a": 2}, "rejected")
    doubtful = scene.change("acme", "add", {"n": 1}, applied=False)
    scene.letter(doubtful, "acme", "add", {"n": 1}, "ambiguous_add")
    scene.commit(doubtful + 1)
    assert told(scene.verify("--all")) == {("unknown", "acme", "n")}


def test_what_was_quarantined_is_in_doubt(scene: Scene) -> None:
    """It may have been sent before an operator took it out."""
    taken = scene.change("acme", "set", {"a": 1}, applied=False)
    scene.letter(taken, "acme", "set", {"a": 1}, "quarantined")
    scene.commit(taken + 1)
    assert {kind for kind, *_ in told(scene.verify("--all"))} == {"unknown"}


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
    monkeypatch.setattr("consumer.commands.verify.verdict.verify.__defaults__", ((), sleep))
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
