"""Faults of the sandbox's registry, switched on and off while it runs."""

from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

KINDS: Final = {
    "status": "answer with an HTTP status (status), and Confluent's body for it or another (body)",
    "slow": "answer late (milliseconds)",
    "hang": "do not answer (give up after milliseconds)",
    "reset": "reset the connection",
    "unreadable": "answer 200 with what is no JSON (body)",
    "unauthorized": "answer 401",
    "not-found": "answer 404 as a path that the registry does not have: it says nothing of a schema",
}


@dataclass
class RegistryFault:
    """One fault. It strikes requests whose path starts with `path`, the next `times` or until it is switched off."""

    kind: str
    times: int | None = None
    path: str = "/"
    status: int = 503
    milliseconds: int = 60_000
    body: str = ""
    struck: int = 0


class RegistryFaults:
    """The faults that are on, one of each kind. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._faults: dict[str, RegistryFault] = {}

    def on(self, kind: str, **options: Any) -> RegistryFault:
        """Switch a fault on. Raises ValueError for a kind that there is not, TypeError for such an option."""
        if kind not in KINDS:
            raise ValueError(f"a registry's fault is one of: {', '.join(KINDS)}")
        fault = RegistryFault(kind, **options)
        with self._lock:
            self._faults[kind] = fault
        return fault

    def off(self, kind: str) -> bool:
        """Switch a fault off; False where it was not on."""
        with self._lock:
            return self._faults.pop(kind, None) is not None

    def clear(self) -> None:
        """Switch every fault off."""
        with self._lock:
            self._faults.clear()

    def strike(self, path: str) -> list[RegistryFault]:
        """The faults that strike a request, counted."""
        with self._lock:
            struck = [fault for fault in self._faults.values() if path.startswith(fault.path)]
            for fault in struck:
                fault.struck += 1
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        del self._faults[fault.kind]
        return struck
