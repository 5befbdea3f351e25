"""The `$add`s of a request: which entries they stem from, and what an answer says of each."""

from consumer.core.blame import Blame, Refusal
from consumer.core.carried import Carried, adding
from consumer.core.entry import Entry, Update
from consumer.core.model import Assignment, Record
from consumer.core.runs import Run
from consumer.event.encode import group_part, update_tail
from consumer.event.model import ADD, SET, Operation

PLACE, OTHER = Assignment("changes", 0, "id"), Assignment("changes", 1, "id")


def run_of(place: Assignment, *changes: tuple[int, int, dict[str, object]]) -> Run:
    """Each change: the offset, the verb, the values."""
    entries = [
        Entry(
            Record(place, offset, b"", b"", None, 7 + offset, 0.0),
            verb,
            update_tail(Operation("company", "acme", verb, values)),
            offset,
        )
        for offset, verb, values in changes
    ]
    run = Run(group_part(entries[0].json, entries[0].verb), entries[0], 0)
    for entry in entries[1:]:
        run.add(entry)
    return run


def update_of(run: Run, verb: int, values: dict[str, object]) -> Update:
    json = update_tail(Operation("company", "acme", verb, values))
    update = Update(verb, json, 0, len(run.entries))
    run.made(update)
    return update


def offsets(update: Update) -> list[int]:
    return [entry.record.offset for entry in adding(update)]


def test_an_update_adds_what_its_adds_say():
    """Neither the others of its run, nor an $add that a later change has replaced, nor one that is refused."""
    run = run_of(PLACE, (1, SET, {"n": 1}), (2, ADD, {"m": 1}), (3, SET, {"m": 5}))
    assert offsets(update_of(run, ADD, {"m": 1})) == [2]
    run = run_of(PLACE, (1, ADD, {"m": 1}), (2, SET, {"m": 5}), (3, ADD, {"n": 1}), (4, ADD, {"n": 2}))
    assert offsets(update_of(run, ADD, {"n": 3})) == [3, 4]
    run = run_of(PLACE, (1, ADD, {"n": 1}), (2, ADD, {"n": 2}), (3, ADD, {"n": 3}))
    run.blame = Blame()
    run.blame.reject(1, Refusal("ambiguous_add", "", 500, ""))
    assert offsets(update_of(run, ADD, {"n": 4})) == [1, 3]


def test_each_partition_has_its_own_with_their_times():
    """A request without any has none."""
    one, two = run_of(PLACE, (1, ADD, {"n": 1})), run_of(OTHER, (1, ADD, {"n": 1}), (4, ADD, {"n": 1}))
    updates = [update_of(one, ADD, {"n": 1}), update_of(two, ADD, {"n": 2})]
    assert Carried(updates).places == {PLACE: [(1, "", 8)], OTHER: [(1, "", 8), (4, "", 11)]}
    assert Carried([update_of(run_of(PLACE, (1, SET, {"n": 1})), SET, {"n": 1})]).places == {}


def test_what_is_neither_taken_nor_in_doubt_was_surely_not_applied():
    """By partition: a note has the `$add`s of one."""
    runs = [run_of(place, (offset, ADD, {"n": 1})) for place, offset in ((PLACE, 1), (PLACE, 2), (OTHER, 3))]
    taken, unknown, gone = [update_of(run, ADD, {"n": 1}) for run in runs]
    carried = Carried([taken, unknown, gone])
    fates = carried.fates([taken], [unknown])
    assert fates is not None
    assert {place: (found.applied, found.gone) for place, found in fates.items()} == {
        PLACE: ({(1, "", 8)}, set()),
        OTHER: (set(), {(3, "", 10)}),
    }
    for run in runs:
        run.over()
    assert carried.fates([gone, unknown, taken], []) is None, "all were taken"


def test_of_what_more_may_be_sent_is_in_doubt_until_its_run_is_over():
    """A later change had replaced a part of it: where that is refused, the part is sent, if there is somebody yet."""
    run = run_of(PLACE, (1, ADD, {"n": 1, "m": 1}), (2, ADD, {"n": 2}), (3, SET, {"m": 5}))
    run.begin(3)
    adds, sets = update_of(run, ADD, {"n": 3}), update_of(run, SET, {"m": 5})
    carried = Carried([adds, sets])
    assert carried.places == {PLACE: [(1, "", 8), (2, "", 9)]}
    for taken in ([adds], [adds, sets]):
        fates = carried.fates(taken, [])
        assert fates is not None
        assert (fates[PLACE].applied, fates[PLACE].gone) == ({(2, "", 9)}, set())
    run.over()
    assert carried.fates([adds, sets], []) is None
    fates = carried.fates([adds], [])
    assert fates is not None
    assert fates[PLACE].applied == {(1, "", 8), (2, "", 9)}
