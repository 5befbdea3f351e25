"""The mapped topic of a chaos run: a table's changes as Debezium writes them, and what each row is owed.

Up to three updates come of one row: one of its own group, which is sent what changed, and two of its parent's, which
is of another project: a `$union`, and a `$set`. One or two of them may be refused while the others stand. Each
update has a mark of its own, as those of the built-in event. What the columns are to come to is reckoned here, from
the table, and not by the rules: `expected`.
"""

import json
import random
from pathlib import Path
from typing import Any, Final

import fastavro

from consumer.sandbox.mixpanel.profiles import Profiles
from consumer.sandbox.registry.server import RegistrySandbox
from tests.chaos.story import APPLIED, Event, Part
from tests.integration.events import framed
from tests.integration.world import TOKEN

TOPIC: Final = "chaos-rows"
ROWS: Final = 120
PARTITIONS: Final = 6
PARENTS: Final = 2 * PARTITIONS  # a row's parent is always in the row's partition
UNCHANGED: Final = "__debezium_unavailable_value"
INFINITE: Final = float("inf")
NO_PARENT: Final[dict[str, Any]] = {"parent": None, "region": None, "listed": [], "parent_marks": {}}
# What is refused of a row, the rules that its dead letter names, and the reason; a row without a parent has one rule.
REFUSED: Final = {
    "": ("", APPLIED),
    "own": ("own", "invalid_change"),
    "set": ("parent set", "rejected"),
    "both": ("own,parent set", "rejected"),
}

MAPPING: Final = f"""
version = 1

[[rule]]
name = "own"
topics = ["{TOPIC}"]
format = "debezium"
key = "text"
group = {{ key = "company", id = "row.id" }}
before = "whole"
send = "changed"
null = "unset"
set = {{ plan = "row.plan", note = "row.note", score = "row.score" }}
copy = {{ from = "row.marks" }}

[[rule]]
name = "parent listed"
topics = ["{TOPIC}"]
format = "debezium"
key = "text"
group = {{ key = "company", id = "row.parent" }}
before = "whole"
project = {{ from = "row.region", values = {{ E = "emea", U = "us" }} }}
where = [{{ path = "row.parent", exists = true }}]
union = {{ marks = "row.listed" }}

[[rule]]
name = "parent set"
topics = ["{TOPIC}"]
format = "debezium"
key = "text"
group = {{ key = "company", id = "row.parent" }}
before = "whole"
project = {{ from = "row.region", values = {{ E = "emea", U = "us" }} }}
where = [{{ path = "row.parent", exists = true }}]
null = "skip"
copy = {{ from = "row.parent_marks" }}
"""

ROW: Final[dict[str, Any]] = {
    "type": "record",
    "name": "Value",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "plan", "type": ["null", "string"], "default": None},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "score", "type": "double"},
        {"name": "marks", "type": {"type": "map", "values": "long"}},
        {"name": "parent", "type": ["null", "string"], "default": None},
        {"name": "region", "type": ["null", "string"], "default": None},
        {"name": "listed", "type": {"type": "array", "items": "string"}},
        {"name": "parent_marks", "type": {"type": "map", "values": "long"}},
    ],
}
SCHEMA: Final[dict[str, Any]] = {
    "type": "record",
    "name": "Envelope",
    "namespace": "chaos.rows",
    "fields": [
        {"name": "before", "type": ["null", ROW], "default": None},
        {"name": "after", "type": ["null", "Value"], "default": None},
        {"name": "op", "type": "string"},
    ],
}
PARSED: Final = fastavro.parse_schema(json.loads(json.dumps(SCHEMA)))


def write_mapping(folder: Path) -> Path:
    """The mapping file of the topic."""
    file = folder / "mapping.toml"
    file.write_text(MAPPING)
    return file


def register(registry: RegistrySandbox) -> int:
    """The id of the topic's schema."""
    return registry.register(f"{TOPIC}-value", json.dumps(SCHEMA))


