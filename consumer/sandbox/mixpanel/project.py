"""The one project of the sandbox's Mixpanel, as its Query API and its settings know it.

Updates with another token are accepted, as Mixpanel does, and can be read back in no project; so are those of a group
key that the project does not define.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

TOKEN: Final = "sandbox-token"  # noqa: S105  # of no real project
PROJECT_ID: Final = "1234567"
USERNAME: Final = "sandbox.reader"
SECRET: Final = "sandbox-secret"  # noqa: S105


@dataclass
class SandboxProject:
    """Its number, token, service account and group keys.

    `domain` is the host of its region. `utc_offset` is that of its time zone, in hours. `numbers`: ids of group keys
    come as JSON numbers, not as text.
    """

    token: str = TOKEN
    id: str = PROJECT_ID
    username: str = USERNAME
    secret: str = SECRET
    group_keys: list[str] = field(default_factory=lambda: ["company", "workspace"])
    domain: str = "mixpanel.com"
    utc_offset: int = -8
    numbers: bool = False

    def key_of(self, data_group_id: str) -> str | None:
        """The group key with this id; None where there is none."""
        return next((key for key in self.group_keys if id_of(key) == data_group_id), None)

    def data_groups(self) -> list[dict[str, object]]:
        """The group keys as `data-groups/` lists them."""
        return [
            {
                "data_group_id": int(id_of(key)) if self.numbers else id_of(key),
                "property_name": key,
                "display_name": key.capitalize(),
                "created_at": "2026-01-01T00:00:00",
                "is_ready": True,
                "ready_at": "2026-01-01T00:05:00",
                "type": "group",
                "metadata": {"is_company_key": False, "company_key_name": None, "company_revenue_key": None},
            }
            for key in self.group_keys
        ]


def id_of(key: str) -> str:
    """The id of a group key: a signed 64-bit number, as text."""
    return str(int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big", signed=True))
