"""`dlq show` on a real broker: one dead letter in full, and what is said where something is missing."""

import base64
import re

import pytest
from confluent_kafka import Producer

from consumer.core.model import Assignment, DeadLetter, Record
from consumer.kafka.dead_letter_format import UPDATE, headers_of
from tests.commands.dlq.conftest import GONE, NOON, Board, event, letter


def test_a_letter_in_full(board: Board, schemas: dict[str, str]):
    """The event, the update, Mixpanel's words, headers, origin and the next step."""
    headers = [("trace", b"1"), ("null", None), ("raw", b"\xff")]
    board.write([letter(0), letter(41, headers=headers)])
    shown = board.json("show", "0:1", **schemas)
    assert shown["event"]["group_id"] == "acme"
    assert shown["event"]["properties"] == {"plan": "v41"}
    assert shown["source"] == {"topic": "changes", "partition": 0, "offset": 41}
    assert shown["update"] == {"$set": {"plan": 1}}
    assert shown["appended"]["mixpanel.error"] == "plan is not what it should be"
    assert base64.b64decode(shown["value"]) == event("acme", plan="v41")
    assert [(header["name"], header["value"]) for header in shown["headers"]] == [
        ("trace", "MQ=="),
        ("null", None),
        ("raw", "/w=="),
    ]
    assert shown["replay"] is None
    assert "Read Mixpanel's words" in shown["next"]


def test_a_letter_for_people(board: Board, schemas: dict[str, str]):
    """The same in a terminal, no line longer than 80 columns."""
    board.write([letter(41, headers=[("trace", b"1")], company="umbrella")])
    result = board.call("show", "0:0", **schemas)
    assert result.exit_code == 0
    assert re.search(r"^ +company +umbrella$", result.output, re.MULTILINE)
    for words in ("HTTP 400: plan is not", "topic changes, partition 0, offset 41", '"group_id": "acme"', "trace: 1"):
        assert words in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_a_letter_by_its_source(board: Board):
    """By where it came from; of several letters of one record the last."""
    board.write([letter(41), letter(7, partition=1), letter(42), letter(41)])
    assert board.json("show", "--source", "changes:0:41")["offset"] == 2
    assert board.json("show", "--source", "changes:1:7")["partition"] == 1


def test_the_newest_letter_of_a_project(board: Board):
    """By the time of its record, whichever partition it is in."""
    board.write(
        [letter(1, project="emea", timestamp=NOON + 5), letter(2, project="emea"), letter(3, timestamp=NOON + 9)]
    )
    shown = board.json("show", "--project", "emea")
    assert (shown["source"]["offset"], shown["project"]) == (1, "emea")


@pytest.mark.parametrize(
    ("value", "environ", "words"),
    [
        (event("acme", plan=1), {}, "SCHEMA_REGISTRY_URL is not set"),
        (event("acme", plan=1), {"SCHEMA_REGISTRY_URL": GONE}, "cannot be asked"),
        (b"{not avro}", {}, "it looks like plain JSON"),
        (b"\x03\x00" + bytes(16) + b"glue", {}, "it looks like the frame of AWS Glue's serializer"),
        (b"\x00" + bytes(7) + b"\x07apicurio", {}, "it looks like the frame of Apicurio's serializer"),
        (b"", {}, "no schema id"),
    ],
)
def test_why_there_is_no_event(board: Board, value: bytes, environ: dict[str, str], words: str):
    """Where the event cannot be decoded the output says why, shows the first bytes, and succeeds."""
    board.write([letter(0, value=value)])
    assert words in board.json("show", "0:0", **environ)["not_decoded"]
    result = board.call("show", "0:0", **environ)
    assert result.exit_code == 0
    assert f"{len(value)} bytes" in result.output or not value


