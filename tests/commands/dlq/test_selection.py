"""Which dead letters are meant, and how people write times, ranges and places."""

from datetime import UTC, datetime
from typing import Any

import pytest

from consumer.commands.dlq.dead_letter import StoredDeadLetter
from consumer.commands.dlq.selection import LAST, Range, Selection, read_origin, read_place, read_range, read_time
from consumer.kafka.dead_letter_format import Origin

NOW = datetime(2026, 8, 21, 12, 0, tzinfo=UTC)
HEADERS = [
    ("__connect.errors.topic", b"changes"),
    ("__connect.errors.partition", b"3"),
    ("__connect.errors.offset", b"70"),
    ("mixpanel.reason", b"rejected"),
]
LETTER = StoredDeadLetter(1, 9, b"company:acme", b"value", HEADERS, 5000)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-08-21", datetime(2026, 8, 21, tzinfo=UTC)),
        ("2026-08-21T14:30", datetime(2026, 8, 21, 14, 30, tzinfo=UTC)),
        ("2026-08-21 14:30:01.500+02:00", datetime(2026, 8, 21, 12, 30, 1, 500_000, tzinfo=UTC)),
        ("90m", datetime(2026, 8, 21, 10, 30, tzinfo=UTC)),
        ("7d", datetime(2026, 8, 14, 12, 0, tzinfo=UTC)),
    ],
)
def test_times(text: str, expected: datetime):
    """A date, a time in UTC or with its zone, or so long ago."""
    assert read_time(text, lambda: NOW) == round(expected.timestamp() * 1000)


@pytest.mark.parametrize("text", ["", "yesterday", "5", "5 m", "2026-13-01", "-5m"])
def test_what_is_no_time_is_refused(text: str):
    """The sentence shows what is allowed."""
    with pytest.raises(ValueError, match="is not a time such as 2026-08-21"):
        read_time(text, lambda: NOW)


def test_a_time_before_all_times_is_the_beginning():
    """So long ago that no calendar has it selects everything, and is no fault."""
    assert read_time("99999999999d", lambda: NOW) < 0


@pytest.mark.parametrize(
    ("text", "expected"), [("5", (5, 5)), ("5-9", (5, 9)), ("5-", (5, LAST)), ("-9", (0, 9)), ("7-7", (7, 7))]
)
def test_ranges(text: str, expected: tuple[int, int]):
    """One offset, or a range that may be open at one end."""
    assert read_range(text) == expected


@pytest.mark.parametrize("text", ["", "-", "9-5", "a-b", "1-2-3", "1:2"])
def test_what_is_no_range_is_refused(text: str):
    """No guess is made."""
    with pytest.raises(ValueError):
        read_range(text)


def test_places():
    """A place in the dead-letter topic, and one in the source."""
    assert read_place("0:1042") == (0, 1042)
    assert read_origin("group-changes:3:88") == Origin("group-changes", 3, 88)
    for text in ("1042", "0:", ":1", "a:b", "x:0:1042"):
        with pytest.raises(ValueError):
            read_place(text)
    for text in ("0:1", "topic:0", "topic:a:1", ":1:2"):
        with pytest.raises(ValueError):
            read_origin(text)


MATCHING: dict[str, Any] = {
    "reasons": frozenset({"rejected", "corrupt"}),
    "topic": "changes",
    "source_partition": 3,
    "source_offsets": Range(70, 70),
    "since": 5000,
    "until": 5001,
    "key": b"company:acme",
    "partition": 1,
    "offsets": Range(0, 9),
}
OTHER: dict[str, Any] = {
    "reasons": frozenset({"corrupt"}),
    "topic": "others",
    "source_partition": 2,
    "source_offsets": Range(71, LAST),
    "since": 5001,
    "until": 5000,
    "key": b"company",
    "partition": 0,
    "offsets": Range(0, 8),
}


def test_a_selection_takes_what_matches_in_everything():
    """All that is asked must hold, and one thing that does not is enough to leave the letter out."""
    assert Selection().everything
    assert Selection().takes(LETTER, "rejected")
    assert Selection(**MATCHING).takes(LETTER, "rejected")
    for name, value in OTHER.items():
        assert not Selection(**{**MATCHING, name: value}).takes(LETTER, "rejected"), name
        assert not Selection(**{name: value}).takes(LETTER, "rejected"), name


def test_the_reason_is_the_one_that_counts_today():
    """A letter that a replay found to be ambiguous is not taken for what its header says."""
    assert not Selection(reasons=frozenset({"rejected"})).takes(LETTER, "ambiguous_add")


def test_a_foreign_record_is_of_no_source():
    """Where the source is asked for, a record without one is left out."""
    foreign = StoredDeadLetter(1, 9, None, b"", [], 5000)
    assert Selection().takes(foreign, foreign.reason)
    assert not Selection(topic="changes").takes(foreign, foreign.reason)
