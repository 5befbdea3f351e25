"""The table of conversions, row by row: what stands in the schema, what is in the record, what Mixpanel is sent."""

import calendar
import datetime
import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any

import pytest

from consumer.event.encode import update_tail
from consumer.mapping.errors import Unfit
from consumer.mapping.times import date, stamp_of_text
from tests.mapping.tables import SECRET, Table, connect, encode, words

INFINITE = 9223372036825200000
TIME = "io.debezium.time."
CONNECT = "org.apache.kafka.connect.data."
SET = """[[rule]]
name = "r"
topics = ["T"]
group = { key = "company", id = "value.id" }
null = "skip"
[rule.%s]
X = %s
"""
INNER = {
    "type": "record",
    "name": "Inner",
    "fields": [{"name": "on", "type": "boolean"}, {"name": "n", "type": {"type": "array", "items": "int"}}],
}
INNERS = [{"on": True, "n": [1, 2]}, {"on": False, "n": []}]
UUID = "7d444840-9dc0-11d1-b245-5ffdce74fad2"


def logical(kind: str, name: str, **more: object) -> dict[str, object]:
    return {"type": kind, "logicalType": name, **more}


def event(kind: object, beside: str = "") -> dict[str, Any]:
    field: dict[str, Any] = {"name": "x", "type": kind}
    if beside:
        field["logicalType"] = beside
    return {"type": "record", "name": "E", "fields": [{"name": "id", "type": "string"}, field]}


def come(kind: object, value: object, source: str = '"value.x"', verb: str = "set", beside: str = "") -> object:
    """What the value comes to; the refusal's words, or None where nothing is sent. fastavro knows no annotations."""
    schema = event(kind, beside)
    plain = json.loads(json.dumps(schema), object_hook=without)
    table = Table(SET % (verb, source), schema, topic="T")
    mapped = table.send(encode(plain, {"id": "a", "x": value}))
    for part in mapped.parts:
        update = json.loads(b"{" + update_tail(part.operations[0]), parse_float=Decimal)
        return update[f"${verb}"]["X"]
    return words(mapped)[0] if mapped.refusals else None


def without(found: dict[str, object]) -> dict[str, object]:
    found.pop("logicalType", None)
    return found