SHARE_GROUP = [
    ("__dlq.errors.topic", b"orders"),
    ("__dlq.errors.partition", b"3"),
    ("__dlq.errors.offset", b"41"),
    ("__dlq.errors.group", b"readers"),
    ("__dlq.errors.delivery.count", b"5"),
    ("__dlq.errors.message", b"Offset rejected by client."),
]
RULE = [
    ("__rule.name", b"check-owner"),
    ("__rule.mode", b"READ"),
    ("__rule.subject", b"orders-value"),
    ("__rule.topic", b"orders"),
    ("__rule.exception", b"Rule check-owner failed"),
]


@pytest.mark.parametrize(
    ("headers", "prefix", "words"),
    [
        (
            SHARE_GROUP,
            "__dlq.errors.",
            (
                "detail       Offset rejected by client.",
                "came from    topic orders, partition 3, offset 41",
                "the broker, for share group readers, delivered 5",
            ),
        ),
        (
            RULE,
            "__rule.",
            (
                "detail       Rule check-owner failed",
                "came from    topic orders",
                "a client, by rule check-owner (READ) of subject",
            ),
        ),
    ],
    ids=["share group", "rule"],
)
def test_what_others_say_of_a_dead_letter_of_theirs(board: Board, headers, prefix, words):
    """The brokers' headers for a share group, and those of Confluent's rules: read, and never replayed."""
    producer = Producer({"bootstrap.servers": board.broker.bootstrap})
    producer.produce(board.topic, value=None, headers=headers, partition=0)
    assert producer.flush(60) == 0
    shown = board.json("show", "0:0")
    assert (shown["reason"], shown["source"]) == ("(foreign)", None)
    assert shown["foreign"] == {"prefix": prefix} | {
        name.removeprefix(prefix): value.decode() for name, value in headers
    }
    result = board.call("show", "0:0")
    for one in words:
        assert one in result.output


def test_our_own_letters_are_in_no_dialect_of_others(board: Board):
    """Where a share group's letter was read by us and refused again, ours is what counts."""
    board.write([letter(0, headers=SHARE_GROUP)])
    assert board.json("show", "0:0")["foreign"] is None
    assert "share group" not in board.call("show", "0:0").output.partition("The event")[0]


def test_a_tombstone(board: Board):
    """A null value stays null."""
    record = Record(Assignment("changes", 0), 3, b"key", None, None, 1000, 0.0)
    board.write([DeadLetter(record, "tombstone", "VALUE_CONVERTER", "null")])
    shown = board.json("show", "0:0")
    assert (shown["value"], shown["reason"]) == (None, "tombstone")
    assert "null" in shown["not_decoded"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("0:9",), 1, "no record at 0:9"),
        (("7:0",), 1, "no record at 7:0"),
        (("--source", "changes:0:9"), 1, "no dead letter from changes:0:9"),
        (("--project", "emea"), 1, "no dead letter of project emea"),
        ((), 2, "Name one dead letter"),
        (("0:0", "--project", "emea"), 2, "Name one dead letter"),
        (("0:0", "--source", "changes:0:9"), 2, "Name one dead letter"),
        (("acme",), 2, "PARTITION:OFFSET"),
    ],
)
def test_what_is_not_there(board: Board, arguments: tuple[str, ...], status: int, words: str):
    """A letter that is not there is named with what to do; nothing or both is a usage error."""
    board.write([letter(0)])
    result = board.call("show", *arguments)
    assert result.exit_code == status
    assert words in result.output


def test_the_token_of_an_older_dead_letter_is_not_shown(board: Board):
    """Earlier versions wrote the update with the project's token: no output has it."""
    older = letter(41)
    headers = [(name, value) for name, value in headers_of(older, "g") if name != UPDATE]
    update = b'{"$token":"the-secret-token","$group_key":"company","$group_id":"acme","$set":{"plan":1}}'
    producer = Producer({"bootstrap.servers": board.broker.bootstrap})
    producer.produce(board.topic, older.record.value, headers=[*headers, (UPDATE, update)], partition=0)
    assert producer.flush(20) == 0
    for output in ("json", "table"):
        result = board.call("show", "0:0", "--output", output)
        assert '"plan": 1' in result.output
        assert "the-secret-token" not in result.output
