"""The mapping's plan against the naive interpreter: random columns, files and data, refusal for refusal."""

import json
import os
import tomllib
from decimal import Decimal
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.event.encode import operation_of, update_tail
from consumer.event.model import VERB_NAMES
from consumer.mapping.errors import Hold
from consumer.mapping.outcome import Mapped
from tests.mapping.naive import Naive
from tests.mapping.tables import KEY, PLACEHOLDER, SECRET, TOPIC, Table, connect, encode, envelope

EXAMPLES = int(os.environ.get("MAPPING_EXAMPLES", "400"))
SLOW = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
TEXT = st.sampled_from(["", "a", "a/b", "Pro", "7", "007", "1.50", "null", '{"k":[1,null]}', "[", "ß", PLACEHOLDER])
LONG = st.sampled_from([0, 1, -1, 7, 2**53 + 1, 2**63 - 1, -(2**63), 1772357400123456])
SCALARS = ["text", "lower", "number", "json", "list", "hash"]
# A type, its data, and the ways in which it can be read.
KINDS: dict[str, tuple[Any, st.SearchStrategy[Any], list[str]]] = {
    "text": ("string", TEXT, SCALARS),
    "int": ("int", st.integers(-(2**31), 2**31 - 1), ["text", "number", "list", "hash", "seconds", "days"]),
    "long": ("long", LONG, ["text", "number", "list", "hash", "millis", "micros"]),
    "flag": ("boolean", st.booleans(), ["text", "list", "hash"]),
    "double": ("double", st.sampled_from([0.5, -1.0, float("nan"), float("inf")]), ["text", "number", "list"]),
    "bytes": ("bytes", st.sampled_from([b"", b"a", b"\xff", PLACEHOLDER.encode()]), ["text!", "base64!", "hash!"]),
    "decimal": (
        {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2},
        st.integers(-(10**20), 10**20).map(lambda number: number.to_bytes(10, "big", signed=True)),
        ["text", "number", "list"],
    ),
    "date": (
        connect("int", "io.debezium.time.Date"),
        st.one_of(st.integers(-719170, -719155), st.integers(2932890, 2932900), st.just(2**31 - 1)),
        ["text", "list"],
    ),
    "micros": (
        connect("long", "io.debezium.time.MicroTimestamp"),
        st.one_of(st.integers(-(10**15), 10**16), st.just(9223372036825200000)),
        ["text", "list", "hash"],
    ),
    "millis": ({"type": "long", "logicalType": "timestamp-millis"}, st.integers(-(10**14), 10**15), ["text"]),
    "zoned": (
        connect("string", "io.debezium.time.ZonedTimestamp"),
        st.sampled_from(["2026-05-07T17:00:00.069+02:00", "infinity", "soon", "0001-01-01T00:00:00+02:00"]),
        ["text"],
    ),
    "uuid": (
        {"type": "string", "logicalType": "uuid"},
        st.sampled_from(["7D444840-9DC0-11D1-B245-5FFDCE74FAD2", "x", PLACEHOLDER]),
        ["lower"],
    ),
    "texts": (
        {"type": "array", "items": ["null", "string"]},
        st.one_of(st.just([PLACEHOLDER]), st.lists(st.one_of(st.none(), TEXT), max_size=2)),
        [],
    ),
    "numbers": ({"type": "array", "items": "int"}, st.sampled_from([[], [1], list(PLACEHOLDER.encode())]), []),
    "map": (
        {"type": "map", "values": ["null", "string"]},
        st.one_of(st.just({PLACEHOLDER: PLACEHOLDER}), st.dictionaries(st.sampled_from("ab"), TEXT, max_size=2)),
        [],
    ),
}
VERBS = {
    "set": list(KINDS),
    "set_once": list(KINDS),
    "remove": ["text", "int", "flag", "date"],
    "union": ["texts", "numbers"],
}


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]], dict[str, st.SearchStrategy[Any]], str]:
    """A file, the columns that it is for, and how their data is made; the format."""
    form = draw(st.sampled_from(["event", "row", "debezium"]))
    columns, data, kinds = [], {}, {}
    for number in range(draw(st.integers(2, 6))):
        kind = draw(st.sampled_from(list(KINDS)))
        schema, values, _ = KINDS[kind]
        null = draw(st.sampled_from(["no", "first", "last"]))
        name = f"c{number}"
        columns.append(
            {"name": name, "type": {"no": schema, "first": ["null", schema], "last": [schema, "null"]}[null]}
        )
        data[name] = values if null == "no" else st.one_of(st.none(), values)
        kinds[name] = kind
    root = "row" if form == "debezium" else "value"
    rules = [rule(draw, form, root, kinds, f"rule {number}") for number in range(draw(st.integers(1, 3)))]
    return "".join(rules), columns, data, form


