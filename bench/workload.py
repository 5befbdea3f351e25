"""The events that are measured: realistic, seeded, encoded before anything is timed.

name      what it is
mixed     70 % SET with 3 to 8 properties, the rest the other six; 200,000 groups, Zipf, the busiest 1 %;
          most events have 150 to 350 bytes
new       as mixed, and every event is of a group of its own: nothing folds, updates equal events
hot       as mixed, and one group takes 20 %
large     as new, with 2 KB an event
refusals  as hot, and that group's are SETs of one property; 1 % of them of one that is refused
chained   40 groups at random, each adding to and removing from one list in turns: nothing folds, so a request has one
          change of each group
"""

import io
import json
import random
import uuid
from collections.abc import Iterator
from importlib.resources import files
from itertools import accumulate
from typing import Any

import fastavro

from bench.stub import REFUSED

WORKLOADS = ("mixed", "new", "hot", "large", "refusals", "chained")
CHAINS = 40
GROUPS = 200_000
SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC835  # odd, so that every group has an id of its own
ZIPF = 0.72  # of 200,000 groups the busiest has one event in a hundred
SCHEMA_TEXT = files("consumer.schemas").joinpath("group_change.avsc").read_text("utf-8")
SCHEMA = fastavro.parse_schema(json.loads(SCHEMA_TEXT))
WEIGHTS = {"SET": 70, "SET_ONCE": 7, "ADD": 8, "UNION": 6, "REMOVE": 3, "UNSET": 5, "DELETE": 1}
NAMES = (
    "plan_name",
    "seats_purchased",
    "monthly_revenue",
    "billing_country",
    "industry",
    "account_owner",
    "created_at",
    "health_score",
    "renewal_date",
    "lead_source",
)
LISTS = ("features", "integrations", "regions", "segments")
WORDS = (
    "enterprise-annual",
    "north-america",
    "Berlin",
    "2026-03-01T00:00:00",
    "success@customer.example.com",
    "partner referral",
    "logistics and supply",
)


def events(
    workload: str, count: int, schema_id: int, seed: int = 1, groups: int = GROUPS, projects: int = 1
) -> Iterator[tuple[str, bytes]]:
    """Key and framed value of each event, of so many projects in turn."""
    rng = random.Random(seed)
    weights = list(accumulate(rank**-ZIPF for rank in range(1, groups + 1)))
    numbers = range(groups)
    header = b"\0" + schema_id.to_bytes(4, "big")
    links = [0] * CHAINS  # so many events of each group before
    for number in range(count):
        if workload in ("new", "large"):
            group = number
        elif workload == "chained":
            group = rng.randrange(CHAINS)
        elif workload in ("hot", "refusals") and rng.random() < 0.2:
            group = 0
        else:
            group = rng.choices(numbers, cum_weights=weights)[0]
        written = io.BytesIO()
        written.write(header)
        name = f"account-{uuid.UUID(int=group * SPREAD % 2**128)}"
        event = change(rng, number, name, workload == "large") | {"project": project_of(number, projects)}
        if workload == "refusals" and group == 0:
            property_name = f"{REFUSED}{number}" if rng.random() < 0.01 else rng.choice(NAMES)
            event |= {"operation": "SET", "properties": {property_name: value(rng)}, "property_names": []}
        elif workload == "chained":
            verb, item = ("REMOVE", WORDS[0]) if links[group] % 2 else ("UNION", [WORDS[0]])
            links[group] += 1
            event |= {"operation": verb, "properties": {LISTS[0]: item}, "property_names": []}
        fastavro.schemaless_writer(written, SCHEMA, event)
        yield f"company:{name}", written.getvalue()


def project_of(number: int, projects: int) -> str | None:
    """The project of this event, of so many; None is the default one."""
    return f"project-{number % projects}" if number % projects else None


def change(rng: random.Random, number: int, group: str, large: bool = False) -> dict[str, Any]:
    """One event, before it is encoded."""
    operation = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    properties: dict[str, Any] = {}
    if operation in ("SET", "SET_ONCE"):
        properties = {name: value(rng) for name in rng.sample(NAMES, rng.randint(3, 8))}
        if large:
            properties["notes"] = "x" * 1_900
    elif operation == "ADD":
        properties = {"logins_total": rng.randrange(9), "amount_spent": rng.randrange(10_000) / 4}
    elif operation == "UNION":
        properties = {rng.choice(LISTS): rng.sample(WORDS, 3)}
    elif operation == "REMOVE":
        properties = {rng.choice(LISTS): rng.choice(WORDS)}
    return {
        "event_id": str(uuid.UUID(int=rng.getrandbits(128))),
        "occurred_at": 1_767_225_600_000 + number,
        "project": None,
        "group_key": "company",
        "group_id": group,
        "operation": operation,
        "properties": properties,
        "property_names": ["trial_ends_at", "trial_source", "trial_owner"] if operation == "UNSET" else [],
    }


def value(rng: random.Random) -> Any:
    """A property's value: text more often than numbers."""
    kind = rng.random()
    if kind < 0.55:
        return rng.choice(WORDS)
    if kind < 0.8:
        return rng.randrange(1_000_000)
    return rng.randrange(1_000_000) / 8 if kind < 0.95 else kind < 0.97
