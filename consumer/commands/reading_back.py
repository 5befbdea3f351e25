"""What `check --canary` and `verify` share: the Query API of the settings, and the ids of group keys."""

import re
from collections.abc import Callable, Mapping
from typing import Final

import click

from consumer.event.model import DEFAULT
from consumer.mixpanel.query import Account, DataGroup, QueryApi, QueryFailed
from consumer.mixpanel.query_budget import Budget
from consumer.settings import Settings
from consumer.settings.read_back import NEEDED, ReadBack, setting_of

SETTINGS: Final = tuple(setting_of(DEFAULT, name) for name in (*NEEDED, "query_url"))
# The id of a group key: a signed number, kept as text.
DATA_GROUP_ID: Final = re.compile(r"-?[0-9]{1,20}")
project_option = click.option(
    "--project",
    default=DEFAULT,
    show_default=True,
    metavar="NAME",
    help="The project that is read, of MIXPANEL_PROJECTS_FILE.",
)


class NoGroupKey(Exception):
    """The project does not define the group key, or its id cannot be asked for; the message says what to do.

    `absent` is whether the key is known not to be there.
    """

    def __init__(self, message: str, *, absent: bool) -> None:
        super().__init__(message)
        self.absent = absent


def read_back_of(settings: Settings, project: str) -> ReadBack:
    """What the project is read back with."""
    named = settings.projects.get(project)
    if named is not None and named.read_back is not None:
        return named.read_back
    return ReadBack(
        settings.mixpanel_query_url,
        settings.mixpanel_project_id,
        settings.mixpanel_service_account_username,
        settings.mixpanel_service_account_secret,
    )


def missing(settings: Settings, project: str) -> list[str]:
    """A problem for each setting that reading the project back needs and that is not there, or for the project."""
    if project != DEFAULT and project not in settings.projects:
        return [unknown_project(settings, project)]
    names = read_back_of(settings, project).missing()
    return [f"{setting_of(project, name)} is not set: profiles are read back with it" for name in names]


def unknown_project(settings: Settings, project: str) -> str:
    """The problem of a project that is not there."""
    names = ", ".join(settings.projects) or "none"
    return f"--project {project} names no project of the settings (MIXPANEL_PROJECTS_FILE): there are {names}"


def query_api(
    settings: Settings, project: str, patience: float, sleep: Callable[[float], None] | None = None
) -> QueryApi:
    """The Query API of the project; it waits no longer than `patience` seconds for its limits."""
    by = read_back_of(settings, project)
    account = Account(by.service_account_username, by.service_account_secret, by.project_id)
    budget = Budget(patience) if sleep is None else Budget(patience, sleep=sleep)
    return QueryApi(by.query_url, account, timeout=settings.mixpanel_timeout, budget=budget)


def group_key(query: QueryApi, key: str, given: Mapping[str, str]) -> DataGroup:
    """The group key with its id, as given or as the project tells. Raises `NoGroupKey`, `QueryFailed`."""
    if key in given:
        return DataGroup(given[key], key, True)
    try:
        defined = query.data_groups()
    except QueryFailed as failed:
        if failed.cause in ("away", "login"):
            raise
        message = (
            f"its id cannot be asked for ({failed}): find it in Project Settings > Group Keys, give --data-group-id"
        )
        raise NoGroupKey(message, absent=False) from failed
    for group in defined:
        if group.key == key:
            return group
    names = ", ".join(sorted(group.key for group in defined)) or "none"
    raise NoGroupKey(f"the project does not define this group key; it has: {names}", absent=True)
