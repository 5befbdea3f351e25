"""The source of a replay: selected dead letters as the records that they were, in the order of their source.

It satisfies the loop's protocol of a Kafka consumer. Every one is read from the dead-letter topic on a thread of
its own, a little ahead, so that the loop never waits and receipts are never late.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

from confluent_kafka import Consumer

from consumer.commands.dlq.dead_letter import StoredDeadLetter
from consumer.commands.dlq.index import Index, Row
from consumer.commands.dlq.lock import Lock
from consumer.commands.dlq.receipts import Receipts, RecordIdentity
from consumer.commands.dlq.scan import OffsetSpan, read
from consumer.commands.dlq.topic import dead_letter_of
from consumer.core.model import Assignment, Record
from consumer.kafka.rebalances import Listener

log = logging.getLogger("consumer.dlq")

ROWS: Final = 500
BYTES: Final = 2 * 1024 * 1024  # of the dead letters that are read at once, unless one alone is larger
GAP: Final = 2_000  # offsets that are read over rather than sought
MOST_MARKS: Final = 5_000  # not confirmed; beyond that nothing more is read


class Stream:
    """The selected dead letters of one source partition."""

    def __init__(self, place: int, assignment: Assignment) -> None:
        self.place = place
        self.assignment = assignment
        self.after = -1  # the source offset that was read last
        self.ready: deque[tuple[Row, StoredDeadLetter | None]] = deque()
        self.coming: Future[list[tuple[Row, StoredDeadLetter | None]]] | None = None
        self.ended = False


class ReplaySource:
    """Reads the dead letters of an index. `gone` counts those that are not in the topic any more."""

    _listener: Listener

    def __init__(
        self,
        index: Index,
        consumer: Consumer,
        topic: str,
        lock: Lock,
        receipts: Receipts,
        identities: dict[Record, RecordIdentity],
        only: dict[Record, frozenset[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`identities` is filled with the name of each record that was read, `only` with the rules of a mapping that
        refused it, if any; who settles it takes it out."""
        self._index = index
        self._consumer = consumer
        self._topic = topic
        self._lock = lock
        self._receipts = receipts
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "replay-reader")
        self._streams: list[Stream] = []
        self._begun = False
        self._paused: Mapping[Assignment, str] = {}
        self._identities = identities
        self._only = only
        self.gone = 0
        self.lost = False

    def subscribe(self, listener: Listener) -> None:
        """Before the first poll: who hears of the partitions."""
        self._listener = listener

    @property
    def finished(self) -> bool:
        """Whether every dead letter was read."""
        return self._begun and all(stream.ended for stream in self._streams)

    def poll(self, timeout: float, limit: int = ROWS) -> list[Record]:
        """The next records of one partition; none while receipts wait for the broker."""
        if not self._begun:
            self._begin()
        self._lock.poll(0.0)
        self._check()
        stream = None if self.lost or self._full() else self._next()
        if stream is None:
            self._lock.poll(timeout)
            return []
        if not stream.ready and stream.coming is not None:
            if not wait([stream.coming], timeout).done:
                return []
            self._take(stream)
        return self._records(stream, limit)

    def ends(self) -> list[tuple[Assignment, int]]:
        """None: nothing is committed."""
        return []

    def unreadable(self) -> Mapping[Assignment, tuple[int, float]]:
        """None: a dead letter that cannot be read ends the replay."""
        return {}

    def pause(self, wanted: Mapping[Assignment, str]) -> None:
        """Read nothing of these partitions, and go on with all others."""
        self._paused = wanted

    def commit(self, offsets: Mapping[Assignment, int]) -> None:
        """Nothing: each record that is settled gets a receipt, and there is no offset."""

    def commit_without_polling(self, offsets: Mapping[Assignment, int], timeout: float) -> bool:  # noqa: ARG002  # the loop's protocol
        """Wait until every receipt is confirmed."""
        return self._receipts.flush(timeout)

    def verify(self, offsets: Mapping[Assignment, int], timeout: float) -> bool:  # noqa: ARG002  # the loop's protocol
        """Whether the group said if the lock is still ours; a lost one was told by then."""
        known = self._lock.verify(timeout)
        self._check()
        return known

    def close(self, timeout: float) -> None:
        """Have the last receipts confirmed, and let the next replay begin."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._receipts.flush(timeout)
        self._lock.release()

    # What is read.

    def _begin(self) -> None:
        self._begun = True
        self._streams = [
            Stream(place, Assignment(topic, partition)) for place, topic, partition in self._index.places()
        ]
        for stream in self._streams[:1]:
            self._ask(stream)
        self._listener.assigned([stream.assignment for stream in self._streams])

    def _check(self) -> None:
        """Nothing is ours any more once the lock is lost."""
        if not self._lock.held and not self.lost:
            self.lost = True
            self._listener.lost([stream.assignment for stream in self._streams])

    def _full(self) -> bool:
        return self._receipts.pending() >= MOST_MARKS

    def _next(self) -> Stream | None:
        """The first partition that has something and is not paused."""
        for stream in self._streams:
            if not stream.ended and stream.assignment not in self._paused:
                if not stream.ready and stream.coming is None:
                    self._ask(stream)
                return stream
        return None

    def _ask(self, stream: Stream) -> None:
        stream.coming = self._thread.submit(self._read, stream.place, stream.after)

    def _take(self, stream: Stream) -> None:
        """What the thread has read; and have it read on."""
        assert stream.coming is not None
        batch = stream.coming.result()
        stream.coming = None
        stream.ended = not batch
        stream.ready.extend(batch)
        if batch:
            stream.after = batch[-1][0].offset
            self._ask(stream)

    def _records(self, stream: Stream, limit: int) -> list[Record]:
        now = self._clock()
        records: list[Record] = []
        while stream.ready and len(records) < limit:
            row, dead_letter = stream.ready.popleft()
            if dead_letter is None:
                self.gone += 1
                continue
            record = Record(
                stream.assignment,
                row.offset,
                dead_letter.key,
                dead_letter.value,
                dead_letter.headers,
                dead_letter.timestamp,
                now,
            )
            self._identities[record] = RecordIdentity(row.identity, row.topic_id)
            if dead_letter.rules:
                self._only[record] = dead_letter.rules
            records.append(record)
        return records

    # On the thread.

    def _read(self, place: int, after: int) -> list[tuple[Row, StoredDeadLetter | None]]:
        """The next dead letters of a source partition, in its order; None for what is not in the topic any more."""
        rows = within(self._index.rows(place, after, ROWS))
        by_place: dict[tuple[int, int], StoredDeadLetter] = {}
        wanted = {(row.partition, row.at) for row in rows}
        for span in spans(rows):
            for messages in read(self._consumer, self._topic, [span]):
                for message in messages:
                    if (message.partition(), message.offset()) in wanted:
                        dead_letter = dead_letter_of(message)
                        by_place[dead_letter.partition, dead_letter.offset] = dead_letter
        return [(row, genuine(row, by_place.get((row.partition, row.at)))) for row in rows]


def within(rows: list[Row]) -> list[Row]:
    """As many of the rows as are not too large together."""
    size = 0
    for count, row in enumerate(rows):
        size += row.size
        if size > BYTES and count:
            return rows[:count]
    return rows


def spans(rows: list[Row]) -> list[OffsetSpan]:
    """What to read of the dead-letter topic: few pieces, and none with a large gap in it."""
    pieces: list[OffsetSpan] = []
    for partition, at in sorted((row.partition, row.at) for row in rows):
        last = pieces[-1] if pieces else None
        if last is not None and last.partition == partition and at - last.end < GAP:
            pieces[-1] = last._replace(end=at + 1)
        else:
            pieces.append(OffsetSpan(partition, at, at + 1))
    return pieces


def genuine(row: Row, dead_letter: StoredDeadLetter | None) -> StoredDeadLetter | None:
    """The dead letter, if it is the one that was selected: a topic may have been recreated."""
    if (
        dead_letter is None
        or dead_letter.origin is None
        or (dead_letter.identity, dead_letter.topic_id) != (row.identity, row.topic_id)
    ):
        return None
    return dead_letter
