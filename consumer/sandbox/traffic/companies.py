"""A table of companies as change data capture writes it: a whole life of it, the same for the same seed.

    companies = Companies(registry.register, seed=1)
    for event in companies.events(20_000):
        producer.produce(TOPIC, key=event.key, value=event.value, headers=event.headers)
    companies.profiles()                  # what Mixpanel holds then: the table, as companies.toml maps it

A snapshot comes first, then rows that are new, changed and gone, with large columns left alone, and in the middle a
column is added. A few rows have a number that is none; each is a dead letter, and put right by the next change.
"""

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from consumer.sandbox.traffic.captured_table import LARGE, CapturedChange, CapturedTable, Row
from consumer.sandbox.traffic.connect_schemas import (
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    JSON,
    LONG,
    TEXT,
    TEXTS,
    TIMESTAMP,
    UUID,
    ZONED_TIMESTAMP,
    Column,
    decimal,
    enum,
    envelope_schema,
)
from consumer.sandbox.traffic.event import NUMBER_HEADER, TrafficEvent
from consumer.sandbox.traffic.traffic import BASE_TIME

TOPIC: Final = "crm.public.companies"
GROUP_KEY: Final = "company"
SNAPSHOT: Final = 0.1
"""This share of all records is the snapshot."""
DELETED: Final = 0.04
INSERTED: Final = 0.2
BAD: Final = 0.002
CUSTOMERS: Final = ("trial", "customer")
PLANS: Final = {"p": "Pro", "e": "Enterprise"}
COLUMNS: Final = (
    Column("id", INTEGER, nullable=False),
    Column("external_id", LONG, nullable=False),
    Column("kind", enum("prospect", "trial", "customer"), nullable=False),
    Column("name", TEXT, nullable=False),
    Column("plan_code", TEXT, default="f"),
    Column("mrr", decimal(12, 2)),
    Column("seats", INTEGER, default=7),
    Column("active", BOOLEAN, nullable=False, default=True),
    Column("health", DOUBLE),
    Column("renewal_date", DATE),
    Column("labels", JSON),
    Column("markets", TEXTS),
    Column("notes", TEXT),
    Column("account", UUID),
    Column("created_at", TIMESTAMP, nullable=False),
    Column("updated_at", ZONED_TIMESTAMP, nullable=False, default=datetime(1970, 1, 1, tzinfo=UTC)),
)
TIER: Final = Column("tier", TEXT)
"""The column that is added."""
_START: Final = datetime(2026, 1, 1)  # noqa: DTZ001  # a timestamp without a zone, as in the column
_WORDS: Final = ("north", "blue", "rapid", "quiet", "prime", "delta", "green", "union", "solid", "lunar")
_MARKETS: Final = ("AT", "BR", "DE", "FR", "JP", "KE", "US")


