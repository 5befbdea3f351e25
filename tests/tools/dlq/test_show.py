"""`dlq show` on a real broker: one dead letter in full, and what is said where something is missing."""

import base64

import pytest

from consumer.core.model import Assignment, DeadLetter, Record
from tests.tools.dlq.conftest import GONE, Board, event, letter


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
    board.write([letter(41, headers=[("trace", b"1")])])
    result = board.call("show", "0:0", **schemas)
    assert result.exit_code == 0
    for words in ("HTTP 400: plan is not", "topic changes, partition 0, offset 41", '"group_id": "acme"', "trace: 1"):
        assert words in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_a_letter_by_its_source(board: Board):
    """By where it came from; of several letters of one record the last."""
    board.write([letter(41), letter(7, partition=1), letter(42), letter(41)])
    assert board.json("show", "--source", "changes:0:41")["offset"] == 2
    assert board.json("show", "--source", "changes:1:7")["partition"] == 1


@pytest.mark.parametrize(
    ("value", "environ", "words"),
    [
        (event("acme", plan=1), {}, "SCHEMA_REGISTRY_URL is not set"),
        (event("acme", plan=1), {"SCHEMA_REGISTRY_URL": GONE}, "cannot be asked"),
        (b"{not avro}", {}, "no schema id"),
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
        ((), 2, "Name one letter"),
        (("0:0", "--source", "changes:0:9"), 2, "Name one letter"),
        (("acme",), 2, "PARTITION:OFFSET"),
    ],
)
def test_what_is_not_there(board: Board, arguments: tuple[str, ...], status: int, words: str):
    """A letter that is not there is named with what to do; nothing or both is a usage error."""
    board.write([letter(0)])
    result = board.call("show", *arguments)
    assert result.exit_code == status
    assert words in result.output
