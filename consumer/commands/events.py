"""Events as people write them: one JSON object a line, in the shape of `group_change.avsc`.

`group_key`, `group_id` and `operation` are needed, the others may be left out. `occurred_at` is in milliseconds, or
text such as 2026-11-25T07:00:00Z. What a line has wrong is said with the path to it.
"""

import difflib
import json
import math
import time
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import IO, Any, Final

import click
from fastavro import parse_schema, schemaless_writer

from consumer.core.intake import no_project
from consumer.event.convert import convert
from consumer.event.decode import Decoder, resolve
from consumer.event.encode import bounded_tail, opening_of
from consumer.event.errors import TRANSFORMATION, UNKNOWN_PROJECT, Reject
from consumer.event.model import DEFAULT, Operation
from consumer.schemas import newest

FIELDS: Final = (
    "event_id",
    "occurred_at",
    "project",
    "group_key",
    "group_id",
    "operation",
    "properties",
    "property_names",
    "company_id",
)
LARGEST: Final = 2**63
ONE_A_LINE: Final = "one event a line is read, such as `jq -c '.[]'` writes of an array"
# What an update begins with, for a token of the usual length.
OPENING: Final = len(opening_of("0" * 32))


class UnfitLine(Exception):
    """The line is no change; the message says where and why."""


@dataclass(frozen=True)
class Event:
    """One line that is a change: its project, its key, its Avro value without a frame, and what it asks for."""

    line: int
    project: str
    key: str
    value: bytes
    operation: Operation


@dataclass(frozen=True)
class BadLine:
    """One line that is none; `reason` is that of the dead letter that it would become, or `bad_line`."""

    line: int
    reason: str
    detail: str


class EventReader:
    """Reads lines as the service would read their records: encoded, decoded, converted."""

    def __init__(self, projects: Collection[str]) -> None:
        """`projects` are the names that the settings know; where they know none, there is a default project."""
        self._projects = frozenset(projects or (DEFAULT,))
        schema = json.loads(newest())
        self._schema = parse_schema(schema)
        self._decoder: Decoder = resolve(schema, schema)
        self._symbols: list[str] = next(f for f in schema["fields"] if f["name"] == "operation")["type"]["symbols"]

    def read(self, file: IO[bytes]) -> Iterator[Event | BadLine]:
        """An event or a bad line for each line that is not blank, in order."""
        if file.isatty():
            click.echo("reading events from the terminal, one JSON object a line; Ctrl-D ends them", err=True)
        for number, line in enumerate(file, 1):
            if line.strip():
                yield self.one(line, number)

    def one(self, line: bytes, number: int) -> Event | BadLine:
        """What one line is."""
        try:
            fields = self._fields(parsed(line))
            value = self._encoded(fields)
            change = self._decoder.decode(value, 0)
            operation = convert(change)
            project = DEFAULT if change.project is None else change.project
            if project not in self._projects:
                raise Reject(UNKNOWN_PROJECT, TRANSFORMATION, no_project(change.project))
            bounded_tail(operation, OPENING)
        except UnfitLine as unfit:
            return BadLine(number, "bad_line", str(unfit))
        except Reject as reject:
            return BadLine(number, reject.reason, reject.detail)
        return Event(number, project, f"{fields['group_key']}:{fields['group_id']}", value, operation)

    def _encoded(self, fields: dict[str, Any]) -> bytes:
        out = BytesIO()
        schemaless_writer(out, self._schema, fields)
        return out.getvalue()

    def _fields(self, given: dict[str, Any]) -> dict[str, Any]:
        """All fields of the event, each of its type."""
        for name in given:
            if name not in FIELDS:
                near = difflib.get_close_matches(name, FIELDS, 1)
                raise UnfitLine(f"{name} is no field of the event" + (f": did you mean {near[0]}?" if near else ""))
        for name in ("group_key", "group_id", "operation"):
            if name not in given:
                raise UnfitLine(f"{name} is missing")
        if given["operation"] not in self._symbols:
            raise UnfitLine("operation is none of " + ", ".join(self._symbols))
        project, company = given.get("project"), given.get("company_id")
        return {
            "event_id": text(given.get("event_id", str(uuid.uuid4())), "event_id"),
            "occurred_at": moment(given.get("occurred_at", int(time.time() * 1000))),
            "project": None if project is None else text(project, "project"),
            "group_key": text(given["group_key"], "group_key"),
            "group_id": text(given["group_id"], "group_id"),
            "operation": given["operation"],
            "properties": mapping(given.get("properties", {}), "properties", levels=2),
            "property_names": [
                text(name, f"property_names, item {number}")
                for number, name in enumerate(array(given.get("property_names", []), "property_names"), 1)
            ],
            "company_id": None if company is None else text(company, "company_id"),
        }


