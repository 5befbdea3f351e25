"""Settings that are an amount of something: a time or a size, written with its unit."""

import math
import re
from typing import Final

from consumer.settings.values import ValueKind, Wrong

NUMBER: Final = re.compile(r"(\d+(?:\.\d+)?)([a-zA-Z]+)", re.ASCII)
SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
BYTES: Final = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def duration(least: str, most: str) -> ValueKind[float]:
    """A time in seconds, written as 500ms, 2s or 1m."""
    low, high = amount(least, SECONDS), amount(most, SECONDS)
    assert low is not None
    assert high is not None

    def read(given: str) -> float:
        seconds = amount(given, SECONDS)
        if seconds is None:
            raise Wrong("a number with ms, s, m or h, such as 500ms, 2s or 1m")
        if not low <= seconds <= high:
            raise Wrong(f"a time from {least} to {most}")
        return seconds

    return ValueKind(read, "TIME", 0.0)


def size(least: str, most: str) -> ValueKind[int]:
    """A number of bytes, written as 512KiB or 2MiB."""
    low, high = amount(least, BYTES), amount(most, BYTES)
    assert low is not None
    assert high is not None

    def read(given: str) -> int:
        count = amount(given, BYTES)
        if count is None or not count.is_integer():
            raise Wrong("a number with B, KiB, MiB or GiB, such as 512KiB or 2MiB")
        if not low <= count <= high:
            raise Wrong(f"a size from {least} to {most}")
        return int(count)

    return ValueKind(read, "SIZE", 0)


def amount(given: str, units: dict[str, float] | dict[str, int]) -> float | None:
    """What a number with one of these units comes to; None where the text is none."""
    match = NUMBER.fullmatch(given)
    unit = units.get(match[2]) if match else None
    if match is None or unit is None:
        return None
    if unit == 0.001:  # dividing keeps 500ms exactly 0.5
        return float(match[1]) / 1000
    value = float(match[1]) * unit
    return value if math.isfinite(value) else None
