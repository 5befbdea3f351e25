"""Annotations of a schema: found in each place where they stand, and kept to that place."""

import pytest

from consumer.avro.annotations import Annotation
from consumer.avro.parsing import parse
from consumer.avro.resolution import plan
from consumer.avro.schema import FIXED, LONG, Type

CONNECT_DECIMAL = {
    "type": "bytes",
    "connect.version": 1,
    "connect.parameters": {"scale": "2", "connect.decimal.precision": "12"},
    "connect.name": "org.apache.kafka.connect.data.Decimal",
}
MONEY = {"type": "fixed", "name": "acme.Money", "size": 8, "logicalType": "decimal", "precision": 18, "scale": 4}
PLAIN = {"type": "fixed", "name": "acme.Plain", "size": 8}


def record(*fields: dict[str, object]) -> Type:
    """The type of a record with these fields, named in order where they have no name."""
    named = [{"name": f"f{number}", **field} for number, field in enumerate(fields)]
    return parse({"type": "record", "name": "acme.R", "fields": named})


def words(annotation: Annotation | None) -> object:
    """What the annotation says."""
    return annotation and (str(annotation), annotation.precision, annotation.scale)


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ({"type": "long"}, None),
        ({"type": {"type": "long", "logicalType": "timestamp-millis"}}, ("logicalType timestamp-millis", 0, 0)),
        ({"type": "long", "logicalType": "timestamp-millis"}, ("logicalType timestamp-millis", 0, 0)),
        ({"type": {"type": "long"}, "logicalType": "time-micros"}, ("logicalType time-micros", 0, 0)),
        ({"type": {"type": {"type": "int"}, "logicalType": "date"}}, ("logicalType date", 0, 0)),
        (
            {"type": {"type": "int", "connect.name": "io.debezium.time.Date"}},
            ("connect.name io.debezium.time.Date", 0, 0),
        ),
        ({"type": CONNECT_DECIMAL}, ("connect.name org.apache.kafka.connect.data.Decimal", 12, 2)),
        (
            {"type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 3}},
            ("logicalType decimal", 10, 3),
        ),
        ({"type": "bytes", "logicalType": "decimal", "precision": 10}, ("logicalType decimal", 10, 0)),
        (
            {"type": {"type": "bytes", "logicalType": "decimal", "precision": True, "scale": "x"}},
            ("logicalType decimal", 0, 0),
        ),
        # Somebody's own name for a schema does not hide what Avro says.
        (
            {"type": {"type": "int", "connect.name": "com.acme.Day", "logicalType": "date"}},
            ("logicalType date", 0, 0),
        ),
        ({"type": {"type": "int", "connect.name": "com.acme.Day"}}, ("connect.name com.acme.Day", 0, 0)),
        ({"type": {"type": "long", "logicalType": 7, "connect.parameters": 7}}, None),
        # What the type says of itself goes before what the field says of it.
        ({"type": {"type": "int", "logicalType": "date"}, "logicalType": "time-millis"}, ("logicalType date", 0, 0)),
        ({"type": MONEY}, ("logicalType decimal", 18, 4)),
        ({"type": PLAIN, "logicalType": "decimal", "precision": 5, "scale": 1}, ("logicalType decimal", 5, 1)),
    ],
)
def test_an_annotation_is_found_where_it_stands(field: dict[str, object], found: object):
    """In the type as logicalType, in the type as connect.name, beside the type in the field."""
    assert words(record(field).fields[0].type.annotation) == found


def test_records_maps_arrays_and_enums_have_the_annotation_of_their_own_type():
    """Connect names its structs so; what stands in the field beside them means nothing."""
    inner = {"type": "record", "name": "V", "connect.name": "io.debezium.data.VariableScaleDecimal", "fields": []}
    items = {"type": "array", "items": "long", "connect.name": "com.acme.Longs"}
    enum = {"type": "enum", "name": "E", "symbols": ["A"]}
    found = record({"type": inner}, {"type": items}, {"type": enum, "logicalType": "date"})
    expected = ["connect.name io.debezium.data.VariableScaleDecimal", "connect.name com.acme.Longs", None]
    assert [field.type.annotation and str(field.type.annotation) for field in found.fields] == expected


def test_beside_a_union_it_is_meant_for_the_scalars_that_have_none():
    """A field that may be null is annotated like one that may not."""
    kinds = ["null", "long", {"type": "int", "logicalType": "date"}, {"type": "array", "items": "long"}]
    union = record({"type": kinds, "logicalType": "timestamp-millis"}).fields[0].type
    assert union.annotation is None
    assert [words(branch.annotation) for branch in union.items] == [
        None,
        ("logicalType timestamp-millis", 0, 0),
        ("logicalType date", 0, 0),
        None,
    ]
    assert union.items[1].kind == LONG
    assert union.items[3].items[0].annotation is None


def test_a_named_type_keeps_its_own_annotation_wherever_it_is_named():
    """What one place says of a shared type is not said of it elsewhere."""
    found = record(
        {"type": MONEY},
        {"type": "acme.Money", "logicalType": "duration"},
        {"type": ["null", PLAIN], "logicalType": "duration"},
        {"type": {"type": "acme.Plain", "logicalType": "decimal", "precision": 3}},
        {"type": "acme.Plain"},
    )
    money, again, union, place, plain = (field.type for field in found.fields)
    assert money is again
    assert str(money.annotation) == "logicalType decimal"
    assert str(union.items[1].annotation) == "logicalType duration"
    assert (str(place.annotation), place.kind, place.name, place.size) == (
        "logicalType decimal",
        FIXED,
        plain.name,
        8,
    )
    assert plain.annotation is None


def test_annotations_stand_in_recursive_types_and_change_no_resolution():
    """A record that contains itself keeps its annotations, and data is read the same."""
    node = {
        "type": "record",
        "name": "Node",
        "connect.name": "Node",
        "fields": [{"name": "next", "type": ["null", "Node"], "logicalType": "date"}, {"name": "p", "type": PLAIN}],
    }
    kind = parse(node)
    assert kind.fields[0].type.items[1] is kind
    assert str(kind.annotation) == "connect.name Node"
    assert plan(kind, parse(node)).possible
