"""What becomes of a record whose `$add` an earlier owner of its partition may have sent already."""

from typing import Final

from consumer.core.causes import JOURNAL
from consumer.core.model import DeadLetter, Record
from consumer.core.past import APPLIED, FREE, NOT_READ, UNKNOWN, WORDS, Past
from consumer.core.settlement import schema_of
from consumer.core.taken import HELD, IGNORED, PARTED, TAKEN, Taken, held, rejected
from consumer.core.whole import several
from consumer.event.encode import update_json
from consumer.event.errors import AMBIGUOUS_ADD, TASK_PUT

NO_DETAIL: Final[dict[str, object]] = {}


def judged(past: Past, record: Record, taken: Taken) -> Taken:
    """The record as it is to be taken in: without what was applied, and with a dead letter for what is in doubt."""
    if taken.outcome == TAKEN:
        return _judged(past, record, taken)
    if taken.outcome != PARTED:
        return taken
    parts = taken.parts
    assert parts is not None
    left: list[Taken] = []
    for part in parts:
        decided = _judged(past, record, part) if part.outcome == TAKEN else part
        if decided.outcome == HELD:
            return decided
        if decided.outcome != IGNORED:
            left.append(decided)
    return several(left)


def _judged(past: Past, record: Record, taken: Taken) -> Taken:
    """One update: it is sent, left out, a dead letter, or holds the partition."""
    operation = taken.operation
    assert operation is not None
    fate = past.fate(record, taken.rule, taken.project, operation)
    if fate == FREE:
        return taken
    if fate == UNKNOWN:
        return held(JOURNAL, NOT_READ, None, NO_DETAIL)
    if fate == APPLIED:
        return Taken(IGNORED)
    dead_letter = DeadLetter(
        record,
        AMBIGUOUS_ADD,
        TASK_PUT,
        WORDS[fate],
        schema_of(record),
        update=update_json(taken.tail),
        project=taken.project,
        company_id=operation.company_id,
        rule=taken.rule,
    )
    return rejected(dead_letter)