@pytest.mark.parametrize(
    ("kind", "value", "came"),
    [
        (logical("long", "timestamp-millis"), 1772357400999, "2026-03-01T09:30:00"),
        (logical("long", "timestamp-millis"), -1, "1969-12-31T23:59:59"),
        (logical("long", "timestamp-micros"), 1772357400999999, "2026-03-01T09:30:00"),
        (logical("long", "timestamp-nanos"), 1772357400999999999, "2026-03-01T09:30:00"),
        (logical("long", "local-timestamp-millis"), 1772357400999, "2026-03-01T09:30:00"),
        (logical("long", "local-timestamp-micros"), 1772357400999999, "2026-03-01T09:30:00"),
        (logical("long", "local-timestamp-nanos"), 1772357400999999999, "2026-03-01T09:30:00"),
        (connect("long", TIME + "Timestamp"), 1772357400999, "2026-03-01T09:30:00"),
        (connect("long", TIME + "MicroTimestamp"), 1772357400999999, "2026-03-01T09:30:00"),
        (connect("long", TIME + "NanoTimestamp"), 1772357400999999999, "2026-03-01T09:30:00"),
        (connect("string", TIME + "IsoTimestamp"), "2026-03-01T09:30:00.999Z", "2026-03-01T09:30:00"),
        (connect("string", TIME + "IsoTimestamp"), "2026-03-01T09:30:00", "2026-03-01T09:30:00"),
        (connect("long", CONNECT + "Timestamp"), 1772357400999, "2026-03-01T09:30:00"),
        (connect("string", TIME + "ZonedTimestamp"), "2026-03-01T11:30:00.5+02:00", "2026-03-01T09:30:00"),
        (connect("long", TIME + "MicroTimestamp"), INFINITE, None),
        (connect("long", TIME + "MicroTimestamp"), -9223372036832400000, None),
        (connect("string", TIME + "ZonedTimestamp"), "infinity", None),
        (logical("int", "date"), 20513, "2026-03-01T00:00:00"),
        (connect("int", TIME + "Date"), -719162, "0001-01-01T00:00:00"),
        (connect("int", TIME + "Date"), 2932896, "9999-12-31T00:00:00"),
        (connect("int", TIME + "Date"), 2**31 - 1, None),
        # As Debezium 3.6 writes infinity and minus infinity: of a snapshot, then of the log.
        (connect("int", TIME + "Date"), -622191234, None),
        (connect("int", TIME + "Date"), -625821272, None),
        (connect("int", TIME + "Date"), -2147472692, None),
        (connect("int", TIME + "Date"), -2147472691, None),
        (connect("string", TIME + "IsoDate"), "+292278994-08-16Z", None),
        (connect("string", TIME + "IsoDate"), "+292269055-12-02Z", None),
        (connect("string", TIME + "IsoDate"), "-5877611-06-21Z", None),
        (connect("string", TIME + "IsoDate"), "-5877611-06-22Z", None),
        (connect("string", TIME + "IsoTimestamp"), "+294247-01-10T04:00:25.2Z", None),
        (connect("string", TIME + "IsoTimestamp"), "-290308-12-21T19:59:27.6Z", None),
        (connect("string", TIME + "ZonedTimestamp"), "-infinity", None),
        (connect("string", TIME + "ZonedTimestamp"), "+292269055-12-02T23:00:00.000000Z", None),
        (connect("string", TIME + "IsoDate"), "2026-03-01Z", "2026-03-01T00:00:00"),
        (connect("int", CONNECT + "Date"), 20513, "2026-03-01T00:00:00"),
        (logical("int", "time-millis"), 34200999, "09:30:00"),
        (logical("long", "time-micros"), 34200999999, "09:30:00"),
        (connect("int", TIME + "Time"), 34200999, "09:30:00"),
        (connect("long", TIME + "MicroTime"), -34200000000, "-09:30:00"),
        (connect("long", TIME + "MicroTime"), 0, "00:00:00"),
        (connect("long", TIME + "MicroTime"), 999_999, "00:00:00"),
        (connect("long", TIME + "MicroTime"), 838 * 3600 * 10**6, "838:00:00"),
        (connect("long", TIME + "NanoTime"), 34200 * 10**9, "09:30:00"),
        (connect("string", TIME + "IsoTime"), "09:30:00.5Z", "09:30:00"),
        (connect("string", TIME + "IsoTime"), "24:00:00", "24:00:00"),
        (connect("string", TIME + "ZonedTime"), "09:30:00+01:00", "08:30:00"),
        (connect("int", CONNECT + "Time"), 34200999, "09:30:00"),
        (logical("bytes", "decimal", precision=9, scale=2), (129950).to_bytes(3, "big"), Decimal("1299.5")),
        (logical("bytes", "decimal", precision=9, scale=2), (-1).to_bytes(1, "big", signed=True), Decimal("-0.01")),
        (
            connect("bytes", CONNECT + "Decimal", **{"connect.parameters": {"scale": "3"}}),
            (7).to_bytes(1, "big"),
            Decimal("0.007"),
        ),
        (
            logical("bytes", "decimal", precision=30, scale=10),
            (123456789012345678901234567891).to_bytes(13, "big"),
            Decimal("12345678901234567890.1234567891"),
        ),
        (logical("bytes", "decimal", precision=30), (10**25).to_bytes(12, "big"), 10**25),
        ({"type": "fixed", "name": "D", "size": 2, "logicalType": "decimal", "scale": 1}, b"\0\x0f", Decimal("1.5")),
        (logical("string", "uuid"), UUID.upper(), UUID),
        (connect("string", "io.debezium.data.Uuid"), UUID.replace("-", ""), UUID),
        (
            {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"},
            bytes(range(16)),
            "00010203-0405-0607-0809-0a0b0c0d0e0f",
        ),
        (logical("bytes", "decimal", precision=9, scale=1), b"\x6e", 11),
        (logical("bytes", "decimal", precision=9, scale=1), b"\x79", Decimal("12.1")),
        ({"type": "array", "items": INNER}, INNERS, INNERS),
        (connect("string", TIME + "ZonedTimestamp"), "2026-03-01T24:00:00Z", "2026-03-02T00:00:00"),
        (connect("string", TIME + "ZonedTimestamp"), "2026-03-01T00:00:40+00:00:30", "2026-03-01T00:00:10"),
        ("long", 2**60, 2**60),
        ("boolean", True, True),
        ("double", 0.5, Decimal("0.5")),
        ("float", 0.5, Decimal("0.5")),
        ({"type": "enum", "name": "C", "symbols": ["A", "B"]}, "B", "B"),
        ({"type": "array", "items": ["null", logical("int", "date")]}, [0, None], ["1970-01-01T00:00:00", None]),
        ({"type": "map", "values": ["string", "long"]}, {"a": "b", "c": 1}, {"a": "b", "c": 1}),
        (["null", "string"], None, None),
        (["string", "long"], 5, 5),
    ],
)  # fmt: skip
def test_by_the_annotated_type(kind: object, value: object, came: object) -> None:
    assert come(kind, value) == came


def test_the_annotation_beside_the_type() -> None:
    assert come("long", 1772357400999, beside="timestamp-millis") == "2026-03-01T09:30:00"


def test_a_decimal_of_any_scale() -> None:
    fields = [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}]
    name = "io.debezium.data.VariableScaleDecimal"
    kind = {"type": "record", "name": "V", "connect.name": name, "fields": fields}
    for scale, value, number, text in ((2, 150, Decimal("1.5"), "1.50"), (-2, 7, 700, "700"), (0, -7, -7, "-7")):
        datum = {"scale": scale, "value": value.to_bytes(2, "big", signed=True)}
        assert come(kind, datum) == number
        assert come(kind, datum, '{ from = "value.x", as = "text" }') == text
    assert come(kind, {"scale": -400, "value": b""}) == 0
    for scale in (2**31 - 1, -(2**31)):
        assert "invalid_change" in str(come(kind, {"scale": scale, "value": b"\x07"}))


