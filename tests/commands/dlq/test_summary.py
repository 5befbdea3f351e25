"""Counts of dead letters that stay small however many there are."""

import random

from consumer.commands.dlq.dead_letter import FOREIGN, StoredDeadLetter
from consumer.commands.dlq.summary import HOUR, MOST_ROWS, MOST_TIMES, OTHERS, DeadLetterSummary, NamedCounts, Times


def letter(offset: int, timestamp: int, topic: str = "changes", reason: str = "rejected") -> StoredDeadLetter:
    """A dead letter of the time."""
    headers = [
        ("__connect.errors.topic", topic.encode()),
        ("__connect.errors.partition", b"0"),
        ("__connect.errors.offset", str(offset).encode()),
        ("mixpanel.reason", reason.encode()),
        ("mixpanel.detail", b"why"),
    ]
    return StoredDeadLetter(0, offset, None, b"", headers, timestamp)  # type: ignore[arg-type]


def test_counts_and_the_newest():
    """Everything is counted by reason, topic and schema; the newest letters are kept, newest first."""
    summary = DeadLetterSummary(keep=2)
    summary.add(letter(1, 3 * HOUR), "rejected", "")
    summary.add(letter(2, 1 * HOUR, "other"), "rejected", "settled")
    summary.add(letter(3, 2 * HOUR, reason="corrupt"), "corrupt", "refused")
    summary.add(StoredDeadLetter(0, 4, None, b"", [], -1), FOREIGN, "")
    assert (summary.total.dead_letters, summary.total.open) == (4, 2)
    assert (summary.total.oldest, summary.total.newest) == (HOUR, 3 * HOUR)
    rows = [(name, count.dead_letters, count.open) for name, count in summary.reasons.newest_first()]
    assert rows == [("rejected", 2, 1), ("corrupt", 1, 1), (FOREIGN, 1, 0)]
    assert [name for name, _ in summary.topics.newest_first()] == ["changes", "other", "(none)"]
    assert [(line.offset, line.state) for line in summary.newest_first()] == [(1, ""), (3, "refused")]
    assert summary.times.undated.dead_letters == 1


def test_rows_of_time_widen_and_lose_nothing():
    """However the times are spread, there are few rows of one width, and they add up."""
    randomly = random.Random(1)
    for spread in (1000, 10**7, 10**9, 10**11, 10**13, 10**15, 10**18):
        times = Times()
        for _ in range(2000):
            times.add(randomly.randrange(spread), randomly.random() < 0.5)
        rows = times.newest_first()
        assert len(rows) <= max(MOST_TIMES, 82)
        assert sum(count.dead_letters for _, count in rows) + times.undated.dead_letters == 2000
        assert all(begin % times.width == 0 for begin, _ in rows)
        assert [begin for begin, _ in rows] == sorted((begin for begin, _ in rows), reverse=True)
        assert all(begin <= count.oldest <= count.newest < begin + times.width for begin, count in rows)


def test_names_beyond_the_limit_are_one_row():
    """A million different names do not take memory for a million rows."""
    counts = NamedCounts()
    for number in range(3 * MOST_ROWS):
        counts.add(f"name-{number}", number, True)
    assert len(counts.rows) == MOST_ROWS + 1
    assert counts.rows[OTHERS].dead_letters == 2 * MOST_ROWS
