"""Faults of a mapping file, gathered so that one reading names them all."""

import difflib
from collections.abc import Iterable
from typing import final


@final
class Fault:
    """One fault, or one note: the line of the file, where in it (`rule companies, set.Plan`), and what is wrong."""

    __slots__ = ("line", "message", "near", "where")

    def __init__(self, line: int, where: str, message: str, near: str = "") -> None:
        self.line = line
        self.where = where
        self.message = message
        self.near = near

    def __str__(self) -> str:
        near = f" (nearest: {self.near})" if self.near else ""
        return f"line {self.line}: {self.where}: {self.message}{near}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like this one; empty where none is."""
    names = list(known)
    folded = {other.lower(): other for other in names}
    found = difflib.get_close_matches(name.lower(), folded, 1, 0.5)
    return folded[found[0]] if found else ""
