"""Change data capture: what `before` holds, deletes, tombstones, placeholders, and only what changed."""

import hashlib
from base64 import b64encode
from typing import Any

import pytest

from tests.mapping.tables import COLUMNS, PLACEHOLDER, ROW, TOPIC, Table, connect, envelope, words

RULE = f"""[[rule]]
name = "companies"
topics = ["{TOPIC}"]
format = "debezium"
group = {{ key = "company", id = "key.id" }}
null = "unset"
"""
SET = '[rule.set]\n"$name" = "row.name"\nSeats = "row.seats"\n'
WHERE = 'where = [{ path = "row.kind", in = ["customer"] }]\n'
DELETED = {"$group_key": "company", "$group_id": "7", "$delete": ""}
OTHER = ROW | {"kind": "prospect"}
NEW_KEY = [("__debezium.newkey", b'{"id": 8}')]


def written(**values: object) -> dict[str, object]:
    return {"$group_key": "company", "$group_id": "7", "$set": values}


def test_a_row_is_set_and_a_null_is_what_the_file_says() -> None:
    table = Table(RULE + SET)
    for op in "cru":
        assert table.change(op, ROW) == [written(**{"$name": "ACME", "Seats": 3})]
    assert table.change("u", ROW | {"name": None, "seats": None}) == [
        {"$group_key": "company", "$group_id": "7", "$unset": ["$name", "Seats"]}
    ]


@pytest.mark.parametrize("op", ["t", "m"])
def test_what_is_no_row_is_ignored(op: str) -> None:
    assert Table(RULE + SET).change(op) == ["ignored: op"]


def test_an_envelope_that_is_none_is_a_refusal() -> None:
    table = Table(RULE + SET)
    assert table.change("u") == ["invalid_change: rule companies: after is null, and op says that there is a row"]
    assert table.change("x", ROW) == ["invalid_change: rule companies: op is none of c, r, u, d, t, m"]


def test_a_topic_without_an_envelope_is_unmapped() -> None:
    heartbeat = {"type": "record", "name": "Heartbeat", "fields": [{"name": "ts_ms", "type": "long"}]}
    assert Table(RULE + SET, heartbeat).event({"ts_ms": 1}) == ["unmapped"]
    quiet = f'[topic."{TOPIC}"]\nunmatched = "ignore"\n'
    assert Table(RULE + SET + quiet, heartbeat).event({"ts_ms": 1}) == ["ignored: unmatched"]


@pytest.mark.parametrize(
    ("deletes", "came"),
    [
        ("delete", [DELETED]),
        ("clear", [{"$group_key": "company", "$group_id": "7", "$unset": ["$name", "Seats"]}]),
        ("ignore", ["ignored: action"]),
    ],
)
def test_a_delete_does_what_the_file_says_whatever_its_columns(deletes: str, came: list[object]) -> None:
    table = Table(RULE + WHERE + f'deletes = "{deletes}"\n' + SET)
    assert table.change("d", before=OTHER | {"kind": None}) == came
    tombstone = words(table.send(None))
    assert tombstone == (["ignored: tombstone"] if deletes == "ignore" else came)


def test_conditions_on_the_key_do_stop_a_delete() -> None:
    table = Table(RULE + 'where = [{ path = "key.id", is = 8 }]\n' + SET)
    assert table.change("d", before=ROW) == ["ignored: where"]
    assert table.change("d", before=ROW, key={"id": 8}) == [DELETED | {"$group_id": "8"}]


def test_a_changed_key_ends_the_group_only_where_the_key_makes_it() -> None:
    assert Table(RULE + SET).change("d", before=ROW, headers=NEW_KEY) == [DELETED]
    by_name = RULE.replace('"key.id"', '"row.name"') + 'before = "whole"\n' + SET
    table = Table(by_name)
    assert table.change("d", before=ROW, headers=NEW_KEY) == ["ignored: op"]
    assert table.change("d", before=ROW) == [DELETED | {"$group_id": "ACME"}]
    assert words(table.send(None)) == ["ignored: tombstone"]
    by_column = Table(RULE.replace('"key.id"', '"row.id"') + 'before = "whole"\n' + SET)
    assert by_column.change("d", before=ROW, headers=NEW_KEY) == [DELETED]


