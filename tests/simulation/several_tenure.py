"""One assignment of a partition whose records make several updates, as the oracle keeps it."""

from dataclasses import dataclass, field
from typing import Any

from consumer.core.model import Assignment
from consumer.kafka.journal_format import parsed

from .journal import JournalTopic
from .orders import RULES, Order
from .traffic import Partition

Which = tuple[int, str]  # a part: its record's number, and its rule


@dataclass(eq=False)
class Tenure:
    """One assignment of one partition, and what became of the parts in it."""

    instance: Any
    assignment: Assignment
    partition: Partition
    start: int
    read: dict[int, Order] = field(default_factory=dict)
    sent: set[Which] = field(default_factory=set)
    doubtful: set[Which] = field(default_factory=set)
    accepted: set[Which] = field(default_factory=set)
    adds: dict[Which, int] = field(default_factory=dict)  # how often they were applied
    letters: dict[int, set[str]] = field(default_factory=dict)  # the rules that each names
    confirmed: set[int] = field(default_factory=set)
    bound: int | None = None  # in a drain: the highest offset of which something was sent


def place_of(tenure: Tenure, which: Which) -> tuple[int, int]:
    """Where the part stands in the order of its partition."""
    return tenure.read[which[0]].offset, RULES.index(which[1])


def announced(journal: JournalTopic, tenure: Tenure, order: Order, rule: str) -> bool:
    """Whether the journal ever had this $add."""
    add = order.offset, rule
    for position, (key, value) in enumerate(journal.records):
        note, _ = parsed(key, value, position)
        if (note.topic, note.partition) == tenure.partition and add in [
            one[:2] for one in note.in_doubt + note.applied
        ]:
            return True
    return False
