"""How the journal is written: one record for each announcement, and a tombstone once nobody has to know of it.

key    ["topic","topic id",partition,offset,"rule","name"]    JSON; the topic's id is empty where it is not known
value  {"timestamp":ms}                                        announced: it may have been applied
       {"timestamp":ms,"applied":true}                         Mixpanel has taken it
       null                                                    its record is committed, or it was surely not applied
"""

from typing import Any

import orjson

from consumer.core.announced import Mark


def key_of(mark: Mark) -> bytes:
    """The announcement by name: what compaction keeps one record of."""
    return orjson.dumps([mark.topic, mark.topic_id, mark.partition, mark.offset, mark.rule, mark.name])


def value_of(mark: Mark) -> bytes:
    """What is known of it now."""
    if mark.applied:
        return b'{"timestamp":%d,"applied":true}' % mark.timestamp
    return b'{"timestamp":%d}' % mark.timestamp


def parsed(key: bytes | None, value: bytes | None, position: int) -> tuple[Mark, bool] | None:
    """The mark of one record, and whether it was taken out; None where it is none of ours."""
    try:
        topic, topic_id, partition, offset, rule, name = orjson.loads(key or b"")
        fields: Any = orjson.loads(value) if value is not None else {}
        mark = Mark(
            str(topic),
            str(topic_id),
            int(partition),
            int(offset),
            str(rule),
            str(name),
            int(fields.get("timestamp", -1)),
            position,
            fields.get("applied") is True,
        )
    except (ValueError, TypeError, AttributeError):
        return None
    return mark, value is None
