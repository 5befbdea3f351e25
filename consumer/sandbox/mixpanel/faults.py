"""Faults of the sandbox's Mixpanel, switched on and off while it runs.

A fault has a name (by default its kind; a second one of the same kind needs another), strikes the next `times`
requests or until it is switched off, each with `probability` (seeded), and has the options of its kind: `KINDS`.
"""

import random
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from consumer.sandbox.answers import DIALECTS, TAKEN

Json = dict[str, Any]


@dataclass(frozen=True)
class Option:
    """One option of a kind of fault: its default (whose type is its type) and what it means."""

    default: str | int | float | bool
    meaning: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
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
KINDS: Final[dict[str, Kind]] = {
    "status": Kind(
        "Answer with an HTTP status",
        {
            "status": Option(503, "the status"),
            "retry_after": Option("", "the Retry-After header, sent as it is; empty: none"),
            "body": Option("", "the body; empty: what is known of Mixpanel for this status"),
            "applied": _APPLIED,
        },
    ),
    "too-large": Kind("Answer 413 above a size", {"bytes": Option(65536, "the largest body that is taken")}),
    "reset": Kind(
        "Reset the connection",
        {"at": Option("before-applying", "when", ("before-reading", "before-applying", "after-applying"))},
    ),
    "slow": Kind("Answer late", {"milliseconds": Option(2000, "wait this long before applying")}),
    "drip": Kind("Answer byte by byte", {"milliseconds": Option(500, "wait this long before each byte")}),
    "hang": Kind(
        "Do not answer",
        {"milliseconds": Option(600_000, "give up after this long, or when the client does"), "applied": _APPLIED},
    ),
    "unreadable": Kind(
        "Answer 200 with a body that nobody can read",
        {"body": Option("<html><title>OK</title></html>", "the body"), "applied": _APPLIED},
    ),
    "temporary": Kind('Answer 200 with "a temporary failure occurred"', {}),
    "refuse": Kind(
        "Refuse the updates that match every condition given",
        {
            "property": Option("", "they have this property"),
            "group_key": Option("", "the group key"),
            "group_id": Option("", "the group id; a trailing * stands for any end"),
            "operation": Option("", "the operation, as $set"),
            "words": Option("refused by a fault of the sandbox", "Mixpanel's words"),
            **_DIALECT,
        },
    ),
    "dialect": Kind("Tell refusals in another shape", dict(_DIALECT)),
}


@dataclass
class Fault:
    """One fault that is switched on. `times`: how many requests it still strikes; None: any number."""

    kind: str
    name: str
    times: int | None = None
    probability: float = 1.0
    options: Json = field(default_factory=dict)
    struck: int = 0

    def as_json(self) -> Json:
        """The fault as `GET /faults` shows it and `PUT /faults` takes it."""
        own = {"name": self.name, "kind": self.kind, "times": self.times, "probability": self.probability}
        return own | self.options | {"struck": self.struck}


