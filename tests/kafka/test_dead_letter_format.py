"""The headers of a dead letter: each rule of the interface."""

import json

import pytest

import consumer
from consumer.core.model import Assignment, DeadLetter, Record
from consumer.event.errors import REASONS, TASK_PUT, TRANSFORMATION, VALUE_CONVERTER
from consumer.kafka.dead_letter_format import (
    MAX_RULES,
    MAX_TEXT,
    MAX_UPDATE,
    MAX_WORDS,
    ROOM,
    Origin,
    cut,
    headers_of,
    origin_of,
    parted,
    timestamp_of,
    without_token,
)

PLACE = Record(Assignment("group-changes", 3), 41, b"k", b"v", None, 1, 0.0)
ALWAYS = {
    "__connect.errors.topic": "group-changes",
    "__connect.errors.partition": "3",
    "__connect.errors.offset": "41",
    "__connect.errors.connector.name": "the-group",
}


def told(letter: DeadLetter, group: str = "the-group") -> dict[str, str]:
    """The headers as text; none comes twice."""
    pairs = headers_of(letter, group)
    assert len(dict(pairs)) == len(pairs)
    return {name: value.decode("utf-8") for name, value in pairs}


def test_a_record_that_was_never_read_says_where_and_why():
    """Without a frame, an update or an answer there are no headers for them."""
    found = told(DeadLetter(PLACE, "not_framed", VALUE_CONVERTER, "no magic byte"))
    assert found == ALWAYS | {
        "__connect.errors.stage": "VALUE_CONVERTER",
        "__connect.errors.class.name": "consumer.core.decode",
        "__connect.errors.exception.class.name": "consumer.core.errors.not_framed",
        "__connect.errors.exception.message": "no magic byte",
        "mixpanel.reason": "not_framed",
        "mixpanel.detail": "no magic byte",
        "mixpanel.consumer.version": consumer.__version__,
    }


def test_a_refusal_says_all_of_it():
    """Mixpanel's status and words, the record's own update, the schema."""
    letter = DeadLetter(PLACE, "rejected", TASK_PUT, "refused", 7, 200, "$group_id, \u00fcber", b'{"$set":{}}')
    found = told(letter)
    assert found["mixpanel.http.status"] == "200"
    assert found["mixpanel.error"] == "$group_id, \u00fcber"
    assert found["mixpanel.update"] == '{"$set":{}}'
    assert found["mixpanel.schema.id"] == "7"
    assert "mixpanel.schema.guid" not in found
    assert found["__connect.errors.stage"] == "TASK_PUT"
    assert found["__connect.errors.class.name"] == "consumer.shell.mixpanel"


def test_a_refusal_says_whose_it_was():
    """The project by its name, and the parent company; no header where there is none."""
    letter = DeadLetter(PLACE, "rejected", TASK_PUT, "refused", project="emea", company_id="\u00fcber")
    assert told(letter).items() >= {"mixpanel.project": "emea", "mixpanel.company_id": "\u00fcber"}.items()
    assert not {"mixpanel.project", "mixpanel.company_id"} & told(DeadLetter(PLACE, "corrupt", TASK_PUT, "x")).keys()


def test_a_refusal_without_words_has_words():
    """`mixpanel.error` always goes with `rejected`."""
    assert told(DeadLetter(PLACE, "rejected", TASK_PUT, "refused", 7, 200, "", b"{}"))["mixpanel.error"]


def test_a_guid_is_no_id():
    """Each way of naming a schema has its header."""
    found = told(DeadLetter(PLACE, "corrupt", VALUE_CONVERTER, "x", "01234567-89ab-cdef-0123-456789abcdef"))
    assert found["mixpanel.schema.guid"] == "01234567-89ab-cdef-0123-456789abcdef"
    assert "mixpanel.schema.id" not in found


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("stage", [VALUE_CONVERTER, TRANSFORMATION, TASK_PUT])
def test_what_is_always_there(reason, stage):
    """Every reason at every stage has the headers that tools rely on."""
    found = told(DeadLetter(PLACE, reason, stage, ""))
    assert found.items() >= (ALWAYS | {"__connect.errors.stage": stage, "mixpanel.reason": reason}).items()
    assert found["mixpanel.consumer.version"] == consumer.__version__


@pytest.mark.parametrize(("size", "there"), [(MAX_UPDATE, True), (MAX_UPDATE + 1, False)])
def test_a_large_update_is_left_out(size, there):
    """Up to 64 KiB the update is there; the record has all of it anyway."""
    letter = DeadLetter(PLACE, "rejected", TASK_PUT, "x", 1, 200, "x", b"x" * size)
    assert ("mixpanel.update" in told(letter)) is there


def test_all_of_it_stays_below_128_kib():
    """However long the words are."""
    words = "\u00fc" * 1_000_000
    letter = DeadLetter(PLACE, "rejected", TASK_PUT, words, "g" * 100_000, 200, words, b"x" * MAX_UPDATE)
    pairs = headers_of(letter, "group" * 10_000)
    assert sum(len(name) + len(value) for name, value in pairs) < 128 * 1024


