"""A dead letter read back: the record that it was, byte for byte, and what was said of it."""

import pytest

from consumer.commands.dlq.dead_letter import FOREIGN, StoredDeadLetter
from consumer.core.model import Assignment, DeadLetter, Record
from consumer.kafka.dead_letter_format import APPENDED, Origin, headers_of


def read_back(
    headers: list[tuple[str, bytes | None]], value: bytes | None = b"value", offset: int = 5
) -> StoredDeadLetter:
    """What is read of the dead letter of a record with these headers."""
    record = Record(Assignment("changes", 3), offset, b"key", value, headers, 1000, 0.0)
    dead = DeadLetter(record, "rejected", "TASK_PUT", "why", 7, 400, "no", b'{"$set":{}}')
    return StoredDeadLetter(1, 9, record.key, record.value, [*headers, *headers_of(dead, "group")], 1000)


@pytest.mark.parametrize(
    "own",
    [
        [],
        [("trace", b"1"), ("empty", b""), ("null", None), ("trace", b"\xff\x00")],
        [("mixpanel.reason", b"mine"), ("__connect.errors.topic", b"earlier"), ("mixpanel.http.status", b"500")],
    ],
)
def test_the_records_own_headers_come_back(own: list[tuple[str, bytes | None]]):
    """Own headers come back in order, twice-used, null and equally named ones too; the appended ones are apart."""
    letter = read_back(own)
    assert letter.headers == own
    assert (letter.key, letter.value, letter.timestamp) == (b"key", b"value", 1000)
    assert letter.origin == Origin("changes", 3, 5)
    assert letter.text("mixpanel.error") == "no"
    assert (letter.reason, letter.schema, letter.place) == ("rejected", "7", "1:9")


def test_every_header_of_the_writer_is_known():
    """Whatever the writer appends is taken for appended."""
    record = Record(Assignment("t", 0), 1, None, b"", [], 0, 0.0)
    for schema in (7, "01234567-89ab-cdef-0123-456789abcdef"):
        dead = DeadLetter(record, "rejected", "TASK_PUT", "why", schema, 400, "no", b"{}", "p", "c")
        assert {name for name, _ in headers_of(dead, "g")} <= set(APPENDED)


@pytest.mark.parametrize("missing", ["__connect.errors.topic", "__connect.errors.offset", "mixpanel.reason"])
def test_a_record_without_an_origin_is_foreign(missing: str):
    """What no service of ours wrote has no origin and no reason, and is not taken for one."""
    record = Record(Assignment("t", 0), 1, None, b"", [], 0, 0.0)
    dead = DeadLetter(record, "rejected", "TASK_PUT", "why")
    headers = [(name, value) for name, value in headers_of(dead, "g") if name != missing]
    letter = StoredDeadLetter(0, 0, None, b"", headers, 0)  # type: ignore[arg-type]
    assert (letter.origin, letter.reason) == (None, FOREIGN)


def test_dead_letters_of_one_record_have_one_identity():
    """Two letters of one record are one; another value or key at the same offset is another record."""
    first, again = read_back([]), read_back([("other", b"header")])
    assert first.identity == again.identity
    assert read_back([], b"other").identity != first.identity
    assert read_back([], offset=6).identity != first.identity
