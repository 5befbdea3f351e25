"""How the journal is written: a record for the `$add`s of a request and partition, a tombstone once nobody needs it.

key    [1,"topic","topic id",partition,"name"]    JSON; 1 is the format, the id is empty where it is not known
value  {"in_doubt":[[offset,"rule",ms]],          announced: may have been applied; with the record's timestamp
        "applied":[[offset,"rule",ms]]}           Mixpanel has taken these
       null                                       their records are committed, or none was applied
"""

from typing import Any, Final

import orjson

from consumer.core.announced import Add, Note

FORMAT: Final = 1


class UnknownFormat(Exception):
    """A record of the journal that this version cannot read."""


def key_of(note: Note) -> bytes:
    """The note by name: what compaction keeps one record of."""
    return orjson.dumps([FORMAT, note.topic, note.topic_id, note.partition, note.name])


def value_of(note: Note) -> bytes:
    """What is known of its `$add`s now."""
    if note.in_doubt and note.applied:
        return orjson.dumps({"in_doubt": note.in_doubt, "applied": note.applied})
    if not note.text:
        note.text = orjson.dumps(note.in_doubt or note.applied)
    them, none = orjson.Fragment(note.text), orjson.Fragment(b"[]")
    return orjson.dumps({"in_doubt": them if note.in_doubt else none, "applied": them if note.applied else none})


def parsed(key: bytes | None, value: bytes | None, position: int) -> tuple[Note, bool]:
    """The note of one record, and whether it was taken out. Raises `UnknownFormat`."""
    try:
        written_as, topic, topic_id, partition, name = orjson.loads(key or b"")
        fields: Any = orjson.loads(value) if value is not None else {"in_doubt": [], "applied": []}
        note = Note(
            str(topic),
            str(topic_id),
            int(partition),
            str(name),
            told(fields["in_doubt"]),
            told(fields["applied"]),
            position,
        )
    except (ValueError, TypeError, KeyError) as failure:
        raise UnknownFormat from failure
    if written_as != FORMAT:
        raise UnknownFormat
    return note, value is None


def told(adds: Any) -> list[Add]:
    """As they are in JSON."""
    return [(int(offset), str(rule), int(timestamp)) for offset, rule, timestamp in adds]
