"""Members of the group whose updates go to another project: told once for each change."""

import logging

log = logging.getLogger("consumer")


class Foreign:
    """Those that were seen last."""

    def __init__(self) -> None:
        self._seen: list[str] = []

    def look(self, members: list[str]) -> int:
        """Tell what changed; `members` is where they run. Returns how many there are."""
        if members and members != self._seen:
            log.error(
                "members of the group send to another Mixpanel project, and data is mixed: give each project its own"
                " KAFKA_GROUP_ID",
                extra={"members": members},
            )
        elif self._seen and not members:
            log.info("no member of the group sends to another Mixpanel project any more")
        self._seen = members
        return len(members)
