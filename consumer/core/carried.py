"""The `$add`s that one request carries: what is announced of it, and what its answer decided on each."""

from typing import final

from consumer.core.announced import Add
from consumer.core.blame import names_of, touches
from consumer.core.entry import Entry, Update
from consumer.core.model import Assignment
from consumer.event.encode import operation_of
from consumer.event.model import ADD


@final
class Fates:
    """Of the `$add`s of one partition: those that Mixpanel has taken, and those that were surely not applied."""

    __slots__ = ("applied", "gone")

    def __init__(self, applied: set[Add], gone: set[Add]) -> None:
        self.applied = applied
        self.gone = gone


@final
class Carried:
    """The `$add`s of a request. `places` has those of each partition, each with its record's timestamp."""

    __slots__ = ("_adds", "_count", "_updates", "places")

    def __init__(self, updates: list[Update]) -> None:
        self._count = len(updates)
        self.places: dict[Assignment, dict[Add, int]] = {}
        self._adds: list[Add] = []  # each beside its update
        self._updates: list[Update] = []
        for update in updates:
            if update.verb == ADD:
                self._put(update)

    def fates(self, taken: list[Update], in_doubt: list[Update]) -> dict[Assignment, Fates] | None:
        """What became of them, where these updates were accepted, and it is not known of those.

        None where all were taken.
        """
        if len(taken) == self._count:  # as a rule: none of them is looked at
            return None
        accepted = {update for update in taken if update.verb == ADD}
        unknown = set(in_doubt)
        applied: dict[Assignment, set[Add]] = {assignment: set() for assignment in self.places}
        gone: dict[Assignment, set[Add]] = {assignment: set() for assignment in self.places}
        for number, update in enumerate(self._updates):
            if update in accepted:
                applied[update.run.assignment].add(self._adds[number])
            elif update not in unknown:
                gone[update.run.assignment].add(self._adds[number])
        return {assignment: Fates(applied[assignment], gone[assignment]) for assignment in self.places}

    def _put(self, update: Update) -> None:
        run = update.run
        places = self.places.get(run.assignment)
        if places is None:
            self.places[run.assignment] = places = {}
        if update.end - update.start == 1 and run.blame is None:
            self._note(update, run.entries[update.start], places)
            return
        for entry in adding(update):
            self._note(update, entry, places)

    def _note(self, update: Update, entry: Entry, places: dict[Add, int]) -> None:
        add = (entry.record.offset, entry.rule)
        places[add] = entry.record.timestamp
        self._adds.append(add)
        self._updates.append(update)


def adding(update: Update) -> list[Entry]:
    """The entries whose `$add`s are in the update; only where there are several is their JSON read."""
    run = update.run
    blame = run.blame
    entries: list[Entry] = []
    for place in range(update.start, update.end):
        entry = run.entries[place]
        if entry.verb == ADD and (blame is None or place not in blame.rejected):
            entries.append(entry)
    if len(entries) < 2:
        return entries
    names = names_of((update.json,))
    return [entry for entry in entries if touches(operation_of(entry.json).values, names)]
