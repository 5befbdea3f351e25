"""Frames: which schema a record's value and headers name."""

from typing import Any

import pytest

from consumer.event.decode import frame
from consumer.event.errors import NOT_FRAMED, TOMBSTONE, UNKNOWN_SCHEMA, VALUE_CONVERTER, Reject


def test_the_frame_of_confluent():
    """Byte 0 and a 4-byte id, big-endian, then the data."""
    assert frame(b"\0\x00\x01\x02\x03rest", None) == (0x010203, 5)
    assert frame(b"\0\x7f\xff\xff\xff", [("other", b"x")]) == (2**31 - 1, 5)


GUID = bytes.fromhex("0123456789ABCDEF0123456789ABCDEF")


def test_the_header_names_a_guid():
    """Byte 1 and 16 bytes in the header: the value is bare Avro, and the GUID is written in lower case."""
    expected = ("01234567-89ab-cdef-0123-456789abcdef", 0)
    assert frame(b"\0\0\0\0\1", [("__value_schema_id", b"\1" + GUID)]) == expected
    assert frame(b"", [("__value_schema_id", b"\1" + GUID)]) == expected


def test_the_header_may_hold_an_id():
    """Byte 0 and a 4-byte id in the header are read too; the last header of the name counts, a null one does not."""
    headers = [("__value_schema_id", b"\1" + GUID), ("__value_schema_id", b"\0\0\0\0\7"), ("__value_schema_id", None)]
    assert frame(b"x", headers) == (7, 0)


@pytest.mark.parametrize("value", [b"", b"\0", b"\0\0\0\1", b"\1\0\0\0\1rest", b'{"json": true}'])
def test_what_has_no_frame_is_not_framed(value: bytes):
    """Without the magic byte and an id, and without the header, a value cannot be read."""
    with pytest.raises(Reject) as caught:
        frame(value, [("__key_schema_id", b"\1" + GUID)])
    assert (caught.value.reason, caught.value.stage) == (NOT_FRAMED, VALUE_CONVERTER)


@pytest.mark.parametrize("header", [b"", b"\1", b"\2" + GUID, b"\1" + GUID + b"\0", b"\0" + GUID, b"\1\0\0\0\1"])
def test_a_malformed_header_is_not_framed(header: bytes):
    """A schema header of another form is refused; the value's own first byte is not guessed from."""
    with pytest.raises(Reject) as caught:
        frame(b"\0\0\0\0\1", [("__value_schema_id", header)])
    assert caught.value.reason == NOT_FRAMED


def test_a_null_value_is_a_tombstone():
    """A null value is no change, even where a schema header is there."""
    given: list[tuple[str, bytes | None]] = [("__value_schema_id", b"\1" + GUID)]
    for headers in (None, given):
        with pytest.raises(Reject) as caught:
            frame(None, headers)
        assert (caught.value.reason, caught.value.stage) == (TOMBSTONE, VALUE_CONVERTER)


@pytest.mark.parametrize("value", [b"\0\x80\0\0\0", b"\0\xff\xff\xff\xff"])
def test_an_id_that_no_registry_can_give_is_unknown(value: bytes):
    """An id beyond 31 bits would be an outage to ask for: it is refused as unknown without asking."""
    with pytest.raises(Reject) as caught:
        frame(value, None)
    assert caught.value.reason == UNKNOWN_SCHEMA


@pytest.mark.parametrize(
    ("value", "headers", "words"),
    [
        (b"\3\0" + GUID + b"data", None, "AWS Glue's serializer (byte 3 and 17 bytes): use a serializer that writes"),
        (b"\3\5" + GUID, None, "AWS Glue's serializer"),
        (
            b"\0\0\0\0\0\0\0\0\7data",
            None,
            "Apicurio's serializer (byte 0 and 8 bytes): set apicurio.registry.as-conf",
        ),
        (
            b"\x10bare",
            [("apicurio.value.globalId", b"\0\0\0\0\0\0\0\7")],
            "in a header of Apicurio's serializer: set",
        ),
        (b'{"json": true}', None, "plain JSON: use a serializer that writes Confluent's frame"),
        (b' \n[{"json": true}]', None, "plain JSON"),
        (b"\3\1" + GUID, None, "starts with no schema id"),
        (b"\3\0short", None, "starts with no schema id"),
        (b"\x10bare", [("apicurio.key.globalId", b"7")], "starts with no schema id"),
        (b"", None, "starts with no schema id"),
    ],
)
def test_a_foreign_frame_is_told_by_what_it_looks_like(value: bytes, headers: Any, words: str):
    """The detail says whose serializer it seems to be and what to set, and nothing of the value."""
    with pytest.raises(Reject) as caught:
        frame(value, headers)
    assert (caught.value.reason, caught.value.stage) == (NOT_FRAMED, VALUE_CONVERTER)
    assert words in caught.value.detail


@pytest.mark.parametrize("value", [b"\0\0\0\0\0", b"\0\0\0\0\0abc", b"\0\0\0\0\0\0\0\0\0abc"])
def test_a_schema_id_of_0_is_asked_for(value: bytes):
    """Where no 8-byte id follows, it is left to the registry."""
    assert frame(value, None) == (0, 5)
