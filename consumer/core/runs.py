"""The queue of one group, whose front is a run: what goes together of it, or is under way.

A run is the only one that changes its own state. Each fact about one of its updates (`accepted`, `refused`,
`ambiguous`, `divided`, `dropped`) says what comes of the run: OPEN, REPLAY or OVER.
"""

from typing import Final, final

from consumer.core.blame import Blame, Refusal, names_of, touching
from consumer.core.entry import Entry, Update, any_adds
from consumer.core.history import History
from consumer.core.model import Assignment, Group
from consumer.event.model import ADD, DELETE, creates

# What comes of a run.
OPEN: Final = 0  # some of its updates have no verdict yet
REPLAY: Final = 1  # its next step is to be sent
OVER: Final = 2  # nothing of it is to be sent any more


@final
class Run:
    """The front of one group's queue: records that go out together, folded into updates, or are under way.

    Until it `begun` the group's records join its `entries`. Then those are the ones under way, all of one
    `assignment`, and what comes is `waiting` for it to be over. `alone` is the only entry: there is no list then.
    `deleted` is the order of the last `$delete` in it; `queued` says that a batch may take from it; `settled` counts
    the entries at the front that were settled early; `live` is off once the epoch is over.
    """

    __slots__ = (
        "_flying",
        "_several",
        "_undecided",
        "adds",
        "alone",
        "assignment",
        "begun",
        "blame",
        "created",
        "deleted",
        "group",
        "live",
        "queued",
        "settled",
        "waiting",
    )

    def __init__(self, group: Group, entry: Entry, deleted: int) -> None:
        self.group = group
        self.alone: Entry | None = entry
        self._several: list[Entry] | None = None  # all entries, unless one is alone; None once it is over
        self.waiting: list[Entry] | None = None
        self.deleted = deleted
        self.adds = entry.verb == ADD  # one of the entries is an `$add`
        self.queued = False
        self.begun = False
        self.assignment = entry.record.assignment
        self.blame: Blame | None = None  # comes with the first refusal
        self.created = False  # an update that creates a missing profile was accepted
        self.live = True
        self.settled = 0
        self._undecided = 0
        self._flying = 0

    # As a queue.

    def add(self, entry: Entry) -> None:
        """One more record of the group."""
        if self.begun:
            if self.waiting is None:
                self.waiting = []
            self.waiting.append(entry)
        elif self._several is not None:
            self._several.append(entry)
            self.adds = self.adds or entry.verb == ADD
        else:
            self._have([*self.entries, entry])
        if entry.verb == DELETE:
            self.deleted = entry.order

    def first(self) -> Entry:
        """The entry that a batch would take first: of its next step, where it has begun."""
        if self.alone is not None:
            return self.alone
        return self.entries[self.blame.steps[-1].start if self.begun and self.blame is not None else 0]

    def keep(self, bounds: dict[Assignment, int]) -> list[Entry]:
        """Forget what waits of these assignments at or above the bound of each; return it."""
        kept: list[Entry] = []
        dropped: list[Entry] = []
        for entry in self.behind() if self.begun else self.entries:
            bound = bounds.get(entry.record.assignment)
            gone = bound is not None and entry.record.offset >= bound
            (dropped if gone else kept).append(entry)
        if self.begun:
            self.waiting = kept
        else:
            self._have(kept)
            if kept:
                self.assignment = kept[0].record.assignment
        return dropped

    def behind(self) -> list[Entry]:
        """What waits for it to be over."""
        return self.waiting if self.waiting is not None else []

    def over(self) -> "Run | None":
        """Nothing of it is to be sent any more: what comes next of the group, None where nothing waits."""
        self.alone = self._several = None  # each entry knows its run: so nothing waits for the collector
        waiting, self.waiting = self.waiting, None  # nor does one over keep the next, and that the one after it
        if not waiting:
            return None
        follower = Run(self.group, waiting[0], self.deleted)
        follower._have(waiting)
        return follower

    def _have(self, entries: list[Entry]) -> None:
        """These are its entries, and no others."""
        self.alone = entries[0] if len(entries) == 1 else None
        self._several = entries if self.alone is None else None
        self.adds = any_adds(entries)

    # What happens to it.

    def begin(self, count: int) -> None:
        """So many entries from the front go together: the others wait."""
        self.begun = True
        several = self._several
        if several is not None and count < len(several):
            self.waiting = several[count:]
            self._have(several[:count])

    def made(self, update: Update) -> None:
        """The update was made of it, or of its next step: it has no verdict yet."""
        update.run = self
        self._undecided += 1

    def put_back(self, updates: int) -> None:
        """So many updates were not sent after all: it is as it was before it, or its next step, began."""
        self._undecided -= updates
        if self.blame is not None:
            self.blame.put_back()
            return
        self.begun = False
        self._have(self.entries + self.behind())
        self.waiting = None

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
        self.created = self.created or creates(update.verb)
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
    def entries(self) -> list[Entry]:
        """All of them, to be read only; none once it is over."""
        return [self.alone] if self.alone is not None else self._several or []

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is to be sent any more."""
        return self.alone is None and self._several is None

    @property
    def flying(self) -> bool:
        """Whether one of its updates is in a request right now."""
        return self._flying > 0

    def contributors(self, update: Update, most: int) -> list[int]:
        """The places of the entries that the update may stem from, at most so many."""
        if update.verb == DELETE or update.end - update.start == 1:
            return [update.end - 1]
        rejected = self.blame.rejected if self.blame is not None else None
        return touching(self.entries, rejected, update.start, update.end, names_of((update.json,)), most)

    def through(self) -> int:
        """How many entries at the front nothing more will be sent of, though the run goes on.

        None, as long as a profile may have to be created by what they had asked for.
        """
        if not self.created or self.blame is None or not self.blame.steps:
            return self.settled
        return self.blame.steps[-1].start

    def _blame(self) -> Blame:
        self.blame = self.blame or Blame()
        return self.blame

    def _decided(self) -> int:
        self._undecided -= 1
        if self._undecided:
            return OPEN
        if self.blame is None:
            return OVER
        self.blame.plan(self.entries, self.created)
        return REPLAY if self.blame.steps else OVER
