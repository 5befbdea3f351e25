"""The bad records of the sandbox's traffic: for each reason of a dead letter, one record that has to have it."""

from collections.abc import Callable
from random import Random
from typing import Any, Final, Protocol
from uuid import UUID

from consumer.sandbox.traffic.event import Headers, TrafficEvent
from consumer.sandbox.traffic.schemas import FUTURE_OPERATION, GUID_HEADER, UNKNOWN_ID, Writers

MAX_PROPERTIES: Final = 255
UNKNOWN_GUID: Final = UUID("00000000-0000-4000-8000-000000000000")


class TrafficSource(Protocol):
    """What a bad record is made with: the traffic that it is a part of."""

    random: Random
    writers: Writers

    def change(self, group_key: str, group_id: str, operation: str, values: Any) -> dict[str, Any]: ...
    def values(self, operation: str) -> Any: ...
    def record(
        self, change: dict[str, Any], update: dict[str, Any] | None = None, reason: str | None = None
    ) -> TrafficEvent: ...
    def raw(
        self,
        key: bytes,
        value: bytes | None,
        headers: Headers,
        update: dict[str, Any] | None = None,
        reason: str | None = None,
    ) -> TrafficEvent: ...


def not_framed(traffic: TrafficSource, key: str, name: str) -> TrafficEvent:
    """JSON, from a producer that has no serializer."""
    text = f'{{"group_key":"{key}","group_id":"{name}","operation":"SET","properties":{{"plan":"free"}}}}'
    return traffic.raw(_key(key, name), text.encode(), [], reason="not_framed")


def unknown_schema(traffic: TrafficSource, key: str, name: str) -> TrafficEvent:
    """A schema that is in another registry, as when a topic was copied."""
    data = traffic.writers.current.encode(traffic.change(key, name, "SET", {"plan": "free"}))
    if traffic.writers.current.guid is not None and traffic.random.random() < 0.5:
        header = (GUID_HEADER, b"\x01" + UNKNOWN_GUID.bytes)
        return traffic.raw(_key(key, name), data, [header], reason="unknown_schema")
    framed = b"\0" + UNKNOWN_ID.to_bytes(4, "big") + data
    return traffic.raw(_key(key, name), framed, [], reason="unknown_schema")


def incompatible_schema(traffic: TrafficSource, key: str, name: str) -> TrafficEvent:
    """Another team's record."""
    orders = traffic.writers.orders
    value = orders.frame(orders.encode({"order_id": f"o-{traffic.random.randrange(10**9)}", "amount": 12.5}))
    return traffic.raw(_key(key, name), value, [], reason="incompatible_schema")


def corrupt(traffic: TrafficSource, key: str, name: str) -> TrafficEvent:
    """Bytes cut off, bytes too many, text that is none, an operation of a version to come."""
    change = traffic.change(key, name, "SET", traffic.values("SET"))
    writer = traffic.writers.current
    data = writer.encode(change)
    damage = traffic.random.randrange(4)
    if damage == 0:
        data = data[: traffic.random.randrange(len(data) // 2)]
    elif damage == 1:
        data += b"\0\0"
    elif damage == 2:
        data = data.replace(name.encode(), b"\xff" * len(name.encode()), 1)
    else:
        writer = traffic.writers.newer
        data = writer.encode(change | {"operation": FUTURE_OPERATION})
    return traffic.raw(_key(key, name), writer.frame(data), [], reason="corrupt")


def tombstone(traffic: TrafficSource, key: str, name: str) -> TrafficEvent:
    """A null value, from a producer that means to delete."""
    return traffic.raw(_key(key, name), None, [], reason="tombstone")


def invalid_change(traffic: TrafficSource, key: str, name: str) -> TrafficEvent:
    """Changes that break the table of the event."""
    wrong: tuple[tuple[Any, ...], ...] = (
        ("SET", {}),
        ("ADD", {"seats": "three"}),
        ("UNION", {"tags": []}),
        ("REMOVE", {"tags": ["beta"]}),
        ("UNSET", []),
        ("DELETE", {"plan": "free"}),
        ("SET", {"plan": "free"}, ""),
    )
    return traffic.record(traffic.change(key, name, *traffic.random.choice(wrong)), reason="invalid_change")


def unknown_project(traffic: TrafficSource, key: str, name: str) -> TrafficEvent:
    """A change for a project of another service."""
    change = traffic.change(key, name, "SET", traffic.values("SET"))
    return traffic.record(change | {"project": "mobile-app"}, reason="unknown_project")


def too_large(traffic: TrafficSource, key: str, name: str) -> TrafficEvent:
    """More properties than Mixpanel takes."""
    values = {f"custom_{number}": number for number in range(MAX_PROPERTIES + 1)}
    return traffic.record(traffic.change(key, name, "SET", values), reason="too_large")


def rejected(traffic: TrafficSource, key: str, name: str) -> TrafficEvent:
    """What nobody but Mixpanel can know to be wrong: the sandbox refuses this property, and groups named so."""
    values = traffic.values("SET")
    if not name.startswith("reject-"):
        values["$reject"] = True
    return traffic.record(traffic.change(key, name, "SET", values), reason="rejected")


MAKERS: Final[dict[str, Callable[[TrafficSource, str, str], TrafficEvent]]] = {
    maker.__name__: maker
    for maker in (
        not_framed,
        unknown_schema,
        incompatible_schema,
        corrupt,
        tombstone,
        invalid_change,
        unknown_project,
        too_large,
        rejected,
    )
}


def _key(key: str, name: str) -> bytes:
    return f"{key}:{name}".encode()
