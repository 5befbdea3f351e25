"""What stands beside a committed offset, for the day on which the log no longer has it: `topic=ID;read=N;at=MS`.

The topic's id tells a log that was cut from a topic that was recreated. `read` is one past the last record before the
offset. The time of the commit says what was written since.
"""

from typing import Final, NamedTuple

# The group's topic keeps 4,096 bytes of it.
LONGEST: Final = 500


class Metadata(NamedTuple):
    """`topic_id` is empty, and a number -1, where it is not known."""

    topic_id: str = ""
    read: int = -1
    at: int = -1


def written(metadata: Metadata) -> str:
    """As it is committed."""
    return f"topic={metadata.topic_id};read={metadata.read};at={metadata.at}"


def parsed(text: str | None) -> Metadata:
    """What a commit of this service says; nothing of it where another wrote it."""
    if not text or len(text) > LONGEST:
        return Metadata()
    fields = dict(part.partition("=")[::2] for part in text.split(";"))
    try:
        return Metadata(fields.get("topic", ""), int(fields.get("read", -1)), int(fields.get("at", -1)))
    except ValueError:
        return Metadata()
