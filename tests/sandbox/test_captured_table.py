"""The sandbox's table under change data capture: schemas as the real connector's, and the profiles that it owes."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from fastavro import parse_schema, schemaless_reader

from consumer.avro.parsing import parse
from consumer.event.encode import update_tail
from consumer.mapping.mapper import Mapper
from consumer.mapping.reading import read
from consumer.mapping.seen import Incoming
from consumer.sandbox.mixpanel.profiles import Profiles
from consumer.sandbox.traffic.captured_table import PLACEHOLDER, CapturedTable
from consumer.sandbox.traffic.companies import COLUMNS, GROUP_KEY, TOPIC, Companies, mapping_file
from consumer.sandbox.traffic.connect_schemas import INTEGER, TEXT, Column, envelope_schema, key_schema

RECORDED = Path(__file__).parent / "recorded"


class Registry:
    """Gives ids."""

    def __init__(self):
        self.texts = []

    def register(self, subject, text):
        if (subject, text) not in self.texts:
            self.texts.append((subject, text))
        return self.texts.index((subject, text)) + 1

    def schema(self, framed):
        return json.loads(self.texts[int.from_bytes(framed[1:5], "big") - 1][1])

    def read(self, framed):
        """The datum, dates and decimals as the numbers that they are written as."""
        bare = json.loads(json.dumps(self.schema(framed)).replace("logicalType", "was"))
        return schemaless_reader(BytesIO(framed[5:]), parse_schema(bare), None)


@pytest.mark.parametrize("part", ["key", "value"])
def test_the_schemas_are_those_of_the_real_connector(part):
    """Key for key as Debezium's PostgreSQL connector and Connect's converter registered them for the same table."""
    real = json.loads((RECORDED / f"debezium-companies-{part}.json").read_text())
    columns = [column for column in COLUMNS if column.name != "health"]
    ours = key_schema(TOPIC, columns[:1]) if part == "key" else envelope_schema(TOPIC, columns)
    assert ours == real


def small(registry):
    columns = [Column("id", INTEGER, nullable=False), Column("name", TEXT, nullable=False), Column("big", TEXT)]
    return CapturedTable("crm.public.small", columns, ["id"], registry.register)


def test_what_is_written_of_a_row():
    registry = Registry()
    table = small(registry)
    (first, last) = [
        registry.read(one.value) for one in table.snapshot([{"id": n, "name": "a", "big": None} for n in (1, 2)])
    ]
    assert (first["op"], first["before"], first["source"]["snapshot"]) == ("r", None, "first")
    assert last["source"]["snapshot"] == "last"
    made = table.insert({"id": 3, "name": "b", "big": "x" * 3000})
    assert registry.read(made.key) == {"id": 3}
    assert registry.read(made.value)["after"] == {"id": 3, "name": "b", "big": "x" * 3000}
    assert registry.read(table.update((3,), {"name": "c"}).value)["after"] == {
        "id": 3,
        "name": "c",
        "big": PLACEHOLDER,
    }
    assert registry.read(table.update((3,), {"big": "y"}).value)["after"]["big"] == "y"
    gone, tombstone = table.delete((3,))
    assert registry.read(gone.value)["before"] == {"id": 3, "name": "", "big": None}
    assert (tombstone.key, tombstone.value) == (gone.key, None)
    assert table.rows.keys() == {(1,), (2,)}


def test_a_column_that_is_added_changes_the_schema():
    registry = Registry()
    table = small(registry)
    old = table.insert({"id": 1, "name": "a", "big": None})
    table.alter([*table.columns, Column("tier", TEXT)])
    new = table.update((1,), {"tier": "gold"})
    assert "tier" not in registry.read(old.value)["after"]
    assert registry.read(new.value)["after"]["tier"] == "gold"


def mapped(registry, events):
    """What the mapping makes of the records, applied."""
    topic = Mapper(read(mapping_file().read_text(), [TOPIC], [], False), b"", []).topic(TOPIC)
    newest = parse(json.loads([text for subject, text in registry.texts if subject.endswith("-value")][-1]))
    plans, profiles, refused = {}, Profiles(), {}
    for event in events:
        key_plan = topic.key_plan(parse(registry.schema(event.key)))
        if event.value is not None and event.value[:5] not in plans:
            plans[event.value[:5]] = topic.value_plan(parse(registry.schema(event.value)), [], [newest])
        record = Incoming(TOPIC, 0, event.number, 0, event.key, event.value, event.headers)
        came = topic.apply(record, event.value and plans[event.value[:5]], 5, key_plan, 5)
        for part in came.parts:
            profiles.change({"$token": "t", **json.loads(b"{" + update_tail(one))} for one in part.operations)
        for refusal in came.refusals:
            refused[event.number] = refusal.reason
    return profiles, refused


def test_the_table_is_what_its_profiles_come_to():
    """The service's own mapping of every record ends at the table, and refuses what the traffic says."""
    registry = Registry()
    companies = Companies(registry.register, seed=3, bad=0.05)
    events = list(companies.events(3000))
    profiles, refused = mapped(registry, events)

    assert len(events) == 3000
    assert {one["group_id"]: one["properties"] for one in profiles.snapshot()} == companies.profiles()
    assert {one["group_key"] for one in profiles.snapshot()} == {GROUP_KEY}
    assert refused == {event.number: event.reason for event in events if event.reason}
    assert len(refused) > 20
    values = [registry.read(event.value) for event in events if event.value is not None]
    assert {value["op"] for value in values} == {"r", "c", "u", "d"}
    assert len(values) < len(events)
    assert sum((value["after"] or {}).get("notes") == PLACEHOLDER for value in values) > 100
    assert {"tier" in (value["after"] or {}) for value in values} == {False, True}


def test_a_seed_is_a_table():
    def records(seed):
        return [(one.key, one.value) for one in Companies(Registry().register, seed=seed).events(300)]

    assert records(1) == records(1)
    assert records(1) != records(2)
