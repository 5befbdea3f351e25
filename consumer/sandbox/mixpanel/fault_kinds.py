"""The kinds of fault that the sandbox's Mixpanel has, with the options of each.

Those of `QUERY` strike reads, all others requests to `/groups`. The others have the options of `WHOSE` too: with one
of them given, only requests with an update that matches every one given are struck, and of `refuse` and `lost` only
such updates are meant.
"""

from dataclasses import dataclass
from typing import Final

from consumer.sandbox.answers import DIALECTS, TAKEN


@dataclass(frozen=True)
class Option:
    """One option of a kind of fault: its default (whose type is its type) and what it means."""

    default: str | int | float | bool
    meaning: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault: what it does, and its options."""

    meaning: str
    options: dict[str, Option]


_APPLIED: Final = Option(False, "whether the updates are applied all the same")
_DIALECT: Final[dict[str, Option]] = {
    "dialect": Option("by-index", "the shape in which refusals are told under strict", DIALECTS),
    "http_status": Option(200, "the status that goes with it: 200 or 400"),
    "status_one": Option(False, "whether `status` in the body is 1 beside refusals, as if all were well"),
    "count": Option("honest", "the number of updates taken, as told", ("honest", "absent", "wrong")),
    "taken": Option("valid", "which updates of such a request are applied", TAKEN),
}
WHOSE: Final[dict[str, Option]] = {
    "group_key": Option("", "only where an update has this group key"),
    "group_id": Option("", "only where an update has this group id; a trailing * stands for any end"),
    "operation": Option("", "only where an update has this operation, as $set"),
    "property": Option("", "only where an update has this property"),
    "token": Option("", "only where an update has this token"),
}
_OWN: Final[dict[str, FaultKind]] = {
    "status": FaultKind(
        "Answer with an HTTP status",
        {
            "status": Option(503, "the status"),
            "retry_after": Option("", "the Retry-After header, sent as it is; empty: none"),
            "body": Option("", "the body; empty: what is known of Mixpanel for this status"),
            "applied": _APPLIED,
        },
    ),
    "too-large": FaultKind("Answer 413 above a size", {"bytes": Option(65536, "the largest body that is taken")}),
    "reset": FaultKind(
        "Reset the connection",
        {"at": Option("before-applying", "when", ("before-reading", "before-applying", "after-applying"))},
    ),
    "slow": FaultKind("Answer late", {"milliseconds": Option(2000, "wait this long before applying")}),
    "drip": FaultKind("Answer byte by byte", {"milliseconds": Option(500, "wait this long before each byte")}),
    "hang": FaultKind(
        "Do not answer",
        {"milliseconds": Option(600_000, "give up after this long, or when the client does"), "applied": _APPLIED},
    ),
    "unreadable": FaultKind(
        "Answer 200 with a body that nobody can read",
        {"body": Option("<html><title>OK</title></html>", "the body"), "applied": _APPLIED},
    ),
    "temporary": FaultKind('Answer 200 with "a temporary failure occurred"', {}),
    "refuse": FaultKind(
        "Refuse the updates that match every condition given",
        {"words": Option("refused by a fault of the sandbox", "Mixpanel's words"), **_DIALECT},
    ),
    "dialect": FaultKind("Tell refusals in another shape", dict(_DIALECT)),
    "lost": FaultKind("Accept updates, and lose them", {}),
    "late": FaultKind(
        "Let the Query API see updates late, in no order",
        {
            "least": Option(2_000, "see each no sooner than after so many milliseconds"),
            "most": Option(30_000, "and no later than after so many"),
        },
    ),
}
QUERY: Final[dict[str, FaultKind]] = {
    "wrong-region": FaultKind(
        "Query API: the project lives in another region",
        {
            "domain": Option(
                "", "its host as /me names it, such as eu.mixpanel.com; empty: the account is unknown here"
            )
        },
    ),
    "other-token": FaultKind("Query API: the token is that of another project", {}),
    "query-refused": FaultKind(
        "Query API: refuse",
        {
            "answer": Option(
                "hour",
                "429 by the hour, by concurrency, by load; 402; 401; 403; a time-out; a page; 503",
                ("hour", "concurrency", "load", "plan", "login", "denied", "timeout", "page", "outage"),
            )
        },
    ),
}
KINDS: Final = {name: FaultKind(kind.meaning, kind.options | WHOSE) for name, kind in _OWN.items()} | QUERY
