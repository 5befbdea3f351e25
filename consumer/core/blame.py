"""Who of a run's records is refused: found by cutting the run in two, again and again.

A refused update that one record made is that record's dead letter. One that several made goes again as *steps*: the
records that said something of the properties that it owned, one half of them, then the other, each folded again. A
step that is refused is cut in two again; one that is accepted is done. So each refused record of n costs about
2 log2 n requests of its own group, and no other group waits for it.

Nothing that was parsed is kept: a step is a stretch of places, and is read from the entries' JSON when it is sent.
"""

from typing import TypeAlias, final

from consumer.core.entry import Entry
from consumer.core.history import History
from consumer.event.encode import operation_of
from consumer.event.model import UNSET, creates

# The JSON of updates, for the properties that they are about; None for all properties.
Owned: TypeAlias = tuple[bytes, ...] | None


@final
class Refusal:
    """Why a record is refused. `status` and `message` are Mixpanel's answer; `opaque` where it did not say which."""

    __slots__ = ("detail", "message", "opaque", "reason", "status")

    def __init__(self, reason: str, detail: str, status: int = 0, message: str = "", opaque: bool = False) -> None:
        self.reason = reason
        self.detail = detail
        self.status = status
        self.message = message
        self.opaque = opaque


@final
class Step:
    """The entries from `start` up to `end`, as far as they touch what `owned` says."""

    __slots__ = ("end", "owned", "start")

    def __init__(self, start: int, end: int, owned: Owned) -> None:
        self.start = start
        self.end = end
        self.owned = owned

    def names(self) -> set[str] | None:
        """The properties that it is about; None for all."""
        return None if self.owned is None else names_of(self.owned)


@final
class Blame:
    """What refusals brought to their run.

    `steps` are to be sent one after the other, the last of the list first. `rejected` are the places of the refused
    entries; `fresh` those that nobody has made a dead letter of yet. `travels_alone` says that a step shares its
    request with nothing: the last answer did not say which update it refused. `creating` is on while steps are sent
    only so that the profile exists.
    """

    __slots__ = (
        "_below",
        "_taken",
        "creating",
        "fresh",
        "refused",
        "rejected",
        "steps",
        "suspected",
        "travels_alone",
    )

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.rejected: dict[int, Refusal] = {}
        self.fresh: list[int] = []
        self.refused: list[tuple[int, int, bytes]] = []  # updates of several records, until all have their verdict
        self.travels_alone = False
        self.creating = False
        self.suspected: History | None = None  # what the request met that nobody could send
        self._taken: Step | None = None
        self._below = 0

    def reject(self, place: int, refusal: Refusal) -> None:
        """The entry is refused, whatever else is found; the first reason stands."""
        if place not in self.rejected:
            self.rejected[place] = refusal
            self.fresh.append(place)

    def push(self, start: int, end: int, owned: Owned) -> None:
        """Send this stretch before all other steps."""
        if start < end:
            self.steps.append(Step(start, end, owned))

    def take_step(self) -> Step:
        """The step to send now."""
        step = self.steps.pop()
        self._taken = step
        self._below = len(self.steps)
        return step

    def put_back(self) -> None:
        """The step taken last was not sent: it is the next again."""
        assert self._taken is not None
        del self.steps[self._below :]
        self.steps.append(self._taken)

    def take_fresh(self) -> list[int]:
        """The entries that were refused since the last call."""
        fresh, self.fresh = self.fresh, []
        return fresh

    def plan(self, entries: list[Entry], created: bool) -> None:
        """All that was sent of these entries is decided: what is to be sent next is the last of `steps`.

        `created` says that an update which creates a missing profile was accepted.
        """
        if self.creating and not created:
            self.steps.clear()  # what was to create the profile was refused: another may
        self._split(entries)
        self._skip_empty(entries)
        if not self.steps and self.rejected and not created:
            self._plan_creation(entries)

    def _split(self, entries: list[Entry]) -> None:
        """Cut what was refused as a whole in two, by the records that said something of what it owned."""
        refused = self.refused
        if not refused:
            return
        self.refused = []
        start = refused[0][0]
        end = refused[0][1]
        owned = tuple([json for _, _, json in refused])
        places = touching(entries, self.rejected, start, end, names_of(owned), end - start)
        middle = places[len(places) // 2] if len(places) > 1 else end
        self.push(middle, end, owned)
        self.push(start, middle, owned)

    def _skip_empty(self, entries: list[Entry]) -> None:
        """Forget steps that have nothing to say any more."""
        while self.steps:
            step = self.steps[-1]
            if touching(entries, self.rejected, step.start, step.end, step.names(), 1):
                return
            self.steps.pop()

    def _plan_creation(self, entries: list[Entry]) -> None:
        """Send again what an `$unset` absorbed, where that alone is left to create the profile.

        After SET{bad}, SET{a}, UNSET[a] the profile exists without a property, though SET{bad} was refused. The
        first entry that creates goes by itself, the rest after it.
        """
        count = len(entries)
        unset = tuple([entry.json for entry in entries if entry.verb == UNSET])
        for place in touching(entries, self.rejected, 0, count, names_of(unset), count):
            if creates(entries[place].verb):
                self.creating = True
                self.push(place + 1, count, unset)
                self.push(place, place + 1, unset)
                return


def touching(
    entries: list[Entry],
    rejected: dict[int, Refusal] | None,
    start: int,
    end: int,
    names: set[str] | None,
    most: int,
) -> list[int]:
    """The places of the entries that say something of these properties, and are not refused; at most so many."""
    places: list[int] = []
    for place in range(start, end):
        if rejected is not None and place in rejected:
            continue
        if names is None or touches(operation_of(entries[place].json).values, names):
            places.append(place)
            if len(places) == most:
                break
    return places


def names_of(owned: tuple[bytes, ...]) -> set[str]:
    """The properties that these updates are about."""
    names: set[str] = set()
    for json in owned:
        names.update(operation_of(json).values)
    return names


def touches(values: dict[str, object], names: set[str]) -> bool:
    """Whether one of the properties is among the names."""
    if len(values) < len(names):
        for name in values:
            if name in names:
                return True
        return False
    for name in names:
        if name in values:
            return True
    return False