@pytest.mark.parametrize(
    ("op", "before", "more", "came"),
    [
        ("c", None, "", "ignored: where"),
        ("u", None, "", DELETED),
        ("r", None, "", DELETED),
        ("u", OTHER, "", DELETED),
        ("u", OTHER, 'before = "whole"\n', "ignored: where"),
        ("u", ROW, 'before = "whole"\n', DELETED),
        ("r", None, 'before = "whole"\n', DELETED),
    ],
)
def test_a_row_that_leaves(op: str, before: Any, more: str, came: object) -> None:
    table = Table(RULE + WHERE + 'leaves = "delete"\n' + more + SET)
    assert table.change(op, OTHER, before) == [came]
    assert table.change(op, ROW, before) == [written(**{"$name": "ACME", "Seats": 3})]


def test_a_compacted_topic_does_not_ask_the_row_before() -> None:
    table = Table(RULE + WHERE + 'leaves = "delete"\nbefore = "whole"\n' + SET, compacted=True)
    assert table.change("u", OTHER, OTHER) == [DELETED]


def test_the_placeholder_is_never_sent() -> None:
    several = 'N = ["row.name", "row.kind"]\nJ = { join = ["row.kind", "row.name"] }\nK = "row.kind"\n'
    table = Table(RULE + "[rule.set]\n" + several)
    assert table.change("u", ROW | {"name": PLACEHOLDER}) == [written(K="customer")]


def test_the_placeholder_of_an_id_or_a_condition_is_a_refusal_unless_the_row_before_says() -> None:
    whole = RULE.replace('"key.id"', '"row.name"') + 'before = "whole"\n' + WHERE + SET
    assert Table(whole).change("u", ROW | {"name": PLACEHOLDER}, ROW) == [
        "invalid_change: rule companies, row.name: the placeholder of an unchanged column is there"
    ]
    hidden = ROW | {"kind": PLACEHOLDER}
    refused = "invalid_change: rule companies, row.kind: the placeholder of an unchanged column is there"
    assert Table(RULE + WHERE + SET).change("u", hidden, ROW) == [refused]
    table = Table(RULE + WHERE + 'before = "whole"\n' + SET)
    assert table.change("u", hidden, ROW) == [written(**{"$name": "ACME", "Seats": 3})]
    assert table.change("u", hidden, OTHER) == ["ignored: where"]
    assert table.change("u", hidden) == [refused]


digest = bytearray(hashlib.md5(PLACEHOLDER.encode(), usedforsecurity=False).digest())
digest[6], digest[8] = digest[6] & 0x0F | 0x30, digest[8] & 0x3F | 0x80
UUID = f"{digest[:4].hex()}-{digest[4:6].hex()}-{digest[6:8].hex()}-{digest[8:10].hex()}-{digest[10:].hex()}"


def array(items: object) -> dict[str, object]:
    return {"type": "array", "items": items}


