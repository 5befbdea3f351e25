"""What others say of a dead letter of theirs: the brokers for a share group, and clients that run Confluent's rules.

`dlq show` prints it; such records are foreign all the same, and are never replayed.
"""

from dataclasses import dataclass
from typing import Final

from consumer.event.model import Headers

SHARE_GROUP: Final = "__dlq.errors."
RULE: Final = "__rule."


@dataclass(frozen=True)
class Told:
    """What such a writer says. `said` has its headers by their names without the `prefix`."""

    prefix: str
    said: dict[str, str]

    @property
    def writer(self) -> str:
        """Who wrote it, and why, as far as it is said."""
        if self.prefix == SHARE_GROUP:
            times = self.said.get("delivery.count")
            count = f", delivered {times} times" if times else ""
            return f"the broker, for share group {self.said.get('group', '?')}{count}"
        subject = f" of subject {self.said['subject']}" if "subject" in self.said else ""
        return f"a client, by rule {self.said.get('name', '?')} ({self.said.get('mode', '?')}){subject}"

    @property
    def detail(self) -> str:
        """Its own words for what was wrong; empty where it has none."""
        return self.said.get("message" if self.prefix == SHARE_GROUP else "exception", "")

    @property
    def source(self) -> str:
        """Where the record came from, as far as it is said."""
        named = [f"{name} {self.said[name]}" for name in ("topic", "partition", "offset") if name in self.said]
        return ", ".join(named)


def told_by_others(headers: Headers) -> Told | None:
    """What the headers say in one of these dialects; None where they are in neither. The last of a name counts."""
    for prefix in (SHARE_GROUP, RULE):
        said = {
            name.removeprefix(prefix): value.decode("utf-8", "replace")
            for name, value in headers
            if name.startswith(prefix) and value is not None
        }
        if said:
            return Told(prefix, said)
    return None