@pytest.mark.parametrize("text", ["a" * (MAX_TEXT + 1), "\u00fc" * MAX_TEXT, "a" + "\U0001f600" * MAX_TEXT, "\ud800"])
def test_words_are_cut_between_characters(text):
    """What is cut is UTF-8 all the same; half a character of the input becomes a question mark."""
    encoded = cut(text)
    assert len(encoded) <= MAX_TEXT
    assert text.startswith(encoded.decode("utf-8")) or encoded == b"?"


@pytest.mark.parametrize(
    ("update", "left"),
    [
        (b'{"$token":"t","$set":{"a":1}}', {"$set": {"a": 1}}),
        (b'[{"$token":"t","$unset":["a"]},{"$set":{}}]', [{"$unset": ["a"]}, {"$set": {}}]),
        (b'{"\\u0024token":"t","$set":{}}', {"$set": {}}),
        (b'{"$set":{"$token":"a value of its own"}}', {"$set": {"$token": "a value of its own"}}),
    ],
)
def test_an_update_never_names_the_token(update, left):
    """However it is written; and a property of that name stays."""
    assert json.loads(without_token(update)) == left


def test_an_update_without_a_token_is_byte_for_byte():
    """Nothing is written again that need not be."""
    assert without_token(b'{"$set":{"a":1.50e3, "b":"\xc3\xbc"}}') == b'{"$set":{"a":1.50e3, "b":"\xc3\xbc"}}'


def test_what_cannot_be_read_and_may_name_the_token_is_left_out():
    """A half of an update shows no token either."""
    assert without_token(b'{"$token":"t","$set') == b""


def test_what_was_refused_of_several_updates():
    """The rules, and of each refusal its rule, reason, status and Mixpanel's words; no status is null."""
    letter = DeadLetter(PLACE, "rejected", TASK_PUT, "x", 1, 200, "no", b"[{}]", rule="a,b")
    letter.parts = [
        DeadLetter(PLACE, "rejected", TASK_PUT, "x", 1, 200, "no", b"{}", rule="a"),
        DeadLetter(PLACE, "invalid_change", TRANSFORMATION, "y", 1, rule="b"),
    ]
    found = told(letter)
    assert found["mixpanel.rule"] == "a,b"
    assert json.loads(found["mixpanel.refusals"]) == [
        {"rule": "a", "reason": "rejected", "status": 200, "error": "no"},
        {"rule": "b", "reason": "invalid_change", "status": None, "error": None},
    ]
    assert not {"mixpanel.rule", "mixpanel.refusals"} & told(DeadLetter(PLACE, "corrupt", TASK_PUT, "x")).keys()


def test_refusals_that_are_too_long_lose_their_words_first():
    """Reasons are worth more than words; half of a list says nothing."""
    letter = DeadLetter(PLACE, "rejected", TASK_PUT, "x")
    one = DeadLetter(PLACE, "rejected", TASK_PUT, "x", 1, 200, "w" * 1000, rule="a")
    letter.parts = [one] * 30
    assert {row["error"] for row in json.loads(told(letter)["mixpanel.refusals"])} == {None}
    letter.parts = [one] * 3
    assert {len(row["error"]) for row in json.loads(told(letter)["mixpanel.refusals"])} == {MAX_WORDS}
    letter.parts = [one] * 200
    assert "mixpanel.refusals" not in told(letter)


def test_all_that_is_appended_fits_in_the_room():
    """The longest of everything: what `check`, the docs and the sandbox tell to leave is enough."""
    place = Record(Assignment("t" * 249, 2**31 - 1, "i" * 22), 2**62, b"", b"", None, 2**62, 0.0, 2**31)
    text = "\u20ac" * MAX_TEXT
    reason, update = max(REASONS, key=len), b"x" * MAX_UPDATE
    dead = DeadLetter(
        place, reason, TRANSFORMATION, text, "g" * 36, 599, text, update, "p" * 255, text, "r" * MAX_RULES
    )
    dead.parts = [DeadLetter(place, reason, TASK_PUT, text, 1, 599, "r" * MAX_WORDS, rule="r")] * 19
    headers = headers_of(dead, "g" * 32_767, own_time=True)
    assert {"mixpanel.rule", "mixpanel.refusals", "mixpanel.company_id"} < {name for name, _ in headers}
    assert MAX_UPDATE < sum(len(name) + len(value) + 10 for name, value in headers) < ROOM - 128


def test_what_is_written_is_read_back():
    """Own headers, the origin, and the record's own time."""
    place = Record(Assignment("t", 3, "the-topic-id"), 4, b"", b"", None, 1234, 0.0, 2)
    own, appended = parted(
        [("mine", None), *headers_of(DeadLetter(place, "corrupt", TASK_PUT, "x"), "g", own_time=True)]
    )
    assert own == [("mine", None)]
    assert origin_of(appended) == Origin("t", 3, 4)
    assert timestamp_of(appended, 99) == 1234
    assert (appended["mixpanel.topic.id"], appended["mixpanel.headers.lost"]) == (b"the-topic-id", b"2")


@pytest.mark.parametrize("written", [b"", b"-1", b"soon", b"9" * 30, None])
def test_a_time_that_is_none_is_not_taken(written):
    """Anybody may write a header."""
    assert timestamp_of({"mixpanel.record.timestamp": written}, 99) == 99
