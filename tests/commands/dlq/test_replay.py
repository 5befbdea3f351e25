"""`dlq replay` on a real broker: each letter once, in order, and remembered."""

import os
from pathlib import Path

import pytest

from tests.commands.dlq.conftest import NOON, Board, Replays, letter


def adds(number: int, group: str = "acme", **options: object):
    """A refused $add of one."""
    return letter(number, group, operation="ADD", count=1, **options)  # type: ignore[arg-type]


def test_letters_are_sent_once_in_the_order_of_the_source(board: Board, replays: Replays):
    """Letters that are out of order, or there twice, arrive once each in the source's order, group by group."""
    board.write([letter(offset, group) for offset in (4, 1, 7, 1, 3, 4) for group in ("acme",)])
    board.write([letter(offset, "beta", partition=1) for offset in (9, 8)])
    shown = replays.json("--yes", FOLD="off")
    assert replays.applied("acme") == [{"$set": {"plan": f"v{offset}"}} for offset in (1, 3, 4, 7)]
    assert replays.applied("beta") == [{"$set": {"plan": f"v{offset}"}} for offset in (8, 9)]
    assert shown["plan"]["letters"] == shown["outcome"]["accepted"] == 6
    assert shown["plan"]["left_out"]["duplicates"] == 2
    assert shown["outcome"]["complete"]


def test_what_is_settled_is_never_sent_again(board: Board, replays: Replays):
    """A second replay, with whatever selection, sends only what the first did not."""
    board.write([letter(0, "acme"), letter(1, "beta", reason="corrupt"), letter(2, "acme", reason="corrupt")])
    assert replays.json("--yes", "--reason", "rejected")["outcome"]["accepted"] == 1
    second = replays.json("--yes")
    assert (second["plan"]["letters"], second["plan"]["left_out"]["settled"]) == (2, 1)
    board.write([letter(0, "acme")])  # the same record, read again by the service after a crash
    third = replays.json("--yes")
    assert (third["plan"]["letters"], third["plan"]["left_out"]["settled"]) == (0, 4)
    assert [len(replays.applied(group)) for group in ("acme", "beta")] == [2, 1]
    listed = board.json("list")
    assert (listed["letters"], listed["open"]) == (4, 0)
    assert board.json("show", "0:0")["replay"]["state"] == "settled"


def test_a_refused_letter_stays_one(board: Board, replays: Replays):
    """What is refused again is reported in Mixpanel's new words, gets no second letter, and is tried by the next."""
    board.write([letter(0, "acme"), letter(1, "beta"), letter(2, "acme")])
    replays.mixpanel.faults.on("refuse", group_id="acme", words="still not good")
    shown = replays.json("--yes", status=1)
    assert shown["outcome"]["accepted"] == 1
    assert shown["outcome"]["refused"] == {"rejected": 2}
    assert shown["outcome"]["samples"][0] == {
        "source": "changes:0:0",
        "reason": "rejected",
        "words": "still not good",
    }
    assert not shown["outcome"]["complete"]
    listed = board.json("list")
    assert (listed["letters"], listed["open"]) == (3, 2)
    assert {line["replay"] for line in listed["newest_letters"]} == {"refused", "settled"}
    assert board.json("show", "0:0")["replay"]["error"] == "still not good"
    replays.mixpanel.faults.clear()
    assert replays.json("--yes")["outcome"]["accepted"] == 2
    assert [len(replays.applied(group)) for group in ("acme", "beta")] == [1, 1]


def test_a_flood_of_refusals_goes_through(board: Board, replays: Replays):
    """The breaker of the service does not stop a replay: refusals fill no topic."""
    board.write(letter(number, f"group-{number}") for number in range(1500))
    replays.mixpanel.faults.on("refuse", group_id="group-*")
    assert replays.json("--yes", status=1)["outcome"]["refused"] == {"rejected": 1500}


def test_a_dry_run_changes_nothing(board: Board, replays: Replays):
    """It shows the plan with its warnings; nothing is sent, and no topic is made."""
    board.write([letter(0), letter(1, reason="tombstone"), letter(2, reason="ambiguous_add")])
    said = replays.call("--dry-run")
    for words in (
        "2 dead letters",
        "may overwrite a newer value",
        "--skip-newer",
        "counts twice",
        "refused again for",
    ):
        assert words in said, words
    assert max(map(len, said.splitlines())) <= 80
    assert not replays.applied("acme")
    assert f"{board.topic}.replays" not in board.broker.admin.list_topics(timeout=10).topics
    assert replays.json("--dry-run")["plan"]["refused_for_certain"] == 1


@pytest.mark.parametrize(("answer", "status", "sent"), [(b"y\n", 0, 1), (b"n\n", 1, 0), (b"\n", 1, 0)])
def test_a_person_is_asked(board: Board, replays: Replays, answer: bytes, status: int, sent: int):
    """On a terminal the plan is shown and only a yes sends it."""
    board.write([letter(0)])
    ours, theirs = os.openpty()
    process = replays.start(stdin=theirs)
    os.write(ours, answer)
    out, err = process.communicate(timeout=100)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == status, (out, err)
    assert out.index("To send again: 1 dead letter") < out.index("Send them now?")
    assert ("Nothing was sent." in out) == (not sent)
    assert len(replays.applied("acme")) == sent


def test_nobody_to_ask_is_usage(board: Board, replays: Replays):
    """Without a terminal it wants --yes or --dry-run, and sends nothing."""
    board.write([letter(0)])
    assert "--dry-run" in replays.call(status=2)
    assert not replays.applied("acme")


