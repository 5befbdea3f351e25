"""Parameters that a function reads, and the URL of an instance."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import click


class Parsed(click.ParamType):  # type: ignore[type-arg]  # older versions take no argument
    """A parameter that a function reads; its ValueError is what the user is told."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value, read."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)


def read_url(text: str) -> str:
    """The URL of an instance's HTTP port, as it is. Raises ValueError."""
    try:
        parts = urlsplit(text)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(f"{text!r} is no URL such as http://10.0.0.7:8080")
    return text


URL: Final = Parsed("URL", read_url)
