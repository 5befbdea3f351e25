"""What a client does when what it signs in with has changed: takes it live, or is replaced by a new one.

librdkafka takes another user or password live, and uses it for the connections to come. All else (certificates,
keys, what asks for tokens) it reads when the client is made.
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

LIVE: Final = frozenset(("sasl.username", "sasl.password"))
SIGN_IN: Final = ("sasl.", "ssl.", "https.")


class Rotation(NamedTuple):
    """The client's configuration from now on; `live` are user and password, where the client takes them as it is."""

    config: dict[str, object]
    live: tuple[str, str] | None


def rotation(old: Mapping[str, object], new: Mapping[str, object], files: Collection[str]) -> Rotation | None:
    """What to do where a client of `old` is to be as `new` says, and these files have another content.

    None where nothing of it concerns signing in; other properties stay as they are until the next start.
    """
    before = {name: value for name, value in old.items() if name.startswith(SIGN_IN)}
    given = {name: value for name, value in new.items() if name.startswith(SIGN_IN)}
    differing = {name for name in before.keys() | given.keys() if before.get(name) != given.get(name)}
    other_files = any(value in files for value in given.values())
    if not differing and not other_files:
        return None
    kept = {name: value for name, value in old.items() if name not in before}
    user, password = str(given.get("sasl.username", "")), str(given.get("sasl.password", ""))
    live = differing <= LIVE and not other_files and bool(user and password)
    return Rotation(kept | given, (user, password) if live else None)
