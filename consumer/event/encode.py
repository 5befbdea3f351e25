"""From an operation to the JSON that Mixpanel reads, and back.

An open record is kept as this JSON: one object in place of sixteen, a quarter of their bytes. It loses nothing:
integers have 64 bits at most, doubles are written so that they are read as the same double, names keep their order.
A number of more digits, which only a mapped decimal is, stands behind a tab and is read back digit by digit.
It is kept without its beginning, the project's token, which is joined when a request is made: so a token may change
while records wait, and no secret is in what is said of a record.
"""

import json
from collections.abc import Sequence
from typing import Final, cast

import orjson

from consumer.event.errors import TOO_LARGE, TRANSFORMATION, Reject
from consumer.event.model import DELETE, UNSET, VERB_NAMES, Operation

VERB_OF: Final = {name: verb for verb, name in enumerate(VERB_NAMES)}
# What stands between an update's group and its values, by verb, and nowhere before: in a text, quotes are escaped.
SEPARATORS: Final = tuple([f',"{name}":'.encode() for name in VERB_NAMES])
# Mixpanel's limit for one update (DOC: reference/limits), in bytes of JSON.
MAX_BYTES: Final = 1_000_000
# White space of JSON that nothing else here is written with: in a text it is escaped.
EXACT: Final = b"\t"

dumps: Final = orjson.dumps
loads: Final = orjson.loads


def update_tail(operation: Operation) -> bytes:
    """One update but for its token: what follows `{"$token":"...",` up to the end. UTF-8, compact, integers exact."""
    verb = operation.verb
    values: object
    if verb == DELETE:
        values = ""
    elif verb == UNSET:
        values = list(operation.values)
    else:
        values = operation.values
    company = operation.company_id
    if company is None:
        rest = dumps({"$group_key": operation.group_key, "$group_id": operation.group_id, VERB_NAMES[verb]: values})
    else:
        rest = dumps(
            {
                "$group_key": operation.group_key,
                "$group_id": operation.group_id,
                "$company_id": company,
                VERB_NAMES[verb]: values,
            }
        )
    # A slice has the size of its text: what orjson returns keeps the room that it was written in.
    return rest[1:]


def bounded_tail(operation: Operation, opening: int) -> bytes:
    """The same, where the update with its beginning of so many bytes is within Mixpanel's limit; else `Reject`."""
    tail = update_tail(operation)
    if len(tail) + opening > MAX_BYTES:
        detail = f"the update has {len(tail) + opening} bytes of JSON, and Mixpanel takes at most {MAX_BYTES}"
        raise Reject(TOO_LARGE, TRANSFORMATION, detail)
    return tail


def exact_number(text: str) -> orjson.Fragment:
    """The number that the text is, digit by digit: for one of which a double keeps less."""
    return orjson.Fragment(EXACT + text.encode())


def operation_of(tail: bytes) -> Operation:
    """The operation that `update_tail` wrote."""
    found: dict[str, object]
    if EXACT in tail:
        found = json.loads(b"{" + tail, parse_float=kept_number, parse_int=kept_number)
    else:
        found = loads(b"{" + tail)
    name, values = found.popitem()  # the verb, which comes last
    verb = VERB_OF[name]
    if verb == DELETE:
        values = {}
    elif verb == UNSET:
        values = dict.fromkeys(cast("list[str]", values))
    return Operation(
        cast(str, found["$group_key"]),
        cast(str, found["$group_id"]),
        verb,
        cast("dict[str, object]", values),
        cast("str | None", found.get("$company_id")),
    )


def values_of(tail: bytes, verb: int) -> dict[str, object]:
    """The values of the operation that `update_tail` wrote, whose verb is known: all that a fold asks for."""
    if verb == DELETE:
        return {}
    separator = SEPARATORS[verb]
    text = tail[tail.index(separator) + len(separator) : -1]
    values = json.loads(text, parse_float=kept_number, parse_int=kept_number) if EXACT in text else loads(text)
    return dict.fromkeys(cast("list[str]", values)) if verb == UNSET else cast("dict[str, object]", values)


def group_part(tail: bytes, verb: int) -> bytes:
    """What the update of this verb says of its group, which is all before its values."""
    return tail[: tail.index(SEPARATORS[verb])]


def tail_with(group: bytes, verb: int, values: dict[str, object]) -> bytes:
    """What `update_tail` writes of this operation, which is no DELETE, on the group that `group_part` gave."""
    return group + SEPARATORS[verb] + dumps(list(values) if verb == UNSET else values) + b"}"


def kept_number(text: str) -> object:
    """What JSON's number is to be, so that it is written again with all of its digits."""
    number = loads(text)
    return number if dumps(number) == text.encode() else exact_number(text)


def opening_of(token: str) -> bytes:
    """What every update of a project begins with."""
    return b'{"$token":' + dumps(token) + b","


def update_json(tail: bytes) -> bytes:
    """The update as it may be shown: without a token."""
    return b"{" + tail


def request_json(opening: bytes, tails: Sequence[bytes]) -> bytes:
    """The body of a request with these updates, none of them empty."""
    return b"[" + opening + (b"," + opening).join(tails) + b"]"
