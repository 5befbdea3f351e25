"""The resolution rules of the Avro specification, as the sandbox's registry applies them, and as a real one does."""

import json

import pytest
import requests

from consumer.sandbox.registry.avro_compatibility import conflicts, incompatibilities
from consumer.sandbox.registry.avro_schema import InvalidSchema, canonical, parse


def rec(*fields, name="R", **more):
    """A record; a field is (name, type) or (name, type, default)."""
    built = [dict(zip(("name", "type", "default"), field, strict=False)) for field in fields]
    return {"type": "record", "name": name, "fields": built, **more}


def enum(*symbols, name="E", **more):
    """An enum."""
    return {"type": "enum", "name": name, "symbols": list(symbols), **more}


def fixed(size, name="F"):
    """A fixed."""
    return {"type": "fixed", "name": name, "size": size}


TREE = rec(("value", "int"), ("next", ["null", "R"], None))
LONG_TREE = rec(("value", "long"), ("next", ["null", "R"], None))
TEXT_TREE = rec(("value", "string"), ("next", ["null", "R"], None))
LIST = {"type": "array", "items": "int"}
RENAMED = {"type": "record", "name": "R", "fields": [{"name": "b", "aliases": ["a"], "type": "int"}]}

CASES = {
    "the same": (rec(("a", "int")), rec(("a", "int")), True),
    "another primitive": ("string", "int", False),
    "int as long": ("long", "int", True),
    "int as float": ("float", "int", True),
    "int as double": ("double", "int", True),
    "long as float": ("float", "long", True),
    "long as double": ("double", "long", True),
    "float as double": ("double", "float", True),
    "long as int": ("int", "long", False),
    "double as float": ("float", "double", False),
    "bytes as string": ("string", "bytes", True),
    "string as bytes": ("bytes", "string", True),
    "a field less": (rec(("a", "int")), rec(("a", "int"), ("b", "int")), True),
    "a field more": (rec(("a", "int"), ("b", "int")), rec(("a", "int")), False),
    "a field more, with default": (rec(("a", "int"), ("b", "int", 0)), rec(("a", "int")), True),
    "a default of null": (rec(("b", ["null", "int"], None)), rec(), True),
    "a field's type": (rec(("a", "string")), rec(("a", "int")), False),
    "a field renamed, with an alias": (RENAMED, rec(("a", "int")), True),
    "another record": (rec(("a", "int")), rec(("a", "int"), name="S"), False),
    "arrays": ({"type": "array", "items": "long"}, LIST, True),
    "arrays of others": ({"type": "array", "items": "string"}, LIST, False),
    "an array as map": ({"type": "map", "values": "int"}, LIST, False),
    "maps": ({"type": "map", "values": "long"}, {"type": "map", "values": "int"}, True),
    "maps of others": ({"type": "map", "values": "int"}, {"type": "map", "values": "string"}, False),
    "a symbol more": (enum("A", "B"), enum("A"), True),
    "a symbol less": (enum("A"), enum("A", "B"), False),
    "a symbol less, with default": (enum("A", default="A"), enum("A", "B"), True),
    "another enum": (enum("A", name="X"), enum("A"), False),
    "fixed": (fixed(4), fixed(4), True),
    "fixed of another size": (fixed(5), fixed(4), False),
    "into a union": (["null", "long"], "int", True),
    "into a union without it": (["null", "string"], "int", False),
    "out of a union": ("int", ["int"], True),
    "out of a union with more": ("int", ["null", "int"], False),
    "a union's branch more": (["null", "int", "string"], ["null", "int"], True),
    "a union's branch less": (["null", "int"], ["null", "int", "string"], False),
    "a type that holds itself": (LONG_TREE, TREE, True),
    "a type that holds itself, and differs": (TEXT_TREE, TREE, False),
    "logical types are none of it": ({"type": "long", "logicalType": "timestamp-millis"}, "long", True),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    """Every case of the specification is judged as it says."""
    reader, writer, fits = CASES[name]

    found = incompatibilities(parse(json.dumps(reader)), parse(json.dumps(writer)))

    assert (not found) == fits, found


def test_cases_on_a_real_registry(apicurio):
    """A real registry judges every case as we do."""
    different = []
    for number, (name, (reader, writer, fits)) in enumerate(CASES.items()):
        subject = f"compatibility-{number}"
        base = f"{apicurio}/subjects/{subject}/versions"
        requests.post(base, json={"schema": json.dumps(writer)}, timeout=30).raise_for_status()
        check = f"{apicurio}/compatibility/subjects/{subject}/versions/latest"
        answer = requests.post(check, json={"schema": json.dumps(reader)}, timeout=30).json()
        if answer.get("is_compatible") != fits:
            different.append((name, answer))

    assert different == []


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("BACKWARD", []),
        ("BACKWARD_TRANSITIVE", ["c"]),
        ("FORWARD", ["b"]),
        ("FORWARD_TRANSITIVE", ["b"]),
        ("FULL", ["b"]),
        ("FULL_TRANSITIVE", ["b", "c"]),
    ],
)
def test_levels(level, expected):
    """A level says which of old and new has to read which, and whether the latest only or all."""
    olds = [rec(("a", "int")), rec(("a", "int"), ("b", "int"), ("c", "int", 0))]
    new = rec(("a", "int"), ("c", "int"))

    found = conflicts(parse(json.dumps(new)), [parse(json.dumps(old)) for old in olds], level)

    assert sorted({field for field in "bc" if any(one.endswith(f": {field}") for one in found)}) == expected


