"""What is under way of one group: a run of its records, the updates made of it, and what a refusal brings.

Most runs are accepted as a whole, and carry nothing for the other case: `Refusals` comes with the first refusal.
"""

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import final

from consumer.core.fold import creates, restricted
from consumer.core.model import Assignment, Record
from consumer.event.encode import operation_of
from consumer.event.model import ADD, DELETE, UNSET, Operation


@final
class Entry:
    """One record that waits in its lane, or is part of a run, with its own update as `json`.

    `order` rises with every record admitted.
    """

    __slots__ = ("json", "order", "record", "verb")

    def __init__(self, record: Record, verb: int, json: bytes, order: int) -> None:
        self.record = record
        self.verb = verb
        self.json = json
        self.order = order


@final
class Lane:
    """The queue of one group.

    `run` is what is under way; `queued` whether a batch may take from it; `deleted` the order of its last `$delete`.
    """

    __slots__ = ("deleted", "group", "queued", "run", "waiting")

    def __init__(self, group: tuple[str, str]) -> None:
        self.group = group
        self.waiting: list[Entry] = []
        self.run: Run | None = None
        self.queued = False
        self.deleted = -1


@final
class Run:
    """The front of a lane, of one assignment, folded into updates that go out together.

    `undecided` counts the updates without a verdict, `flying` those in a request right now.
    """

    __slots__ = (
        "_operations",
        "assignment",
        "created",
        "entries",
        "flying",
        "lane",
        "live",
        "refusals",
        "undecided",
    )

    def __init__(self, lane: Lane, assignment: Assignment, entries: list[Entry]) -> None:
        self.lane = lane
        self.assignment = assignment
        self.entries = entries
        self.undecided = 0
        self.flying = 0
        self.created = False  # an update that creates a missing profile was accepted
        self.live = True
        self.refusals: Refusals | None = None
        self._operations: list[Operation] | None = None

    def operations(self) -> list[Operation]:
        """What its records ask for, in their order, read from their JSON once."""
        if self._operations is None:
            self._operations = [operation_of(entry.json) for entry in self.entries]
        return self._operations

    def refused(self) -> "Refusals":
        """What refusals brought so far; an empty one from the first time on."""
        if self.refusals is None:
            self.refusals = Refusals()
        return self.refusals

    def next_step(self) -> "tuple[Entry, Operation] | None":
        """What its replay sends next; None where nothing is replayed."""
        if self.refusals is None or not self.refusals.replay:
            return None
        return self.refusals.replay[0]

    def contributors(self, update: "Update") -> list[Entry]:
        """The records whose operations the update may stem from."""
        return list(self._sources(update))

    def blamed(self, update: "Update") -> Entry | None:
        """The one record that the update stems from; None where there are several."""
        found = list(islice(self._sources(update), 2))
        return found[0] if len(found) == 1 else None

    def adders(self, update: "Update") -> list[Entry]:
        """The records whose `$add`s the update carries."""
        return [entry for entry in self.contributors(update) if entry.verb == ADD]

    def _sources(self, update: "Update") -> Iterator[Entry]:
        """The contributors, one by one: a run may have thousands, and blame needs two at most."""
        if update.entry is not None:
            yield update.entry
        elif update.verb == DELETE:
            yield from self.entries
        else:
            owned = update.operation.values
            for entry, own in zip(self.entries, self.operations(), strict=True):
                if touches(own.values, owned):
                    yield entry

    def plan(self) -> bool:
        """Plan what is sent again now that every update has its verdict; whether there is anything."""
        refusals = self.refusals
        if refusals is None:
            return False
        if refusals.updates:
            self._plan_replay(refusals)
        if not refusals.replay:
            self._plan_creation(refusals)
        return bool(refusals.replay)

    def _plan_replay(self, refusals: "Refusals") -> None:
        """Queue what the refused updates owned, record by record, in order; nothing else is sent again."""
        owned: set[str] | None = set()
        for update in refusals.updates:
            if update.verb == DELETE:
                owned = None
                break
            assert owned is not None
            owned.update(update.operation.values)
        refusals.replay.extend(self._parts(refusals, owned))
        refusals.updates = []

    def _plan_creation(self, refusals: "Refusals") -> None:
        """Queue what an `$unset` absorbed, where it alone is left to create the profile; at most once.

        After SET{bad}, SET{a}, UNSET[a] the profile exists without a property, though SET{bad} was refused.
        """
        if self.created or not refusals.rejected:
            return
        self.created = True
        absorbed: set[str] = set()
        for own in self.operations():
            if own.verb == UNSET:
                absorbed.update(own.values)
        for entry, part in self._parts(refusals, absorbed):
            if refusals.replay or creates(part.verb):
                refusals.replay.append((entry, part))

    def _parts(self, refusals: "Refusals", owned: set[str] | None) -> Iterator[tuple[Entry, Operation]]:
        """What each record that is no dead letter asks of the properties `owned` (None: of all), in order."""
        for entry, own in zip(self.entries, self.operations(), strict=True):
            if entry.record.offset in refusals.rejected:
                continue
            part = restricted(own, owned)
            if part is not None:
                yield entry, part


def touches(values: dict[str, object], owned: dict[str, object]) -> bool:
    """Whether the two have a property in common."""
    for name in owned:
        if name in values:
            return True
    return False


@final
class Refusals:
    """What refused updates brought to their run.

    An update that one record made is that record's dead letter. One that several made is `updates` until all of the
    run has its verdict; then the run is replayed: its operations go again one at a time, restricted to what the
    refused updates owned.
    """

    __slots__ = ("rejected", "replay", "updates")

    def __init__(self) -> None:
        self.updates: list[Update] = []
        self.rejected: set[int] = set()  # offsets that are dead letters already
        self.replay: deque[tuple[Entry, Operation]] = deque()


@final
class Update:
    """One JSON object for Mixpanel. `entry` is the record that it is alone the making of, else None."""

    __slots__ = ("entry", "error", "json", "run", "status", "verb")

    def __init__(self, run: Run, verb: int, json: bytes, entry: Entry | None) -> None:
        self.run = run
        self.verb = verb
        self.json = json
        self.entry = entry
        self.status = 0  # of the answer that refused it
        self.error = ""  # Mixpanel's words

    @property
    def operation(self) -> Operation:
        """What it asks for, read anew each time."""
        return operation_of(self.json)
