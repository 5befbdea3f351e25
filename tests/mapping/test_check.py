"""`check`: the published files on schemas as Connect writes them, and planted misfits, all in one run."""

from typing import Any

from consumer.avro.parsing import parse
from consumer.mapping.check import Findings, Registered, check
from consumer.mapping.reading import read
from tests.mapping.published import CLOSED, FILES, SCHEMAS, TOPICS, UPDATED, record
from tests.mapping.tables import COLUMNS, DECIMAL, KEY, connect, envelope


def findings(text: str, topic: str, *versions: Any, key: Any = KEY, compacted: bool = False) -> Findings:
    mapping = read(text, [topic], ["emea", "us"], True)
    values = [[parse(version) for version in versions]]
    return check(mapping, {topic: Registered(values, None if key is None else parse(key), compacted)})


def test_the_published_files_have_no_fault() -> None:
    for file in FILES.glob("*.toml"):
        mapping = read(file.read_text(), TOPICS, ["emea", "us"], True)
        registered = {
            topic: Registered([[parse(value)] for value in values], None if key is None else parse(key), False)
            for topic, (values, key) in SCHEMAS.items()
        }
        assert [str(fault) for fault in check(mapping, registered).faults] == [], file


PLANTED = """version = 1
[[rule]]
name = "r"
topics = ["T"]
format = "debezium"
before = "whole"
send = "changed"
group = { key = "company", id = { join = ["row.nam", "row.kind"], with = "/" } }
where = [{ path = "row.mrr", is = 1 }, { path = "row.kinds", exists = true }, { path = "sourc.db", is = "x" }]
[rule.set]
Name = "row.name"
Raw = "row.raw"
Shout = { from = "row.id", as = "lower" }
Table = { from = "row.tags", values = { a = 1 } }
Json = { from = "row.id", as = "json" }
Deep = "row.id.x"
Key = "key.idd"
[rule.union]
Tags = "row.id"
[rule.remove]
Gone = "row.tags"
"""


def test_planted_misfits_are_all_named_with_line_and_nearest_name() -> None:
    text = PLANTED.replace("sourc.db", "source.tabl")
    columns = [*COLUMNS, {"name": "raw", "type": "bytes"}]
    found = [str(fault) for fault in findings(text, "T", envelope(columns), compacted=True).faults]
    for line, what, near in (
        (2, "compacted", ""), (8, "row.nam", "name"), (8, "row.kind", ""), (9, "row.mrr", ""),
        (9, "row.kinds", "kind"), (9, "source.tabl", "table"), (11, "null may be there", ""), (12, "is bytes", ""),
        (13, "row.id", ""), (14, "values match", ""), (15, "row.id", ""), (16, "row.id.x", ""),
        (17, "key.idd", "id"), (19, "union needs", ""), (21, "remove needs", ""),
    ):  # fmt: skip
        there = [fault for fault in found if fault.startswith(f"line {line}:") and what in fault]
        assert there, (line, what, found)
        assert not near or any(f"nearest: {near})" in fault for fault in there), (line, near, there)


RULE = """version = 1
[[rule]]
name = "r"
topics = ["T"]
format = "debezium"
group = { key = "company", id = "%s" }
null = "skip"
[rule.set]
Big = "row.external_id"
Wide = "row.wide"
Seats = "row.seats"
"""


def test_notes() -> None:
    wide = {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2}
    older = envelope([*COLUMNS, {"name": "external_id", "type": "long"}])
    newest = envelope([*COLUMNS, {"name": "external_id", "type": "long"}, {"name": "wide", "type": wide}])
    found = findings(RULE % "key.id", "T", older, newest)
    assert not found.faults
    notes = "\n".join(map(str, found.notes))
    for says in (
        "looks like an id",
        "20 digits",
        "older versions lack it",
        "seats: nullable with a default",
        "not mapped: id, kind",
    ):
        assert says in notes, says
    assert "not taken from the record key" not in notes
    whole = (RULE % "row.id").replace("null =", 'before = "whole"\nnull =')
    assert "not taken from the record key" in "\n".join(map(str, findings(whole, "T", newest).notes))


def test_records_that_no_rule_takes() -> None:
    mapping = read((FILES / "domain-events.toml").read_text(), TOPICS, ["emea", "us"], True)
    other = record("com.acme.crm.CompanyRenamed", ("id", "string"))
    topics = {"crm.company-events": Registered([[parse(UPDATED)], [parse(other)], [parse(CLOSED)]], None, False)}
    found = check(mapping, topics)
    assert not found.faults
    assert any("no rule takes its record com.acme.crm.CompanyRenamed" in str(note) for note in found.notes)
    found = check(mapping, {"crm.company-events": Registered([[parse(other)]], None, False)})
    assert all("no registered record" in str(fault) for fault in found.faults)
    assert len(found.faults) == 3


def test_large_lists_without_a_placeholder_are_noted() -> None:
    items = {
        "texts": "string",
        "numbers": "int",
        "ids": connect("string", "io.debezium.data.Uuid"),
        "days": connect("int", "io.debezium.time.Date"),
        "rates": "double",
        "flags": "boolean",
        "amounts": DECIMAL,
        "stamps": connect("long", "io.debezium.time.MicroTimestamp"),
        "iso_days": connect("string", "io.debezium.time.IsoDate"),
        "moods": connect("string", "io.debezium.data.Enum"),
    }
    columns = [COLUMNS[0]]
    columns += [
        {"name": name, "type": ["null", {"type": "array", "items": ["null", kind]}]} for name, kind in items.items()
    ]
    text = 'version = 1\n[[rule]]\nname = "r"\ntopics = ["T"]\nformat = "debezium"\nnull = "unset"\n'
    text += 'group = { key = "company", id = "key.id" }\n%s[rule.set]\n'
    text += "".join(f'{name} = "row.{name}"\n' for name in items)

    def noted(before: str) -> set[str]:
        notes = findings(text % before, "T", envelope(columns)).notes
        return {str(one).split("row.")[1].split(":")[0] for one in notes if "writes null" in str(one)}

    assert noted("") == {"rates", "flags", "amounts", "stamps", "iso_days", "moods"}
    assert noted('before = "whole"\n') == set()
