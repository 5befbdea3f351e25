"""What is announced, what of it a new owner has to read, and what it makes of an `$add`."""

import pytest

from consumer.core.announced import ALL, GRACE, START, Announced, Gathered, Note
from consumer.core.model import Assignment, Record
from consumer.core.past import APPLIED, FREE, IN_DOUBT, MOST_GROUPS, REPEATED, UNDONE, UNKNOWN, Past
from consumer.event.model import ADD, DELETE, SET, SET_ONCE, UNSET, Operation

PLUS = Operation("company", "acme", ADD, {"n": 1})


def assigned(topic_id: str = "id") -> Assignment:
    return Assignment("changes", 0, topic_id)


def record(place: Assignment, offset: int, timestamp: int = 7) -> Record:
    return Record(place, offset, b"key", b"value", None, timestamp, 0.0)


def note(offset: int, name: str = "a.1", *, applied: bool = False, rule: str = "", timestamp: int = 7) -> Note:
    adds = [(offset, rule, timestamp)]
    return Note("changes", "id", 0, name, [] if applied else adds, adds if applied else [], 3)


def past_of(place: Assignment, *notes: Note) -> Past:
    past = Past()
    past.writable = True
    past.begin(place, START)
    past.known(place, list(notes))
    return past


def test_the_next_owner_reads_from_the_first_that_is_not_committed():
    """From where this owner began, before it has read; from its first announcement, and from the end without any."""
    place, announced = assigned(), Announced()
    announced.begin(place, "a", 5, START)
    assert announced.floor(place) == 5
    announced.found(place, [], 9)
    assert announced.floor(place) == 9
    first, second = (announced.announce(place, [(offset, "", 7)]) for offset in (10, 11))
    assert first is not None
    assert second is not None
    announced.written(first, 20)
    announced.written(second, 21)
    assert announced.floor(place) == 20
    announced.passed(place, 11, 100.0)
    assert announced.outdated(100.0 + GRACE - 1) == []
    assert announced.floor(place) == 20, "what is not taken out yet is the next owner's to take out"
    assert announced.outdated(100.0 + GRACE) == [first]
    assert (first.says_nothing(), second.says_nothing()) == (True, False), "memory keeps only what may be asked for"
    assert announced.floor(place) == 21
    announced.passed(place, 12, 200.0)
    assert announced.outdated(200.0 + GRACE) == [second]
    assert announced.floor(place) == 22


def test_what_was_found_is_kept_until_it_is_committed():
    """A second crash must not lose what the first left behind."""
    place, announced = assigned(), Announced()
    announced.begin(place, "b", START, START)
    assert announced.floor(place) == START
    announced.found(place, [note(10)], 30)
    assert announced.floor(place) == 3
    announced.passed(place, 11, 0.0)
    assert [one.name for one in announced.outdated(GRACE)] == ["a.1"]
    assert announced.floor(place) == 30


def test_the_next_owner_is_told_what_this_one_may_have_undone():
    """Once it has committed: all up to the last that was applied before, and anything until that is read."""
    place, announced = assigned(), Announced()
    assert announced.redone(place, 10, 12) == START
    announced.begin(place, "b", 0, START)
    assert announced.redone(place, 10, 10) == START, "who begins at the same offset sees it sent again"
    assert announced.redone(place, 10, 11) == announced.redone(place, -1, 11) == ALL
    announced.found(place, [note(12, applied=True), note(11, applied=True), note(20)], 30)
    assert announced.redone(place, 10, 10) == START
    assert announced.redone(place, 10, 11) == announced.redone(place, 10, 12) == 13
    assert announced.redone(place, 10, 13) == START
    one = announced.announce(place, [(30, "", 7)])
    assert one is not None
    one.answered({(30, "", 7)}, set())
    assert announced.redone(place, 10, 14) == START, "nothing takes back what it applied itself"


def test_what_was_told_of_it_goes_from_owner_to_owner():
    """As long as nobody gets any further."""
    place, announced = assigned(), Announced()
    announced.begin(place, "c", 0, 13)
    announced.found(place, [note(12, applied=True), note(14, applied=True)], 30)
    assert announced.redone(place, 11, 11) == 13
    assert announced.redone(place, 11, 12) == 15
    announced.begin(place, "c", 0, ALL)
    assert announced.redone(place, 11, 11) == ALL


def test_an_announcement_that_is_not_confirmed_is_behind_what_is_known():
    """Its place in the journal is not known; it cannot be before the end that is."""
    place, announced = assigned(), Announced()
    announced.begin(place, "a", 0, START)
    announced.found(place, [], 9)
    announced.announce(place, [(10, "", 7)])
    assert announced.floor(place) == 9


