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

        None where all were taken, and no more of them will be sent. One of which more may be sent is in doubt yet: a
        later change had replaced a part of it, which is sent after all where that change is refused.
        """
        if len(taken) == self._count and self._all_over():  # as a rule: none of them is looked at
            return None
        accepted = {update for update in taken if update.verb == ADD}
        unknown = set(in_doubt)
        found = {assignment: Fates(set(), set()) for assignment in self.places}
        seen = dict.fromkeys(self.places, 0)
        parts: set[tuple[int, str]] = set()
        before: Update | None = None
        for update in self._updates:
            assignment = update.run.assignment
            add = self.places[assignment][seen[assignment]]
            seen[assignment] += 1
            if update is not before:
                before, parts = update, in_parts(update)
            if update in accepted:
                if (add[0], add[1]) not in parts:
                    found[assignment].applied.add(add)
            elif update not in unknown:
                found[assignment].gone.add(add)
        return found

    def _all_over(self) -> bool:
        for update in self._updates:
            if not update.run.is_over:
                return False
        return True

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


def in_parts(update: Update) -> set[tuple[int, str]]:
    """The `$add`s, by offset and rule, of which only a part is in the update, while its run is not over."""
    found: set[tuple[int, str]] = set()
    run = update.run
    if run.is_over or run.alone is not None:
        return found
    names = set(values_of(update.json, ADD))
    for place, entry in enumerate(run.entries):
        if update.start <= place < update.end and entry.verb == ADD:
            for name in values_of(entry.json, ADD):
                if name not in names:
                    found.add((entry.record.offset, entry.rule))
    return found
