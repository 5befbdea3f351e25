"""The records of one history: real frames, and what each of them is meant to come to.

Every record that can be sent carries a property of its own, `#` and its number, so that the oracle can read from
a request which records it carries, however they were folded; only a DELETE leaves no trace.
"""

import io
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any

import fastavro
import orjson

TOKEN = "token"
PROJECTS = ("default", "emea", "us")
GROUP_KEY = "company"
KNOWN, ALSO_KNOWN, LATE, UNKNOWN, INCOMPATIBLE = 1, 2, 3, 90, 91
GUID = "0f0e0d0c-0b0a-0908-0706-050403020100"
POISON = "poison"
# Mixpanel refuses $add and $unset of a property with this first letter, and any value that is POISON.
BAD_NAME = "!"
# Groups that Mixpanel refuses to delete.
UNDELETABLE = "keep"

Partition = tuple[str, int]


def project_of(group: str) -> str:
    """The project of a group: what stands before the dot of its name."""
    project, dot, _ = group.partition(".")
    return project if dot else PROJECTS[0]


def group_of(project: str, number: int) -> str:
    """The name of a group of the project.

    A third of them are a company's, which stands behind the name: these have the id of a group of no company.
    """
    row, company = number // len(PROJECTS), ""
    if row % 3 == 1:
        number, company = (number - 3, "@acme") if row % 2 else (number - 12, "@other")
    return (f"g{number}" if project == PROJECTS[0] else f"{project}.g{number}") + company


def parted(group: str) -> tuple[str, str]:
    """The id, and the company (empty for none), of the group with this name."""
    name, _, company = group.partition("@")
    return name, company


def changed_by(update: dict[str, Any]) -> str:
    """The name of the group that the update changes."""
    company = update.get("$company_id")
    return str(update["$group_id"]) + (f"@{company}" if company else "")


def token_of(project: str) -> str:
    """The token of a project."""
    return TOKEN if project == PROJECTS[0] else f"{TOKEN}-{project}"


@dataclass(slots=True)
class Meant:
    """One record, and what it is meant to come to: `good`, `bad` (Mixpanel refuses it), or the reason of a reject."""

    number: int
    partition: Partition
    group: str
    verdict: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]] | None
    schema: int | str | None = None
    update: dict[str, Any] = field(default_factory=dict)
    size: int = 0  # of a request with this update alone
    offset: int = -1

    @property
    def verb(self) -> str:
        """The operation, empty where there is none."""
        return next((name for name in self.update if name[1:] in VERBS), "")


VERBS = ("set", "set_once", "add", "union", "remove", "unset", "delete")
WEIGHTS = (40, 10, 14, 14, 8, 10, 4)
NAMES = ("p0", "p1", "p2", "l0", "l1", "n0", "n1")
UNREADABLE = ("tombstone", "not_framed", "corrupt", "unknown_schema", "incompatible_schema", "invalid_change",
              "unknown_project", "late")  # fmt: skip


@cache
def event_schema() -> Any:
    """The event's schema as JSON."""
    return orjson.loads((files("consumer.schemas") / "group_change.avsc").read_bytes())


@cache
def writer_schema() -> Any:
    """The event's schema as fastavro keeps it."""
    return fastavro.parse_schema(event_schema())


