"""How the journal is written: what is read of it, what is not, and what compaction may take of it."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.announced import Add, Gathered, Note
from consumer.core.model import Assignment
from consumer.kafka.journal_format import UnknownFormat, key_of, parsed, value_of
from consumer.kafka.journal_reading import put

PLACE = Assignment("changes", 3, "id")
KEY = b'[1,"changes","id",3,"a.1"]'
VALUE = b'{"in_doubt":[[10,"",7]],"applied":[[11,"sum",8]]}'
Records = list[tuple[bytes, bytes | None]]


def test_it_is_read_as_it_was_written():
    """Key and value are as decision 12 has them."""
    note, gone = parsed(KEY, VALUE, 42)
    assert not gone
    assert (note.topic, note.topic_id, note.partition, note.name) == ("changes", "id", 3, "a.1")
    assert (note.in_doubt, note.applied, note.position, note.last) == ([(10, "", 7)], [(11, "sum", 8)], 42, 11)
    assert (key_of(note), value_of(note)) == (KEY, VALUE)


@pytest.mark.parametrize("applied", [set(), {(1, "", 1)}, {(1, "", 1), (2, "", 2)}])
@pytest.mark.parametrize("gone", [set(), {(2, "", 2)}, {(3, "", 3)}])
@pytest.mark.parametrize("taken", [True, False])
def test_it_is_written_as_it_is_now(applied: set[Add], gone: set[Add], taken: bool):
    """Whatever was written of it before."""
    note = Note("changes", "id", 3, "a.1", [(offset, "", offset) for offset in (1, 2, 3)], [])
    for change in (lambda: None, lambda: note.answered(applied, gone), note.taken if taken else lambda: None):
        change()
        written, _ = parsed(key_of(note), value_of(note), 42)
        assert (written.in_doubt, written.applied) == (note.in_doubt, note.applied)


def test_a_record_without_a_value_takes_it_out():
    """A tombstone, as compaction knows it."""
    note, gone = parsed(KEY, None, 42)
    assert (note.name, gone) == ("a.1", True)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, VALUE),
        (b"", VALUE),
        (b"\xff", VALUE),
        (b"[]", VALUE),
        (b"{}", VALUE),
        (b'[2,"changes","id",3,"a.1"]', VALUE),
        (b'["changes","id",3,10,"","a.1"]', VALUE),
        (b'[1,"changes","id",null,"a.1"]', VALUE),
        (KEY, b""),
        (KEY, b"null"),
        (KEY, b"[]"),
        (KEY, b'{"in_doubt":[]}'),
        (KEY, b'{"in_doubt":[[10]],"applied":[]}'),
        (KEY, b'{"in_doubt":7,"applied":[]}'),
        (b'[2,"changes","id",3,"a.1"]', None),
    ],
)
def test_what_is_of_another_format_is_not_passed_over(key: bytes | None, value: bytes | None):
    """It may be an announcement."""
    with pytest.raises(UnknownFormat):
        parsed(key, value, 42)


def test_what_cannot_be_read_counts_until_its_key_has_no_value():
    """As the version that wrote it takes it out; what is read then ends it, too."""
    gathered, unknown = Gathered(), dict[bytes | None, int]()
    put(b"later", b"format", 1, gathered, unknown)
    put(KEY, b"damaged", 2, gathered, unknown)
    assert unknown == {b"later": 1, KEY: 2}
    put(b"later", None, 3, gathered, unknown)
    put(KEY, VALUE, 4, gathered, unknown)
    assert unknown == {}
    assert [note.position for note in gathered.about(PLACE)] == [4]


STEPS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["applied", "gone", "none"]), st.integers(0, 2)))


@given(STEPS, st.data())
def test_compaction_takes_nothing_that_counts(steps: list[tuple[int, str, int]], data: st.DataObject):
    """Of each key it may take what another record follows, and then the tombstones; the rest says the same."""
    written: Records = []
    notes: dict[int, Note] = {}
    for number, what, offset in steps:
        note = notes.get(number)
        if note is None:
            adds = [(place, "", place) for place in range(3)]
            note = notes[number] = Note("changes", "id", 3, f"a.{number}", adds, [])
        elif what == "none":
            del notes[number]
            written.append((key_of(note), None))
            continue
        else:
            add = offset, "", offset
            note.answered({add} if what == "applied" else (), {add} if what == "gone" else ())
        written.append((key_of(note), value_of(note)))
    left = [
        (position, record)
        for position, record in enumerate(written)
        if all(later[0] != record[0] for later in written[position + 1 :]) or data.draw(st.booleans())
    ]
    without = [
        (position, record)
        for position, record in left
        if record[1] is not None or any(other[0] == record[0] for before, other in left if before < position)
    ]
    wanted = said(list(enumerate(written)))
    assert said(left) == said(without) == wanted
    assert wanted == {note.name: orjson.loads(value_of(note)) for note in notes.values()}


def said(records: list[tuple[int, tuple[bytes, bytes | None]]]) -> dict[str, object]:
    """What a new owner makes of these."""
    gathered, unknown = Gathered(), dict[bytes | None, int]()
    for position, (key, value) in records:
        put(key, value, position, gathered, unknown)
    assert unknown == {}
    return {note.name: orjson.loads(value_of(note)) for note in gathered.about(PLACE)}
