"""What is under way of one group: a run of its records, and the updates made of it.

A run is the only one that changes its own state. Each fact about one of its updates (`accepted`, `refused`,
`ambiguous`, `divided`, `dropped`) says what comes of the run: OPEN, REPLAY or OVER.
"""

from typing import Final, final

from consumer.core.blame import Blame, Refusal, names_of, touches
from consumer.core.history import History
from consumer.core.model import Assignment, Group, Record
from consumer.core.whole import Whole
from consumer.event.encode import operation_of
from consumer.event.model import ADD, DELETE, UNSET, Operation, creates

# What comes of a run.
OPEN: Final = 0  # some of its updates have no verdict yet
REPLAY: Final = 1  # its next step is to be sent
OVER: Final = 2  # nothing of it is to be sent any more


@final
class Entry:
    """One record, or one part of it, that waits in its lane or is part of a run, with its own update as `json`.

    `json` is the update without what begins it, the project's token: see `encode.update_tail`. `order` rises with
    every entry. `rule` is the mapping's that made it; `whole` counts the record's parts, None where it is the only.
    """

    __slots__ = ("json", "order", "record", "rule", "verb", "whole")

    def __init__(
        self, record: Record, verb: int, json: bytes, order: int, rule: str = "", whole: Whole | None = None
    ) -> None:
        self.record = record
        self.verb = verb
        self.json = json
        self.order = order
        self.rule = rule
        self.whole = whole


@final
class Update:
    """One JSON object for Mixpanel, made of the run's entries from `start` up to `end`."""

    __slots__ = ("end", "json", "run", "start", "verb")

    def __init__(self, run: "Run", verb: int, json: bytes, start: int, end: int) -> None:
        self.run = run
        self.verb = verb
        self.json = json
        self.start = start
        self.end = end

    @property
    def operation(self) -> Operation:
        """What it asks for, read again each time."""
        return operation_of(self.json)


