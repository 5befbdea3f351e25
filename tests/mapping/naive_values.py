"""What the naive interpreter makes of single values: sharing nothing with `consumer.mapping`, as it does."""

import base64
import datetime
import json
import math
import uuid
from decimal import Decimal
from typing import Any

PLACEHOLDER = "__debezium_unavailable_value"
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
# What PostgreSQL's infinities come as.
ENDLESS = [9223372036825200000, -9223372036832400000, 9223372036825200, -9223372036832400, 2**63 - 1, -(2**63)]
ENDLESS_DAYS = [2**31 - 1, -(2**31), 2146033979, -2147472691, -2147472692, -622191234, -625821272]


class Refused(Exception):
    """The rule cannot take the record."""


def scalar(value: Any, kind: Any) -> Any:
    means = annotation(kind)
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused
    if means == "decimal":
        return Decimal(int.from_bytes(value, "big", signed=True)).scaleb(-kind.get("scale", 0))
    if means == "io.debezium.time.Date":
        return None if value in ENDLESS_DAYS else moment(value * 86400 * 10**6)
    if means in ("io.debezium.time.MicroTimestamp", "timestamp-millis"):
        scaled = value * (1000 if means == "timestamp-millis" else 1)
        return None if value in ENDLESS else moment(scaled)
    if means == "io.debezium.time.ZonedTimestamp":
        if value == "infinity":
            return None
        try:
            found = datetime.datetime.fromisoformat(value)
            return found.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
        except (ValueError, OverflowError):
            raise Refused from None
    if means == "uuid":
        try:
            return str(uuid.UUID(value))
        except ValueError:
            raise Refused from None
    assert not isinstance(value, bytes), "the plan should have held"
    return value


def moment(micros: int) -> str:
    try:
        found = EPOCH + datetime.timedelta(seconds=micros // 10**6)
    except OverflowError:
        raise Refused from None
    return found.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


def annotation(kind: Any) -> str:
    return (kind.get("logicalType") or kind.get("connect.name") or "") if isinstance(kind, dict) else ""


def word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, float) else str(value)


def hidden(value: Any) -> bool:
    octets = PLACEHOLDER.encode()
    return value in (
        PLACEHOLDER,
        octets,
        base64.b64encode(octets).decode(),
        octets.hex(),
        [PLACEHOLDER],
        [octets],
        list(octets),
        {PLACEHOLDER: PLACEHOLDER},
        json.dumps({PLACEHOLDER: PLACEHOLDER}, separators=(",", ":")),
    )


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)


def limit(value: Any, depth: int = 0) -> None:
    if isinstance(value, dict):
        if depth == 3 or len(value) > 255:
            raise Refused
        for item in value.values():
            limit(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            limit(item, depth)


def paths_of(source: Any) -> list[str]:
    found: Any = source.get("from", source.get("join", [])) if isinstance(source, dict) else source
    return found if isinstance(found, list) else [found]


def forbidden(name: str) -> Any:
    raise ValueError(name)