class Rows:
    """Changes of a table without an end, from a seed, each framed with this schema's id."""

    def __init__(self, seed: int, schema: int) -> None:
        self._random = random.Random(seed)
        self._schema = schema
        self._numbers: dict[str, int] = {}
        self._table: dict[int, dict[str, Any]] = {}
        self._quiet: set[int] = set()  # rows whose last change was no reject: they may be written as they are
        self.columns: dict[str, dict[str, Any]] = {}  # by group, what its columns are to be in its profile

    def differences(self, profiles: Profiles) -> list[str]:
        """Where a profile's columns are not those of the table, once all is settled."""
        found: list[str] = []
        for group, columns in self.columns.items():
            profile = profiles.get(TOKEN, "company", group) or {}
            for name, value in columns.items():
                if profile.get(name) != value:
                    found.append(f"{group}: {name} is {profile.get(name)!r}, and not {value!r}")
        return found

    def next(self) -> Event:
        """One more change of a row."""
        number = self._random.randrange(ROWS)
        before = self._table.get(number)
        if before is not None and number in self._quiet and self._random.random() < 0.1:
            self._table[number] = before | NO_PARENT  # nothing that its own rule reads
            return self._event(number, before, self._table[number], (), *REFUSED[""])
        parent = self._random.random() < 0.6
        refused = self._random.choices(
            tuple(REFUSED) if parent else ("", "own"), (94, 2, 2, 2) if parent else (94, 4)
        )[0]
        row, parts = self._change(number, before, refused, parent=parent)
        self._table[number] = row
        (self._quiet.discard if refused else self._quiet.add)(number)
        return self._event(number, before, row, tuple(parts), *REFUSED[refused])

    def _change(
        self, number: int, before: dict[str, Any] | None, refused: str, *, parent: bool
    ) -> tuple[dict[str, Any], list[Part]]:
        """The row as it is now, and the updates owed."""
        own = f"r{number}"
        bad = refused in ("own", "both")
        mark = self._mark(own)
        parts = [Part(own, mark, "SET", "invalid_change" if bad else APPLIED)]
        # Another one than before, or it would be unchanged, and not looked at.
        refusable = -INFINITE if before and before["score"] == INFINITE else INFINITE
        row = {
            "id": own, "marks": {f"m{mark}": 1, "seq": mark}, "score": refusable if bad else mark + 0.5,
        } | NO_PARENT | self._columns(own, before, bad)  # fmt: skip
        if parent:
            which = number % PARENTS
            group = f"{('emea', 'us')[which % 2]}.p{which}"
            listed, marked = self._mark(group), self._mark(group)
            ill = refused in ("set", "both")
            row |= {"parent": group, "region": "EU"[which % 2], "listed": [f"m{listed}"]}
            row["parent_marks"] = {f"m{marked}": 1, "seq": marked} | ({"$reject": 1} if ill else {})
            parts.append(Part(group, listed, "UNION", APPLIED))
            parts.append(Part(group, marked, "SET", "rejected" if ill else APPLIED))
        return row, parts

    def _columns(self, own: str, before: dict[str, Any] | None, bad: bool) -> dict[str, Any]:
        """`plan` and `note` of a row; what a refused update had changed would be lost, so it changes neither."""
        known = self.columns.setdefault(own, {})
        now = {name: before[name] if before else None for name in ("plan", "note")}
        for name, value in now.items() if not bad else ():
            chosen = self._random.choice((None, UNCHANGED if before else "new", f"{name} {self._random.random()}"))
            now[name] = chosen if self._random.random() < 0.3 else value
            if now[name] != UNCHANGED:
                known[name] = now[name]
        return now

    def _mark(self, group: str) -> int:
        number = self._numbers[group] = self._numbers.get(group, 0) + 1
        return number

    def _event(
        self,
        number: int,
        before: dict[str, Any] | None,
        row: dict[str, Any],
        parts: tuple[Part, ...],
        rules: str,
        owed: str,
    ) -> Event:
        datum = {"before": before, "after": row, "op": "u" if before else "c"}
        value = framed(datum, PARSED, self._schema)
        if parts and parts[0].owed == APPLIED:
            self.columns[row["id"]]["score"] = row["score"]
        return Event(TOPIC, row["id"], value, parts, owed, rules, number % PARTITIONS)