@final
class Run:
    """The front of a lane, of one assignment, folded into updates that go out together.

    `settled` counts the entries at its front that have been settled early; `live` is off once the epoch is over.
    """

    __slots__ = ("_flying", "_undecided", "assignment", "blame", "created", "entries", "group", "live", "settled")

    def __init__(self, group: Group, assignment: Assignment, entries: list[Entry]) -> None:
        self.group = group
        self.assignment = assignment
        self.entries = entries
        self.blame: Blame | None = None  # comes with the first refusal
        self.created = False  # an update that creates a missing profile was accepted
        self.live = True
        self.settled = 0
        self._undecided = 0
        self._flying = 0

    # What happens to it.

    def began(self, updates: int) -> None:
        """So many updates were made of it, or of its next step: none of them has a verdict."""
        self._undecided += updates

    def unbegun(self, updates: int) -> None:
        """They were not sent after all."""
        self._undecided -= updates

    def sent(self) -> None:
        """One of its updates is in a request now."""
        self._flying += 1

    def returned(self) -> None:
        """The request with this update came back."""
        self._flying -= 1

    def abandoned(self) -> None:
        """Its epoch is over: nothing more of it is sent, and no answer counts."""
        self.live = False

    # What was decided on one of its updates.

    def accepted(self, update: Update) -> int:
        """Mixpanel took the update."""
        if creates(update.verb):
            self.created = True
        return self._decided()

    def refused(self, update: Update, refusal: Refusal) -> int:
        """Mixpanel refused the update: its record is to blame, or one of several, to be found."""
        blame = self._blame()
        blame.travels_alone = blame.travels_alone or refusal.opaque
        if update.verb == DELETE:
            blame.reject(update.end - 1, refusal)
            blame.push(update.start, update.end - 1, None)
        else:
            places = self.contributors(update, 2)
            if len(places) == 1:
                blame.reject(places[0], refusal)
            elif places:
                blame.refused.append((update.start, update.end, update.json))
        return self._decided()

    def ambiguous(self, update: Update, refusal: Refusal) -> int:
        """It is not known whether the `$add` was applied, and it may not be sent again: its records are refused."""
        blame = self._blame()
        for place in self.contributors(update, len(self.entries)):
            if self.entries[place].verb == ADD:
                blame.reject(place, refusal)
        return self._decided()

    def divided(self, update: Update, history: History) -> int:
        """The update cannot be sent, and several records made it: they go in two halves, each alone."""
        blame = self._blame()
        blame.travels_alone = True
        blame.suspected = history
        blame.refused.append((update.start, update.end, update.json))
        return self._decided()

    def dropped(self) -> int:
        """One of its updates will not be sent, since the epoch is over."""
        self._undecided -= 1
        return OPEN if self._undecided else OVER

    # What others may ask.

    @property
    def flying(self) -> bool:
        """Whether one of its updates is in a request right now."""
        return self._flying > 0

    def next_entry(self) -> Entry:
        """The entry that is sent first when its next step goes."""
        assert self.blame is not None
        return self.entries[self.blame.steps[-1].start]

    def contributors(self, update: Update, most: int) -> list[int]:
        """The places of the entries that the update may stem from, at most so many."""
        if update.verb == DELETE:
            return [update.end - 1]
        if update.end - update.start == 1:
            return [update.start]
        return self._touching(update.start, update.end, names_of((update.json,)), most)

    def through(self) -> int:
        """How many entries at the front nothing more will be sent of, though the run goes on.

        None, as long as a profile may have to be created by what they had asked for.
        """
        if not self.created or self.blame is None or not self.blame.steps:
            return self.settled
        return self.blame.steps[-1].start

    def _touching(self, start: int, end: int, names: set[str] | None, most: int) -> list[int]:
        """The places of the entries that say something of these properties, and are not refused; at most so many."""
        places: list[int] = []
        rejected = self.blame.rejected if self.blame is not None else None
        for place in range(start, end):
            if rejected is not None and place in rejected:
                continue
            if names is None or touches(operation_of(self.entries[place].json).values, names):
                places.append(place)
                if len(places) == most:
                    break
        return places

    def _blame(self) -> Blame:
        if self.blame is None:
            self.blame = Blame()
        return self.blame

    def _decided(self) -> int:
        self._undecided -= 1
        if self._undecided:
            return OPEN
        blame = self.blame
        if blame is None:
            return OVER
        if blame.creating and not self.created:
            blame.steps.clear()  # what was to create the profile was refused: another may
        self._split(blame)
        self._skip_empty(blame)
        if not blame.steps and blame.rejected and not self.created:
            self._plan_creation(blame)
        return REPLAY if blame.steps else OVER

    def _split(self, blame: Blame) -> None:
        """Cut what was refused as a whole in two, by the records that said something of what it owned."""
        refused = blame.refused
        if not refused:
            return
        blame.refused = []
        start = refused[0][0]
        end = refused[0][1]
        owned = tuple([json for _, _, json in refused])
        places = self._touching(start, end, names_of(owned), end - start)
        middle = places[len(places) // 2] if len(places) > 1 else end
        blame.push(middle, end, owned)
        blame.push(start, middle, owned)

    def _skip_empty(self, blame: Blame) -> None:
        """Forget steps that have nothing to say any more."""
        while blame.steps:
            step = blame.steps[-1]
            if self._touching(step.start, step.end, step.names(), 1):
                return
            blame.steps.pop()

    def _plan_creation(self, blame: Blame) -> None:
        """Send again what an `$unset` absorbed, where that alone is left to create the profile.

        After SET{bad}, SET{a}, UNSET[a] the profile exists without a property, though SET{bad} was refused. The
        first entry that creates goes by itself, the rest after it.
        """
        unset = tuple([entry.json for entry in self.entries if entry.verb == UNSET])
        for place in self._touching(0, len(self.entries), names_of(unset), len(self.entries)):
            if creates(self.entries[place].verb):
                blame.creating = True
                blame.push(place + 1, len(self.entries), unset)
                blame.push(place, place + 1, unset)
                return
