"""The profiles of groups, read back in as few queries as can be."""

from collections.abc import Callable, Collection, Mapping
from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from consumer.commands.reading_back import NoGroupKey, group_key
from consumer.commands.verify.model import Group, Name
from consumer.mixpanel.query import QueryApi, QueryFailed

# Ids in one query. No limit is documented; a page of answers has 1,000.
AT_ONCE: Final = 500
# Where more are asked for, the whole group key is read, which is one counted query however long it is.
MOST_QUERIES: Final = 10
COMPANY_KEY: Final = "$company_id"

Profiles = Mapping[str, Mapping[str, object]]


class ProfileReader:
    """Reads profiles by group key. `given` are the ids of group keys that the user named."""

    def __init__(self, query: QueryApi, given: Mapping[str, str]) -> None:
        self._query = query
        self._given = given
        self._ids: dict[str, str] = {}

    def zone(self) -> tzinfo | None:
        """The project's time zone; None where it is not told, or not known here."""
        try:
            return ZoneInfo(self._query.time_zone())
        except (QueryFailed, ZoneInfoNotFoundError, ValueError, OSError):
            return None

    def read(
        self, groups: Collection[Group], moved: Callable[[int], object] = lambda _: None
    ) -> tuple[dict[Name, Mapping[str, object]], dict[str, str]]:
        """The profiles that are there, and for each group key that cannot be read why."""
        profiles: dict[Name, Mapping[str, object]] = {}
        unread: dict[str, str] = {}
        for key in sorted({group.key for group in groups}):
            names = {shown_id(group): group.name for group in groups if group.key == key}
            try:
                of_key = self._of_key(key, list(names), moved)
                profiles |= {names[shown]: profile for shown, profile in of_key.items() if shown in names}
            except (QueryFailed, NoGroupKey) as failed:
                unread[key] = str(failed)
        return profiles, unread

    def _of_key(self, key: str, ids: list[str], moved: Callable[[int], object]) -> Profiles:
        if key not in self._ids:
            self._ids[key] = group_key(self._query, key, self._given).id
        of = self._ids[key]
        if len(ids) > AT_ONCE * MOST_QUERIES:
            wanted = set(ids)
            return self._whole_key(of, wanted, moved)
        profiles: dict[str, Mapping[str, object]] = {}
        for first in range(0, len(ids), AT_ONCE):
            profiles |= self._query.profiles(of, ids[first : first + AT_ONCE])
            moved(len(ids[first : first + AT_ONCE]))
        return profiles

    def _whole_key(self, of: str, wanted: set[str], moved: Callable[[int], object]) -> Profiles:
        profiles: dict[str, Mapping[str, object]] = {}
        for group_id, profile in self._query.every_profile(of):
            if group_id in wanted:
                profiles[group_id] = profile
                moved(1)
        return profiles


def shown_id(group: Group) -> str:
    """The id that Mixpanel shows the profile with: `$company:acme|$user:ann` where it is of a company.

    Documented for users; other keys are taken to be shown likewise.
    """
    if group.company is None:
        return group.id
    if group.key == COMPANY_KEY:
        return f"$company:{group.id}"
    return f"$company:{group.company}|{group.key.removesuffix('_id')}:{group.id}"
