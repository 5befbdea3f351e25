"""The properties of the sandbox's companies, and how a value of each is drawn."""

import random
from collections.abc import Callable
from typing import Any, Final, TypeAlias

_CITIES: Final = (
    "Amsterdam",
    "Austin",
    "Berlin",
    "Kraków",
    "Lisboa",
    "London",
    "München",
    "Nairobi",
    "São Paulo",
    "東京",
)
_INDUSTRIES: Final = (
    "banking",
    "education",
    "energy",
    "games",
    "health",
    "logistics",
    "retail",
    "software",
    "travel",
)
SOURCES: Final = ("ads", "conference", "partner", "referral", "search")
TAGS: Final = (
    "beta",
    "churn-risk",
    "champion",
    "eu",
    "expansion",
    "legacy",
    "pilot",
    "priority",
    "self-serve",
    "vip",
)
WORDS: Final = ("north", "blue", "rapid", "quiet", "prime", "delta", "green", "union", "solid", "lunar")

Draw: TypeAlias = Callable[[random.Random], Any]
PROPERTIES: Final[dict[str, Draw]] = {
    "name": lambda r: f"{r.choice(WORDS).title()} {r.choice(WORDS).title()} {r.choice(('GmbH', 'Inc', 'Ltd', 'SA'))}",
    "plan": lambda r: r.choice(("free", "team", "business", "enterprise")),
    "industry": lambda r: r.choice(_INDUSTRIES),
    "city": lambda r: r.choice(_CITIES),
    "owner": lambda r: f"{r.choice(WORDS)}@example.com",
    "website": lambda r: f"https://{r.choice(WORDS)}-{r.choice(WORDS)}.example",
    "employees": lambda r: r.randrange(1, 50_000),
    "mrr": lambda r: r.randrange(400_000) / 4,
    "health_score": lambda r: r.random(),
    "trial": lambda r: r.random() < 0.2,
    "renews_on": lambda r: f"2026-{r.randrange(1, 13):02}-{r.randrange(1, 29):02}T00:00:00",
    "parent": lambda _: None,
    "features": lambda r: r.sample(TAGS, 3),
    "address": lambda r: {
        "street": f"{r.choice(WORDS)} street {r.randrange(1, 99)}",
        "zip": r.randrange(10_000, 99_999),
    },
}
NAMES: Final = tuple(PROPERTIES)
COUNTERS: Final[dict[str, Draw]] = {
    "seats": lambda r: r.randrange(-3, 10),
    "logins": lambda r: r.randrange(1, 50),
    "api_calls": lambda r: r.randrange(1, 100_000),
    "revenue": lambda r: r.randrange(1, 40_000) / 4,  # quarters add up exactly, in any order
}