def test_an_ambiguous_add_is_asked_for_by_name(board: Board, replays: Replays):
    """What may have been applied is left out, unless its reason is named."""
    board.write([adds(0, reason="ambiguous_add"), adds(1, "beta")])
    shown = replays.json("--yes")
    assert (shown["plan"]["letters"], shown["plan"]["left_out"]["ambiguous_add"]) == (1, 1)
    assert not replays.applied("acme")
    assert replays.json("--yes", "--reason", "ambiguous_add")["outcome"]["accepted"] == 1
    assert replays.applied("acme") == [{"$add": {"count": 1}}]


def test_what_is_quarantined_is_asked_for_by_name(board: Board, replays: Replays):
    """It is left out unless its reason is named, and is then sent whatever QUARANTINE says."""
    board.write([letter(0, reason="quarantined"), letter(1, "beta")])
    shown = replays.json("--yes", QUARANTINE="group:company:acme,group:company:beta")
    assert (shown["plan"]["letters"], shown["plan"]["left_out"]["quarantined"]) == (1, 1)
    assert not replays.applied("acme")
    assert replays.applied("beta")
    named = replays.json("--yes", "--reason", "quarantined", QUARANTINE="group:company:acme")
    assert named["outcome"]["accepted"] == 1
    assert len(replays.applied("acme")) == 1


def test_an_add_that_becomes_ambiguous_is_not_repeated(board: Board, replays: Replays):
    """With AMBIGUOUS_ADD=dead-letter an unclear answer makes it ambiguous_add, whatever its letter says."""
    board.write([adds(0), letter(1, "beta")])
    replays.mixpanel.faults.on("unreadable", times=1, applied=True)
    shown = replays.json("--yes", status=1, AMBIGUOUS_ADD="dead-letter")
    assert shown["outcome"]["refused"] == {"ambiguous_add": 1}
    again = replays.json("--yes", "--reason", "rejected", AMBIGUOUS_ADD="dead-letter")
    assert again["plan"]["letters"] == 0
    assert replays.applied("acme") == [{"$add": {"count": 1}}]
    assert board.json("list", "--reason", "ambiguous_add")["letters"] == 1


def test_foreign_records_are_left_alone(board: Board, replays: Replays):
    """What no service of ours wrote is counted, and never sent."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": board.broker.bootstrap})
    producer.produce(board.topic, b"somebody else's", partition=0)
    assert producer.flush(30) == 0
    shown = replays.json("--yes")
    assert (shown["plan"]["letters"], shown["plan"]["left_out"]["foreign"]) == (0, 1)


def test_selections(board: Board, replays: Replays):
    """The filters of `dlq list` choose what is sent."""
    board.write([letter(offset, f"group-{offset}", timestamp=NOON + offset) for offset in range(5)])
    assert replays.json("--yes", "--source-offsets", "1-2")["outcome"]["accepted"] == 2
    assert replays.json("--yes", "--key", "company:group-4")["outcome"]["accepted"] == 1
    assert [len(replays.applied(f"group-{offset}")) for offset in range(5)] == [0, 1, 1, 0, 1]


def test_a_topic_made_anew(board: Board, replays: Replays):
    """Other records at the same offsets are other records: the last one is sent, though the first was settled."""
    board.write([letter(0, "acme", plan="first")])
    replays.json("--yes")
    board.write([letter(0, "beta", plan="second")])
    shown = replays.json("--yes")
    assert shown["outcome"]["accepted"] == 1
    assert replays.applied("beta") == [{"$set": {"plan": "second"}}]


@pytest.mark.parametrize("policy", ["delete", "compact,delete"])
def test_marks_that_would_be_thrown_away_are_refused(board: Board, replays: Replays, policy: str):
    """A topic of receipts that forgets is named, with the command that fixes it, before anything is sent."""
    board.broker.create_topic(f"{board.topic}.replays", 1, {"cleanup.policy": policy})
    board.write([letter(0)])
    assert "cleanup.policy=compact" in replays.call("--yes", status=1)
    assert not replays.applied("acme")


def test_a_halted_mixpanel_ends_the_patience(board: Board, replays: Replays):
    """Where nothing goes on it says what it waits for, and gives up; the next replay sends what is left."""
    board.write([letter(0)])
    replays.mixpanel.faults.on("status", status=401)
    shown = replays.json("--yes", "--patience", "2s", status=1, DRAIN_TIMEOUT="1s")
    assert "Mixpanel answers 401" in shown["outcome"]["trouble"]
    assert shown["outcome"]["left"] == 1
    replays.mixpanel.faults.clear()
    assert replays.json("--yes")["outcome"]["complete"]


def test_a_registry_that_is_away_ends_the_patience(board: Board, replays: Replays):
    """Letters whose schema cannot be had are waited for, and named."""
    board.write([letter(0)])
    shown = replays.json("--yes", "--patience", "2s", status=1, SCHEMA_CACHE_DIR="")
    assert "schema registry cannot be asked" in shown["outcome"]["trouble"]
    assert not replays.applied("acme")


def test_the_new_group_protocol(board: Board, replays: Replays, tmp_path: Path):
    """With group.protocol=consumer in the properties file the lock works as well, and is free for the next replay."""
    properties = tmp_path / "kafka.properties"
    properties.write_text("group.protocol=consumer\n")
    board.write([letter(0), letter(1, "beta")])
    for offset in ("0", "1"):
        shown = replays.json("--yes", "--source-offsets", offset, KAFKA_PROPERTIES_FILE=str(properties))
        assert shown["outcome"]["accepted"] == 1
