"""The profiles of groups, read back in as few queries as can be."""

from collections.abc import Callable, Collection, Mapping
from typing import Final

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

    def read(
        self, groups: Collection[Group], moved: Callable[[int], object] = lambda _: None
    ) -> tuple[dict[Name, Mapping[str, object]], dict[str, str]]:
        """The profiles that are there, and for each group key that cannot be read why."""
        found: dict[Name, Mapping[str, object]] = {}
        unread: dict[str, str] = {}
        for key in sorted({group.key for group in groups}):
            names = {shown_id(group): group.name for group in groups if group.key == key}
            try:
                profiles = self._of_key(key, list(names), moved)
                found |= {names[one]: profile for one, profile in profiles.items() if one in names}
            except (QueryFailed, NoGroupKey) as failed:
                unread[key] = str(failed)
        return found, unread

    def _of_key(self, key: str, ids: list[str], moved: Callable[[int], object]) -> Profiles:
        if key not in self._ids:
            self._ids[key] = group_key(self._query, key, self._given).id
        of = self._ids[key]
        if len(ids) > AT_ONCE * MOST_QUERIES:
            wanted = set(ids)
            return self._whole_key(of, wanted, moved)
        found: dict[str, Mapping[str, object]] = {}
        for first in range(0, len(ids), AT_ONCE):
            found |= self._query.profiles(of, ids[first : first + AT_ONCE])
            moved(len(ids[first : first + AT_ONCE]))
        return found

    def _whole_key(self, of: str, wanted: set[str], moved: Callable[[int], object]) -> Profiles:
        found: dict[str, Mapping[str, object]] = {}
        for one, profile in self._query.every_profile(of):
            if one in wanted:
                found[one] = profile
                moved(1)
        return found


def shown_id(group: Group) -> str:
    """The id that Mixpanel shows the profile with: `$company:acme|$user:ann` where it is of a company.

    Documented for users; other keys are taken to be shown likewise.
    """
    if group.company is None:
        return group.id
    if group.key == COMPANY_KEY:
        return f"$company:{group.id}"
    return f"$company:{group.company}|{group.key.removesuffix('_id')}:{group.id}"
