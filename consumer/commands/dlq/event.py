"""The event that a dead letter was, decoded again: by the registry where it can be reached, else why not."""

from queue import Empty, SimpleQueue
from typing import Any, Final

from consumer.app import registry
from consumer.commands.dlq.dead_letter import StoredDeadLetter
from consumer.commands.dlq.today import Today
from consumer.commands.map.registered import UnreadableSchema
from consumer.commands.map.trial import updates_of
from consumer.event.decode import frame
from consumer.event.errors import Reject
from consumer.event.model import Change
from consumer.mapping.errors import Hold
from consumer.registry.facts import SchemaFact, SchemaHeld, SchemaKnown, SchemaRefused
from consumer.registry.rules import named
from consumer.registry.subjects import RegistryError
from consumer.settings import Settings

PATIENCE: Final = 8.0  # the registry is given up after so many seconds


class NotDecoded(Exception):
    """There is no event to show; the message says why."""


def decode(dead_letter: StoredDeadLetter, settings: Settings, today: Today) -> dict[str, Any]:
    """The event, field by field; of a mapped topic what it comes to, rule by rule. Raises `NotDecoded`."""
    if dead_letter.origin is not None and today.takes(dead_letter.origin.topic):
        return by_rule(dead_letter, settings, today)
    try:
        schema, start = frame(dead_letter.value, dead_letter.headers)
    except Reject as reject:
        raise NotDecoded(reject.detail) from reject
    if not settings.schema_registry_url:
        raise NotDecoded("SCHEMA_REGISTRY_URL is not set, so its schema cannot be asked for")
    results: SimpleQueue[SchemaFact] = SimpleQueue()
    asked = registry(settings, results)
    try:
        asked.fetch(schema)
        fact = answer(results)
    finally:
        asked.close()
    if isinstance(fact, SchemaRefused):
        raise NotDecoded(fact.detail)
    assert dead_letter.value is not None
    try:
        return fields(fact.decoder.decode(dead_letter.value, start))
    except Reject as reject:
        raise NotDecoded(f"{reject.reason}: {reject.detail}") from reject


def by_rule(dead_letter: StoredDeadLetter, settings: Settings, today: Today) -> dict[str, Any]:
    """What the rules that refused the record make of it today; all rules, where none did. Raises `NotDecoded`."""
    if not settings.schema_registry_url:
        raise NotDecoded("SCHEMA_REGISTRY_URL is not set, so its schema cannot be asked for")
    try:
        mapped = today.mapped(dead_letter)
    except Reject as reject:
        raise NotDecoded(f"{reject.reason}: {reject.detail}") from reject
    except (Hold, UnreadableSchema, RegistryError) as failure:
        raise NotDecoded(str(failure)) from failure
    return {
        "updates": [{"rule": part.rule, **update} for part in mapped.parts for update in updates_of(part)],
        "refused": [
            {"rule": refusal.rule, "reason": refusal.reason, "detail": refusal.detail} for refusal in mapped.refusals
        ],
        "ignored": [{"rule": ignored.rule, "why": ignored.why} for ignored in mapped.ignored],
    }


def answer(results: "SimpleQueue[SchemaFact]") -> SchemaKnown | SchemaRefused:
    """What the registry said. Raises `NotDecoded` where it cannot be reached."""
    try:
        fact = results.get(timeout=PATIENCE)
    except Empty:
        raise NotDecoded("the schema registry gave no answer") from None
    if isinstance(fact, SchemaKnown | SchemaRefused):
        return fact
    if isinstance(fact, SchemaHeld):
        why = f"its schema has rules that are not run here, {named(fact.rules)}"
        raise NotDecoded(f"{why}: SCHEMA_RULES=ignore reads it as it is")
    cause = getattr(fact, "cause", "unknown")
    raise NotDecoded(f"the schema registry cannot be asked ({cause}): check SCHEMA_REGISTRY_URL")


def fields(change: Change) -> dict[str, Any]:
    """The change as JSON has it."""
    return {
        "event_id": change.event_id,
        "occurred_at": change.occurred_at,
        "project": change.project,
        "group_key": change.group_key,
        "group_id": change.group_id,
        "operation": change.operation,
        "properties": change.properties,
        "property_names": change.property_names,
        "company_id": change.company_id,
    }
