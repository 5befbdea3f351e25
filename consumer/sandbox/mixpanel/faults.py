"""Faults of the sandbox's Mixpanel, switched on and off while it runs.

A fault has a name (by default its kind; a second one of the same kind needs another), strikes the next `times`
requests or until it is switched off, each with `probability` (seeded), and has the options of its kind: `KINDS`.
A fault for one group, say, strikes (and counts) only requests with an update of that group.
"""

import random
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from consumer.sandbox.mixpanel.fault_kinds import KINDS, QUERY, WHOSE, Option

Json = dict[str, Any]


@dataclass
class ActiveFault:
    """One fault that is switched on. `times`: how many requests it still strikes; None: any number."""

    kind: str
    name: str
    times: int | None = None
    probability: float = 1.0
    options: Json = field(default_factory=dict)
    struck: int = 0

    @property
    def conditional(self) -> bool:
        """Whether only some updates are meant."""
        return any(self.options.get(name) for name in WHOSE)

    def as_json(self) -> Json:
        """The fault as `GET /faults` shows it and `PUT /faults` takes it."""
        own = {"name": self.name, "kind": self.kind, "times": self.times, "probability": self.probability}
        return own | self.options | {"struck": self.struck}


class Faults:
    """The faults that are on, in the order in which they were switched on. Safe to use from several threads."""

    def __init__(self, seed: int = 0) -> None:
        self._lock = Lock()
        self._random = random.Random(seed)
        self._faults: dict[str, ActiveFault] = {}

    def on(self, kind: str | Json, **options: Any) -> ActiveFault:
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

    def strike(self, size: int) -> dict[str, ActiveFault]:
        """The faults that strike any request whose body has `size` bytes, by kind; those of `refuse` ask updates."""
        with self._lock:
            return self._struck(size, [fault for fault in self._groups() if not fault.conditional])

    def strike_for(self, updates: list[Any], size: int, struck: dict[str, ActiveFault]) -> dict[str, ActiveFault]:
        """`struck`, and of the kinds not in it the faults that strike a request for an update in it."""
        with self._lock:
            meant = [fault for fault in self._groups() if fault.conditional and fault.kind not in struck]
            meant = [fault for fault in meant if any(matches(fault, update) for update in updates)]
            return struck | self._struck(size, meant)

    def strike_query(self) -> dict[str, ActiveFault]:
        """The faults that strike a read, by kind."""
        with self._lock:
            return self._struck(0, [fault for fault in self._faults.values() if fault.kind in QUERY])

    def refuse(self, updates: list[Any]) -> tuple[dict[int, str], ActiveFault | None]:
        """Which updates of a request are refused on demand, with what words, and the fault that did it first."""
        refused: dict[int, str] = {}
        first = None
        with self._lock:
            for fault in [fault for fault in self._faults.values() if fault.kind == "refuse"]:
                indexes = [index for index, update in enumerate(updates) if matches(fault, update)]
                if indexes and self._strikes(fault):
                    first = first or fault
                    refused = {index: str(fault.options["words"]) for index in indexes} | refused
        return refused, first

    def _groups(self) -> list[ActiveFault]:
        """The faults of requests to `/groups`."""
        return [fault for fault in self._faults.values() if fault.kind not in QUERY]

    def _struck(self, size: int, faults: list[ActiveFault]) -> dict[str, ActiveFault]:
        """Of these faults the first of each kind that strikes a request of this size."""
        struck: dict[str, ActiveFault] = {}
        for fault in faults:
            if fault.kind == "refuse" or fault.kind in struck:
                continue
            if fault.kind == "too-large" and size <= fault.options["bytes"]:
                continue
            if self._strikes(fault):
                struck[fault.kind] = fault
        return struck

    def _strikes(self, fault: ActiveFault) -> bool:
        """Throw the dice, and count."""
        if fault.probability < 1 and self._random.random() >= fault.probability:
            return False
        fault.struck += 1
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._faults.pop(fault.name, None)
        return True


def matches(fault: ActiveFault, update: object) -> bool:
    """Whether the fault means this update; nothing that is no object is meant."""
    asked = fault.options
    if not isinstance(update, dict):
        return False
    if asked["operation"] and asked["operation"] not in update:
        return False
    if asked["group_key"] and update.get("$group_key") != asked["group_key"]:
        return False
    if asked["token"] and update.get("$token") != asked["token"]:
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


def fault_of(asked: Any) -> ActiveFault:
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
    fault = ActiveFault(kind, str(name), times, float(probability), options)
    if options.get("at") == "before-reading" and fault.conditional:
        raise ValueError(f"fault {name}: before-reading is before any update is known: {', '.join(WHOSE)} stay empty")
    return fault


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
