"""The ledger: what was owed for every event, held against what Mixpanel applied and the dead-letter topic keeps."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from consumer.sandbox.mixpanel.request_log import AppliedUpdates
from consumer.sandbox.mixpanel.updates import group_of
from tests.chaos.story import APPLIED, Event, Part, token_of

MARK = re.compile(r"m(\d+)$")
Place = tuple[str, int, int]  # topic, partition and offset
Letter = tuple[str, str]  # the reason, and the rules whose updates were refused


class Requests(AppliedUpdates):
    """What Mixpanel applied: for each group, request by request, its marks and the `seq` that it set."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = Lock()
        self.by_group: dict[str, list[tuple[set[int], int]]] = {}
        self.seen: dict[str, Counter[int]] = {}

    def note(self, updates: Iterable[dict[str, Any]]) -> None:
        """One request was applied."""
        marks: dict[str, set[int]] = {}
        last: dict[str, int] = {}
        for update in updates:
            token, _, name, company = group_of(update)
            group = f"{company}/{name}" if company else name
            if token != token_of(group):
                continue  # what goes to another project is lost
            found, seq = marks_of(update)
            marks.setdefault(group, set()).update(found)
            last[group] = max(last.get(group, 0), seq)
        with self._guard:
            for group, numbers in marks.items():
                self.by_group.setdefault(group, []).append((numbers, last[group]))
                self.seen.setdefault(group, Counter()).update(numbers)

    def applied(self, group: str, number: int) -> int:
        """How often this event was applied."""
        with self._guard:
            return self.seen.get(group, Counter())[number]


def marks_of(update: dict[str, Any]) -> tuple[set[int], int]:
    """The events that an update carries, and the `seq` that it sets, or 0."""
    for verb in ("$set", "$set_once", "$add", "$union", "$remove", "$unset"):
        if verb in update:
            values = update[verb]
            named = [*values, *values["marks"]] if verb == "$union" and "marks" in values else values
            numbers = {int(found[1]) for name in named if (found := MARK.match(name))}
            return numbers, values.get("seq", 0) if verb == "$set" else 0
    return set(), 0


@dataclass
class Balance:
    """What the ledger came to. All but the first four must be empty."""

    events: int = 0
    applied: int = 0  # updates
    again: int = 0
    dead: int = 0
    dead_again: int = 0
    lost: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    in_doubt: int = 0  # $adds that are dead letters, since they may have been applied
    twice: list[str] = field(default_factory=list)  # $adds, where each may be applied at most once
    wrong: list[str] = field(default_factory=list)  # columns of a mapped row whose profile is not as the table

    @property
    def balances(self) -> bool:
        """Whether nothing was lost, out of order, wrong, or dead-lettered without need."""
        return not (self.lost or self.reordered or self.unexpected or self.twice or self.wrong)


def balance(
    events: dict[Place, Event], requests: Requests, letters: dict[Place, list[Letter]], *, at_most_once: bool = False
) -> Balance:
    """Hold what was owed against what came; with `at_most_once` an $add is applied once, or named."""
    found = Balance(events=len(events))
    sets: dict[str, list[int]] = {}
    for place, event in events.items():
        came = letters.get(place, [])
        in_doubt = at_most_once and event.owed == APPLIED and {reason for reason, _ in came} == {"ambiguous_add"}
        if not in_doubt:
            _hold_letters(found, place, event, came)
        found.in_doubt += in_doubt
        for part in event.parts:
            times = requests.applied(part.group, part.number)
            if at_most_once and part.verb == "ADD" and times > 1:
                found.twice.append(f"{place} {part.group}#{part.number}: {times} times")
            if not in_doubt:
                _hold_part(found, place, part, times)
            if part.owed == APPLIED and part.verb == "SET":
                sets.setdefault(part.group, []).append(part.number)
    for group, numbers in sets.items():
        found.reordered.extend(out_of_order(group, sorted(numbers), requests.by_group.get(group, [])))
    return found


def _hold_part(found: Balance, place: Place, part: Part, times: int) -> None:
    """One update: applied, or not at all where it is owed a refusal."""
    told = f"{place} {part.group}#{part.number} {part.verb}"
    if part.owed != APPLIED:
        if times:
            found.unexpected.append(f"{told}: applied, owed {part.owed}")
        return
    found.applied += times > 0
    found.again += max(0, times - 1)
    if not times:
        found.lost.append(told)


def _hold_letters(found: Balance, place: Place, event: Event, came: list[Letter]) -> None:
    """The dead letters of one record: of this reason and these rules, or none."""
    if event.owed == APPLIED:
        if came:
            found.unexpected.append(f"{place}: {came}, owed none")
        return
    found.dead += bool(came)
    found.dead_again += max(0, len(came) - 1)
    if not came:
        found.lost.append(f"{place}: no dead letter, owed {event.owed}")
    if set(came) - {(event.owed, event.rules)}:
        found.unexpected.append(f"{place}: {came}, owed {event.owed} {event.rules}")


def out_of_order(group: str, sets: list[int], applied: list[tuple[set[int], int]]) -> list[str]:
    """Where a group went back to an older state and did not pass through all that follows it again.

    A redelivery does just that, and ends right; a request that came late does not.
    """
    faults: list[str] = []
    states = [(place, seq) for place, (_, seq) in enumerate(applied) if seq]
    highest = 0
    for place, seq in states:
        if seq < highest:
            after = set().union(*(marks for marks, _ in applied[place:]))
            missing = [number for number in sets if seq < number <= highest and number not in after]
            if missing:
                faults.append(f"{group}: back from {highest} to {seq}, and {missing[:5]} did not follow")
        highest = max(highest, seq)
    if states and sets and states[-1][1] != sets[-1]:
        faults.append(f"{group}: ends at {states[-1][1]}, and not at {sets[-1]}")
    return faults
