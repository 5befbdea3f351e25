"""What profiles of a project are read back with, and what its settings are called: `check --canary`, `verify`."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from consumer.event.model import DEFAULT
from consumer.settings.declared import HOSTS

NEEDED: Final = ("project_id", "service_account_username", "service_account_secret")


@dataclass(frozen=True)
class ReadBack:
    """The host of the Query API, the project's number, and a service account. Empty is not given."""

    query_url: str
    project_id: str = ""
    service_account_username: str = ""
    service_account_secret: str = field(default="", repr=False)

    def missing(self) -> list[str]:
        """The fields that reading back needs and that are not given."""
        return [name for name in NEEDED if not getattr(self, name)]


def setting_of(project: str, field_name: str) -> str:
    """What people set a field of the project by, as `token` of it."""
    if project == DEFAULT:
        return f"MIXPANEL_{field_name.upper()}"
    return f"{field_name} of [{project}] in MIXPANEL_PROJECTS_FILE"


def region_of(url: str, otherwise: str) -> str:
    """The region that updates to this URL go to: that of a known host, else the one that is set."""
    host = urlsplit(url).hostname
    return next((name for name, known in HOSTS.items() if known == host), otherwise)
