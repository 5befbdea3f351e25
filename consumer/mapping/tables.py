"""Reading the tables of a mapping file: each value is looked at for its kind, and what is wrong becomes a fault."""

import math
from collections.abc import Collection, Sequence
from typing import final

from consumer.mapping.faults import Fault, nearest
from consumer.mapping.lines import Place
from consumer.mapping.paths import Path, UnknownPart, parse_path
from consumer.mapping.rules import Take

__all__ = ["Place", "FileReading", "constant"]


@final
class FileReading:
    """What one reading knows: lines, the service's topics and projects, and the faults so far."""

    __slots__ = ("_lines", "default_project", "faults", "hash_key", "projects", "takes", "topics")

    def __init__(
        self,
        lines: dict[Place, int],
        topics: Collection[str],
        projects: Collection[str],
        hash_key: bool,
        default_project: bool,
    ) -> None:
        self._lines = lines
        self.topics = topics
        self.projects = projects
        self.hash_key = hash_key
        self.default_project = default_project
        self.takes = 0
        self.faults: list[Fault] = []

    def line(self, place: Place) -> int:
        """The line of this place, or of the nearest that it is in."""
        while place not in self._lines:
            place = place[:-1]
        return self._lines[place]

    def fault(self, place: Place, where: str, message: str, near: str = "") -> None:
        """Something is wrong there."""
        self.faults.append(Fault(self.line(place), where, message, near))

    def known(self, table: dict[str, object], keys: Sequence[str], place: Place, where: str) -> None:
        """Every key of the table is one of these."""
        for key in table:
            if key not in keys:
                self.fault((*place, key), where, f"there is no {key}", nearest(key, keys) or ", ".join(keys))

    def table(self, found: object, place: Place, where: str) -> dict[str, object]:
        """The table; an empty one where it is none."""
        if isinstance(found, dict):
            return found
        self.fault(place, where, f"{place[-1]} is a table")
        return {}

    def text(self, table: dict[str, object], key: str, place: Place, where: str) -> str:
        """The text of this key; empty where there is none."""
        found = table.get(key)
        if isinstance(found, str) and found:
            return found
        if key in table:
            self.fault((*place, key), where, f"{key} is a text that is not empty")
        return ""

    def flag(self, table: dict[str, object], key: str, place: Place, where: str) -> bool:
        """The boolean of this key."""
        found = table.get(key)
        if not isinstance(found, bool):
            self.fault((*place, key), where, f"{key} is true or false")
        return found is True

    def one_of(
        self, table: dict[str, object], key: str, known: Sequence[str], place: Place, where: str, default: str
    ) -> str:
        """The text of this key, which is one of those known."""
        found = table.get(key, default)
        if isinstance(found, str) and (found in known or key not in table):
            return found
        allowed = ", ".join(name for name in known if name)
        near = nearest(found, known) if isinstance(found, str) else ""
        self.fault((*place, key), where, f"{key} is one of {allowed}", near)
        return default

    def texts(self, found: object, place: Place, where: str) -> list[str]:
        """A list of texts, not empty."""
        if isinstance(found, list) and found and all(isinstance(item, str) and item for item in found):
            return [str(item) for item in found]
        self.fault(place, where, f"{place[-1]} is a list of texts")
        return []

    def take(self, found: object, how: int, place: Place, where: str, debezium: bool) -> Take:
        """The path, and how it is read. A path that is none is a fault, and something stands for it."""
        path = Path("", 0, [])
        if not isinstance(found, str) or not found:
            self.fault(place, where, "a path is a text, as value.name")
        else:
            try:
                path = parse_path(found, debezium)
            except UnknownPart as unknown:
                self.fault(place, where, f"path {found}: {unknown}", nearest(unknown.part, unknown.known))
            except ValueError as fault:
                self.fault(place, where, f"path {found}: {fault}")
        self.takes += 1
        return Take(path, how, self.takes - 1, self.line(place))


def constant(value: object) -> bool:
    """Whether JSON can say the constant as it is."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return True
    if isinstance(value, int):
        return -(2**63) <= value < 2**64
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(constant(item) for item in value)
    return isinstance(value, dict) and all(constant(item) for item in value.values())