def rule(draw: st.DrawFn, form: str, root: str, kinds: dict[str, str], name: str) -> str:
    """One rule."""
    texts = [column for column, kind in kinds.items() if kind in ("text", "int", "long", "decimal", "uuid")]
    compared = [column for column, kind in kinds.items() if kind in ("text", "int", "long", "flag")]
    lines = ["[[rule]]", f'name = "{name}"', f'topics = ["{TOPIC}"]', f'format = "{form}"']
    whole = form == "debezium" and draw(st.booleans())
    identity = '"key.id"'
    free = whole or form == "event"
    if texts and free and draw(st.booleans()):
        one, other = draw(st.sampled_from(texts)), draw(st.sampled_from(texts))
        forms = [f'"{root}.{one}"', f'{{ join = ["{root}.{one}", "{root}.{other}"], with = "/" }}']
        identity = draw(st.sampled_from(forms))
    lines.append(f'group = {{ key = "company", id = {identity} }}')
    if compared and free and draw(st.booleans()):
        lines.append(
            f'project = {{ from = "{root}.{draw(st.sampled_from(compared))}", values = {{ a = "emea", 7 = "us" }} }}'
        )
    selected: bool = draw(st.booleans()) if compared else False
    if selected:
        lines.append(f"where = [{condition(draw, root, kinds, compared)}]")
    lines.append(f'null = "{draw(st.sampled_from(["skip", "unset", "null"]))}"')
    copied = copy_of(draw, root, kinds) if draw(st.booleans()) else []
    if form != "event":
        endings = ["delete", "ignore"] if copied else ["delete", "clear", "ignore"]
        lines.append(f'deletes = "{draw(st.sampled_from(endings))}"')
        lines.append(f'leaves = "{draw(st.sampled_from(endings))}"')
    if whole:
        lines.append('before = "whole"')
        lines.append(f'send = "{draw(st.sampled_from(["all", "changed"]))}"')
    verbs: dict[str, list[str]] = {}
    for number in range(draw(st.integers(1, 4))):
        verb = draw(st.sampled_from(list(VERBS)))
        source = property_of(draw, root, kinds, verb)
        verbs.setdefault(verb, []).append(f"P{number} = {source}")
    return (
        "\n".join(lines + [line for verb, found in verbs.items() for line in (f"[rule.{verb}]", *found)] + copied)
        + "\n"
    )


def copy_of(draw: st.DrawFn, root: str, kinds: dict[str, str]) -> list[str]:
    """A copy of the row but for bytes, of a map, or of what a text holds."""
    octets = [column for column, kind in kinds.items() if kind == "bytes"]
    path = draw(
        st.sampled_from([root, *(f"{root}.{name}" for name, kind in kinds.items() if kind in ("map", "text"))])
    )
    return ["[rule.copy]", f'from = "{path}"', f"except = {json.dumps([*octets, 'b'])}"]


def condition(draw: st.DrawFn, root: str, kinds: dict[str, str], compared: list[str]) -> str:
    column = draw(st.sampled_from(compared))
    values = {"text": '"a"', "flag": "true"}.get(kinds[column], "7")
    test = draw(st.sampled_from(["is = {0}", "in = [{0}]", "not_in = [{0}]", "exists = true", "exists = false"]))
    return f'{{ path = "{root}.{column}", {test.format(values)} }}'


