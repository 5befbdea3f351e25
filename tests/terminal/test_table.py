"""Tables for people."""

import pytest

from consumer.terminal.table import layout, measure, printable, wrap


def lines(headers, rows, limit=80):
    """All lines of the table."""
    return [line for block in layout(headers, rows, limit) for line in block]


def test_columns():
    """Text is to the left, numbers to the right."""
    assert lines(["name", "count"], [["a", 5], ["bcd", 1000]]) == ["name  count", "a         5", "bcd    1000"]


@pytest.mark.parametrize("limit", [40, 80, 120])
def test_fits(limit):
    """No line is longer than the terminal, whatever the cells hold."""
    rows = [["a" * 50, "some words " * 20, "x/y/" * 40, 12345]]
    assert all(measure(line) <= limit for line in lines(["one", "two", "three", "four"], rows, limit))


def test_nothing_is_lost():
    """What is wrapped is all there."""
    text = "kafka-topics.sh --bootstrap-server kafka-1:9092,kafka-2:9092 --create"
    assert "".join("".join(wrap(text, 12)).split()) == "".join(text.split())


def test_wide_characters():
    """Characters that take two columns are counted as two."""
    assert [measure(line) for line in wrap("日本語日本語", 6)] == [6, 6]


def test_terminal_stays_clean():
    """What would move the cursor is shown, not done."""
    assert printable("a\x1b[2Jb\n\u202e") == "a\\x1b[2Jb\\n\\u202e"


def test_no_rows():
    """A table without rows is its header."""
    assert lines(["a", "b"], []) == ["a  b"]
