"""`verify` and `trace` of a mapped topic: each update of a record has its own fate; numbers of many digits."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from consumer.core.model import Assignment, DeadLetter, Record
from consumer.kafka.dead_letter_format import headers_of
from consumer.sandbox.registry.server import RegistrySandbox
from tests.commands.scene import TOKEN, Scene
from tests.mapping.tables import encode

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 4}
SCHEMA = {
    "type": "record",
    "name": "Row",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "parent", "type": "string"},
        {"name": "revenue", "type": DECIMAL},
    ],
}
EXACT = Decimal("12345678901234567.8901")


@pytest.fixture
def row(scene: Scene, registry: RegistrySandbox, tmp_path: Path) -> Any:
    """Writes a row of a company and its parent; its offset and its value."""
    (tmp_path / "m.toml").write_text(
        f"""
        version = 1
        [[rule]]
        name = "company"
        topics = ["{scene.topic}"]
        key = "text"
        group = {{ key = "company", id = "value.id" }}
        set = {{ "Revenue" = "value.revenue" }}
        [[rule]]
        name = "parent"
        topics = ["{scene.topic}"]
        key = "text"
        group = {{ key = "company", id = "value.parent" }}
        set = {{ "Last child" = "value.id" }}
        """
    )
    scene.environ["MAPPING_FILE"] = str(tmp_path / "m.toml")
    scene.environ["MIXPANEL_TOKEN"] = TOKEN
    schema = registry.register(f"{scene.topic}-value", json.dumps(SCHEMA))

    def write(company: str, parent: str, *, applied: tuple[str, ...] = ("company", "parent")) -> tuple[int, bytes]:
        content = {"id": company, "parent": parent, "revenue": EXACT}
        value = b"\0" + schema.to_bytes(4, "big") + encode(SCHEMA, content)
        told: list[Any] = []
        producer = Producer({"bootstrap.servers": scene.broker.bootstrap})
        producer.produce(
            scene.topic, value, company, partition=0, on_delivery=lambda error, message: told.append(message.offset())
        )
        assert producer.flush(30) == 0
        sets = {"company": (company, {"Revenue": float(EXACT)}), "parent": (parent, {"Last child": company})}
        updates = [
            {"$token": TOKEN, "$group_key": "company", "$group_id": name, "$set": values}
            for rule, (name, values) in sets.items()
            if rule in applied
        ]
        scene.mixpanel.profiles.change(updates)
        scene.mixpanel.reading.note(updates, placed=True)
        return int(told[0]), value

    return write


def refused(scene: Scene, offset: int, key: str, value: bytes, rule: str) -> None:
    """The dead letter of what this rule made of the record."""
    record = Record(Assignment(scene.topic, 0), offset, key.encode(), value, None, 0, 0.0)
    letter = DeadLetter(record, "rejected", "TASK_PUT", "why", 1, rule=rule)
    producer = Producer({"bootstrap.servers": scene.broker.bootstrap})
    headers: Any = headers_of(letter, scene.group)
    producer.produce(f"{scene.group}.dead-letters", value, key, partition=0, headers=headers)
    assert producer.flush(30) == 0


def traced(scene: Scene, *arguments: str) -> Any:
    """What `trace` prints with --output json."""
    result = scene.run("trace", *arguments, "--output", "json", **scene.environ)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_number_that_is_written_digit_by_digit(scene: Scene, row: Any) -> None:
    """What Mixpanel keeps of it is a double: that is what it is to be."""
    scene.commit(row("acme", "corp")[0] + 1)
    assert scene.verify("--all")["same"] == 2
    row("globex", "corp")
    scene.mixpanel.profiles.change(
        [{"$token": TOKEN, "$group_key": "company", "$group_id": "globex", "$set": {"Revenue": 1}}]
    )
    scene.mixpanel.reading.note([{"$token": TOKEN, "$group_key": "company", "$group_id": "globex"}], placed=True)
    scene.commit(2)
    (finding,) = scene.verify("company:globex", status=1)["findings"]
    assert (finding["kind"], finding["expected"], finding["found"]) == ("other", float(EXACT), 1)
    assert "company:globex" in scene.call("--all").stdout


def test_the_updates_of_a_record_have_fates_of_their_own(scene: Scene, row: Any) -> None:
    """The record is a dead letter for one rule; the group of the other has its change, and is shown that alone."""
    offset, value = row("acme", "corp", applied=("parent",))
    refused(scene, offset, "acme", value, "company")
    scene.commit(offset + 1)
    (whole,) = traced(scene, f"{scene.topic}:0:{offset}")
    letter = f"rejected of rule company, at 0:0 of {scene.group}.dead-letters"
    assert (whole["fate"], whole["why"]) == ("dead letter", f"{letter}; what parent made of it was applied")
    (mine,) = traced(scene, "--group", "company:acme")
    assert (mine["fate"], mine["why"], [one["rule"] for one in mine["update"]]) == (
        "dead letter",
        letter,
        ["company"],
    )
    (others,) = traced(scene, "--group", "company:corp")
    assert (others["fate"], [one["rule"] for one in others["update"]]) == ("applied", ["parent"])
    assert scene.verify("--all")["findings"] == []


def test_a_record_that_every_rule_ignores_was_not_applied(scene: Scene, row: Any) -> None:
    """It is said who ignores it and why; while it is not committed it waits."""
    file = Path(scene.environ["MAPPING_FILE"])
    rules = file.read_text()
    only = 'key = "text"\n        where = [{ path = "value.id", is = "acme" }]'
    file.write_text(rules.replace('key = "text"', only))
    offset, _ = row("globex", "corp", applied=())
    assert traced(scene, f"{scene.topic}:0:{offset}")[0]["fate"] == "waiting"
    scene.commit(offset + 1)
    (found,) = traced(scene, f"{scene.topic}:0:{offset}")
    assert (found["fate"], found["update"]) == ("ignored", None)
    assert "rule company ignores it: where; rule parent ignores it: where" in found["why"]


def test_a_change_that_its_rule_refused_is_one_of_the_groups(scene: Scene, row: Any) -> None:
    """It makes no update, and the group is known all the same; that of the other rule has its own."""
    file = Path(scene.environ["MAPPING_FILE"])
    number = '{ "Revenue" = "value.revenue", "N" = { from = "value.parent", as = "number" } }'
    file.write_text(file.read_text().replace('{ "Revenue" = "value.revenue" }', number))
    offset, value = row("acme", "corp", applied=("parent",))
    refused(scene, offset, "acme", value, "company")
    scene.commit(offset + 1)
    (mine,) = traced(scene, "--group", "company:acme")
    assert (mine["fate"], mine["update"]) == ("dead letter", None)
    assert "rule company, value.parent: " in mine["problem"]
    (others,) = traced(scene, "--group", "company:corp")
    assert (others["fate"], [one["rule"] for one in others["update"]], others["problem"]) == (
        "applied",
        ["parent"],
        "",
    )
