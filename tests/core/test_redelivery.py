"""A record of several updates that an earlier owner had begun: each of its `$add`s has a fate of its own."""

import pytest

from consumer.avro.parsing import parse
from consumer.core.announced import START, Note
from consumer.core.intake import Intake
from consumer.core.model import Assignment, Record
from consumer.core.past import Past
from consumer.core.taken import HELD, PARTED, REJECTED, TAKEN, Taken
from consumer.event.errors import AMBIGUOUS_ADD
from consumer.event.model import VERB_NAMES
from tests.core.parted import RULES, SCHEMA_ID, TOPIC, WRITER, order, rules

# One more rule that adds: of the group of the second.
FOURTH = """
[[rule]]
name = "fourth"
topics = ["orders"]
record = ["Order"]
where = [{ path = "value.second", exists = true }]
group = { key = "company", id = "value.second" }
[rule.add]
orders = { value = 1 }
"""
PLACE = Assignment(TOPIC, 0, "id")
OFFSET, TIMESTAMP = 10, 7


def note(rule: str, *, applied: bool = False, timestamp: int = TIMESTAMP) -> Note:
    """The `$add` of this rule, as the journal has it."""
    adds = [(OFFSET, rule, timestamp)]
    return Note(TOPIC, "id", 0, f"a.{rule}", [] if applied else adds, adds if applied else [], 3)


def taken(*notes: Note, read: bool = True, place: Assignment = PLACE) -> Taken:
    """A record with a `$set` and two `$add`s, as the next owner takes it in."""
    topic, past = rules(RULES + FOURTH), Past()
    past.writable = True
    past.begin(place, START)
    if read:
        past.known(place, list(notes))
    intake = Intake({"default": 10, "emea": 10}, None, {TOPIC: topic}, None, past)
    intake.schemas.known((TOPIC, SCHEMA_ID, False), topic.value_plan(parse(WRITER)))
    return intake.take(Record(place, OFFSET, None, order(None, "b", "c", 1), None, TIMESTAMP, 0.0), 0.0)


def fates(found: Taken) -> list[tuple[str, str]]:
    """Rule and verb of each part that is sent, or rule and reason of the one that is refused."""
    told = []
    for part in found.parts or []:
        if part.outcome == TAKEN:
            assert part.operation is not None
            told.append((part.rule, VERB_NAMES[part.operation.verb]))
        else:
            assert part.outcome == REJECTED
            assert part.dead_letter is not None
            told.append((part.dead_letter.rule, part.dead_letter.reason))
    return told


ALL = [("second", "$set"), ("third", "$set"), ("third", "$add"), ("fourth", "$add")]


@pytest.mark.parametrize("rule", ["third", "fourth"])
def test_only_the_add_that_was_announced_is_in_doubt(rule: str):
    """The other one of the record was never sent: it goes, and so do its `$set`s."""
    found = taken(note(rule))
    assert found.outcome == PARTED
    wanted = [(name, AMBIGUOUS_ADD if (name, verb) == (rule, "$add") else verb) for name, verb in ALL]
    assert fates(found) == wanted


def test_the_add_that_was_applied_is_left_out_and_the_other_is_in_doubt():
    """Neither decides for the other."""
    found = taken(note("third", applied=True), note("fourth"))
    assert fates(found) == [("second", "$set"), ("third", "$set"), ("fourth", AMBIGUOUS_ADD)]


def test_after_a_cut_that_nobody_tells_of_each_add_is_in_doubt():
    """Those that may be repeated, and no other; what the journal calls applied is left out as ever."""
    wanted = [(name, AMBIGUOUS_ADD if verb == "$add" else verb) for name, verb in ALL]
    assert fates(taken(place=Assignment(TOPIC, 0, "id", OFFSET + 1))) == wanted
    assert fates(taken(note("fourth", applied=True), place=Assignment(TOPIC, 0, "id", OFFSET + 1))) == wanted[:-1]
    assert fates(taken(place=Assignment(TOPIC, 0, "id", OFFSET))) == ALL


def test_nothing_of_the_record_is_taken_in_before_the_journal_is_read():
    """It is held as a whole: none of its parts may be sent alone."""
    assert taken(read=False).outcome == HELD


def test_with_nothing_announced_all_of_it_goes():
    """Each part is sent."""
    assert fates(taken()) == ALL


def test_notes_of_other_rules_and_records_say_nothing_of_it():
    """A rule that the file no longer has, and another record at this offset of the topic that was here before."""
    assert fates(taken(note("gone"), note("third", timestamp=TIMESTAMP - 1))) == ALL
