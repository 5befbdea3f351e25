"""The flood breaker: when a service stops instead of emptying a topic into its dead-letter topic."""

import random

from consumer.core.breaker import ACCEPTED, ADMITTED, REFUSED, UNREADABLE, WINDOW, Breaker


def breaker(*counts: tuple[int, int], enabled: bool = True) -> Breaker:
    """A breaker that counted these, in one second."""
    made = Breaker(enabled)
    for what, count in counts:
        made.count(what, count, 100.0)
    return made


def test_a_thousand_rejects_that_are_half_open_it():
    """1,000 unreadable records beside 1,000 good ones: open. 999 rejects are none too many, whatever their share."""
    assert breaker((ADMITTED, 1000), (ACCEPTED, 1000), (UNREADABLE, 1000)).open
    assert not breaker((ADMITTED, 1000), (ACCEPTED, 1000), (UNREADABLE, 999)).open
    assert not breaker((UNREADABLE, 999)).open
    assert breaker((UNREADABLE, 1000)).open


def test_rejects_that_are_less_than_half_leave_it_closed():
    """1,000 rejects among 2,001 records are no flood."""
    assert not breaker((ADMITTED, 1001), (ACCEPTED, 1001), (UNREADABLE, 1000)).open
    assert not breaker((ADMITTED, 50_000), (ACCEPTED, 1001), (REFUSED, 1000)).open


def test_refusals_by_mixpanel_count_against_what_it_accepted():
    """Whatever waits to be sent is not yet good: 1,000 refusals and nothing accepted is a flood."""
    assert breaker((ADMITTED, 50_000), (REFUSED, 1000)).open
    assert breaker((ADMITTED, 50_000), (ACCEPTED, 1000), (REFUSED, 1000)).open


def test_both_stages_together():
    """A record must pass both: 600 of 1,300 unreadable and 450 of 700 refused leave 250 of 1,300."""
    assert breaker((ADMITTED, 700), (UNREADABLE, 600), (ACCEPTED, 250), (REFUSED, 450)).open
    assert not breaker((ADMITTED, 7000), (UNREADABLE, 600), (ACCEPTED, 6550), (REFUSED, 450)).open


def test_a_full_topic_that_was_not_sent_yet_is_no_flood():
    """At a start 1,000 bad among many records are decoded before Mixpanel answered anything, or very little."""
    assert not breaker((ADMITTED, 20_000), (UNREADABLE, 1500)).open
    assert not breaker((ADMITTED, 20_000), (REFUSED, 99), (UNREADABLE, 1500)).open
    assert breaker((ADMITTED, 20_000), (UNREADABLE, 1500), (REFUSED, 100)).open


def test_refusals_of_what_was_read_long_ago_still_count():
    """What was decoded more than a minute ago is out of the window; its refusals are not."""
    late = Breaker(True)
    late.count(ADMITTED, 5000, 0.0)
    late.count(REFUSED, 1000, 200.0)
    assert late.open


def test_a_minute_is_the_window():
    """Rejects are counted for 60 s and then forgotten, with what passed at the same time."""
    slow = Breaker(True)
    for second in range(600):
        slow.count(UNREADABLE, 16, float(second))
    assert not slow.open
    assert slow.rejects() == 61 * 16
    slow.count(UNREADABLE, 24, 599.5)
    assert slow.open


def test_the_window_is_right_after_any_pause():
    """Counts at random times, against their sum."""
    rng = random.Random(1)
    counted: list[tuple[int, int]] = []
    minute = Breaker(False)
    second = 0
    for _ in range(2_000):
        second += rng.choice((0, 0, 0, 0, 1, 1, 2, 7, 59, 60, 61, 62, 500)) if rng.random() < 0.3 else 0
        count = rng.randrange(5)
        minute.count(rng.choice((UNREADABLE, REFUSED)), count, second + 0.5)
        minute.count(rng.choice((ADMITTED, ACCEPTED)), 3, second + 0.5)
        counted.append((second, count))
        assert minute.rejects() == sum(count for at, count in counted[-200:] if at >= second - WINDOW)


def test_it_never_closes():
    """Only a restart tries again."""
    tripped = breaker((UNREADABLE, 1000))
    tripped.count(ACCEPTED, 1_000_000, 5000.0)
    tripped.count(UNREADABLE, 1, 5000.0)
    assert tripped.open


def test_switched_off_it_never_opens():
    """`DEAD_LETTER_BREAKER=off` lets a flood through, and still counts it."""
    off = breaker((UNREADABLE, 1_000_000), enabled=False)
    assert not off.open
    assert off.rejects() == 1_000_000
