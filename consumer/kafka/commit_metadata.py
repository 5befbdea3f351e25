"""What stands beside a committed offset: `topic=ID;read=N;at=MS`.

At times with `;by=NAME;journal=N;doubtful=N;redone=N`.

For the day on which the log no longer has the offset: the topic's id tells a log that was cut from a topic that was
recreated. `read` is one past the last record before the offset. The time of the commit says what was written since.

`by` is the member that committed; from `journal` on the next owner has to read the journal of `$add`s; below
`doubtful` any `$add` may be a repetition (see `Assignment`), and below `redone` one that was applied may be undone.
"""

from typing import Final, NamedTuple

# The group's topic keeps 4,096 bytes of it.
LONGEST: Final = 500
NUMBERS: Final = ("read", "at", "journal", "doubtful", "redone")


class Metadata(NamedTuple):
    """`topic_id` is empty, and a number -1, where it is not known."""

    topic_id: str = ""
    read: int = -1
    at: int = -1
    by: str = ""
    journal: int = -1
    doubtful: int = -1
    redone: int = -1


def written(metadata: Metadata) -> str:
    """As it is committed."""
    text = f"topic={metadata.topic_id};read={metadata.read};at={metadata.at}"
    if metadata.by:
        text += f";by={metadata.by}"
    if metadata.journal >= 0:
        text += f";journal={metadata.journal}"
    if metadata.doubtful >= 0:
        text += f";doubtful={metadata.doubtful}"
    if metadata.redone >= 0:
        text += f";redone={metadata.redone}"
    return text


def parsed(text: str | None) -> Metadata:
    """What a commit of this service says; nothing of it where another wrote it."""
    if not text or len(text) > LONGEST:
        return Metadata()
    fields = dict(part.partition("=")[::2] for part in text.split(";"))
    try:
        read, at, journal, doubtful, redone = [int(fields.get(name, -1)) for name in NUMBERS]
    except ValueError:
        return Metadata()
    return Metadata(fields.get("topic", ""), read, at, fields.get("by", ""), journal, doubtful, redone)