FORMS = {
    "text": ("string", PLACEHOLDER, ""),
    "bytes": ("bytes", PLACEHOLDER.encode(), 'as = "base64"'),
    "base64": ("string", b64encode(PLACEHOLDER.encode()).decode(), ""),
    "hex": ("string", PLACEHOLDER.encode().hex(), ""),
    "texts": (array(["null", "string"]), [PLACEHOLDER], ""),
    "numbers": (array("int"), list(PLACEHOLDER.encode()), ""),
    "longs": (array(["null", "long"]), list(PLACEHOLDER.encode()), ""),
    "doubles": (array("double"), list(map(float, PLACEHOLDER.encode())), ""),
    "dates": (array(connect("int", "io.debezium.time.Date")), list(PLACEHOLDER.encode()), ""),
    "hstore": ({"type": "map", "values": ["null", "string"]}, {PLACEHOLDER: PLACEHOLDER}, ""),
    "hstore as JSON": ("string", f'{{"{PLACEHOLDER}":"{PLACEHOLDER}"}}', 'as = "json"'),
    "uuids": (array(connect("string", "io.debezium.data.Uuid")), [UUID], ""),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("nullable", [False, True])
@pytest.mark.parametrize("flat", [False, True])
def test_every_form_of_the_placeholder(form: str, nullable: bool, flat: bool) -> None:
    kind, value, how = FORMS[form]
    columns = [COLUMNS[0], {"name": "big", "type": ["null", kind] if nullable else kind}]
    source = f'{{ from = "row.big", {how} }}' if how else '"row.big"'
    rule = RULE + f'[rule.set]\nBig = {source}\nId = "row.id"\n'
    if not flat:
        assert Table(rule, envelope(columns)).change("u", {"id": 7, "big": value}) == [written(Id=7)]
        return
    row = {"type": "record", "name": "Row", "fields": columns}
    table = Table(rule.replace('"debezium"', '"row"').replace("row.", "value."), row)
    assert table.event({"id": 7, "big": value}) == [written(Id=7)]


def test_bytes_of_arrays_of_bytes_are_the_placeholder_too() -> None:
    columns = [COLUMNS[0], {"name": "big", "type": array("bytes")}]
    where = 'where = [{ path = "row.big", exists = true }]\n'
    table = Table(RULE + where + '[rule.set]\nId = "row.id"\n', envelope(columns))
    assert table.change("u", {"id": 7, "big": [PLACEHOLDER.encode()]})[0] != written(Id=7)
    assert table.change("u", {"id": 7, "big": [b"x"]}) == [written(Id=7)]


def test_a_key_of_a_hidden_map_is_not_null() -> None:
    table = Table(RULE + '[rule.set]\nTier = "row.attrs.tier"\nId = "row.id"\n')
    assert table.change("u", ROW | {"attrs": {PLACEHOLDER: PLACEHOLDER}}) == [written(Id=7)]
    assert table.change("u", ROW) == [written(Tier="gold", Id=7)]
    unset = {"$group_key": "company", "$group_id": "7", "$unset": ["Tier"]}
    assert table.change("u", ROW | {"attrs": {}}) == [unset, written(Id=7)]


def test_a_topic_may_have_a_placeholder_of_its_own() -> None:
    table = Table(RULE + SET + f'[topic."{TOPIC}"]\nunavailable = "hex:2323"\n')
    assert table.change("u", ROW | {"name": "##"}) == [written(Seats=3)]
    assert table.change("u", ROW | {"name": PLACEHOLDER})[0] == written(**{"$name": PLACEHOLDER, "Seats": 3})


CHANGED = RULE + WHERE + 'before = "whole"\nsend = "changed"\n' + SET + 'Tags = "row.tags"\nTier = "row.attrs.tier"\n'


@pytest.mark.parametrize(
    ("after", "before", "came"),
    [
        ({"name": "B"}, {}, written(**{"$name": "B"})),
        ({}, {}, "ignored: unchanged"),
        ({"mrr": None, "renewal_date": 1}, {}, "ignored: unchanged"),
        ({"name": PLACEHOLDER}, {}, "ignored: unchanged"),
        ({"name": PLACEHOLDER, "seats": 4}, {}, written(Seats=4)),
        ({"tags": ["y"]}, {}, written(Tags=["y"])),
        ({"attrs": {"tier": "tin", "x": "y"}}, {}, written(Tier="tin")),
        ({"attrs": {"tier": "gold", "x": "y"}}, {}, "ignored: unchanged"),
        ({"attrs": {PLACEHOLDER: PLACEHOLDER}}, {}, "ignored: unchanged"),
        ({"name": None}, {}, {"$group_key": "company", "$group_id": "7", "$unset": ["$name"]}),
        ({}, {"kind": "prospect"}, written(**{"$name": "ACME", "Seats": 3, "Tags": ["x", None], "Tier": "gold"})),
    ],
)
def test_only_what_changed(after: Any, before: Any, came: object) -> None:
    assert Table(CHANGED).change("u", ROW | after, ROW | before) == [came]


def test_what_was_not_there_before_is_sent_whole() -> None:
    whole = written(**{"$name": "ACME", "Seats": 3, "Tags": ["x", None], "Tier": "gold"})
    table = Table(CHANGED)
    assert [table.change(op, ROW) for op in "cru"] == [[whole]] * 3
    assert Table(CHANGED, compacted=True).change("u", ROW, ROW) == [whole]


def test_a_copy_of_the_row_takes_each_column_by_itself() -> None:
    rule = RULE + 'before = "whole"\nsend = "%s"\n[rule.set]\nName = "row.name"\n'
    rule += '[rule.copy]\nfrom = "row"\nexcept = ["created_at"]\n'
    row = ROW | {"labels": PLACEHOLDER, "tags": [PLACEHOLDER]}
    columns = {"id": 7, "kind": "customer", "renewal_date": "2026-03-01T00:00:00", "seats": 3}
    everything = written(Name="ACME", name="ACME", attrs={"tier": "gold"}, **columns)
    unset = {"$group_key": "company", "$group_id": "7", "$unset": ["mrr"]}
    assert Table(rule % "all").change("u", row, ROW) == [everything, unset]
    changed = Table(rule % "changed")
    assert changed.change("u", row | {"seats": 4}, ROW) == [written(seats=4)]
    assert changed.change("u", row, ROW) == ["ignored: unchanged"]


def test_a_column_that_is_not_copied_brings_no_constant_with_it() -> None:
    """What has no column of its own goes along with what changed, and only with that."""
    rule = RULE + 'before = "whole"\nsend = "changed"\n[rule.set]\nFrom = { value = "CRM" }\n'
    table = Table(rule + '[rule.copy]\nfrom = "row"\nexcept = ["seats"]\n')
    assert table.change("u", ROW | {"seats": 4}, ROW) == ["ignored: unchanged"]
    assert table.change("u", ROW | {"name": "B"}, ROW) == [written(From="CRM", name="B")]


def test_parts_are_decided_apart() -> None:
    second = RULE.replace('"companies"', '"second"') + '[rule.set]\nLabels = { from = "row.labels", as = "json" }\n'
    table = Table(RULE + SET + second)
    assert table.change("u", ROW | {"labels": "{"}) == [
        written(**{"$name": "ACME", "Seats": 3}),
        "invalid_change: rule second, row.labels: text that is not JSON",
    ]


def test_of_an_object_that_a_text_holds_only_what_changed_is_copied() -> None:
    """The placeholder is no object, and what was none before says nothing."""
    text = RULE + 'before = "whole"\nsend = "changed"\ncopy = { from = "row.labels" }\n'
    table = Table(text)
    row = ROW | {"labels": '{"a": 1, "b": true, "c": null}'}
    other = row | {"labels": '{"a": 1, "b": 1, "c": 2, "d": [1]}'}
    assert table.change("u", other, row) == [written(b=1, c=2, d=[1])]
    assert table.change("u", row, row) == ["ignored: unchanged"]
    assert table.change("u", row | {"labels": PLACEHOLDER}, row) == ["ignored: unchanged"]
    unset = {"$group_key": "company", "$group_id": "7", "$unset": ["c"]}
    assert table.change("u", row, row | {"labels": None}) == [written(a=1, b=True), unset]
    for before in (PLACEHOLDER, "no JSON", "[1]"):
        assert table.change("u", row, row | {"labels": before}) == [written(a=1, b=True), unset]
