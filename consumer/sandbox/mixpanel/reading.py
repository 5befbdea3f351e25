"""What the Query API sees of the profiles: each write some time after it, and not in the order of writing."""

import random
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, Final, TypeAlias

from consumer.sandbox.mixpanel.profiles import Profiles
from consumer.sandbox.mixpanel.updates import Group, group_of

Lag: TypeAlias = tuple[float, float]
"""Least and most, in seconds."""
COMPANY_KEY: Final = "$company_id"
GEO: dict[str, Any] = {"$city": "San Francisco", "$region": "California", "$country_code": "US"}
GEO["$timezone"] = "America/Los_Angeles"


class ReadableProfiles:
    """The profiles as a reader sees them. Safe to use from several threads."""

    def __init__(self, profiles: Profiles, lag: Lag, clock: Callable[[], float] = time.time) -> None:
        self.lag = lag
        self._profiles = profiles
        self._clock = clock
        self._random = random.Random(0)
        self._lock = Lock()
        self._versions: dict[Group, deque[tuple[float, dict[str, Any] | None]]] = {}
        self._seen: dict[Group, float] = {}
        self._placed: set[Group] = set()

    def note(self, updates: Iterable[dict[str, Any]], *, placed: bool, lag: Lag | None = None) -> None:
        """These updates were just applied, `placed` by their sender's address; `lag` is in the place of the usual."""
        now = self._clock()
        least, most = lag or self.lag
        with self._lock:
            for update in updates:
                group = group_of(update)
                if not update.get("$ignore_time"):
                    self._seen[group] = now
                if placed:
                    self._placed.add(group)
                if most > 0 or group in self._versions:
                    versions = self._versions.setdefault(group, deque([(0.0, None)]))
                    due = max(now + self._random.uniform(least, most), versions[-1][0])
                    versions.append((due, self._profiles.get(*group)))
                    self._visible(versions, now)

    def rows(self, token: str, key: str, utc_offset: int) -> dict[str, dict[str, Any]]:
        """Every profile of the group key that a reader sees now, by the id that it is shown with."""
        now = self._clock()
        with self._lock:
            groups = [group for group in self._seen if group[0] == token and group[1] == key]
            by_id = {shown_id(group): self._row(group, now, utc_offset) for group in groups}
        return {shown: row for shown, row in by_id.items() if row is not None}

    def _row(self, group: Group, now: float, utc_offset: int) -> dict[str, Any] | None:
        versions = self._versions.get(group)
        properties = self._profiles.get(*group) if versions is None else self._visible(versions, now)
        if properties is None:
            return None
        seen = datetime.fromtimestamp(self._seen[group], UTC) + timedelta(hours=utc_offset)
        geo = GEO if group in self._placed else {}
        return geo | properties | {"$last_seen": seen.strftime("%Y-%m-%dT%H:%M:%S")}

    @staticmethod
    def _visible(versions: deque[tuple[float, dict[str, Any] | None]], now: float) -> dict[str, Any] | None:
        """What can be seen now; what was to be seen before is forgotten."""
        while len(versions) > 1 and versions[1][0] <= now:
            versions.popleft()
        return versions[0][1]


def shown_id(group: Group) -> str:
    """The id that a profile is shown with: with that of its company before it, where it has one.

    Documented for users; other keys are taken to be shown likewise.
    """
    _, key, name, company = group
    if not company:
        return name
    if key == COMPANY_KEY:
        return f"{label(key)}:{name}"
    return f"{label(COMPANY_KEY)}:{company}|{label(key)}:{name}"


def label(key: str) -> str:
    """What stands before an id of this group key."""
    return key.removesuffix("_id")
