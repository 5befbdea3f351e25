"""The sandbox's traffic: change events as companies make them, bad records among them, the same for the same seed.

    traffic = Traffic(writers, seed=1)
    for event in traffic.events(100_000):
        producer.produce(topic, key=event.key, value=event.value, headers=event.headers)

Each event knows what is to become of it: the update that Mixpanel applies, or the reason of its dead letter. That
holds for events of one group in their order, however they are batched: see `Expected`.
"""

import random
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any, Final

from consumer.sandbox.mixpanel.project import TOKEN
from consumer.sandbox.traffic.bad import MAKERS
from consumer.sandbox.traffic.draws import COUNTERS, NAMES, PROPERTIES, SOURCES, TAGS, WORDS
from consumer.sandbox.traffic.event import NUMBER_HEADER, Headers, TrafficEvent
from consumer.sandbox.traffic.schemas import Writers

BAD: Final = 0.02
ZIPF: Final = 0.72  # of 200,000 groups the busiest has one event in a hundred
BASE_TIME: Final = 1_767_225_600_000  # 2026-01-01: the same seed gives the same bytes
GUIDS: Final = 0.1  # this share has its schema in a header
OTHER_WRITERS: Final = 0.2
_BLOCK: Final = 1_000

_WEIGHTS: Final = {"SET": 70, "ADD": 10, "SET_ONCE": 6, "UNION": 6, "UNSET": 4, "REMOVE": 3, "DELETE": 1}


