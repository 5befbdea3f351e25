"""What a replay must remember while it plans: on disk, so that memory does not grow with the dead letters."""

import subprocess
import sys

import pytest

from consumer.commands.dlq.dead_letter import StoredDeadLetter
from consumer.commands.dlq.index import Index, digest
from tests.commands.dlq.conftest import CODE

GROW = """
import sys
from consumer.commands.dlq.index import Index, digest
from consumer.commands.dlq.dead_letter import StoredDeadLetter

index = Index()
for number in range(int(sys.argv[1])):
    headers = [("__connect.errors.topic", b"changes"), ("__connect.errors.partition", b"0"),
               ("__connect.errors.offset", str(number).encode()), ("mixpanel.reason", b"rejected")]
    letter = StoredDeadLetter(0, number, b"company:%d" % number, b"value", headers, 1000)
    index.put_receipt(letter.identity + "-earlier", "", "settled", "")
    index.note(letter, (digest(letter.key),))
    index.select(letter, "rejected")
index.choose()
index.drop_outdated()
index.drop_marked(["settled"])
index.summary()
assert index.count() == int(sys.argv[1])
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def letter(
    offset: int, key: bytes | None = b"key", value: bytes = b"value", topic: bytes = b"changes"
) -> StoredDeadLetter:
    """A letter from this offset of the source."""
    headers = [
        ("__connect.errors.topic", topic),
        ("__connect.errors.partition", b"0"),
        ("__connect.errors.offset", str(offset).encode()),
        ("mixpanel.reason", b"rejected"),
    ]
    return StoredDeadLetter(1, 100 + offset, key, value, headers, 1000)  # type: ignore[arg-type]


def peak(letters: int) -> int:
    """The most memory, in MB, of a process that selects so many letters, each of its own key."""
    command = [sys.executable, "-c", GROW, str(letters)]
    done = subprocess.run(command, env={"PYTHONPATH": CODE}, capture_output=True, text=True, check=True, timeout=200)
    return int(done.stdout) // 1024


@pytest.mark.skipif(sys.platform != "linux", reason="it reads the peak of a process from /proc")
def test_memory_does_not_grow_with_the_letters():
    """Once the caches are full, 60,000 more letters, keys and receipts cost next to nothing."""
    assert peak(110_000) - peak(50_000) < 9


def test_letters_come_in_the_order_of_the_source():
    """However they were found, in pieces of any size."""
    index = Index()
    for offset in (5, 2, 9, 1):
        assert index.select(letter(offset), "rejected") == ""
    ((place, topic, partition),) = index.places()
    assert (topic, partition) == ("changes", 0)
    assert [row.offset for row in index.rows(place, -1, 3)] == [1, 2, 5]
    assert [(row.offset, row.at) for row in index.rows(place, 5, 3)] == [(9, 109)]


def test_the_last_letter_of_a_place_counts():
    """A second letter of one record, or of another one at the same offset, takes the place of the first."""
    index = Index()
    index.select(letter(5), "rejected")
    assert index.select(letter(5), "corrupt") == letter(5).identity
    other = letter(5, value=b"other")
    assert index.select(other, "rejected") == letter(5).identity
    assert [row.identity for row in index.rows(0, -1, 9)] == [other.identity]


def test_the_last_mark_counts():
    """A record that was refused, and then settled, is settled; and it is taken out of the selection."""
    index = Index()
    for offset in range(3):
        index.select(letter(offset), "rejected")
    index.put_receipt(letter(1).identity, "", "refused", "rejected")
    index.put_receipt(letter(1).identity, "", "settled", "")
    index.put_receipt(letter(2).identity, "", "refused", "corrupt")
    assert index.receipt_of(letter(1).identity, "") == ("settled", "")
    assert index.receipt_of(letter(0).identity, "") == ("", "")
    assert index.drop_marked(["settled"]) == 1
    assert [row.offset for row in index.rows(0, -1, 9)] == [0, 2]


@pytest.mark.parametrize("key", [b"key", None, b"", b"k" * 100_000])
def test_what_is_newer_takes_out_the_whole_key(key: bytes | None):
    """A newer letter that is not selected takes all letters of its key out, and no other key's."""
    index = Index()
    for offset, own in ((1, key), (2, key), (3, b"other")):
        index.note(letter(offset, own), (digest(own),))
        index.select(letter(offset, own), "rejected")
    index.note(letter(7, key), (digest(key),))
    index.note(letter(7, b"other", topic=b"another topic"), (digest(b"other"),))
    index.choose()
    assert index.begins() == {"changes": {0: 4}}
    assert index.drop_outdated() == (1, 2)
    assert [row.offset for row in index.rows(0, -1, 9)] == [3]


def test_a_letter_of_several_names_goes_as_a_whole():
    """One newer name takes it out; then what it said of its other name is newer than what stands before it."""
    index = Index()
    a, b, c = (name.encode() * 16 for name in "abc")
    for offset, names in ((1, (b,)), (2, (a, b)), (3, (c,)), (4, (b, c))):
        index.note(letter(offset), names)
    for offset, names in ((1, (b,)), (2, (a, b)), (3, (c,))):
        index.select(letter(offset), "rejected", names)
    assert index.summary()[0][2:4] == (3, 3)
    index.choose()
    index.newer("changes", [(0, 9, (a,))])
    assert index.drop_outdated() == (3, 3)  # b and c have the fourth, which is not selected


def test_what_a_letter_said_that_is_left_out_is_newer_than_what_stands_before_it():
    """And what stands behind it is sent."""
    index = Index()
    a, b, c = (name.encode() * 16 for name in "abc")
    for offset, names in ((1, (b,)), (2, (a, b)), (3, (a, c)), (4, (c,))):
        index.note(letter(offset), names)
        index.select(letter(offset), "rejected", names)
    index.choose()
    index.newer("changes", [(0, 9, (a,))])
    assert index.drop_outdated() == (2, 3)
    assert [row.offset for row in index.rows(0, -1, 9)] == [4]


def test_a_null_key_is_not_an_empty_one():
    """Keys are told apart by a digest of one length."""
    assert len({digest(None), digest(b""), digest(b"k"), digest(b"kk")}) == 4
    assert {len(digest(key)) for key in (None, b"", b"k" * 9999)} == {16}


def test_a_recreated_topic_has_marks_of_its_own():
    """A receipt counts for its own topic, and for what says no topic; the last of them decides."""
    index = Index()
    name = letter(1).identity
    index.put_receipt(name, "the-old-topic", "settled", "")
    assert index.receipt_of(name, "the-new-topic") == ("", "")
    assert index.receipt_of(name, "the-old-topic") == ("settled", "")
    assert index.receipt_of(name, "") == ("settled", "")
    index.put_receipt(name, "the-new-topic", "refused", "corrupt")
    assert index.receipt_of(name, "the-old-topic") == ("settled", "")
    assert index.receipt_of(name, "") == ("refused", "corrupt")


def test_a_mark_of_an_earlier_version_stays_valid():
    """It names no topic id, and counts for a dead letter that has one, in a scan and in a replay."""
    index = Index()
    index.put_receipt(letter(1).identity, "", "settled", "")
    assert index.receipt_of(letter(1).identity, "any-topic") == ("settled", "")
    index.select(letter(1), "rejected")
    assert index.drop_marked(["settled"]) == 1
