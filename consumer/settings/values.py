"""How the text of one setting becomes a value: what is allowed, and nothing else.

A `Kind` reads a text, or raises `Wrong` with a sentence that says what is allowed. None of them guesses.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar
from urllib.parse import SplitResult, urlsplit

TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
HOST: Final = re.compile(r"[A-Za-z0-9._:%-]+")
SERVER: Final = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^\s:/,\[\]]+):(\d{1,5})")
NUMBER: Final = re.compile(r"(\d+(?:\.\d+)?)([a-zA-Z]+)", re.ASCII)
SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
BYTES: Final = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
Value = TypeVar("Value")


class Wrong(Exception):
    """The text is none of what is allowed; the message says what is."""


@dataclass(frozen=True)
class ValueKind(Generic[Value]):
    """Reads the texts of one kind of setting. `shape` is what stands for the value in a help text.

    `empty` is the value where nothing is given and there is no default; `credentials` may stand in the text.
    """

    read: Callable[[str], Value]
    shape: str
    empty: Value
    credentials: bool = False


def text() -> ValueKind[str]:
    """Any text without line breaks at all."""

    def read(given: str) -> str:
        if any(ord(character) < 32 or ord(character) == 127 for character in given):
            raise Wrong("text without control characters or line breaks")
        return given

    return ValueKind(read, "TEXT", "")


def token() -> ValueKind[str]:
    """A text that can stand in a request: printable ASCII without white space."""

    def read(given: str) -> str:
        if given.endswith(("\n", "\r")):
            raise Wrong("printable ASCII without white space: there is a line break at its end")
        if given != given.strip():
            raise Wrong("printable ASCII without white space: there are blanks around it")
        if given[:1] in ("'", '"') or given[-1:] in ("'", '"'):
            raise Wrong("printable ASCII without quotes around it: they are part of what was given")
        if not all(33 <= ord(character) <= 126 for character in given):
            raise Wrong("printable ASCII without white space")
        return given

    return ValueKind(read, "TEXT", "")


def whole(least: int, most: int) -> ValueKind[int]:
    """A whole number from `least` to `most`."""

    def read(given: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", given) or not least <= int(given) <= most:
            raise Wrong(f"a whole number from {least} to {most}")
        return int(given)

    return ValueKind(read, f"{least}..{most}", 0)


def project_id() -> ValueKind[str]:
    """The number of a Mixpanel project, kept as text."""

    def read(given: str) -> str:
        if not re.fullmatch(r"[1-9][0-9]{0,18}", given):
            raise Wrong("the project's number, as Project Settings shows it (not its token)")
        return given

    return ValueKind(read, "NUMBER", "")


def flag() -> ValueKind[bool]:
    """`on` or `off`."""

    def read(given: str) -> bool:
        if given not in ("on", "off"):
            raise Wrong("on or off")
        return given == "on"

    return ValueKind(read, "on|off", False)


def choice(*choices: str, fold: Callable[[str], str] = str) -> ValueKind[str]:
    """One of the words; `fold` is applied first, where case does not matter."""

    def read(given: str) -> str:
        if fold(given) not in choices:
            raise Wrong("one of " + ", ".join(choices))
        return fold(given)

    return ValueKind(read, "|".join(choices), "")


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


def topic() -> ValueKind[str]:
    """A topic's name."""
    return ValueKind(topic_name, "TOPIC", "")


def topic_name(given: str) -> str:
    """The name, if a broker would take it."""
    if not TOPIC.fullmatch(given) or given in (".", ".."):
        raise Wrong("a topic's name: up to 249 letters, digits, dots, dashes and underscores")
    return given


def topics() -> ValueKind[tuple[str, ...]]:
    """Topic names, comma separated; one that stands there twice counts once."""

    def read(given: str) -> tuple[str, ...]:
        try:
            return tuple(dict.fromkeys(topic_name(name.strip()) for name in given.split(",")))
        except Wrong as wrong:
            raise Wrong(f"comma separated, each {wrong}") from None

    return ValueKind(read, "TOPIC,...", ())


