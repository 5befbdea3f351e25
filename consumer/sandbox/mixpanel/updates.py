"""What Mixpanel takes as an update of a group profile, and the words with which it refuses anything else.

An update has `$token`, `$group_key`, `$group_id`, exactly one operation, at most 255 properties, at most 1,000,000
bytes of JSON, and no value nested deeper than 64 (the sandbox's own limit). It may have `$company_id`, a part
of the group's identity. `$append` is not for groups. Modifiers (`$time`, `$ip`, ...) are taken and change nothing.
Written from Mixpanel's reference alone and apart from the core.
"""

import json
import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import orjson

OPERATIONS: Final = ("$set", "$set_once", "$add", "$union", "$remove", "$unset", "$delete")
MAX_BYTES: Final = 1_000_000
MAX_PROPERTIES: Final = 255
MAX_DEPTH: Final = 64

Group: TypeAlias = tuple[str, str, str, str]
"""Token, group key, group id, and the id of its company, which is empty where it has none."""

_IDENTITY: Final = ("$token", "$group_key", "$group_id")
_IN_A_COMPANY: Final = (*_IDENTITY, "$company_id")
_VERBS: Final = frozenset(OPERATIONS)


def refusal(update: object, size: int | None = None) -> str | None:
    """Why Mixpanel refuses the update; None where it takes it.

    `size` is the length of its JSON in bytes, or anything that is not smaller; measured where it is not given.
    """
    if not isinstance(update, dict):
        return "update, not an object"
    for name in _IN_A_COMPANY if "$company_id" in update else _IDENTITY:
        value = update.get(name)
        if value is None or value == "":
            return f"{name}, missing or empty"
        if not isinstance(value, str):
            return f"{name}, not a string"
    verbs = _VERBS & update.keys()
    if "$append" in update:
        return "$append, not supported in group profiles"
    if len(verbs) != 1:
        return "operation, missing" if not verbs else f"operation, more than one: {', '.join(sorted(verbs))}"
    if (size is None or size > MAX_BYTES) and json_size(update) > MAX_BYTES:
        return f"update, exceeds {MAX_BYTES} bytes"
    (verb,) = verbs
    return None if verb == "$delete" else _refused_value(verb, update[verb])


def group_of(update: dict[str, Any]) -> Group:
    """Whose profile a valid update changes."""
    return update["$token"], update["$group_key"], update["$group_id"], update.get("$company_id", "")


def verb_of(update: dict[str, Any]) -> str:
    """The operation of a valid update."""
    (verb,) = _VERBS & update.keys()
    return verb


def json_size(value: object) -> int:
    """The length of a value's JSON as UTF-8, without white space."""
    try:
        return len(orjson.dumps(value))
    except TypeError:  # integers beyond 64 bits
        return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def _refused_value(verb: str, value: object) -> str | None:
    """Why the operation's value is none of this operation."""
    if verb == "$unset":
        return _refused_names(value)
    if not isinstance(value, dict):
        return f"{verb}, not an object"
    problem = _refused_length(verb, len(value))
    if problem is not None:
        return problem
    fits, wanted = _FITS.get(verb, (_is_shallow, f"nested less than {MAX_DEPTH} deep"))
    wrong = next((name for name, item in value.items() if not fits(item)), None)
    return None if wrong is None else f"{verb}, {wrong} is not {wanted}"


def _refused_names(names: object) -> str | None:
    """Why the value is no list of names for `$unset`."""
    if not isinstance(names, list):
        return "$unset, not an array"
    if not all(isinstance(name, str) for name in names):
        return "$unset, names must be strings"
    return _refused_length("$unset", len(names))


def _refused_length(verb: str, length: int) -> str | None:
    if length == 0:
        return f"{verb}, missing or empty"
    return f"{verb}, more than {MAX_PROPERTIES} properties" if length > MAX_PROPERTIES else None


def is_number(value: object) -> bool:
    """Whether the value is a JSON number."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _is_list_of_scalars(value: object) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(item, str) or is_number(item) for item in value)


def _is_shallow(value: object, room: int = MAX_DEPTH) -> bool:
    if isinstance(value, dict):
        return room > 0 and all(_is_shallow(item, room - 1) for item in value.values())
    if isinstance(value, list):
        return room > 0 and all(_is_shallow(item, room - 1) for item in value)
    return True


_FITS: Final[dict[str, tuple[Callable[[object], bool], str]]] = {
    "$add": (is_number, "a number"),
    "$union": (_is_list_of_scalars, "an array of strings and numbers"),
}
