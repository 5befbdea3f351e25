"""What is in a registry's answers: an object, a schema's text, what it refers to."""

import json

from consumer.registry.access import Endpoint
from consumer.registry.errors import Outage, Unusable


def object_in(body: bytes) -> dict[str, object] | None:
    """The JSON object that the body is; None where it is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def array_in(body: bytes) -> list[object] | None:
    """The JSON array that the body is; None where it is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def text_of(answer: dict[str, object], endpoint: Endpoint) -> str:
    """The schema's text. Raises `Unusable` for another kind of schema, `Outage` where there is no text."""
    kind = answer.get("schemaType") or "AVRO"
    if kind != "AVRO":
        raise Unusable(f"the registry's schema is of type {kind}, not AVRO")
    text = answer.get("schema")
    if not isinstance(text, str):
        raise Outage("unreadable", endpoint.url)
    return text


def references_of(answer: dict[str, object], endpoint: Endpoint) -> list[tuple[str, str, int]]:
    """Name, subject and version of what this schema refers to; one without a name is known by its version."""
    references = answer.get("references") or []
    found: list[tuple[str, str, int]] = []
    for reference in references if isinstance(references, list) else [None]:
        subject = reference.get("subject") if isinstance(reference, dict) else None
        version = reference.get("version") if isinstance(reference, dict) else None
        if not isinstance(reference, dict) or not isinstance(subject, str) or not isinstance(version, int):
            raise Outage("unreadable", endpoint.url)
        name = reference.get("name")
        found.append((name if isinstance(name, str) and name else f"{subject} {version}", subject, version))
    return found