class Traffic:
    """Makes records, one after the other."""

    def __init__(self, random: Random, groups: dict[str, Partition], bad: float, unreadable: float, large: float):
        self._random = random
        self._groups = groups
        self._names = list(groups)
        self._bad = bad
        self._unreadable = unreadable
        self._large = large
        self.number = 0

    def make(self) -> Meant:
        """The next record."""
        random = self._random
        self.number += 1
        group = self._names[int(random.random() ** 2 * len(self._names))]
        if random.random() < self._unreadable:
            return self.rejected(group, random.choice(UNREADABLE))
        bad = random.random() < self._bad
        verb = random.choices(VERBS, WEIGHTS)[0]
        if verb == "delete":
            return self._framed(group, "bad" if group.startswith(UNDELETABLE) else "good", verb, {}, [])
        if verb == "unset":
            names = [f"#{self.number}", *random.sample(NAMES, random.randint(0, 2))]
            if bad:
                names.append(f"{BAD_NAME}{random.randint(0, 1)}")
            return self._framed(group, "bad" if bad else "good", verb, {}, names)
        values = {f"#{self.number}": self._value(verb, f"#{self.number}", own=True)}
        for _ in range(random.randint(0, 2)):
            name = self._name(verb)
            values[name] = self._value(verb, name)
        if bad:
            self._spoil(verb, values)
        if verb in ("set", "set_once") and random.random() < self._large:
            values["p2"] = "x" * random.choice((500, 2_000, 5_000))
        return self._framed(group, "bad" if bad else "good", verb, values, [])

    def _name(self, verb: str) -> str:
        if self._random.random() < 0.1:
            return self._random.choice(NAMES)
        kind = {"add": "n", "union": "l", "remove": "l"}.get(verb) or self._random.choice("pppln")
        return self._random.choice([name for name in NAMES if name[0] == kind])

    def _value(self, verb: str, name: str, own: bool = False) -> Any:
        random = self._random
        if verb == "add":
            return 1 if own else random.choice((1, 2, -3, 0.5, 0.25))
        if verb == "union":
            return [self.number] if own else random.sample(("a", "b", "c", 1, 2), random.randint(1, 3))
        if verb == "remove" or own:
            return self.number if own else random.choice(("a", "b", "c", 1, 2))
        if name[0] == "l":
            return random.sample(("a", "b", "c", 1, 2), random.randint(0, 3))
        return random.randint(0, 9) if name[0] == "n" else random.choice((self.number, "text", True, None))

    def _spoil(self, verb: str, values: dict[str, Any]) -> None:
        """Put something in that Mixpanel refuses; in a shared property a later record may replace it unjudged."""
        number = self.number
        if verb == "add":
            values[f"{BAD_NAME}{number % 2}"] = 1
        elif verb == "union":
            values["l0"] = ["a", POISON]
        elif verb == "remove" or self._random.random() < 0.5:
            values[f"bad{number}"] = POISON
        else:
            values["p0"] = POISON

    def _framed(self, group: str, verdict: str, verb: str, values: dict[str, Any], names: list[str]) -> Meant:
        project = project_of(group)
        name, company = parted(group)
        change = {
            "event_id": str(self.number),
            "occurred_at": self.number,
            "project": "other" if verdict == "unknown_project" else None if project == PROJECTS[0] else project,
            "group_key": "" if verdict == "invalid_change" else GROUP_KEY,
            "group_id": name,
            "operation": verb.upper(),
            "properties": values,
            "property_names": names,
            "company_id": company or None,
        }
        out = io.BytesIO()
        fastavro.schemaless_writer(out, writer_schema(), change)
        data = out.getvalue()
        ref: int | str = self._random.choice((KNOWN, KNOWN, ALSO_KNOWN))
        headers: list[tuple[str, bytes | None]] | None = None
        if self._random.random() < 0.05:
            ref, headers = GUID, [("__value_schema_id", b"\x01" + bytes.fromhex(GUID.replace("-", "")))]
        given = {"unknown_schema": UNKNOWN, "incompatible_schema": INCOMPATIBLE, "late": LATE}.get(verdict)
        if given is not None:
            ref, headers = given, None
        value = data if isinstance(ref, str) else bytes(1) + ref.to_bytes(4, "big") + data
        if verdict == "corrupt":
            value = value[:-1] if self._random.random() < 0.5 else value + b"\x00"
        said: Any = "" if verb == "delete" else names if verb == "unset" else values
        update = {"$token": token_of(project), "$group_key": GROUP_KEY, "$group_id": name}
        update |= ({"$company_id": company} if company else {}) | {f"${verb}": said}
        meant = Meant(self.number, self._groups[group], group, verdict, group.encode(), value, headers, ref, update)
        meant.size = len(orjson.dumps([update]))
        return meant

    def broad(self, group: str, *, size: int, bad: bool = False) -> Meant:
        """A $set of its own property, and of one of this size, or of a hundred, that all such records have."""
        self.number += 1
        number = self.number
        values: dict[str, Any] = {"p2": "x" * size} if size else {f"q{n:02}": number for n in range(100)}
        values[f"#{number}"] = number
        if bad:
            values[f"bad{number}"] = POISON
        return self._framed(group, "bad" if bad else "good", "set", values, [])

    def rejected(self, group: str, reason: str) -> Meant:
        """A record that is refused before it is sent; `late` where its schema comes late, and may be in time."""
        partition = self._groups[group]
        if reason == "tombstone":
            return Meant(self.number, partition, group, reason, group.encode(), None, None)
        if reason == "not_framed":
            return Meant(self.number, partition, group, reason, group.encode(), b"{}", None)
        own = f"#{self.number}"
        return self._framed(group, reason, "set", {own: self.number, "p1": self.number}, [])


def refused_by_rule(update: dict[str, Any]) -> str:
    """Mixpanel's words where it refuses the update, empty where it takes it; the same rule for each request."""
    for verb in ("$add", "$unset"):
        if verb in update and any(name.startswith(BAD_NAME) for name in update[verb]):
            return f"{verb}, a name that is not allowed"
    if "$delete" in update:
        return "$delete, not here" if update["$group_id"].startswith(UNDELETABLE) else ""
    for verb in ("$set", "$set_once", "$union", "$remove"):
        for value in update.get(verb, {}).values():
            if value == POISON or (isinstance(value, list) and POISON in value):
                return f"{verb}, a value that is not allowed"
    return ""