def test_nothing_is_announced_or_taken_back_once_the_epoch_is_over():
    """What is written then could be read by nobody, or after another has decided by it."""
    place, announced = assigned(), Announced()
    announced.begin(place, "a", 0, START)
    one = announced.announce(place, [(10, "", 7)])
    assert one is not None
    announced.forget([place])
    assert announced.announce(place, [(11, "", 7)]) is None
    assert not announced.holds(place, one)
    announced.passed(place, 99, 0.0)
    assert announced.outdated(GRACE) == []
    assert announced.floor(place) == START


def test_each_note_has_a_name_of_its_own():
    """The same `$add`, announced again after it was withdrawn, is in another one."""
    place, announced = assigned(), Announced()
    announced.begin(place, "a", 0, START)
    one = announced.announce(place, [(10, "", 7)])
    assert one is not None
    announced.withdrawn(place, one)
    assert not announced.holds(place, one)
    two = announced.announce(place, [(10, "", 7)])
    assert two is not None
    assert one.name != two.name


def test_what_is_partly_committed_is_kept_whole():
    """The next owner still has to know of the rest; it is over with its last record."""
    place, announced = assigned(), Announced()
    announced.begin(place, "a", 0, START)
    announced.found(place, [], 9)
    one = announced.announce(place, [(12, "", 7), (10, "", 7)])
    assert one is not None
    announced.passed(place, 12, 0.0)
    assert announced.holds(place, one)
    announced.passed(place, 13, 0.0)
    assert announced.outdated(GRACE) == [one]


def test_a_note_has_what_became_of_each():
    """Applied, surely not, or in doubt as before; and it says nothing once none is left."""
    one = Note("changes", "id", 0, "a.1", [(number, "", number) for number in range(4)], [])
    assert not one.answered(set(), set())
    assert one.answered({(0, "", 0), (1, "", 1)}, {(1, "", 1), (2, "", 2)})
    assert (one.applied, one.in_doubt) == ([(0, "", 0), (1, "", 1)], [(3, "", 3)])
    assert not one.answered({(0, "", 0)}, {(1, "", 1)}), "what is known to be applied stays so"
    other = note(10)
    assert other.answered(set(), {(10, "", 7)})
    assert other.says_nothing()
    assert not one.says_nothing()


def test_what_is_taken_as_a_whole_is_applied():
    """Beside what was known to be."""
    one = Note("changes", "id", 0, "a.1", [(number, "", number) for number in range(3)], [])
    one.answered({(0, "", 0)}, {(1, "", 1)})
    one.taken()
    assert (one.applied, one.in_doubt) == ([(0, "", 0), (2, "", 2)], [])
    other = note(10)
    other.taken()
    assert (other.applied, other.in_doubt) == ([(10, "", 7)], [])


def test_a_stretch_of_the_journal_comes_to_its_notes():
    """The last word of each name counts; each is where it stood first; other partitions have their own."""
    gathered = Gathered()
    gathered.put(note(10))
    gathered.put(note(11, "a.2"))
    later = note(10, applied=True)
    later.position = 8
    gathered.put(later)
    gathered.gone("a.2")
    [found] = gathered.about(assigned())
    assert (found.applied, found.in_doubt, found.position) == ([(10, "", 7)], [], 3)
    assert gathered.about(Assignment("changes", 1, "id")) == []
    assert gathered.about(Assignment("other", 0, "id")) == []


@pytest.mark.parametrize(("topic_id", "is_same"), [("id", True), ("", True), ("another", False)])
def test_a_topic_made_anew_is_another(topic_id: str, is_same: bool):
    """An id that is not known may be any."""
    assert note(10).about(assigned(topic_id)) == is_same


def test_an_add_waits_for_the_journal_and_nothing_else_does():
    """Whatever is not added goes; an `$add` where its partition was read, and new ones can be announced."""
    place, past = assigned(), Past()
    past.begin(place, START)
    add = record(place, 10)
    assert past.fate(add, "", "default", Operation("company", "acme", SET, {"a": 1})) == FREE
    past.writable = True
    assert past.fate(add, "", "default", PLUS) == UNKNOWN
    past.known(place, [])
    assert past.fate(add, "", "default", PLUS) == FREE
    past.writable = False
    assert past.fate(add, "", "default", PLUS) == UNKNOWN


def test_what_was_announced_is_in_doubt_or_applied():
    """By its offset, its rule and its record's timestamp; one word that it was applied is enough."""
    place = assigned()
    notes = [note(10), note(11, "a.2", applied=True), note(12, "a.3", rule="sum"), note(14, "a.4", applied=True)]
    past = past_of(place, *notes, note(14, "b.1"))
    assert past.fate(record(place, 9), "", "default", PLUS) == FREE
    assert past.fate(record(place, 10), "", "default", PLUS) == IN_DOUBT
    assert past.fate(record(place, 11), "", "default", PLUS) == APPLIED
    assert past.fate(record(place, 12), "", "default", PLUS) == FREE
    assert past.fate(record(place, 12), "sum", "default", PLUS) == IN_DOUBT
    assert past.fate(record(place, 14), "", "default", PLUS) == APPLIED


