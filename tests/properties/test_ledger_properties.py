"""The ledger against the plainest one: a list of what was seen, and a set of what is settled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.offsets import KEPT, WIDEST_GAP, Ledger

GAPS = st.sampled_from([1, 1, 1, 1, 2, 7, WIDEST_GAP, WIDEST_GAP + 1, WIDEST_GAP + 2, 10**12])


@settings(deadline=None)
@given(st.data(), st.lists(st.tuples(GAPS, st.booleans(), st.booleans()), max_size=60), st.integers(0, 2**40))
def test_the_ledger_is_the_plain_one(data, steps, start):
    """Whatever is seen and settled in whatever order, it says the same of commit, open records and ages."""
    ledger = Ledger()
    seen: list[tuple[int, float]] = []
    settled: set[int] = set()
    committable, offset, now, end = -1, start, 0.0, -1
    for gap, another_poll, at_end in steps:
        offset += gap
        now += another_poll
        ledger.seen(offset, now)
        seen.append((offset, now))
        for _ in range(data.draw(st.integers(0, 2))):
            left = [one for one, _ in seen if one not in settled]
            if left:
                one = data.draw(st.sampled_from(left))
                settled.add(one)
                ledger.settle(one)
        while seen and seen[0][0] in settled:
            committable = seen.pop(0)[0] + 1
        if at_end:
            end = offset + gap
            ledger.ended(end)
            offset = end - 1
        if not seen:
            committable = max(committable, end)
        ahead = sum(one in settled for one, _ in seen)
        first, oldest = seen[0] if seen else (-1, -1.0)
        assert (ledger.committable, len(ledger), ledger.settled_ahead()) == (committable, len(seen), ahead)
        assert (ledger.first_open(), ledger.oldest()) == (first, oldest)


@pytest.mark.parametrize("gap", [1, WIDEST_GAP, WIDEST_GAP + 1, 10**6])
def test_memory_follows_what_is_open(gap):
    """However wide the gaps that compaction left; and none for what is passed."""
    ledger = Ledger()
    for number in range(20_000):
        ledger.seen(number * gap, float(number // 500))
        if number >= 1_000:
            ledger.settle((number - 1_000) * gap)
    assert len(ledger) == 1_000
    assert len(ledger._stretches) <= 2 * (1_000 + KEPT)
    assert sum(len(stretch.states) for stretch in ledger._stretches) <= 2 * (1_000 + KEPT) * WIDEST_GAP
    assert len(ledger._polls) == 2
