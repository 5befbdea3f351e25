"""The journal of one instance, on a reader and a writer that do as they are told."""

from collections.abc import Collection

from consumer.core.announced import GRACE, START, Add, Gathered, Note
from consumer.core.model import Assignment, Record
from consumer.core.past import APPLIED, FREE, IN_DOUBT, UNKNOWN, Past
from consumer.event.model import ADD, Operation
from consumer.kafka.journal import MOST, Journal, Stretch
from consumer.kafka.journal_format import key_of, parsed

PLACE, OTHER = Assignment("changes", 0, "id"), Assignment("changes", 1, "id")
PLUS = Operation("company", "acme", ADD, {"n": 1})


class Reading:
    """What is read is put in."""

    def __init__(self) -> None:
        self.asked: list[tuple[Assignment, int]] = []
        self.read: list[Stretch] = []
        self.there = True
        self.looked = 0

    def ask(self, assignment: Assignment, start: int) -> None:
        self.asked.append((assignment, start))

    def poll(self) -> list[Stretch]:
        read, self.read = self.read, []
        return read

    def exists(self) -> bool:
        return self.there

    def look(self) -> None:
        self.looked += 1

    def rotate(self, config: dict[str, object], files: Collection[str]) -> None: ...
    def close(self) -> None: ...


class Writing:
    """What is written is kept, and confirmed when it is said so."""

    def __init__(self) -> None:
        self.written: list[tuple[bytes, bytes | None, bool]] = []
        self.confirmed: list[tuple[bytes, int]] = []
        self.given_up: list[bytes] = []
        self.fails = False

    def write(self, key: bytes, value: bytes | None, *, confirm: bool) -> None:
        self.written.append((key, value, confirm))

    def poll(self) -> list[tuple[bytes, int]]:
        confirmed, self.confirmed = self.confirmed, []
        return confirmed

    def failing(self) -> bool:
        return self.fails

    def give_up(self, keys: Collection[bytes]) -> None:
        self.given_up += keys

    def rotate(self, config: dict[str, object], files: Collection[str]) -> None: ...
    def close(self) -> None: ...


class Case:
    """A journal with one partition, that was read."""

    def __init__(self) -> None:
        self.now = 0.0
        self.past, self.reading, self.writing = Past(), Reading(), Writing()
        self.journal = Journal(self.past, self.reading, self.writing, lambda: self.now)
        self.begin(PLACE)

    def begin(self, assignment: Assignment, *notes: Note) -> None:
        gathered = Gathered()
        for note in notes:
            gathered.put(note)
        self.journal.begin(assignment, 5, START)
        self.reading.read.append(Stretch([assignment], gathered, 20))
        self.journal.turn()

    def announced(self, *offsets: int) -> Note:
        [note] = self.journal.announce(PLACE, [(offset, "", 7) for offset in offsets])
        return note

    def confirm(self, note: Note, position: int) -> None:
        self.writing.confirmed.append((key_of(note), position))
        self.journal.turn()

    def said(self) -> list[tuple[set[int], set[int]] | None]:
        """What was written without waiting: the offsets in doubt, and those that were applied."""
        found: list[tuple[set[int], set[int]] | None] = []
        for key, value, confirm in self.writing.written:
            note, gone = parsed(key, value, 0)
            if not confirm:
                found.append(None if gone else (offsets(note.in_doubt), offsets(note.applied)))
        return found

    def fate(self, offset: int) -> int:
        return self.past.fate(Record(PLACE, offset, None, b"", None, 7, 0.0), "", "default", PLUS)


def offsets(adds: list[Add]) -> set[int]:
    return {offset for offset, _, _ in adds}


def test_a_request_is_one_record_of_the_journal_or_a_few():
    """A record has a bound; each is confirmed by itself."""
    case = Case()
    notes = case.journal.announce(PLACE, [(offset, "", 7) for offset in range(MOST + 1)])
    assert [len(note.in_doubt) for note in notes] == [MOST, 1]
    case.confirm(notes[1], 31)
    assert [case.journal.written(note) for note in notes] == [False, True]
    case.confirm(notes[0], 30)
    assert case.journal.written(notes[0])
    assert case.journal.floor(PLACE) == 30


