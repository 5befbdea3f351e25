"""The events of a chaos run, and what is owed for each: applied to its group, or a dead letter with its reason.

Every event carries a mark of its own, a property named `m` and its number in its group, so that the ledger can tell
what became of it whatever it was folded with. `$set`s also write their number to `seq`, which shows their order.

A group is named by its id; a third of them belong to a company, and are named `company/id`: each of these shares its
id with a group of no company, and with one of another. Some groups are of other projects: see `project_of`.
"""

import random
from dataclasses import dataclass
from typing import Any

from tests.integration.events import change, framed
from tests.integration.world import TOKEN

APPLIED = ""
TOPIC = "chaos"
HOT_SHARE = 0.2
# Projects beside the default one, with their tokens.
PROJECTS = {"emea": "token-of-emea", "us": "token-of-us"}


@dataclass(frozen=True)
class Part:
    """One update that comes of an event, with the mark that it has in its group, and what it is owed."""

    group: str
    number: int
    verb: str
    owed: str


@dataclass(frozen=True)
class Event:
    """One event as it is produced. `owed` is the reason of its dead letter, or `APPLIED`.

    `rules` are those whose updates the dead letter names. `partition` -1 is the one that the key has.
    """

    topic: str
    key: str
    value: bytes | None
    parts: tuple[Part, ...]
    owed: str
    rules: str = ""
    partition: int = -1


class Story:
    """Events without an end, from a seed: many groups, one of them hot, and a few events owed a dead letter."""

    def __init__(self, seed: int, groups: int, bad_share: float = 0.02) -> None:
        self._random = random.Random(seed)
        self._groups = groups
        self._bad_share = bad_share
        self._numbers: dict[str, int] = {}

    def next(self) -> Event:
        """One more event."""
        rng = self._random
        hot = rng.random() < HOT_SHARE
        group = name_of(0 if hot else rng.randrange(self._groups))
        number = self._numbers[group] = self._numbers.get(group, 0) + 1
        if rng.random() < self._bad_share:
            return self.bad(group, number)
        verb = rng.choices(("SET", "SET_ONCE", "ADD", "UNION", "REMOVE", "UNSET"), (70, 6, 6, 6, 6, 6))[0]
        return event(group, number, verb, framed(self._change(group, number, verb)), APPLIED)

    def poison(self) -> Event:
        """One event of a flood that nobody can read."""
        return event("g0", 0, "", b"\x00\x00\x00\x00\x01\xff\xff", "corrupt")

    def bad(self, group: str, number: int) -> Event:
        """An event that is owed a dead letter, for one of several reasons."""
        kind = self._random.randrange(4)
        if kind == 0:
            return event(group, number, "", b"no frame", "not_framed")
        if kind == 1:
            return event(group, number, "", None, "tombstone")
        if kind == 2:
            wrong = changed(group, "ADD", **{f"m{number}": "text"})
            return event(group, number, "", framed(wrong), "invalid_change")
        refused = changed(group, "SET", **{"$reject": 1, f"m{number}": 1})
        return event(group, number, "", framed(refused), "rejected")

    def _change(self, group: str, number: int, verb: str) -> dict[str, object]:
        mark = f"m{number}"
        if verb == "SET":
            return changed(group, verb, **{mark: 1, "seq": number})
        if verb == "UNSET":
            return changed(group, verb, property_names=[mark])
        return changed(group, verb, **{mark: ["x"] if verb == "UNION" else 1})


def event(group: str, number: int, verb: str, value: bytes | None, owed: str) -> Event:
    """An event of one update; its key as a producer writes it, who leaves the company out."""
    parts = (Part(group, number, verb, owed),) if number else ()
    return Event(TOPIC, f"company:{parted(group)[1]}", value, parts, owed)


def name_of(number: int) -> str:
    """The name of the group with this number."""
    if number % 3 == 2:
        return f"{('emea', 'us')[number % 2]}.g{number}"
    if number % 3 == 0:
        return f"g{number}"
    return f"acme/g{number - 1}" if number % 2 else f"other/g{number - 4}"


def parted(group: str) -> tuple[str | None, str]:
    """The company, and the id, of the group with this name."""
    company, _, name = group.rpartition("/")
    return company or None, name


def project_of(group: str) -> str | None:
    """The project of the group with this name: what stands before a dot; None for the default one."""
    project, dot, _ = group.partition(".")
    return project if dot else None


def token_of(group: str) -> str:
    """The token that its updates must have."""
    project = project_of(group)
    return PROJECTS[project] if project else TOKEN


def changed(group: str, verb: str, **more: Any) -> dict[str, Any]:
    """An event of the group with this name."""
    company, name = parted(group)
    return change(name, verb, company_id=company, project=project_of(group), **more)
