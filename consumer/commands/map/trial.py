"""One record that people wrote, through the rules: as real Avro bytes, by the code that maps records."""

import json
from dataclasses import dataclass, field
from typing import Any

from consumer.avro.parsing import parse
from consumer.avro.schema import UNION, Type
from consumer.commands.map.datum import NoDatum, encoded
from consumer.event.encode import update_tail
from consumer.mapping.mapper import TopicMap
from consumer.mapping.outcome import Mapped, Part
from consumer.mapping.seen import Incoming
from consumer.mapping.words import KEY_SCHEMA, KEY_TEXT

SIZES = {2: 4, 3: 8}  # of keys that are an int or a long without a schema


@dataclass(frozen=True)
class Written:
    """A record as people write it: JSON, or a text that holds JSON. `value` None is a tombstone."""

    key: Any = None
    value: Any = None
    headers: dict[str, Any] = field(default_factory=dict)


def tried(
    topic: str, rules: TopicMap, written: Written, record: str, writer: Type | None, key: Type | None
) -> Mapped:
    """What the record comes to. `record` names the branch of a union; `key` is its schema, None: made of the JSON.

    Raises `NoDatum`, `Hold`, `Reject`.
    """
    value, key_bytes, key_plan, plan = content_of(written.value), None, None, None
    data: bytes | None = None
    if value is not None:
        assert writer is not None
        plan = rules.value_plan(writer)
        data = encoded(writer, {record: value} if writer.kind == UNION and record else value, "value")
    how = rules.rules[0].key
    if written.key is not None and how == KEY_SCHEMA:
        content = content_of(written.key)
        kind = key or parse(made_of(content))
        key_bytes = encoded(kind, content, "key")
        key_plan = rules.key_plan(kind) if rules.needs_key else None
    elif written.key is not None:
        key_bytes = plain(written.key, how)
    headers: list[tuple[str, bytes | None]] = [(name, text_of(header)) for name, header in written.headers.items()]
    incoming = Incoming(topic, 0, 0, 0, key_bytes, data, headers)
    return rules.apply(incoming, plan, 0, key_plan, 0)


def content_of(given: Any) -> Any:
    """The JSON that a text holds, else what was given: TOML has no null."""
    if isinstance(given, str) and given.lstrip()[:1] in ("{", "[", "n") and given.strip() != "":
        try:
            return json.loads(given)
        except ValueError:
            return given
    return given


def text_of(header: Any) -> bytes:
    """A header's bytes: its text, of anything else its JSON."""
    return (header if isinstance(header, str) else json.dumps(header)).encode()


def plain(key: Any, how: int) -> bytes:
    """A key that no schema describes. Raises `NoDatum`."""
    if how == KEY_TEXT and isinstance(key, str):
        return key.encode()
    try:
        return int(key).to_bytes(SIZES[how], "big", signed=True)
    except (KeyError, ValueError, TypeError, OverflowError):
        raise NoDatum("key is none of the kind that the rule says") from None


def made_of(content: Any) -> Any:
    """A schema that describes this JSON."""
    if isinstance(content, dict):
        fields = [{"name": name, "type": made_of(item)} for name, item in content.items()]
        return {"type": "record", "name": "Key", "fields": fields}
    for kind, name in ((bool, "boolean"), (int, "long"), (float, "double"), (str, "string")):
        if isinstance(content, kind):
            return name
    raise NoDatum("key has a value for which there is no schema")


def updates_of(part: Part) -> list[dict[str, Any]]:
    """The part's updates without `$token`; `project` is there where it is not the default one."""
    updates = []
    for operation in part.operations:
        update = json.loads(b"{" + update_tail(operation))
        if part.project is not None:
            update["project"] = part.project
        updates.append(update)
    return updates
