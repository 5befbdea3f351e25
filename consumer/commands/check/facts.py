"""A fact that `check` found: one line of its table."""

from dataclasses import dataclass
from typing import Final

OK: Final = "ok"
FAULT: Final = "fault"
WARNING: Final = "warning"
UNKNOWN: Final = "unknown"
STATES: Final = (OK, FAULT, WARNING, UNKNOWN)
COLOURS: Final = {OK: "green", FAULT: "red", WARNING: "yellow", UNKNOWN: "cyan"}


@dataclass(frozen=True)
class Fact:
    """What was looked at, how it is, and for all but `ok` what to do: in words, or as a command to copy."""

    state: str
    what: str
    detail: str
    fix: str = ""
    command: str = ""


def ok(what: str, detail: str) -> Fact:
    """All is well there."""
    return Fact(OK, what, detail)


def fault(what: str, detail: str, fix: str, command: str = "") -> Fact:
    """This stops the service, or its records."""
    return Fact(FAULT, what, detail, fix, command)


def warning(what: str, detail: str, fix: str, command: str = "") -> Fact:
    """This hurts, or may hurt one day."""
    return Fact(WARNING, what, detail, fix, command)


def unknown(what: str, detail: str, fix: str) -> Fact:
    """This cannot be known from here."""
    return Fact(UNKNOWN, what, detail, fix)