def parsed(line: bytes) -> dict[str, Any]:
    """The JSON object that the line is."""
    try:
        value = json.loads(line, object_pairs_hook=once, parse_constant=no_number)
    except UnicodeDecodeError:
        raise UnfitLine("is not UTF-8 text") from None
    except json.JSONDecodeError as failure:
        hint = f"; {ONE_A_LINE}" if line.strip() in (b"{", b"[") else ""
        raise UnfitLine(f"is not JSON: {failure.msg} at column {failure.colno}{hint}") from None
    except (RecursionError, ValueError):
        raise UnfitLine("is not JSON that can be read: too deep, or a number too long") from None
    if not isinstance(value, dict):
        raise UnfitLine(f"is JSON, and not an object; {ONE_A_LINE}")
    return value


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object, which has each name once."""
    by_name = dict(pairs)
    if len(by_name) != len(pairs):
        raise UnfitLine("has the same name twice in one object")
    return by_name


def no_number(name: str) -> float:
    """NaN and Infinity are not JSON."""
    raise UnfitLine(f"has {name}, which is not JSON")


def text(value: Any, path: str) -> str:
    """A text that UTF-8 can hold."""
    if not isinstance(value, str):
        raise UnfitLine(f"{path} is not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UnfitLine(f"{path} has half a surrogate pair, which UTF-8 cannot hold") from None
    return value


def array(value: Any, path: str) -> list[Any]:
    """A JSON array."""
    if not isinstance(value, list):
        raise UnfitLine(f"{path} is not an array")
    return value


def moment(value: Any) -> int:
    """Milliseconds since 1970."""
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            raise UnfitLine("occurred_at is no time such as 2026-11-25T07:00:00Z") from None
        return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
    if isinstance(value, bool) or not isinstance(value, int) or not -LARGEST <= value < LARGEST:
        raise UnfitLine("occurred_at is neither milliseconds nor a time such as 2026-11-25T07:00:00Z")
    return value


def mapping(value: Any, path: str, levels: int) -> dict[str, Any]:
    """A JSON object; its values are scalars, or nest as deep as the schema does."""
    if not isinstance(value, dict):
        raise UnfitLine(f"{path} is not an object")
    return {text(name, f"a name in {path}"): nested(item, f"{path}.{name}", levels) for name, item in value.items()}


def nested(value: Any, path: str, levels: int) -> Any:
    """A value that the schema has room for: at level 2 arrays and objects, inside an array objects."""
    if isinstance(value, dict) and levels:
        return mapping(value, path, 0)
    if isinstance(value, list) and levels == 2:
        return [nested(item, f"{path}, item {number}", 1) for number, item in enumerate(value, 1)]
    if isinstance(value, (dict, list)):
        raise UnfitLine(f"{path} nests deeper than the event schema has room for")
    if isinstance(value, str):
        return text(value, path)
    if isinstance(value, int) and not -LARGEST <= value < LARGEST:
        raise UnfitLine(f"{path} is an integer of more than 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise UnfitLine(f"{path} is a number that a double cannot hold")
    return value