def property_of(draw: st.DrawFn, root: str, kinds: dict[str, str], verb: str) -> str:
    """What stands for a property's value."""
    fitting = [column for column, kind in kinds.items() if kind in VERBS[verb]]
    if not fitting:
        return '{ value = ["x"] }' if verb == "union" else '{ value = "x" }'
    column = draw(st.sampled_from(fitting))
    path = f"{root}.{column}"
    how = draw(st.sampled_from(["", *(name.rstrip("!") for name in KINDS[kinds[column]][2])]))
    if verb == "remove":
        how = how if how not in ("list", "json") else ""
    forced = "!" in "".join(KINDS[kinds[column]][2])
    if forced or (how and verb != "union"):
        return f'{{ from = "{path}", as = "{how or "base64"}" }}'
    if kinds[column] == "text" and draw(st.booleans()):
        row = '["v"]' if verb == "union" else '"v"'
        return f'{{ from = "{path}", values = {{ a = {row}, "7" = {row} }} }}'
    if kinds[column] == "map" and draw(st.booleans()):
        return f'"{path}.a"'
    same = [other for other in fitting if kinds[other] != "bytes"]
    return f'["{path}", "{root}.{draw(st.sampled_from(same))}"]' if draw(st.booleans()) else f'"{path}"'


def came(mapped: Mapped) -> list[Any]:
    """What the plan made, as the naive interpreter says it; numbers by their JSON."""
    found: dict[str, Any] = {}
    for part in mapped.parts:
        verbs = {}
        for operation in part.operations:
            again = json.loads(b"{" + update_tail(operation), parse_float=Decimal)[VERB_NAMES[operation.verb]]
            verbs[VERB_NAMES[operation.verb][1:]] = dict.fromkeys(again) if isinstance(again, list) else again or {}
            assert operation_of(update_tail(operation)).group_id == operation.group_id
        first = part.operations[0]
        found[part.rule] = ("part", part.rule, part.project, part.company_id, first.group_key, first.group_id, verbs)
    found |= {refusal.rule: ("refused", refusal.rule, refusal.reason) for refusal in mapped.refusals}
    found |= {ignored.rule: ("ignored", ignored.rule, ignored.why) for ignored in mapped.ignored}
    return [found[name] for name in sorted(found)]


def plain(outcome: Any) -> Any:
    """The naive outcome with its numbers as JSON has them."""
    return json.loads(orjson.dumps(outcome, default=lambda number: orjson.Fragment(str(number))), parse_float=Decimal)


def stripped(schema: Any) -> Any:
    """The schema without annotations: fastavro then gives and takes data as it is written."""
    return json.loads(
        json.dumps(schema), object_hook=lambda found: {k: v for k, v in found.items() if k != "logicalType"}
    )


@SLOW
@given(files(), st.data())
def test_the_plan_is_the_naive_interpreter(
    made: tuple[str, list[dict[str, Any]], dict[str, st.SearchStrategy[Any]], str], data: st.DataObject
) -> None:
    text, columns, values, form = made
    row = {"type": "record", "name": "Row", "fields": [*columns, {"name": "__deleted", "type": ["null", "string"]}]}
    schema: Any = envelope(columns) if form == "debezium" else row
    table = Table(text, schema, compacted=data.draw(st.booleans()))
    try:
        table.value_plan()
    except Hold as hold:
        raise AssertionError(f"{hold}\n{text}") from None
    rows = st.fixed_dictionaries(values)
    for _ in range(3):
        after = data.draw(rows)
        datum: Any = after | {"__deleted": data.draw(st.sampled_from([None, None, "false", "true"]))}
        headers = data.draw(st.sampled_from([{}, {"__debezium.newkey": '{"c0": 1}'}]))
        if form == "debezium":
            op = data.draw(st.sampled_from("ccruuuudtm"))
            same = data.draw(st.booleans())
            before = data.draw(st.one_of(st.none(), st.just(after) if same else rows))
            datum = {
                "before": before,
                "after": None if op == "d" else after,
                "source": {"table": "t"},
                "op": op,
                "ts_ms": 1,
            }
        if form != "event" and data.draw(st.integers(0, 9)) == 0:
            datum = None
        raw = None if datum is None else encode(stripped(schema), datum)
        pairs = [(name, content.encode()) for name, content in headers.items()]
        mapped = table.send(raw, {"id": 7}, pairs)
        naive = Naive(tomllib.loads(text), schema, SECRET, table.map.compacted)
        wanted = naive.apply(({"id": 7}, KEY), datum, headers)
        assert plain(came(mapped)) == plain(wanted), text