def test_canonical():
    """A schema is written as Avro's Java library does: attributes in one order, a named type only once."""
    text = """{"fields": [
        {"type": {"name": "other.E", "symbols": ["A"], "type": "enum", "default": "A", "x": 1}, "name": "e"},
        {"name": "f", "type": ["null", "other.E", {"size": 2, "type": "fixed", "name": "F", "aliases": ["G"]}],
         "order": "ignore", "aliases": ["g"], "default": null, "doc": "d"},
        {"name": "h", "type": {"type": "map", "values": {"type": "F"}}},
        {"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}, "order": "ascending"}
    ], "doc": "\\u00e9", "namespace": "n", "name": "R", "type": "record"}"""

    assert canonical(parse(text)) == (
        '{"type":"record","name":"R","namespace":"n","doc":"é","fields":['
        '{"name":"e","type":{"type":"enum","name":"E","namespace":"other","symbols":["A"],"default":"A","x":1}},'
        '{"name":"f","type":["null","other.E",{"type":"fixed","name":"F","size":2,"aliases":["G"]}],'
        '"doc":"d","default":null,"order":"ignore","aliases":["g"]},'
        '{"name":"h","type":{"type":"map","values":"F"}},'
        '{"name":"t","type":{"type":"long","logicalType":"timestamp-millis"}}]}'
    )
    assert canonical(parse(canonical(parse(text)))) == canonical(parse(text))


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("nothing", "not JSON"),
        ('{"a": 1}', "no type"),
        ('"Unknown"', "undefined name"),
        ('{"type": "array"}', "without items"),
        ('[["int"], ["int"]]', "directly in a union"),
        ('["int", "int"]', "int twice"),
        ('{"type": "record", "name": "R"}', "without fields"),
        ('{"type": "record", "fields": []}', "without a name"),
        ('{"type": "record", "name": "1", "fields": []}', "illegal name"),
        ('{"type": "record", "name": "R", "fields": [{"name": "a"}]}', "without name or type"),
        ('{"type": "record", "name": "R", "fields": [{"name": "a-b", "type": "int"}]}', "illegal name"),
        (json.dumps(rec(("a", "int"), ("a", "int"))), "field a twice"),
        (json.dumps([fixed(1), rec(name="F")]), "cannot redefine"),
        ('{"type": "enum", "name": "E"}', "without symbols"),
        (json.dumps(enum("A", "A")), "a symbol twice"),
        (json.dumps(enum("A", default="B")), "none of its symbols"),
        ('{"type": "fixed", "name": "F"}', "without a size"),
        ("[" * 100_000, "not JSON"),
        ('{"type":"array","items":' * 300 + '"int"' + "}" * 300, "nested deeper"),
    ],
)
def test_no_schema(schema, words):
    """What is no schema is refused with what is wrong."""
    with pytest.raises(InvalidSchema, match=words):
        parse(schema)


def test_references():
    """A schema may use the types of those that it refers to."""
    part = json.dumps(rec(("a", "int"), name="n.Part"))

    whole = '{"type": "array", "items": "n.Part"}'
    assert parse(whole, [part]).inner[0].name == "n.Part"
    assert canonical(parse(whole, [part]), [part]) == '{"type":"array","items":"n.Part"}'
    with pytest.raises(InvalidSchema):
        parse('{"type": "array", "items": "n.Part"}')
