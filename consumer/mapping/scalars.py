"""From one decoded scalar to what JSON says of it, by its meaning and by how the rule reads it."""

import hmac
import math
import re
from base64 import b64encode
from typing import Final

import orjson

from consumer.event.encode import exact_number
from consumer.mapping.errors import Unfit
from consumer.mapping.meanings import (
    ANY_DECIMAL,
    CLOCK,
    CLOCK_TEXT,
    DATE,
    DATE_TEXT,
    DECIMAL,
    OCTETS,
    STAMP,
    STAMP_TEXT,
    UUID_OCTETS,
    UUID_TEXT,
)
from consumer.mapping.times import clock, clock_of_text, date, stamp, stamp_of_text
from consumer.mapping.words import (
    AS_BASE64,
    AS_DAYS,
    AS_HASH,
    AS_IS,
    AS_JSON,
    AS_LIST,
    AS_LOWER,
    AS_MICROS,
    AS_MILLIS,
    AS_NUMBER,
    AS_SECONDS,
    COPY,
    RAW,
)

# Digits that a double always keeps.
FAITHFUL: Final = 15
MAX_DIGITS: Final = 308  # a JSON number of more has no double
MAX_OCTETS: Final = 128  # of a decimal: as many as 308 digits need
NUMBER: Final = re.compile(r"(-?)(0|[1-9]\d{0,307})(?:\.(\d{1,308}))?([eE][+-]?\d{1,4})?", re.ASCII)
UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{32}", re.ASCII)
UNITS: Final = {AS_SECONDS: 1, AS_MILLIS: 1_000, AS_MICROS: 1_000_000}
# Mixpanel's limits for objects and lists.
MAX_KEYS: Final = 255
MAX_NESTING: Final = 3
MAX_LISTS: Final = 32  # in each other: far from where a writer of JSON gives up


def convert(raw: object, meaning: int, units: int, how: int, secret: bytes) -> object:
    """The value as the rule reads it; None for a database's infinity. `units` are a time's units a second, or a
    decimal's scale. Raises `Unfit`."""
    if how == RAW:
        return raw
    if how == AS_HASH:
        return hashed(raw if isinstance(raw, bytes) and meaning == OCTETS else natural(raw, meaning, units), secret)
    if meaning == OCTETS:
        assert isinstance(raw, bytes)
        if how == AS_BASE64:
            return b64encode(raw).decode()
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Unfit("bytes that are not UTF-8") from None
    if how == AS_DAYS:
        return date(whole(raw))
    if how in UNITS:
        return stamp(whole(raw), UNITS[how])
    if how == AS_JSON:
        return parsed(text_of(raw))
    if meaning == DECIMAL and how != AS_IS and how != COPY and how != AS_NUMBER and how != AS_LIST:
        return digits(unscaled(raw), units)
    value = natural(raw, meaning, units)
    if value is None or how == AS_IS or how == COPY:
        return value
    if how == AS_LIST:
        return [value]
    if how == AS_NUMBER:
        return number(value) if isinstance(value, str) else value
    text = text_of(value)
    return text.lower() if how == AS_LOWER else text


def natural(raw: object, meaning: int, units: int) -> object:
    """What the annotation says that the value is. Raises `Unfit`."""
    if meaning < DECIMAL:
        if isinstance(raw, float) and not math.isfinite(raw):
            raise Unfit("a number that is not finite")
        return raw
    if meaning == DECIMAL:
        return exact(unscaled(raw), units)
    if meaning == ANY_DECIMAL:
        return raw
    if meaning == STAMP:
        return stamp(whole(raw), units)
    if meaning == DATE:
        return date(whole(raw))
    if meaning == CLOCK:
        return clock(whole(raw), units)
    if meaning == UUID_OCTETS:
        assert isinstance(raw, bytes)
        return canonical(raw.hex())
    assert isinstance(raw, str)
    if meaning == STAMP_TEXT:
        return stamp_of_text(raw, False)
    if meaning == DATE_TEXT:
        return stamp_of_text(raw, True)
    if meaning == CLOCK_TEXT:
        return clock_of_text(raw)
    if meaning == UUID_TEXT:
        if UUID.fullmatch(raw) is None:
            raise Unfit("text that is no uuid")
        return canonical(raw.replace("-", "").lower())
    return raw


