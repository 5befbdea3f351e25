"""Why an instance is not ready: why the work cannot be done here, and a restart or another instance might."""

from collections.abc import Mapping

from consumer.core.causes import DEAD_LETTER, FAULT, JOURNAL, MAPPING, RULES, SCHEMA
from consumer.core.destinations import Destinations
from consumer.core.model import Assignment
from consumer.core.pipeline import Pipeline
from consumer.kafka.client_status import ClientStatus

# Causes for which a partition stands still until something outside of it changes.
HOLDING = (FAULT, SCHEMA, RULES, MAPPING, DEAD_LETTER, JOURNAL)


def unready(
    pipeline: Pipeline, client: ClientStatus, paused: Mapping[Assignment, str], untrusted: Mapping[str, str]
) -> tuple[str, ...]:
    """The reasons, none where the instance is ready; `untrusted` is why no connection to a project can be had.

    No assignment is no reason, nor is a fault of Mixpanel that passes.
    """
    reasons: list[str] = []
    if not client.broker:
        reasons.append("no broker is connected")
    elif not client.joined:
        reasons.append("not yet joined the consumer group")
    reasons += unsendable(pipeline.destinations, untrusted)
    if pipeline.breaker_open:
        reasons.append("the dead-letter breaker is open")
    held = [cause for cause in paused.values() if cause in HOLDING]
    if held and len(held) == len(pipeline.partitions.assignments()):
        reasons.append(f"every partition is held: {', '.join(sorted(set(held)))}")
    return tuple(reasons)


def unsendable(destinations: Destinations, failing: Mapping[str, str]) -> list[str]:
    """Why nothing can be sent, where that is so for every project with open records."""
    halted = destinations.halted()
    untrusted = {name: cause for name, cause in failing.items() if name not in halted}
    busy = destinations.busy()
    if not busy or any(name not in halted and name not in untrusted for name in busy):
        return []
    several = len(destinations.by_name) > 1
    reasons: list[str] = []
    if halted:
        reasons.append(f"sending is halted: Mixpanel answered {by_project(halted, several=several)}")
    if untrusted:
        reasons.append(f"nothing can be sent to Mixpanel: {by_project(untrusted, several=several)}")
    return reasons


def by_project(causes: Mapping[str, str], *, several: bool) -> str:
    """The causes; with the names of their projects where there are several."""
    return ", ".join(sorted(f"{cause} for {name}" if several else cause for name, cause in causes.items()))
