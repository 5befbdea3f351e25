"""docs/mapping-shapes.md: each of its records becomes the updates that stand below it."""

import json
import re
from typing import Any

import pytest

from consumer.avro.parsing import parse
from consumer.commands.map.trial import Written, tried, updates_of
from consumer.mapping.mapper import Mapper
from consumer.mapping.reading import read
from tests.mapping.published import FILES, SCHEMAS, TOPICS

PAGE = (FILES.parent / "mapping-shapes.md").read_text()
BLOCK = re.compile(r"^```json (record|updates)(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
BLOCKS = [(kind, place.split(), json.loads(text)) for kind, place, text in BLOCK.findall(PAGE)]
PAIRS = list(zip(BLOCKS[::2], BLOCKS[1::2], strict=True))
NAMES = {
    "crm.public.companies": "debezium",
    "crm.company-events": "domain-events",
    "cdp.calls": "cdp-calls",
    "COMPANY_USAGE": "ksqldb-totals",
}


def test_every_shape_is_there() -> None:
    assert {place[0] for kind, place, _ in BLOCKS if kind == "record"} == set(NAMES) == set(TOPICS)
    assert PAGE.count("```json") == len(BLOCKS)


@pytest.mark.parametrize(("record", "updates"), PAIRS, ids=[f"{n}-{one[1][0]}" for n, (one, _) in enumerate(PAIRS)])
def test_what_a_record_becomes(record: tuple[str, list[str], Any], updates: tuple[str, list[str], Any]) -> None:
    assert (record[0], updates[0]) == ("record", "updates")
    topic, *name = record[1]
    rules = Mapper(read((FILES / f"{NAMES[topic]}.toml").read_text(), TOPICS, ["emea", "us"], True), b"s", []).topic(
        topic
    )
    assert rules is not None
    values, key = SCHEMAS[topic]
    value = next(one for one in values if not name or one["name"] == name[0])
    written = Written(record[2].get("key"), record[2]["value"])
    mapped = tried(topic, rules, written, "", parse(value), None if key is None else parse(key))
    assert [update for part in mapped.parts for update in updates_of(part)] == updates[2]
    assert mapped.refusals == []
