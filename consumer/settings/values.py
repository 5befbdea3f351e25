"""How the text of one setting becomes a value: what is allowed, and nothing else.

A `ValueKind` reads a text, or raises `Wrong` with a sentence that says what is allowed. None of them guesses.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
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