class Companies:
    """The table and its traffic. `registered(subject, text)` registers a schema and says its id."""

    def __init__(self, registered: Callable[[str, str], int], *, seed: int = 1, bad: float = BAD) -> None:
        self._random = random.Random(seed)
        self._bad = bad
        self._number = 0
        self._next_id = 1
        self.table = CapturedTable(TOPIC, COLUMNS, ["id"], registered, BASE_TIME)
        # A file may name a column that the topic's schema will have, not one that none has.
        registered(f"{TOPIC}-value", json.dumps(envelope_schema(TOPIC, (*COLUMNS, TIER))))

    def events(self, count: int) -> Iterator[TrafficEvent]:
        """The records of the whole life, so many."""
        snapshot = [self._row() for _ in range(max(1, round(count * SNAPSHOT)))]
        for change in self.table.snapshot(snapshot):
            yield self._event(change)
        while self._number < count:
            if self._number >= count // 2 and self.table.columns == COLUMNS:
                self.table.alter((*COLUMNS, TIER))
            yield from self._some(count - self._number)

    def profiles(self) -> dict[str, Row]:
        """What the table's mapping makes of it, by the group's id: of trials and customers, and of nobody else."""
        rows = self.table.rows.values()
        return {str(row["id"]): profile_of(row) for row in rows if row["kind"] in CUSTOMERS}

    def _some(self, room: int) -> Iterator[TrafficEvent]:
        """The records of one thing that happens, no more than there is room for."""
        draw = self._random.random()
        if draw < INSERTED or not self.table.rows:
            yield self._event(self.table.insert(self._row()))
            return
        key = self._random.choice(tuple(self.table.rows))
        row = self.table.rows[key]
        if draw < INSERTED + DELETED and room > 1:
            for change in self.table.delete(key):
                yield self._event(change)
        elif draw > 1 - self._bad and room > 1 and row["kind"] in CUSTOMERS:
            yield self._event(self.table.update(key, {"health": float("nan")}), "invalid_change")
            yield self._event(self.table.update(key, {"health": 0.5}))
        else:
            yield self._event(self.table.update(key, self._values()))

    def _row(self) -> Row:
        draw = self._random
        number, self._next_id = self._next_id, self._next_id + 1
        fixed = {
            "id": number,
            "external_id": 2**53 + number,
            "account": f"00000000-0000-4000-8000-{number:012x}",
            "created_at": _START + timedelta(seconds=draw.randrange(10**7), microseconds=draw.randrange(10**6)),
        }
        values = {column.name: self._value(column.name) for column in self.table.columns if column.name not in fixed}
        return {column.name: (fixed | values)[column.name] for column in self.table.columns}

    def _values(self) -> Row:
        """New values of some columns. A kind comes with notes: a customer's that are left alone were never sent."""
        changing = [column.name for column in self.table.columns if column.name in _DRAWN]
        names = set(self._random.sample(changing, self._random.randrange(1, 4)))
        names |= {"notes"} if "kind" in names else set()
        return {name: self._value(name) for name in changing if name in names}

    def _value(self, name: str) -> Any:
        value = _DRAWN[name](self._random)
        column = next(candidate for candidate in self.table.columns if candidate.name == name)
        return None if column.nullable and self._random.random() < 0.1 else value

    def _event(self, change: CapturedChange, reason: str | None = None) -> TrafficEvent:
        self._number += 1
        headers = [(NUMBER_HEADER, str(self._number).encode()), *change.headers]
        return TrafficEvent(self._number, change.key, change.value, headers, None, reason)


_DRAWN: Final[dict[str, Callable[[random.Random], Any]]] = {
    "kind": lambda draw: draw.choices(("prospect", "trial", "customer"), (2, 3, 5))[0],
    "name": lambda draw: f"{draw.choice(_WORDS).title()} {draw.choice(_WORDS).title()}",
    "plan_code": lambda draw: draw.choice("fpe"),
    "mrr": lambda draw: Decimal(draw.randrange(10**7)) / 100,
    "seats": lambda draw: draw.randrange(1, 500),
    "active": lambda draw: draw.random() < 0.9,
    "health": lambda draw: draw.random(),
    "renewal_date": lambda draw: (_START + timedelta(days=draw.randrange(-400, 800))).date(),
    "labels": lambda draw: {"source": draw.choice(_WORDS), "rank": draw.randrange(9)},
    "markets": lambda draw: draw.sample(_MARKETS, draw.randrange(3)),
    "notes": lambda draw: draw.choice(_WORDS) * draw.choice((1, LARGE // 2)),
    "updated_at": lambda draw: (_START + timedelta(milliseconds=draw.randrange(10**10))).replace(tzinfo=UTC),
    "tier": lambda draw: draw.choice(("gold", "silver", "tin")),
}


def mapping_file() -> Path:
    """The mapping file of the table."""
    return Path(__file__).with_name("companies.toml")


def profile_of(row: Row) -> Row:
    """What companies.toml makes of one row, written apart from the code that maps."""
    plan, mrr, renewal = row["plan_code"], row["mrr"], row["renewal_date"]
    profile = {
        "$name": row["name"],
        "Account": row["account"],
        "Account id": str(row["external_id"]),
        "Active": row["active"],
        "Customer since": row["created_at"].strftime("%Y-%m-%dT%H:%M:%S"),
        "Health": row["health"],
        "Labels": row["labels"],
        "MRR": None if mrr is None else float(mrr),
        "Markets": row["markets"],
        "Notes": row["notes"],
        "Plan": None if plan is None else PLANS.get(plan, "Free"),
        "Renews at": None if renewal is None else f"{renewal}T00:00:00",
        "Seats": row["seats"],
        "Tier": row.get("tier"),
        "Updated": row["updated_at"].strftime("%Y-%m-%dT%H:%M:%S"),
    }
    return {name: value for name, value in profile.items() if value is not None}