@pytest.mark.parametrize(
    ("kind", "value", "how", "came"),
    [
        ("long", 2**60, "text", str(2**60)),
        ("boolean", True, "text", "true"),
        ("double", 0.1, "text", "0.1"),
        (logical("bytes", "decimal", precision=9, scale=2), (129950).to_bytes(3, "big"), "text", "1299.50"),
        (logical("long", "timestamp-millis"), 0, "text", "1970-01-01T00:00:00"),
        (logical("bytes", "decimal", precision=9, scale=2), b"\0", "text", "0.00"),
        ("bytes", "ß".encode(), "text", "ß"),
        ("string", "ABC", "lower", "abc"),
        ("string", "12.50", "number", Decimal("12.5")),
        ("string", " 7 ", "number", 7),
        ("string", "-12.50", "number", Decimal("-12.5")),
        ("string", "123456789012345678901.5", "number", Decimal("123456789012345678901.5")),
        ("string", "1e3", "number", Decimal(1000)),
        ("string", '{"a":[1,null]}', "json", {"a": [1, None]}),
        ("string", '{"a":{"b":{"c":1}}}', "json", {"a": {"b": {"c": 1}}}),
        ("string", "null", "json", None),
        ("string", "x", "list", ["x"]),
        (logical("int", "date"), 0, "list", ["1970-01-01T00:00:00"]),
        ("bytes", b"\xff\x00", "base64", "/wA="),
        ("long", 1772357400, "seconds", "2026-03-01T09:30:00"),
        ("long", 1772357400999, "millis", "2026-03-01T09:30:00"),
        ("long", 1772357400999999, "micros", "2026-03-01T09:30:00"),
        ("int", 20513, "days", "2026-03-01T00:00:00"),
    ],
)
def test_as_the_file_says(kind: object, value: object, how: str, came: object) -> None:
    assert come(kind, value, f'{{ from = "value.x", as = "{how}" }}') == came


@pytest.mark.parametrize(
    ("kind", "value", "data"),
    [
        ("string", "a@b.c", b"a@b.c"),
        ("bytes", b"\xff", b"\xff"),
        ("int", 7, b"7"),
        (logical("int", "date"), 0, b"1970-01-01T00:00:00"),
    ],
)
def test_a_hash_is_an_hmac_with_the_secret(kind: object, value: object, data: bytes) -> None:
    wanted = hmac.new(SECRET, data, hashlib.sha256).hexdigest()[:32]
    assert come(kind, value, '{ from = "value.x", as = "hash" }') == wanted


