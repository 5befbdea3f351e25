"""The log: one JSON object a line, whatever is logged; or text for a person."""

import json
import logging
import re

import pytest

from consumer.service import logs


@pytest.fixture
def lines(capsys):
    """What is logged after `logs.start`, as written to stderr."""
    roots = logging.getLogger(), logging.getLogger("consumer"), logging.getLogger("consumer.librdkafka")
    before = [(root, root.level, root.handlers[:]) for root in roots]
    yield lambda: capsys.readouterr().err.split("\n")[:-1]
    for root, level, handlers in before:
        root.setLevel(level)
        root.handlers[:] = handlers


def test_a_line_is_an_object_with_its_fields(lines):
    """Time in UTC with milliseconds, level, logger, message, and each field by its name."""
    logs.start("info", "json")
    logging.getLogger("consumer.loop").info("draining", extra={"partitions": 3, "why": "stop"})
    (line,) = map(json.loads, lines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "info",
        "logger": "consumer.loop",
        "message": "draining",
        "partitions": 3,
        "why": "stop",
    }


def test_whatever_is_logged_is_one_line_that_parses(lines):
    """Line breaks, quotes and objects of any kind break no line."""
    logs.start("info", "json")
    strange = {
        "text": 'a\n"b"\u2028',
        "place": logging,
        "bytes": b"\xff",
        "parts": ("a", {1, 2}),
    }
    logging.getLogger("consumer").warning("two\nlines %s", "x", extra=strange)
    (line,) = lines()
    found = json.loads(line)
    assert found["message"] == "two\nlines x"
    assert found["text"] == strange["text"]


def test_a_field_does_not_hide_what_every_line_has(lines):
    """A field called `level` is a field: level, logger, time and message stay what they are."""
    logs.start("info", "json")
    logging.getLogger("consumer").info("words", extra={"level": "x", "logger": "y", "time": "z"})
    (line,) = map(json.loads, lines())
    assert (line["level"], line["logger"]) == ("info", "consumer")
    assert line["time"] != "z"


def test_an_exception_is_a_field(lines):
    """A traceback does not break the line."""
    logs.start("info", "json")
    try:
        raise ValueError("wrong")
    except ValueError:
        logging.getLogger("consumer").exception("a mistake")
    (line,) = map(json.loads, lines())
    assert line["exception"].endswith("ValueError: wrong")


def test_text_is_for_people(lines):
    """Clock, level, message, fields."""
    logs.start("debug", "text")
    logging.getLogger("consumer").debug("batch", extra={"updates": 3})
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} DEBUG   batch  updates=3", lines()[0])


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_moves_the_cursor_or_turns_the_direction(lines, form):
    """Control characters, line breaks and bidirectional marks of what others said are escaped, in fields, too."""
    logs.start("info", form)
    strange = "a\x1b[2J\x9b\r\n12:00:00.000 ERROR forged \u202eb\u2028c\x00\U000e0001"
    try:
        raise ValueError(strange)
    except ValueError:
        logging.getLogger("consumer").exception("a mistake %s", strange, extra={"topic": strange})
    written = lines()
    assert all(line.isprintable() for line in written)
    assert "\\u001b[2J" in written[0]
    assert "\\u202e" in written[0]
    assert [line for line in written[1:] if not line.startswith("    ")] == []
    if form == "json":
        assert json.loads(written[0])["topic"] == strange


def test_the_level_is_of_our_lines(lines):
    """LOG_LEVEL holds for the service and, at debug, for the client of Kafka; libraries are heard from warning on."""
    logs.start("warning", "json")
    logging.getLogger("consumer.loop").info("quiet")
    logging.getLogger("urllib3").info("quiet")
    logging.getLogger("consumer.loop").warning("heard")
    logs.start("debug", "json")
    logging.getLogger("urllib3").debug("quiet")
    logging.getLogger("consumer.librdkafka").info("heard")
    logging.getLogger("consumer").debug("heard")
    assert [json.loads(line)["message"] for line in lines()] == ["heard"] * 3
