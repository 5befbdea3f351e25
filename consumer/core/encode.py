"""From an operation to the JSON that Mixpanel reads."""

import orjson

from consumer.core.model import DELETE, UNSET, VERB_NAMES, Operation


def update_json(operation: Operation, token: str) -> bytes:
    """One update as it is sent: UTF-8, compact, integers exact."""
    verb = operation.verb
    values: object
    if verb == DELETE:
        values = ""
    elif verb == UNSET:
        values = list(operation.values)
    else:
        values = operation.values
    return orjson.dumps(
        {
            "$token": token,
            "$group_key": operation.group_key,
            "$group_id": operation.group_id,
            VERB_NAMES[verb]: values,
        }
    )
