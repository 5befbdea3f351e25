"""Updates for Mixpanel: a record's own, as it waits in its lane, and those that several records make together."""

from typing import TYPE_CHECKING, final

from consumer.core.model import Record
from consumer.core.whole import Whole
from consumer.event.encode import operation_of
from consumer.event.model import ADD, Operation

if TYPE_CHECKING:
    from consumer.core.runs import Run


class Update:
    """One JSON object for Mixpanel, made of its run's entries from `start` up to `end`.

    `json` is without what begins it, the project's token: see `encode.update_tail`. It has its `run` once that began.
    """

    __slots__ = ("end", "json", "run", "start", "verb")

    run: "Run"

    def __init__(self, verb: int, json: bytes, start: int, end: int) -> None:
        self.verb = verb
        self.json = json
        self.start = start
        self.end = end

    @property
    def operation(self) -> Operation:
        """What it asks for, read again each time."""
        return operation_of(self.json)


@final
class Entry(Update):
    """One record, or one part of it, in its lane: its own update, which goes as it is where nothing folds with it.

    `order` rises with every entry. `rule` is the mapping's that made it; `whole` counts the record's parts, None
    where it is the only one.
    """

    __slots__ = ("order", "record", "rule", "whole")

    def __init__(
        self, record: Record, verb: int, json: bytes, order: int, rule: str = "", whole: Whole | None = None
    ) -> None:
        super().__init__(verb, json, 0, 1)
        self.record = record
        self.order = order
        self.rule = rule
        self.whole = whole


def any_adds(entries: list[Entry]) -> bool:
    """Whether one of them is an `$add`."""
    for entry in entries:
        if entry.verb == ADD:
            return True
    return False