def test_another_record_at_the_offset_is_not_taken_for_it():
    """The log was cut, and others were written since."""
    place = assigned()
    past = past_of(place, note(10, applied=True))
    assert past.fate(record(place, 10, timestamp=8), "", "default", PLUS) == FREE


@pytest.mark.parametrize(
    ("before", "fate"),
    [
        (Operation("company", "acme", SET, {"n": 5}), UNDONE),
        (Operation("company", "acme", UNSET, {"n": None}), UNDONE),
        (Operation("company", "acme", DELETE, {}), UNDONE),
        (Operation("company", "acme", SET, {"m": 5}), APPLIED),
        (Operation("company", "acme", SET_ONCE, {"n": 5}), APPLIED),
        (Operation("company", "beta", DELETE, {}), APPLIED),
        (Operation("company", "acme", DELETE, {}, "parent"), APPLIED),
    ],
)
@pytest.mark.parametrize("early", [True, False])
def test_what_is_sent_again_may_take_it_back(before: Operation, fate: int, early: bool):
    """Be it read before the journal was, or after."""
    place, past = assigned(), Past()
    past.writable = True
    past.begin(place, START)
    if early:
        past.fate(record(place, 9), "", "default", before)
    past.known(place, [note(10, applied=True)])
    if not early:
        past.fate(record(place, 9), "", "default", before)
    assert past.fate(record(place, 10), "", "default", PLUS) == fate
    assert past.fate(record(place, 10), "", "other", PLUS) == APPLIED


def test_what_an_owner_in_between_may_have_sent_again_is_named():
    """It is gone with that owner what it was; what was applied behind it is left out."""
    place, past = assigned(), Past()
    past.writable = True
    past.begin(place, 11)
    past.known(place, [note(10, applied=True), note(11, "a.2", applied=True)])
    assert [past.fate(record(place, offset), "", "default", PLUS) for offset in (10, 11, 12)] == [
        UNDONE,
        APPLIED,
        FREE,
    ]


def test_of_too_many_groups_each_is_taken_back():
    """What is kept has a bound; then an `$add` is rather named than lost."""
    place, past = assigned(), Past()
    past.writable = True
    past.begin(place, START)
    for number in range(MOST_GROUPS + 1):
        past.fate(record(place, number), "", "default", Operation("company", str(number), DELETE, {}))
    past.known(place, [note(10**6, applied=True)])
    assert past.fate(record(place, 10**6), "", "default", PLUS) == UNDONE


def test_what_may_have_been_committed_before_its_log_was_cut_is_named():
    """Below the offset that the assignment tells; what the journal knows of it goes first. All else is sent again."""
    place = Assignment("changes", 0, "id", 12)
    past = past_of(place, note(10), note(11, "a.2", applied=True))
    assert past.fate(record(place, 9), "", "default", Operation("company", "acme", SET, {"m": 1})) == FREE
    assert past.fate(record(place, 9), "", "default", PLUS) == REPEATED
    assert past.fate(record(place, 10), "", "default", PLUS) == IN_DOUBT
    assert past.fate(record(place, 11), "", "default", PLUS) == APPLIED
    assert past.fate(record(place, 12), "", "default", PLUS) == FREE
    past.begin(place, START)
    assert past.fate(record(place, 9), "", "default", PLUS) == UNKNOWN
    past.known(place, [])
    assert past.fate(record(place, 11), "", "default", PLUS) == REPEATED
    past.writable = False
    assert past.fate(record(place, 11), "", "default", PLUS) == UNKNOWN


def test_without_a_journal_only_what_may_be_repeated_after_a_cut_is_named():
    """Nothing is waited for."""
    past = Past(writable=True)
    assert past.fate(record(assigned(), 9), "", "default", PLUS) == FREE
    place = Assignment("changes", 0, "id", 12)
    assert [past.fate(record(place, offset), "", "default", PLUS) for offset in (11, 12)] == [REPEATED, FREE]


def test_nothing_is_kept_behind_the_last_note():
    """Most of the time there is nothing to look at."""
    place = assigned()
    past = past_of(place, note(10))
    past.fate(record(place, 11), "", "default", Operation("company", "acme", SET, {"a": 1}))
    assert past._redone == {}
    past = past_of(place)
    assert past._redone == {}
    past = past_of(place, note(10))
    past.forget([place])
    assert past._redone == {}