class Traffic:
    """Change events without end.

    `bad` is the share of records that cannot be applied: one number for all reasons together, or one by reason.
    `groups` is how many groups there are; few of them have most of the events. `token` is whose profiles they are.
    `projects` are others with their tokens: groups are of all of them in turn, and each has groups of the same ids.
    """

    def __init__(
        self,
        writers: Writers,
        *,
        seed: int = 1,
        bad: float | Mapping[str, float] = BAD,
        groups: int = 5_000,
        token: str = TOKEN,
        projects: Mapping[str, str] | None = None,
    ) -> None:
        self.writers = writers
        self.random = random.Random(seed)
        self.token = token
        self._number = 0
        self._projects: list[tuple[str | None, str]] = [(None, token), *(projects or {}).items()]
        self._groups = [_group(n // len(self._projects)) for n in range(groups)]
        self._weights = list(accumulate((n + 1) ** -ZIPF for n in range(groups)))
        shares = bad if isinstance(bad, Mapping) else dict.fromkeys(MAKERS, bad / len(MAKERS))
        unknown = shares.keys() - MAKERS.keys()
        if unknown or sum(shares.values()) > 1.000_001:
            raise ValueError(f"bad is a share, or shares by reason: {', '.join(MAKERS)}; not {shares}")
        self._reasons = [*shares, None]
        self._shares = list(accumulate([*shares.values(), max(0.0, 1 - sum(shares.values()))]))
        self._refused: set[int] = set()

    def events(self, count: int) -> Iterator[TrafficEvent]:
        """The next so many events."""
        for start in range(0, count, _BLOCK):
            size = min(_BLOCK, count - start)
            groups = self.random.choices(range(len(self._groups)), cum_weights=self._weights, k=size)
            reasons = self.random.choices(self._reasons, cum_weights=self._shares, k=size)
            verbs = self.random.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=size)
            for group, reason, verb in zip(groups, reasons, verbs, strict=True):
                self._number += 1
                yield self._good(group, verb) if reason is None else self._bad(group, reason)

    def change(
        self,
        group_key: str,
        group_id: str,
        operation: str,
        values: Any,
        company_id: str | None = None,
        project: str | None = None,
    ) -> dict[str, Any]:
        """The fields of an event, as every writer's schema takes them."""
        unset = operation == "UNSET"
        return {
            "event_id": f"{self._number:08x}",
            "occurred_at": BASE_TIME + self._number * 10,
            "project": project,
            "source": "crm",
            "group_key": group_key,
            "group_id": group_id,
            "operation": operation,
            "properties": {} if unset else values,
            "property_names": values if unset else [],
            "company_id": company_id,
        }

    def record(
        self, change: dict[str, Any], update: dict[str, Any] | None = None, reason: str | None = None
    ) -> TrafficEvent:
        """The change as a record, written by one of the producers."""
        draw = self.random.random()
        writer = self.writers.current
        if draw < OTHER_WRITERS and change["project"] is None:
            # The older one can say neither what UNSET needs, nor a company.
            plain = not change["property_names"] and change["company_id"] is None
            writer = self.writers.older if plain and draw < OTHER_WRITERS / 2 else self.writers.newer
        data = writer.encode(change)
        key = f"{change['group_key']}:{change['group_id']}".encode()
        if writer.guid is not None and self.random.random() < GUIDS:
            return self.raw(key, data, [writer.header()], update, reason)
        return self.raw(key, writer.frame(data), [], update, reason)

    def raw(
        self,
        key: bytes,
        value: bytes | None,
        headers: Headers,
        update: dict[str, Any] | None = None,
        reason: str | None = None,
    ) -> TrafficEvent:
        """A record with any bytes."""
        numbered: Headers = [(NUMBER_HEADER, str(self._number).encode()), *headers]
        return TrafficEvent(self._number, key, value, numbered, update, reason)

    def _good(self, group: int, operation: str) -> TrafficEvent:
        if operation == "DELETE" and group % 10:  # some groups are never deleted, so that a refusal in them stays
            operation = "SET"
        key, name, company = self._groups[group]
        project, token = self._projects[group % len(self._projects)]
        values = self.values(operation)
        update = {"$token": token, "$group_key": key, "$group_id": name}
        if company is not None:
            update["$company_id"] = company
        update[f"${operation.lower()}"] = values
        if operation == "DELETE":
            update["$delete"], values = "", {}
        return self.record(self.change(key, name, operation, values, company, project), update)

    def values(self, operation: str) -> Any:
        """What an operation is given."""
        draw = self.random
        if operation == "SET":
            return {name: PROPERTIES[name](draw) for name in draw.sample(NAMES, draw.randrange(3, 9))}
        if operation == "ADD":
            return {name: COUNTERS[name](draw) for name in draw.sample(tuple(COUNTERS), draw.randrange(1, 3))}
        if operation == "SET_ONCE":
            return {
                "signup_source": draw.choice(SOURCES),
                "first_seen": f"2025-{draw.randrange(1, 13):02}-01T00:00:00",
            }
        if operation == "UNION":
            return {"tags": draw.sample(TAGS, draw.randrange(1, 4))}
        if operation == "REMOVE":
            return {"tags": draw.choice(TAGS)}
        return draw.sample(NAMES, draw.randrange(1, 3)) if operation == "UNSET" else {}

    def _bad(self, group: int, reason: str) -> TrafficEvent:
        """A record of this group that is to become a dead letter."""
        key, name, company = self._groups[group]
        if reason == "rejected":
            # A refusal that a later change overwrites is never judged: one for each group, in those never deleted.
            mine = self._projects[group % len(self._projects)][0] is None  # its record names no project
            once = group % 10 and group not in self._refused and company is None and mine
            self._refused.add(group)
            name = name if once else f"reject-{self._number}"
        return MAKERS[reason](self, key, name)


def _group(number: int) -> tuple[str, str, str | None]:
    """Group key, id and company of one group: every eighth is of a company, and two of these share an id."""
    word = WORDS[number % 10]
    if number % 8:
        return "company" if number % 4 else "workspace", f"{word}-{number}", None
    first = number - number % 16
    return "workspace", f"{WORDS[first % 10]}-{first}", f"{WORDS[(number + 1) % 10]}-{number + 1}"
