"""What is skipped is checked all the same: lengths, counts, branches, symbols, and the end."""

import pytest

from consumer.event.errors import CORRUPT, Reject
from tests.mapping.tables import Table, encode, words

FIELDS = [
    {"name": "id", "type": "string"},
    {"name": "flag", "type": "boolean"},
    {"name": "color", "type": {"type": "enum", "name": "C", "symbols": ["A", "B"]}},
    {"name": "note", "type": ["null", "string"]},
    {"name": "list", "type": {"type": "array", "items": "int"}},
    {"name": "map", "type": {"type": "map", "values": "string"}},
    {"name": "double", "type": "double"},
]
SCHEMA = {"type": "record", "name": "E", "fields": FIELDS}
RULE = '[[rule]]\nname = "r"\ntopics = ["T"]\ngroup = { key = "company", id = %s }\n[rule.set]\nA = { value = 1 }\n'
WHOLE = bytes.fromhex("0261010202047879020200020261026200") + bytes(8)


def send(value: bytes) -> list[object]:
    return words(Table(RULE % '"value.id"', SCHEMA, topic="T").send(value))


def test_the_bytes_are_those_of_a_record() -> None:
    datum = {"id": "a", "flag": True, "color": "B", "note": "xy", "list": [1], "map": {"a": "b"}, "double": 0.0}
    assert encode(SCHEMA, datum) == WHOLE
    assert send(WHOLE) == [{"$group_key": "company", "$group_id": "a", "$set": {"A": 1}}]


@pytest.mark.parametrize(
    ("at", "byte", "says"),
    [
        (0, 0x7E, "id: a length beyond"),
        (2, 2, "flag: a boolean"),
        (3, 4, "color: an enum symbol"),
        (4, 4, "note: a union branch"),
        (5, 0x7E, "note: a length beyond"),
        (5, 3, "note: a negative length"),
        (8, 0x7E, "list: a block of more items"),
        (8, 1, "list: "),
        (11, 0x7E, "map: a block of more items"),
        (12, 0x7E, "map: a length beyond"),
    ],
)
def test_a_byte_that_cannot_be_is_corrupt_at_its_field(at: int, byte: int, says: str) -> None:
    broken = bytearray(WHOLE)
    broken[at] = byte
    with pytest.raises(Reject) as caught:
        send(bytes(broken))
    assert caught.value.reason == CORRUPT
    assert f"field {says}" in caught.value.detail


def test_bytes_that_end_early_or_are_left_over_are_corrupt() -> None:
    for size in range(len(WHOLE)):
        with pytest.raises(Reject):
            send(WHOLE[:size])
    with pytest.raises(Reject, match="1 bytes are left over"):
        send(WHOLE + b"\0")


def test_a_block_says_its_bytes() -> None:
    sized = WHOLE.replace(bytes.fromhex("020200"), bytes.fromhex("01020200"))
    assert send(sized) == send(WHOLE)
    with pytest.raises(Reject, match="a block of another size"):
        send(WHOLE.replace(bytes.fromhex("020200"), bytes.fromhex("01040200")))


def test_a_part_of_an_id_cannot_have_the_separator() -> None:
    joined = RULE % '{ join = ["value.note", "value.id"], with = "/" }'
    datum = {"id": "a/b", "flag": True, "color": "B", "note": "x", "list": [], "map": {}, "double": 0.0}
    table = Table(joined, SCHEMA, topic="T")
    assert table.event(datum) == [{"$group_key": "company", "$group_id": "x/a/b", "$set": {"A": 1}}]
    assert "separator" in str(table.event(datum | {"note": "x/y"})[0])
    assert "null" in str(table.event(datum | {"note": None})[0])
    assert "empty" in str(table.event(datum | {"note": ""})[0])