class Faults:
    """The faults that are on, in the order in which they were switched on. Safe to use from several threads."""

    def __init__(self, seed: int = 0) -> None:
        self._lock = Lock()
        self._random = random.Random(seed)
        self._faults: dict[str, Fault] = {}

    def on(self, kind: str | Json, **options: Any) -> Fault:
        """Switch a fault on, in the place of one with the same name. Raises ValueError with what is wrong.

        Either `on("status", status=500, times=3)`, or one JSON object with all of it.
        """
        fault = fault_of({"kind": kind, **options} if isinstance(kind, str) else kind)
        with self._lock:
            self._faults[fault.name] = fault
        return fault

    def replace(self, faults: list[Json]) -> None:
        """Have these faults and no others. Raises ValueError, and changes nothing, where one is wrong."""
        read = [fault_of(fault) for fault in faults]
        with self._lock:
            self._faults = {fault.name: fault for fault in read}

    def off(self, name: str) -> bool:
        """Switch a fault off; False where it was not on."""
        with self._lock:
            return self._faults.pop(name, None) is not None

    def clear(self) -> None:
        """Switch every fault off."""
        self.replace([])

    def as_json(self) -> list[Json]:
        """The faults that are on."""
        with self._lock:
            return [fault.as_json() for fault in self._faults.values()]

    def strike(self, size: int) -> dict[str, Fault]:
        """The faults that strike a request whose body has `size` bytes, by kind; those of `refuse` ask updates."""
        with self._lock:
            struck: dict[str, Fault] = {}
            for fault in list(self._faults.values()):
                if fault.kind == "refuse" or fault.kind in struck:
                    continue
                if fault.kind == "too-large" and size <= fault.options["bytes"]:
                    continue
                if self._strikes(fault):
                    struck[fault.kind] = fault
            return struck

    def refuse(self, updates: list[Json]) -> tuple[dict[int, str], Fault | None]:
        """Which updates of a request are refused on demand, with what words, and the fault that did it first."""
        refused: dict[int, str] = {}
        first = None
        with self._lock:
            for fault in [fault for fault in self._faults.values() if fault.kind == "refuse"]:
                found = [index for index, update in enumerate(updates) if matches(fault, update)]
                if found and self._strikes(fault):
                    first = first or fault
                    refused = {index: str(fault.options["words"]) for index in found} | refused
        return refused, first

    def _strikes(self, fault: Fault) -> bool:
        """Throw the dice, and count."""
        if fault.probability < 1 and self._random.random() >= fault.probability:
            return False
        fault.struck += 1
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._faults.pop(fault.name, None)
        return True


def matches(fault: Fault, update: Json) -> bool:
    """Whether a `refuse` fault means this update."""
    asked = fault.options
    if asked["operation"] and asked["operation"] not in update:
        return False
    if asked["group_key"] and update.get("$group_key") != asked["group_key"]:
        return False
    group_id = asked["group_id"]
    if group_id:
        actual = str(update.get("$group_id"))
        if actual != group_id and not (group_id.endswith("*") and actual.startswith(group_id[:-1])):
            return False
    name = asked["property"]
    return not name or any(verb[0] == "$" and _has(value, name) for verb, value in update.items())


def _has(value: object, name: str) -> bool:
    return isinstance(value, dict | list) and name in value


def fault_of(asked: Any) -> Fault:
    """The fault that a JSON object asks for, with defaults. Raises ValueError with what is wrong."""
    if not isinstance(asked, dict) or asked.get("kind") not in KINDS:
        raise ValueError(f"a fault is an object whose kind is one of: {', '.join(KINDS)}")
    given = {name: value for name, value in asked.items() if name != "struck"}
    kind = given.pop("kind")
    name = given.pop("name", None) or kind
    times = given.pop("times", None)
    probability = given.pop("probability", 1.0)
    if times is not None and (type(times) is not int or times < 1):
        raise ValueError(f"fault {name}: times is a whole number from 1, or null")
    if not isinstance(probability, int | float) or not 0 <= probability <= 1:
        raise ValueError(f"fault {name}: probability is a number from 0 to 1")
    known = KINDS[kind].options
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        raise ValueError(f"fault {name}: {kind} has no option {unknown[0]}; it has: {', '.join(known) or 'none'}")
    options = {key: _checked(name, key, option, given.get(key, option.default)) for key, option in known.items()}
    return Fault(kind, str(name), times, float(probability), options)


def _checked(name: str, key: str, option: Option, value: object) -> object:
    """An option's value. Raises ValueError where it is of the wrong type or none of the choices."""
    wanted = type(option.default)
    if type(value) is not wanted:
        given = type(value).__name__
        raise ValueError(f"fault {name}: {key} takes {wanted.__name__}, not {given} ({option.meaning})")
    if option.choices and value not in option.choices:
        raise ValueError(f"fault {name}: {key} is one of: {', '.join(option.choices)}")
    if isinstance(value, int) and not isinstance(value, bool) and value < 0:
        raise ValueError(f"fault {name}: {key} is not negative")
    return value
