"""What a mapping file reads from outside: records of mapped topics, and the file itself."""

# ruff: noqa: PT017 - no test of pytest's

import json

from consumer.avro.parsing import parse
from consumer.event.encode import update_tail
from consumer.event.errors import REASONS, Reject
from consumer.mapping.bodies import KeyPlan, ValuePlan
from consumer.mapping.errors import Hold
from consumer.mapping.mapper import Mapper, TopicMap
from consumer.mapping.reading import InvalidMapping, read
from consumer.mapping.seen import Incoming
from tests.mapping.published import EVERYTHING, FILES, SCHEMAS, TOPICS
from tests.mapping.tables import COLUMNS, KEY, PLACEHOLDER, envelope

PROJECTS = ("emea", "us")

Way = tuple[str, TopicMap, ValuePlan, KeyPlan | None]


def ways() -> list[Way]:
    """The published files on their topics, and a table with a column of each kind."""
    found: list[Way] = []
    files = [(file.read_text(), TOPICS) for file in sorted(FILES.glob("*.toml"))] + [(EVERYTHING, ["T"])]
    schemas = {**SCHEMAS, "T": ([envelope(COLUMNS)], KEY)}
    for text, topics in files:
        mapper = Mapper(read(text, topics, PROJECTS, True), b"secret", [])
        for topic in topics:
            rules = mapper.topic(topic)
            if rules is None:
                continue
            values, key = schemas[topic]
            plan = None if key is None or not rules.schema_key else rules.key_plan(parse(key))
            found += [(topic, rules, rules.value_plan(parse(value)), plan) for value in values]
    return found


WAYS = ways()


def mapped(data: bytes) -> None:
    """The first byte chooses topic and schema, the second how much is the key; the rest is the value, or nothing."""
    if len(data) < 2:
        return
    topic, rules, plan, key_plan = WAYS[data[0] % len(WAYS)]
    key, value = data[2 : 2 + data[1] % 16], data[2 + data[1] % 16 :]
    record = Incoming(
        topic, 0, 0, 0, key or None, value or None, [("__debezium.newkey", key)] if data[1] > 200 else None
    )
    try:
        came = rules.apply(record, plan if value else None, 0, key_plan, 0)
    except Hold as hold:
        assert hold.rule
        return
    except Reject as reject:
        assert reject.reason in REASONS
        return
    assert all(refusal.reason in REASONS and refusal.rule in refusal.detail for refusal in came.refusals)
    for part in came.parts:
        assert part.operations
        for operation in part.operations:
            sent = json.loads(b"{" + update_tail(operation))
            assert sent["$group_id"]
            assert PLACEHOLDER not in (sent["$group_id"], *sent.get("$set", {}).values()) or topic not in (
                "T",
                TOPICS[0],
            )


def mapping(data: bytes) -> None:
    """Any text as a mapping file: it is one, or every fault has a line and words."""
    text = data.decode("utf-8", "replace")
    try:
        found = read(text, [*TOPICS, "T"], PROJECTS, True)
    except InvalidMapping as invalid:
        assert invalid.faults
        assert all(1 <= fault.line <= text.count("\n") + 1 and fault.message for fault in invalid.faults)
        return
    Mapper(found, b"secret", [])
