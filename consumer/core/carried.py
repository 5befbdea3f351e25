"""The `$add`s that one request carries: what is announced of it, and what its answer decided on each."""

from typing import final

from consumer.core.announced import Add
from consumer.core.blame import touches
from consumer.core.entry import Entry, Update
from consumer.core.model import Assignment
from consumer.event.encode import values_of
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
    """The `$add`s of a request. `places` has those of each partition."""

    __slots__ = ("_count", "_updates", "places")

    def __init__(self, updates: list[Update]) -> None:
        self._count = len(updates)
        self.places: dict[Assignment, list[Add]] = {}
        self._updates: list[Update] = []  # of each of them, in the order in which they are there
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
        found = {assignment: Fates(set(), set()) for assignment in self.places}
        seen = dict.fromkeys(self.places, 0)
        for update in self._updates:
            assignment = update.run.assignment
            add = self.places[assignment][seen[assignment]]
            seen[assignment] += 1
            if update in accepted:
                found[assignment].applied.add(add)
            elif update not in unknown:
                found[assignment].gone.add(add)
        return found

    def _put(self, update: Update) -> None:
        run = update.run
        adds = self.places.get(run.assignment)
        if adds is None:
            self.places[run.assignment] = adds = []
        if update.end - update.start == 1 and run.blame is None:
            self._note(update, run.entries[update.start], adds)
            return
        for entry in adding(update):
            self._note(update, entry, adds)

    def _note(self, update: Update, entry: Entry, adds: list[Add]) -> None:
        record = entry.record
        adds.append((record.offset, entry.rule, record.timestamp))
        self._updates.append(update)


def adding(update: Update) -> list[Entry]:
    """The entries whose `$add`s are in the update; only where there are several are their values read."""
    run = update.run
    blame = run.blame
    entries: list[Entry] = []
    for place in range(update.start, update.end):
        entry = run.entries[place]
        if entry.verb == ADD and (blame is None or place not in blame.rejected):
            entries.append(entry)
    if len(entries) < 2:
        return entries
    names = set(values_of(update.json, ADD))
    return [entry for entry in entries if touches(values_of(entry.json, ADD), names)]