@pytest.mark.parametrize(
    ("kind", "value", "how", "says"),
    [
        ("double", float("nan"), "", "not finite"),
        ("float", float("inf"), "", "not finite"),
        ({"type": "array", "items": "double"}, [float("inf")], "", "not finite"),
        (logical("int", "date"), 2932897, "", "outside the years"),
        (logical("int", "date"), -719163, "", "outside the years"),
        (connect("string", TIME + "ZonedTimestamp"), "yesterday", "", "no date or time"),
        (connect("string", TIME + "ZonedTimestamp"), "2026-02-29T00:00:00Z", "", "no date or time"),
        (connect("string", TIME + "ZonedTimestamp"), "2026-03-01T09:60:00Z", "", "no date or time"),
        (connect("string", TIME + "ZonedTimestamp"), "2026-03-01T25:00:00Z", "", "no date or time"),
        (connect("string", TIME + "IsoTime"), "09:60:00", "", "no time of day"),
        (connect("string", TIME + "IsoTime"), "25:00:00", "", "no time of day"),
        (logical("string", "uuid"), "zqz", "", "no uuid"),
        ("string", "zqz", "number", "no number"),
        ("string", "007", "number", "no number"),
        ("string", "1e999", "number", "no number"),
        ("string", "NaN", "json", "not JSON"),
        ("bytes", b"\xff", "text", "not UTF-8"),
        (logical("bytes", "decimal", precision=9), b"\x7f" * 200, "", "more than 308 digits"),
        ({"type": "map", "values": "int"}, {str(n): n for n in range(256)}, "", "more than 255 keys"),
        ("string", '{"a":{"b":{"c":{"d":1}}}}', "json", "nest more than 3 levels"),
    ],
)
def test_a_refusal_names_rule_and_path_and_no_value(kind: object, value: object, how: str, says: str) -> None:
    found = str(come(kind, value, f'{{ from = "value.x", as = "{how}" }}' if how else '"value.x"'))
    assert found.startswith("invalid_change: rule r, value.x: ")
    assert says in found
    assert str(value) not in found


def test_text_that_is_not_utf_8_is_refused_where_it_is_mapped_and_nowhere_else() -> None:
    schema = event("string")
    value = encode(schema, {"id": "a", "x": "zz"}).replace(b"zz", b"\xff\xff")
    assert words(Table(SET % ("set", '"value.x"'), schema, topic="T").send(value)) == [
        "invalid_change: rule r, value.x: text that is not UTF-8"
    ]
    assert words(Table(SET % ("set", '"value.id"'), schema, topic="T").send(value)) == [
        {"$group_key": "company", "$group_id": "a", "$set": {"X": "a"}}
    ]


@pytest.mark.parametrize(
    ("kind", "value", "verb", "source", "came"),
    [
        ("int", 3, "add", '"value.x"', 3),
        ({"type": "array", "items": ["null", "string"]}, ["a", None], "union", '"value.x"', ["a"]),
        ({"type": "array", "items": ["null", "string"]}, [None], "union", '"value.x"', None),
        ("string", '["a",true]', "union", '{ from = "value.x", as = "json" }', "union needs texts or numbers"),
        ("string", "[]", "add", '{ from = "value.x", as = "json" }', "add needs a number"),
        ("string", "[]", "remove", '{ from = "value.x", as = "json" }', "remove needs one"),
        ("string", "a", "remove", '"value.x"', "a"),
        (["null", "string"], None, "set_once", '"value.x"', None),
        (["null", "string"], None, "set", '{ from = "value.x", default = 5 }', 5),
        (["null", "string"], None, "set", '{ from = "value.x", null = "null" }', None),
        ("string", "p", "set", '{ from = "value.x", values = { p = "Pro", "*" = "Free" } }', "Pro"),
        ("int", 1, "set", '{ from = "value.x", values = { 1 = "one" } }', "one"),
        ("boolean", False, "set", '{ from = "value.x", values = { false = "no" } }', "no"),
        ("string", "q", "set", '{ from = "value.x", values = { p = "Pro" } }', "no row in values"),
        (["null", "string"], None, "set", '{ from = "value.x", values = { "*" = 1 }, null = "skip" }', None),
        (["null", "string"], None, "set", '["value.x", "value.id"]', "a"),
        (["null", "string"], None, "set", '{ join = ["value.id", "value.x", "value.id"], with = "-" }', "a-a"),
        ("string", "x", "set", "{ value = { a = [1, 2.5, true] } }", {"a": [1, Decimal("2.5"), True]}),
        ("string", "x", "set", '"record.timestamp"', "2026-03-01T09:30:00"),
        ("string", "x", "set", '"record.offset"', 2),
    ],
)  # fmt: skip
def test_verbs_nulls_values_and_joins(kind: object, value: object, verb: str, source: str, came: object) -> None:
    found = come(kind, value, source, verb)
    if isinstance(found, str) and found.startswith("invalid_change"):
        assert str(came) in found
    else:
        assert found == came


def test_days_of_every_year() -> None:
    """Text and number agree with the calendar, and there is a 29 February where it has one."""
    for year in range(1, 10_000):
        found = datetime.date(year, 1 + year % 12, 1 + year % 28)
        text = f"{found}T00:00:00"
        assert stamp_of_text(f"{found}Z", True) == text
        assert date(found.toordinal() - datetime.date(1970, 1, 1).toordinal()) == text
        if calendar.isleap(year):
            assert stamp_of_text(f"{year:04}-02-29", True) == f"{year:04}-02-29T00:00:00"
        else:
            with pytest.raises(Unfit):
                stamp_of_text(f"{year:04}-02-29", True)


