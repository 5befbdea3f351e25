"""What a scan finds, kept in a private SQLite file: memory stays the same for ten dead letters or ten million.

The file has no name and goes with the process, however that ends. What must outlast it is in Kafka (receipts.py).
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

from consumer.commands.dlq.dead_letter import StoredDeadLetter
from consumer.kafka.dead_letter_format import Origin

CACHE_KIB: Final = 8_192
TABLES: Final = """
CREATE TABLE receipts (
    number INTEGER PRIMARY KEY AUTOINCREMENT, identity TEXT, topic_id TEXT, state TEXT, reason TEXT,
    UNIQUE (identity, topic_id)
);
CREATE TABLE places (id INTEGER PRIMARY KEY, topic TEXT, number INTEGER);
CREATE TABLE dead_letters (
    place INTEGER, offset INTEGER, identity TEXT, topic_id TEXT, partition INTEGER, at INTEGER, size INTEGER,
    reason TEXT, timestamp INTEGER, PRIMARY KEY (place, offset)
) WITHOUT ROWID;
CREATE TABLE named (place INTEGER, offset INTEGER, name BLOB, PRIMARY KEY (place, offset, name)) WITHOUT ROWID;
CREATE TABLE newest (place INTEGER, name BLOB, offset INTEGER, PRIMARY KEY (place, name)) WITHOUT ROWID;
CREATE TABLE chosen (place INTEGER, name BLOB, last INTEGER, newer INTEGER, PRIMARY KEY (place, name)) WITHOUT ROWID;
"""


FORGET: Final = """
DELETE FROM dead_letters WHERE (place, offset) IN (
    SELECT named.place, named.offset FROM named JOIN chosen USING (place, name) WHERE chosen.newer
)
"""
FOLLOW: Final = """
UPDATE chosen SET newer = 1 WHERE NOT newer AND (place, name) IN (
    SELECT place, name FROM named JOIN dead_letters USING (place, offset) JOIN chosen USING (place, name)
    GROUP BY place, name HAVING max(named.offset) < max(chosen.last)
)
"""
SAME_TOPIC: Final = "(topic_id IN (?, '') OR ? = '')"


# What a record is compared by: names of 16 bytes. A record is newer than those before it that go by one of its names.
Names: TypeAlias = tuple[bytes, ...]


class Row(NamedTuple):
    """One selected dead letter: the offset that its record had, and where the dead letter is."""

    offset: int
    identity: str
    topic_id: str
    partition: int
    at: int
    size: int


class PlanRow(NamedTuple):
    """Selected dead letters that have one reason and one source topic; times are -1 where none is."""

    reason: str
    topic: str
    dead_letters: int
    keys: int
    oldest: int
    newest: int


class Index:
    """The receipts of earlier replays, the dead letters that are selected, and which names have something newer."""

    def __init__(self) -> None:
        # One thread has it after the other.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.executescript(
            f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{CACHE_KIB};"
            f"PRAGMA temp_store = FILE; {TABLES} BEGIN"
        )
        self._places: dict[tuple[str, int], int] = {}

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    # Receipts.

    def put_receipt(self, identity: str, topic_id: str, state: str, reason: str) -> None:
        """The last receipt of a record is the one that counts."""
        query = "INSERT OR REPLACE INTO receipts (identity, topic_id, state, reason) VALUES (?, ?, ?, ?)"
        self._db.execute(query, (identity, topic_id, state, reason))

    def receipt_of(self, identity: str, topic_id: str) -> tuple[str, str]:
        """State and reason of the record's receipt; empty where it has none.

        A receipt of another topic of the same name does not count; where an id is not known, it may be that of any.
        """
        query = f"SELECT state, reason FROM receipts WHERE identity = ? AND {SAME_TOPIC} ORDER BY number DESC LIMIT 1"
        row = self._db.execute(query, (identity, topic_id, topic_id)).fetchone()
        return row or ("", "")

    # Dead letters.

    def select(self, dead_letter: StoredDeadLetter, reason: str, names: Names = ()) -> str:
        """The dead letter is one to replay, and goes by these names; without any by its key.

        Returns the identity of the dead letter whose place it took, empty for none.
        """
        assert dead_letter.origin is not None
        place, identity = self._place(dead_letter.origin), dead_letter.identity
        before = self._db.execute(
            "SELECT identity FROM dead_letters WHERE place = ? AND offset = ?", (place, dead_letter.origin.offset)
        ).fetchone()
        row = (
            place,
            dead_letter.origin.offset,
            identity,
            dead_letter.topic_id,
            dead_letter.partition,
            dead_letter.offset,
            dead_letter.size,
            reason,
            dead_letter.timestamp,
        )
        self._db.execute("INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        if before:
            self._db.execute("DELETE FROM named WHERE place = ? AND offset = ?", row[:2])
        query = "INSERT OR IGNORE INTO named VALUES (?, ?, ?)"
        self._db.executemany(query, [(*row[:2], name) for name in names or (digest(dead_letter.key),)])
        return before[0] if before else ""

    def drop_marked(self, states: Iterable[str]) -> int:
        """Forget the selected dead letters whose record has come to one of these states since; returns how many."""
        wanted = list(states)
        signs = ",".join("?" * len(wanted))
        query = f"""
            DELETE FROM dead_letters WHERE EXISTS (
                SELECT 1 FROM receipts WHERE receipts.identity = dead_letters.identity AND state IN ({signs})
                AND (receipts.topic_id = dead_letters.topic_id OR '' IN (receipts.topic_id, dead_letters.topic_id))
            )
        """
        return self._db.execute(query, wanted).rowcount

    def count(self) -> int:
        """How many dead letters are selected."""
        return int(self._db.execute("SELECT count(*) FROM dead_letters").fetchone()[0])

    def summary(self) -> list[PlanRow]:
        """The selected dead letters by reason and source topic, newest first."""
        query = """
            WITH counted AS (
                SELECT reason, place, count(*) AS dead_letters, max(timestamp) AS newest,
                       min(CASE WHEN timestamp >= 0 THEN timestamp END) AS oldest
                FROM dead_letters GROUP BY reason, place
            ), keyed AS (
                SELECT reason, place, count(DISTINCT name) AS keys
                FROM dead_letters JOIN named USING (place, offset) GROUP BY reason, place
            )
            SELECT reason, topic, sum(dead_letters), sum(keys), ifnull(min(oldest), -1), max(newest) AS last
            FROM counted JOIN keyed USING (reason, place) JOIN places ON places.id = place GROUP BY reason, topic
            ORDER BY last DESC, reason, topic
        """
        return [PlanRow(*row) for row in self._db.execute(query)]

    def places(self) -> list[tuple[int, str, int]]:
        """Every source partition with selected dead letters: its number here, topic and partition."""
        query = """
            SELECT id, topic, number FROM places WHERE id IN (SELECT DISTINCT place FROM dead_letters)
            ORDER BY topic, number
        """
        return list(self._db.execute(query))

    def rows(self, place: int, after: int, limit: int) -> list[Row]:
        """The next dead letters of a source partition, in the order of the source."""
        query = """
            SELECT offset, identity, topic_id, partition, at, size FROM dead_letters
            WHERE place = ? AND offset > ? ORDER BY offset LIMIT ?
        """
        return [Row(*row) for row in self._db.execute(query, (place, after, limit))]

    # What is newer.

    def note(self, dead_letter: StoredDeadLetter, names: Names) -> None:
        """This dead letter is in the topic, selected or not: it may be newer than a selected one of its names."""
        if dead_letter.origin is not None:
            query = """
                INSERT INTO newest VALUES (?, ?, ?)
                ON CONFLICT (place, name) DO UPDATE SET offset = max(offset, excluded.offset)
            """
            place, offset = self._place(dead_letter.origin), dead_letter.origin.offset
            self._db.executemany(query, [(place, name, offset) for name in names])

    def choose(self) -> None:
        """Begin to look for what is newer than the last selected dead letter of each name."""
        self._db.execute("""
            INSERT INTO chosen SELECT named.place, named.name, max(named.offset), max(newest.offset)
            FROM named LEFT JOIN newest USING (place, name) GROUP BY named.place, named.name
        """)
        self._db.execute("UPDATE chosen SET newer = ifnull(newer > last, 0)")

    def begins(self) -> dict[str, dict[int, int]]:
        """For each source topic its partitions, with the first offset that may be newer than what is selected."""
        query = """
            SELECT topic, number, min(last) + 1 FROM chosen JOIN places ON places.id = chosen.place
            WHERE NOT newer GROUP BY topic, number
        """
        firsts: dict[str, dict[int, int]] = {}
        for topic, number, first in self._db.execute(query):
            firsts.setdefault(topic, {})[number] = first
        return firsts

    def newer(self, topic: str, records: Iterable[tuple[int, int, Names]]) -> None:
        """These records are in the source topic: partition, offset and names of each."""
        query = "UPDATE chosen SET newer = 1 WHERE place = ? AND name = ? AND last < ?"
        self._db.executemany(query, self._sought(topic, records))

    def drop_outdated(self) -> tuple[int, int]:
        """Forget what is selected of a name that has something newer; returns how many names and dead letters.

        A dead letter goes as a whole. If it was the last of another name, that has something newer than what is left.
        """
        dead_letters = 0
        while forgotten := self._db.execute(FORGET).rowcount:
            dead_letters += forgotten
            self._db.execute(FOLLOW)
        return int(self._db.execute("SELECT count(*) FROM chosen WHERE newer").fetchone()[0]), dead_letters

    def _sought(self, topic: str, records: Iterable[tuple[int, int, Names]]) -> Iterator[tuple[int, bytes, int]]:
        for partition, offset, names in records:
            place = self._places.get((topic, partition))
            if place is not None:
                for name in names:
                    yield place, name, offset

    def _place(self, origin: Origin) -> int:
        name = (origin.topic, origin.partition)
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = len(self._places)
            self._db.execute("INSERT INTO places VALUES (?, ?, ?)", (place, *name))
        return place


def digest(key: bytes | None) -> bytes:
    """A key of any length as 16 bytes; a null key is not an empty one."""
    return hashlib.blake2b(b"" if key is None else b"k" + key, digest_size=16).digest()