def servers() -> ValueKind[str]:
    """host:port, comma separated, as Kafka clients take it."""

    def read(given: str) -> str:
        addresses = [server.strip() for server in given.split(",")]
        for server in addresses:
            match = SERVER.fullmatch(server)
            if match is None or not 0 < int(match[2]) < 65536:
                raise Wrong("host:port, comma separated, without a scheme, such as kafka-1:9092,kafka-2:9092")
        return ",".join(addresses)

    return ValueKind(read, "HOST:PORT,...", "")


def host() -> ValueKind[str]:
    """An address or a name of this machine."""

    def read(given: str) -> str:
        if HOST.fullmatch(given) is None:
            raise Wrong("an address or a name of this machine, without scheme and port, such as 127.0.0.1 or ::1")
        return given

    return ValueKind(read, "HOST", "")


def url() -> ValueKind[str]:
    """One URL as it is asked, without credentials."""

    def read(given: str) -> str:
        parts = web_address(given, "one http:// or https:// URL without ? or #")
        if parts.username is not None or parts.password is not None:
            raise Wrong("a URL without user name and password")
        return given

    return ValueKind(read, "URL", "")


def urls() -> ValueKind[tuple[str, ...]]:
    """URLs of one service, comma separated; each may carry its own credentials."""

    def read(given: str) -> tuple[str, ...]:
        addresses = tuple(dict.fromkeys(url.strip().rstrip("/") for url in given.split(",")))
        for url in addresses:
            web_address(url, "comma separated http:// or https:// URLs without ? or #")
        return addresses

    return ValueKind(read, "URL,...", (), credentials=True)


def base_url(last: str) -> ValueKind[str]:
    """A URL without credentials, to which requests add the path `last`."""

    def read(given: str) -> str:
        parts = web_address(given, f"one http:// or https:// URL without ? or #; requests go to {{URL}}/{last}")
        if parts.username is not None or parts.password is not None:
            raise Wrong("a URL without user name and password")
        url = given.rstrip("/")
        if url.endswith(f"/{last}"):
            raise Wrong(f"the URL without /{last}, which requests add")
        return url

    return ValueKind(read, "URL", "")


def web_address(given: str, allowed: str) -> SplitResult:
    """The parts of a URL that has a host, and neither query nor fragment."""
    try:
        parts = urlsplit(given)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        raise Wrong(allowed) from None
    if not fits or parts.query or parts.fragment or re.search(r"[\s?#\\]", given):
        raise Wrong(allowed)
    return parts


def file() -> ValueKind[str]:
    """A file that can be read now."""

    def read(given: str) -> str:
        try:
            with Path(given).open("rb") as opened:
                opened.read(1)
        except (OSError, ValueError) as failure:
            raise Wrong(f"a file that can be read ({reason(failure)})") from None
        return given

    return ValueKind(read, "FILE", "")


def file_or_folder() -> ValueKind[str]:
    """A file that can be read now, or a folder."""

    def read(given: str) -> str:
        return given if "\0" not in given and Path(given).is_dir() else file().read(given)

    return ValueKind(read, "FILE", "")


def folder() -> ValueKind[Path | None]:
    """A folder that is there, or that will be made."""

    def read(given: str) -> Path | None:
        if "\0" in given or (Path(given).exists() and not Path(given).is_dir()):
            raise Wrong("a folder")
        return Path(given)

    return ValueKind(read, "FOLDER", None)


def reason(failure: Exception) -> str:
    """Why a file cannot be read, in the words of the system."""
    return (isinstance(failure, OSError) and failure.strerror) or "not a path"


def without_credentials(url: str) -> str:
    """The URL as it may be shown."""
    head, at, host = url.rpartition("@")
    return f"{head.partition('://')[0]}://***@{host}" if at else url
