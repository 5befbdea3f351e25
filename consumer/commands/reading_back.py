"""What `check --canary` and `verify` share: the Query API of the settings, and the ids of group keys."""

from collections.abc import Callable, Mapping
from typing import Final

from consumer.mixpanel.query import Account, DataGroup, QueryApi, QueryFailed
from consumer.mixpanel.query_budget import Budget
from consumer.settings import Settings

NEEDED: Final = ("MIXPANEL_PROJECT_ID", "MIXPANEL_SERVICE_ACCOUNT_USERNAME", "MIXPANEL_SERVICE_ACCOUNT_SECRET")


class NoGroupKey(Exception):
    """The project does not define the group key, or its id cannot be asked for; the message says what to do.

    `absent` is whether the key is known not to be there.
    """

    def __init__(self, message: str, *, absent: bool) -> None:
        super().__init__(message)
        self.absent = absent


def missing(settings: Settings) -> list[str]:
    """A problem for each setting that reading back needs and that is not there."""
    return [f"{name} is not set: profiles are read back with it" for name in NEEDED if not value_of(settings, name)]


def value_of(settings: Settings, name: str) -> object:
    """The value of a setting by its variable's name."""
    return getattr(settings, name.lower())


def query_api(settings: Settings, patience: float, sleep: Callable[[float], None] | None = None) -> QueryApi:
    """The Query API of the settings' project; it waits no longer than `patience` seconds for its limits."""
    account = Account(
        settings.mixpanel_service_account_username,
        settings.mixpanel_service_account_secret,
        settings.mixpanel_project_id,
    )
    budget = Budget(patience) if sleep is None else Budget(patience, sleep=sleep)
    return QueryApi(settings.mixpanel_query_url, account, timeout=settings.mixpanel_timeout, budget=budget)


def group_key(query: QueryApi, key: str, given: Mapping[str, str]) -> DataGroup:
    """The group key with its id, as given or as the project tells. Raises `NoGroupKey`, `QueryFailed`."""
    if key in given:
        return DataGroup(given[key], key, True)
    try:
        defined = query.data_groups()
    except QueryFailed as failed:
        if failed.cause in ("away", "login"):
            raise
        words = (
            f"its id cannot be asked for ({failed}): find it in Project Settings > Group Keys, give --data-group-id"
        )
        raise NoGroupKey(words, absent=False) from failed
    for one in defined:
        if one.key == key:
            return one
    names = ", ".join(sorted(one.key for one in defined)) or "none"
    raise NoGroupKey(f"the project does not define this group key; it has: {names}", absent=True)
