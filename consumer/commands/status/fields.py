"""The fields of `/status` that the commands read. An instance of another version may lack some, and have others."""

from collections.abc import Mapping
from types import NoneType
from typing import Final, TypeAlias

Kinds: TypeAlias = Mapping[str, type | tuple[type, ...]]

NUMBER: Final = (int, float)
MAYBE: Final = (int, float, NoneType)
STATUS: Final[Kinds] = {
    "instance": str,
    "ready": bool,
    **dict.fromkeys(("reasons", "requests", "projects", "partitions"), list),
}
ROWS: Final[Mapping[str, Kinds]] = {
    "requests": {"age_seconds": NUMBER},
    "projects": {"name": str, "halted": (str, NoneType), "throttled_seconds": NUMBER, "suspects": int},
    "partitions": {
        "topic": str,
        "partition": int,
        **dict.fromkeys(("committed", "read", "open", "lag_records", "lag_seconds"), MAYBE),
        "blocked": (dict, NoneType),
    },
}
BLOCKED: Final[Kinds] = {"offset": MAYBE, "seconds": MAYBE, "cause": str, "detail": dict}
MET: Final[Kinds] = {"answered": object, "attempts": int, "next_seconds": MAYBE}
DETAILS: Final[Mapping[str, Kinds]] = {
    "lane": {"topic": str, "partition": int, "offset": int},
    "retry": MET,
    "suspect": MET,
}


def lacking(status: object) -> list[str]:
    """What is not there, or is of another kind, each once: `ready`, `lag_seconds of partitions`."""
    if missing := without(status, STATUS):
        return missing
    assert isinstance(status, dict)
    for name, kinds in ROWS.items():
        for row in status[name]:
            missing += [f"{field} of {name}" for field in without(row, kinds) or within(row)]
    return list(dict.fromkeys(missing))


def within(row: Mapping[str, object]) -> list[str]:
    """What the record lacks that blocks a partition, where the row has one."""
    blocked = row.get("blocked")
    if not isinstance(blocked, dict):
        return []
    return without(blocked, BLOCKED) or without(blocked["detail"], DETAILS.get(blocked["cause"], {}))


def without(found: object, kinds: Kinds) -> list[str]:
    """The names of the fields that the object does not have as it should."""
    given = found if isinstance(found, dict) else {}
    return [name for name, kind in kinds.items() if name not in given or not isinstance(given[name], kind)]
