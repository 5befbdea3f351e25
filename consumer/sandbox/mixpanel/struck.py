"""What the faults that strike a request make of it: when it is cut off, what is lost, what is answered instead."""

from typing import Any

from consumer.sandbox import answers
from consumer.sandbox.answers import Dialect, HttpAnswer
from consumer.sandbox.mixpanel.faults import ActiveFault, matches


def kept(valid: list[dict[str, Any]], lost: ActiveFault | None) -> list[dict[str, Any]]:
    """The updates without those that the fault loses."""
    return [update for update in valid if lost is None or not matches(lost, update)]


def names_of(struck: dict[str, ActiveFault]) -> tuple[str, ...]:
    """The faults by name, as the log of requests has them."""
    return tuple(fault.name for fault in struck.values())


def resets(struck: dict[str, ActiveFault], moment: str) -> bool:
    """Whether the connection is to be cut at this moment."""
    return "reset" in struck and struck["reset"].options["at"] == moment


def instead_of(struck: dict[str, ActiveFault]) -> ActiveFault | None:
    """The fault whose answer takes the place of Mixpanel's own."""
    for kind in ("hang", "too-large", "status", "temporary", "unreadable"):
        if kind in struck:
            return struck[kind]
    return None


def answer_of(fault: ActiveFault, strict: bool) -> HttpAnswer:
    """What a fault answers."""
    options = fault.options
    if fault.kind == "status":
        return answers.of_status(options["status"], options["body"], options["retry_after"], strict)
    if fault.kind == "too-large":
        return answers.too_large(f"{options['bytes']} bytes")
    if fault.kind == "temporary":
        return answers.of_json(200, answers.TEMPORARY)
    if fault.kind == "unreadable":
        return HttpAnswer(200, options["body"].encode(), answers.HTML)
    return HttpAnswer(200, b"")


def dialect_of(fault: ActiveFault | None) -> Dialect:
    """How refusals are told: as the fault wants it, else as the sandbox does."""
    if fault is None:
        return Dialect()
    options = fault.options
    return Dialect(options["dialect"], options["http_status"], options["count"], int(options["status_one"]))