def test_what_became_of_each_is_said_at_once():
    """In doubt, applied, or not there any more; nothing where nothing is known; and taken out where none is left."""
    case = Case()
    note = case.announced(1, 2, 3)
    case.confirm(note, 30)
    case.journal.answered(PLACE, note, {(1, "", 7)}, {(2, "", 7)})
    case.journal.answered(PLACE, note, (), ())
    none = case.announced(4)
    case.journal.answered(PLACE, none, (), {(4, "", 7)})
    assert case.said() == [({3}, {1}), None]
    assert case.journal.written(none), "it is waited for no more"
    assert case.writing.given_up == [key_of(none)]
    assert case.journal.floor(PLACE) == 30


def test_a_note_that_is_taken_as_a_whole_says_so():
    """Of an epoch that is not over."""
    case = Case()
    note = case.announced(1, 2)
    case.journal.taken(PLACE, note)
    assert case.said() == [(set(), {1, 2})]
    case.journal.forget([PLACE])
    case.journal.taken(PLACE, note)
    assert len(case.said()) == 1


def test_a_note_is_taken_out_some_time_after_its_last_record_is_committed():
    """A commit that was sent before may come after, and set the offset back."""
    case = Case()
    note = case.announced(1, 2)
    case.confirm(note, 30)
    case.journal.committed(PLACE, 2)
    case.journal.committed(PLACE, 3)
    case.journal.answered(PLACE, note, {(1, "", 7), (2, "", 7)}, ())
    case.now = GRACE - 1
    case.journal.turn()
    assert case.said() == []
    case.now = GRACE
    case.journal.turn()
    case.journal.turn()
    assert case.said() == [None]


def test_of_an_epoch_that_is_over_nothing_more_is_written():
    """It may be read by another already; its announcements are waited for no more, and those of others are."""
    case = Case()
    case.begin(OTHER)
    note, [other] = case.announced(1), case.journal.announce(OTHER, [(1, "", 7)])
    case.journal.forget([PLACE])
    assert case.writing.given_up == [key_of(note)]
    case.journal.answered(PLACE, note, {(1, "", 7)}, ())
    assert case.journal.announce(PLACE, [(2, "", 7)]) == []
    assert case.said() == []
    case.confirm(note, 30)
    assert not case.journal.written(other)
    case.confirm(other, 31)
    assert case.journal.written(other)


def test_no_add_is_taken_in_while_nothing_can_be_announced():
    """The topic is missing, or what was announced is not confirmed: then it is looked whether the topic is there."""
    case = Case()
    assert case.fate(1) == FREE
    case.writing.fails = True
    assert not case.journal.turn()
    assert (case.fate(1), case.reading.looked) == (UNKNOWN, 1)
    case.writing.fails, case.reading.there = False, False
    assert not case.journal.turn()
    assert (case.fate(1), case.reading.looked) == (UNKNOWN, 1)
    case.reading.there = True
    assert case.journal.turn(), "what was held may go on"
    assert case.fate(1) == FREE


def test_what_was_found_is_kept_and_told():
    """Of the epoch that asked; what comes for one that is over is not heard."""
    case = Case()
    found = Note("changes", "id", 0, "a.1", [(1, "", 7)], [(2, "", 7)], 9)
    case.begin(PLACE, found)
    assert case.reading.asked == [(PLACE, 5), (PLACE, 5)]
    assert [case.fate(offset) for offset in (1, 2, 3)] == [IN_DOUBT, APPLIED, FREE]
    assert case.journal.floor(PLACE) == 9
    case.journal.begin(OTHER, 5, START)
    case.journal.forget([OTHER])
    case.reading.read.append(Stretch([OTHER], Gathered(), 20))
    assert not case.journal.turn()