@pytest.mark.parametrize(("value", "came"), [("c", "c"), (None, None), ("", "an id that is empty")])
def test_a_company_that_is_null_is_none(value: object, came: object) -> None:
    rule = SET.replace('id = "value.id"', 'id = "value.id", company = "value.x"') % ("set", '"value.id"')
    (found,) = Table(rule, event(["null", "string"]), topic="T").event({"id": "a", "x": value})
    if value == "":
        assert str(found).endswith("an id that is empty")
    else:
        assert isinstance(found, dict)
        assert found.get("$company_id") == came


@pytest.mark.parametrize("choice", ["project", "action"])
def test_a_choice_of_null_is_a_refusal(choice: str) -> None:
    """It does not take the row of "*"."""
    name = "us" if choice == "project" else "write"
    rule = SET.replace(
        'null = "skip"', f'{choice} = {{ from = "value.x", values = {{ "*" = "{name}" }} }}\nnull = "skip"'
    )
    table = Table(rule % ("set", '"value.id"'), event(["null", "string"]), topic="T")
    reason = "unknown_project" if choice == "project" else "invalid_change"
    assert table.event({"id": "a", "x": None}) == [f"{reason}: rule r, value.x: null, which names nothing"]
    assert len(table.event({"id": "a", "x": "b"})) == 1


def test_lists_that_no_writer_of_json_takes_are_a_refusal() -> None:
    """A text may nest them by the thousand; what cannot be written must not end the process."""
    for depth, taken in ((32, True), (33, False), (300, False), (1000, False)):
        came = come("string", "[" * depth + "]" * depth, '{ from = "value.x", as = "json" }')
        assert (came == "invalid_change: rule r, value.x: lists that nest more than 32 levels") is not taken


@pytest.mark.parametrize(
    ("separator", "parts", "came"),
    [
        ("/", ("a", "b/c"), "a/b/c"),
        ("/", ("a/b", "c"), None),
        ("aa", ("x", "az"), "xaaaz"),
        ("aa", ("xa", "z"), None),  # xaaaz as well
    ],
)
def test_parts_of_an_id_are_told_apart(separator: str, parts: tuple[str, str], came: str | None) -> None:
    schema = {"type": "record", "name": "E", "fields": [{"name": name, "type": "string"} for name in "ab"]}
    rule = SET.replace('"value.id"', f'{{ join = ["value.a", "value.b"], with = "{separator}" }}')
    mapped = Table(rule % ("set", '"value.a"'), schema, topic="T").send(
        encode(schema, dict(zip("ab", parts, strict=True)))
    )
    ids = [operation.group_id for part in mapped.parts for operation in part.operations]
    assert ids == ([] if came is None else [came])
    assert bool(mapped.refusals) is (came is None)


@pytest.mark.parametrize(
    ("text", "came"),
    [
        ('{"plan": "pro", "seats": 3, "tags": ["a"], "email": "a@b.c", "__op": 1, "id": 9, "gone": null}',
         [{"$set": {"Id": "a", "plan": "pro", "seats": 3, "tags": ["a"], "id": 9}}, {"$unset": ["gone"]}]),
        (None, [{"$set": {"Id": "a"}}]),
        ("null", [{"$set": {"Id": "a"}}]),
        ("[1]", ["invalid_change: rule r, value.x: text that holds no object of JSON"]),
        ("5", ["invalid_change: rule r, value.x: text that holds no object of JSON"]),
        ("plain", ["invalid_change: rule r, value.x: text that is not JSON"]),
        ('{"a": {"b": {"c": {"d": {}}}}}', ["invalid_change: rule r, value.x: objects that nest more than 3 levels"]),
        (f'{{"a":{"[" * 99}{"]" * 99}}}', ["invalid_change: rule r, value.x: lists that nest more than 32 levels"]),
    ],
)  # fmt: skip
def test_a_copy_of_an_object_that_a_text_holds(text: str | None, came: list[Any]) -> None:
    """As an outbox's payload: field by field, but for what is left out or named."""
    rule = (SET % ("set", '"value.id"')).replace("skip", "unset").replace("X =", "Id =")
    rule += '[rule.copy]\nfrom = "value.x"\nexcept = ["email"]\n'
    schema = event(["null", connect("string", "io.debezium.data.Json")])
    found = words(Table(rule, schema, topic="T").send(encode(schema, {"id": "a", "x": text})))
    shown = [
        {name: value for name, value in one.items() if name not in ("$group_key", "$group_id")}
        if isinstance(one, dict) else one
        for one in found
    ]  # fmt: skip
    assert shown == came
