"""What arrived at `/groups`: its parameters and its updates, in every form in which clients send them.

    POST, a JSON array or object as the body                          the service, curl, most importers
    POST, form field `data`: plain JSON                               Mixpanel's Python library
    POST, form field `data`: base64 of JSON                           Mixpanel's Java, Ruby, PHP and browser libraries
    GET or POST, query parameter `data`: base64 or plain JSON         Mixpanel's Node library

`data` is one object or an array. `ip`, `strict` and `verbose` come in the query or the form.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

MAX_UPDATES: Final = 2_000
MISSING: Final = "data, missing or empty"
_NO: Final = ("", "0", "false")


@dataclass(frozen=True)
class Arrival:
    """One request's parameters and updates; `problem` says why there are none."""

    updates: list[Any]
    parameters: dict[str, str]
    problem: str | None = None

    @property
    def strict(self) -> bool:
        """Whether refusals are to be told one by one."""
        return self.parameters.get("strict", "").lower() not in _NO

    @property
    def verbose(self) -> bool:
        """Whether the answer is to be JSON with words."""
        return self.parameters.get("verbose", "").lower() not in _NO

    @property
    def told(self) -> bool:
        """Whether the answer is JSON with words: strict or verbose."""
        return self.strict or self.verbose


def read(query: str, content_type: str, body: bytes) -> Arrival:
    """The arrival of one request to `/groups`. Never raises: what cannot be read is its `problem`."""
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    start = body[:64].lstrip()[:1]
    if start not in (b"[", b"{") and (body[:5] == b"data=" or "form-urlencoded" in content_type):
        parameters |= dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        body = b""
    field = parameters.pop("data", "")
    raw = body or field.encode()
    if not raw.strip():
        return Arrival([], parameters, MISSING)
    if raw.lstrip()[:1] not in (b"[", b"{"):
        raw = _from_base64(raw)
    try:
        content = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return Arrival([], parameters, "data, not JSON")
    if isinstance(content, dict):
        return Arrival([content], parameters)
    if not isinstance(content, list):
        return Arrival([], parameters, "data, neither an object nor an array")
    return Arrival(content, parameters, None if content else MISSING)


def _from_base64(raw: bytes) -> bytes:
    """The bytes that were meant, with a form's blanks for `+`, either alphabet, and padding or none."""
    text = raw.strip().replace(b" ", b"+").replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return raw