def whole(raw: object) -> int:
    """The number, which the plan knows to be whole."""
    assert isinstance(raw, int)
    return raw


def canonical(text: str) -> str:
    """A uuid of 32 digits as it is written."""
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def unscaled(raw: object) -> int:
    """The whole number that a decimal's bytes are. Raises `Unfit` where it has more digits than JSON's doubles."""
    assert isinstance(raw, bytes)
    if len(raw) > MAX_OCTETS:
        raise Unfit(f"a decimal of more than {MAX_DIGITS} digits")
    return int.from_bytes(raw, "big", signed=True)


def digits(value: int, scale: int) -> str:
    """The decimal as it is written, with its scale. Raises `Unfit` where it is out of proportion."""
    text = str(abs(value))
    if scale < 0:
        text = text + "0" * -scale if value and scale > -MAX_DIGITS else text
    if len(text) > MAX_DIGITS or scale > MAX_DIGITS or (scale <= -MAX_DIGITS and value):
        raise Unfit(f"a decimal of more than {MAX_DIGITS} digits")
    if scale > 0:
        text = text.rjust(scale + 1, "0")
        text = f"{text[:-scale]}.{text[-scale:]}"
    return f"-{text}" if value < 0 else text


def exact(value: int, scale: int) -> object:
    """A number whose JSON is this decimal's exact value."""
    while scale > 0 and value % 10 == 0:
        value //= 10
        scale -= 1
    text = digits(value, scale)
    if scale <= 0:
        integer = int(text)
        return integer if -(2**63) <= integer < 2**64 else exact_number(text)
    return float(text) if len(str(abs(value))) <= FAITHFUL else exact_number(text)


def number(text: str) -> object:
    """The number that the text is. Raises `Unfit`."""
    found = NUMBER.fullmatch(text.strip())
    if found is None:
        raise Unfit("text that is no number")
    if found[4] is None:
        fraction = found[3] or ""
        value = int(found[2] + fraction)
        return exact(-value if found[1] else value, len(fraction))
    result = float(text)
    if not math.isfinite(result):
        raise Unfit("text that is no number that JSON can say")
    return result


def text_of(value: object) -> str:
    """The value as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, orjson.Fragment):
        return orjson.dumps(value).decode().strip()
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value) if isinstance(value, int) else orjson.dumps(value).decode()


def hashed(value: object, secret: bytes) -> object:
    """The first 32 digits of the value's HMAC; None stays None."""
    if value is None:
        return None
    data = value if isinstance(value, bytes) else text_of(value).encode()
    return hmac.digest(secret, data, "sha256").hex()[:32]


def parsed(text: str) -> object:
    """What the JSON says. Raises `Unfit`."""
    try:
        return orjson.loads(text)
    except ValueError:
        raise Unfit("text that is not JSON") from None


def limited(value: object, depth: int = 0, lists: int = 0) -> object:
    """The value, within Mixpanel's limits for objects, and lists that JSON can be made of. Raises `Unfit`."""
    if isinstance(value, dict):
        if len(value) > MAX_KEYS:
            raise Unfit(f"an object of more than {MAX_KEYS} keys")
        if depth >= MAX_NESTING:
            raise Unfit(f"objects that nest more than {MAX_NESTING} levels")
        for item in value.values():
            limited(item, depth + 1, lists)
    elif isinstance(value, list):
        if lists >= MAX_LISTS:
            raise Unfit(f"lists that nest more than {MAX_LISTS} levels")
        for item in value:
            limited(item, depth, lists + 1)
    return value
