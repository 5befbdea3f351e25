"""A mapping that does not fit a schema or a key holds; what only a later version has is left out."""

import pytest

from consumer.avro.parsing import parse
from consumer.mapping.errors import Hold
from consumer.mapping.seen import Incoming
from tests.mapping.tables import COLUMNS, KEY, ROW, TOPIC, Table, encode, envelope, words

HEAD = f"""[[rule]]
name = "companies"
topics = ["{TOPIC}"]
format = "debezium"
group = {{ key = "company", id = "key.id" }}
"""
RULE = HEAD + 'null = "skip"\n[rule.set]\nName = "row.name"\nPlan = "row.plan"\n'
LATER = envelope([*COLUMNS, {"name": "plan", "type": ["null", "string"], "default": None}])


def test_a_path_that_no_version_has_holds_and_says_where() -> None:
    with pytest.raises(Hold) as caught:
        Table(RULE).value_plan()
    hold = caught.value
    assert (hold.rule, hold.path, hold.missing) == ("companies", "row.plan", True)
    assert "has no field plan" in hold.why


def test_a_path_that_a_later_version_has_is_left_out() -> None:
    table = Table(RULE)
    plan = table.value_plan(later=[LATER])
    layout = plan.layouts[0]
    assert layout is not None
    assert [take.path.text for take in layout.left_out] == ["row.plan"]


def test_what_is_left_out_needs_no_word_on_null() -> None:
    """It comes to nothing, not to null."""
    text = HEAD + '[rule.set]\nSince = "row.created_at"\nPlan = "row.plan"\n'
    table = Table(text)
    table.plan = table.value_plan(later=[LATER])
    [update] = table.change("c", ROW)
    assert isinstance(update, dict)
    assert list(update["$set"]) == ["Since"]


def test_a_path_that_an_earlier_version_had_holds() -> None:
    with pytest.raises(Hold):
        Table(RULE).value_plan(earlier=[LATER], later=[LATER])


def test_an_id_cannot_be_left_out() -> None:
    table = Table(RULE.replace('"key.id"', '"row.plan"').replace("null =", 'deletes = "ignore"\nnull ='))
    with pytest.raises(Hold):
        table.value_plan(later=[LATER])


@pytest.mark.parametrize(
    ("column", "source", "why"),
    [
        ({"type": "bytes"}, '"row.x"', "is bytes"),
        ({"type": "fixed", "name": "F", "size": 2}, '"row.x"', "is bytes"),
        ("string", '{ from = "row.x", as = "days" }', "cannot be converted so"),
        ("int", '{ from = "row.x", as = "json" }', "cannot be converted so"),
        ("double", '{ from = "row.x", values = { a = 1 } }', "values match"),
        ({"type": "array", "items": "int"}, '{ join = ["row.x"] }', "cannot be converted so"),
        (
            {"type": "record", "name": "S", "connect.name": "io.debezium.time.StructuredDate", "fields": []},
            '"row.x"',
            "no form in Mixpanel",
        ),
    ],
)
def test_types_that_cannot_be_what_the_rule_asks_for(column: object, source: str, why: str) -> None:
    table = Table(HEAD + f"[rule.set]\nX = {source}\n", envelope([COLUMNS[0], {"name": "x", "type": column}]))
    with pytest.raises(Hold, match=why):
        table.value_plan()


def test_a_null_without_a_policy_holds() -> None:
    with pytest.raises(Hold, match="does not say what it does"):
        Table(HEAD + '[rule.set]\nName = "row.name"\n').value_plan()
    Table(HEAD + '[rule.set]\nName = { from = "row.name", default = "?" }\nId = "row.id"\n').value_plan()
    Table(HEAD + '[rule.set_once]\nName = "row.name"\n').value_plan()


@pytest.mark.parametrize(("verb", "column"), [("union", "row.name"), ("union", "row.attrs"), ("remove", "row.tags")])
def test_types_that_a_verb_does_not_take(verb: str, column: str) -> None:
    with pytest.raises(Hold, match=f"{verb} needs"):
        Table(HEAD + f'[rule.{verb}]\nX = "{column}"\n').value_plan()


ROWS = '[[rule]]\nname = "r"\ntopics = ["T"]\nformat = "row"\nkey = "%s"\ngroup = { key = "company", id = "key" }\n'
TOTAL = {"type": "record", "name": "Total", "fields": [{"name": "n", "type": "long"}]}
KEYED = "[rule.set]\nN = 'value.n'\n"


@pytest.mark.parametrize(
    ("how", "key", "group"),
    [
        ("text", b"acme", "acme"),
        ("int", (7).to_bytes(4, "big"), "7"),
        ("long", (-7).to_bytes(8, "big", signed=True), "-7"),
    ],
)
def test_keys_without_a_schema(how: str, key: bytes, group: str) -> None:
    table = Table(ROWS % how + KEYED, TOTAL, topic="T")
    value = encode(TOTAL, {"n": 5})
    assert words(table.send(value, raw_key=key)) == [{"$group_key": "company", "$group_id": group, "$set": {"N": 5}}]
    assert words(table.send(None, raw_key=key)) == [{"$group_key": "company", "$group_id": group, "$delete": ""}]
    with pytest.raises(Hold, match="windowed"):
        table.send(value, raw_key=key + (1772357400000).to_bytes(8, "big"))


def test_a_key_that_is_none_of_the_kind_is_a_refusal() -> None:
    value = encode(TOTAL, {"n": 5})
    assert words(Table(ROWS % "int" + KEYED, TOTAL, topic="T").send(value, raw_key=b"xyz")) == [
        "invalid_change: rule r, key: the key does not have the 4 bytes of a number"
    ]
    assert words(Table(ROWS % "text" + KEYED, TOTAL, topic="T").send(value, raw_key=None)) == [
        "invalid_change: rule r, key: an id that is null"
    ]
    assert words(Table(ROWS % "text" + KEYED, TOTAL, topic="T").send(value, raw_key=b"")) == [
        "invalid_change: rule r, key: an id that is empty"
    ]


def test_a_key_with_a_schema_that_has_bytes_behind_it_holds() -> None:
    table = Table(HEAD + '[rule.set]\nId = "row.id"\n')
    plan = table.map.key_plan(parse(KEY))
    datum = {"before": None, "after": ROW, "source": {"table": "t"}, "op": "c", "ts_ms": None}
    record = Incoming(TOPIC, 0, 0, 0, encode(KEY, {"id": 7}) + bytes(8), encode(envelope(), datum), None)
    with pytest.raises(Hold, match="windowed"):
        table.map.apply(record, table.value_plan(), 0, plan, 0)


def test_a_path_of_the_key_that_its_schema_lacks_holds() -> None:
    table = Table(HEAD.replace("key.id", "key.nr") + '[rule.set]\nId = "row.id"\n')
    with pytest.raises(Hold, match="the key's schema"):
        table.map.key_plan(parse(KEY))


@pytest.mark.parametrize(
    ("source", "named"), [("row", "kind"), ("row.attrs", "its values"), ("row.labels", "its values")]
)
def test_a_copy_that_may_take_a_null_needs_a_word_on_it(source: str, named: str) -> None:
    """Of a column, of a map's values, of what a text holds as JSON."""
    copy = f'copy = {{ from = "{source}" }}\n'
    with pytest.raises(Hold) as caught:
        Table(HEAD + copy).value_plan()
    assert caught.value.why.startswith(f"{named}: null may be there")
    Table(HEAD + 'null = "skip"\n' + copy).value_plan()
