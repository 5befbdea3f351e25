"""From an operation to the JSON that Mixpanel reads, and back.

An open record is kept as this JSON: one object in place of sixteen, a quarter of their bytes. It loses nothing:
integers have 64 bits at most, doubles are written so that they are read as the same double, names keep their order.
"""

from collections.abc import Sequence
from typing import Final, cast

import orjson

from consumer.event.model import DELETE, UNSET, VERB_NAMES, Operation

VERB_OF: Final = {name: verb for verb, name in enumerate(VERB_NAMES)}


def update_json(operation: Operation, token: str) -> bytes:
    """One update as it is sent: UTF-8, compact, integers exact."""
    return update_after(opening_of(token), operation)


def opening_of(token: str) -> bytes:
    """What all updates of a project begin with."""
    return b'{"$token":' + orjson.dumps(token) + b","


def update_after(opening: bytes, operation: Operation) -> bytes:
    """One update of the project that the opening names."""
    verb = operation.verb
    values: object
    if verb == DELETE:
        values = ""
    elif verb == UNSET:
        values = list(operation.values)
    else:
        values = operation.values
    rest = orjson.dumps(
        {"$group_key": operation.group_key, "$group_id": operation.group_id, VERB_NAMES[verb]: values}
    )
    # Put together it has the size of its text: what orjson returns keeps the room that it was written in.
    return opening + rest[1:]


def operation_of(update: bytes) -> Operation:
    """The operation that `update_json` wrote."""
    found: dict[str, object] = orjson.loads(update)
    name, values = found.popitem()  # the verb, which comes last
    verb = VERB_OF[name]
    if verb == DELETE:
        values = {}
    elif verb == UNSET:
        values = dict.fromkeys(cast("list[str]", values))
    return Operation(
        cast(str, found["$group_key"]), cast(str, found["$group_id"]), verb, cast("dict[str, object]", values)
    )


def request_json(updates: Sequence[bytes]) -> bytes:
    """The body of a request with these updates."""
    return b"[" + b",".join(updates) + b"]"
