"""The ledger of one assignment: what may be committed, from records that were really seen."""

from consumer.core.offsets import Ledger


def ledger(*offsets: int) -> Ledger:
    """A ledger that saw these offsets, each at the time of its number."""
    made = Ledger()
    for offset in offsets:
        made.seen(offset, float(offset))
    return made


def test_nothing_settled_commits_nothing():
    """Before the first record is settled there is no offset to commit, not even 0."""
    assert Ledger().committable == -1
    assert ledger(0, 1).committable == -1


def test_commit_is_one_past_the_last_settled_in_a_row():
    """Each record that settles in order moves the commit one past it."""
    tracked = ledger(0, 1, 2)
    for offset in (0, 1, 2):
        tracked.settle(offset)
        assert tracked.committable == offset + 1
    assert len(tracked) == 0


def test_an_open_record_pins_the_commit():
    """Whatever settles behind an open record waits for it; then the commit moves past all of them at once."""
    tracked = ledger(5, 6, 7, 8)
    tracked.settle(7)
    tracked.settle(6)
    assert (tracked.committable, tracked.first_open(), tracked.settled_ahead()) == (-1, 5, 2)
    tracked.settle(5)
    assert (tracked.committable, tracked.first_open(), tracked.settled_ahead()) == (8, 8, 0)


def test_gaps_are_no_records():
    """Compaction and transaction markers leave gaps: nobody waits for what does not exist."""
    tracked = ledger(3, 10, 1000)
    tracked.settle(10)
    tracked.settle(3)
    assert tracked.committable == 11
    tracked.settle(1000)
    assert tracked.committable == 1001


def test_more_may_be_seen_after_all_is_settled():
    """An empty ledger goes on where it was; the commit never moves back."""
    tracked = ledger(0)
    tracked.settle(0)
    tracked.seen(7, 9.0)
    assert (tracked.committable, tracked.first_open(), tracked.oldest()) == (1, 7, 9.0)


def test_the_oldest_open_record_is_known():
    """Its age is what a person asks for when the commit does not move."""
    tracked = ledger(1, 2, 3)
    tracked.settle(2)
    assert tracked.oldest() == 1.0
    tracked.settle(1)
    assert tracked.oldest() == 3.0
    tracked.settle(3)
    assert (tracked.oldest(), tracked.first_open()) == (-1.0, -1)


def test_the_end_of_a_partition_is_passed_once_all_before_it_is_settled():
    """Markers and aborted records at the end are no records: with nothing open the commit is the end itself."""
    tracked = ledger(3, 5)
    tracked.ended(9)
    assert tracked.committable == -1
    tracked.settle(5)
    tracked.settle(3)
    assert tracked.committable == 9
    tracked.ended(12)
    assert tracked.committable == 12


def test_the_end_is_committable_where_nothing_was_ever_read():
    """A partition of markers alone, or an empty one."""
    tracked = Ledger()
    tracked.ended(0)
    assert tracked.committable == 0


def test_a_record_behind_an_end_pins_the_commit():
    """What was read since is open, and an end that is passed moves nothing back."""
    tracked = ledger(0)
    tracked.ended(4)
    tracked.seen(4, 1.0)
    tracked.settle(0)
    assert tracked.committable == 1
    tracked.settle(4)
    assert tracked.committable == 5
    tracked.seen(6, 2.0)
    tracked.ended(8)
    tracked.settle(6)
    assert tracked.committable == 8
