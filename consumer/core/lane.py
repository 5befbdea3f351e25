"""The queue of one group."""

from typing import final

from consumer.core.model import Group
from consumer.core.runs import Entry, Run


@final
class Lane:
    """What waits of one group, and what is under way of it.

    `run` is what is under way; `queued` whether a batch may take from it; `deleted` the order of its last `$delete`.
    """

    __slots__ = ("deleted", "group", "queued", "run", "waiting")

    def __init__(self, group: Group, first: Entry) -> None:
        self.group = group
        self.waiting = [first]
        self.run: Run | None = None
        self.queued = False
        self.deleted = -1

    def first(self) -> Entry:
        """The entry that a batch would take first from this lane, which is ready."""
        return self.waiting[0] if self.run is None else self.run.next_entry()

    def take(self, count: int) -> list[Entry]:
        """Take the first entries out."""
        waiting = self.waiting
        if count == len(waiting):
            self.waiting = []
            return waiting
        taken = waiting[:count]
        del waiting[:count]
        return taken
