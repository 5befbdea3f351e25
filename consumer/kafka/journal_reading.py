"""Reads the journal for new owners, and makes its topic where it is missing: on a thread, as long as that takes."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumer.core.announced import Gathered
from consumer.core.model import Assignment
from consumer.kafka.clients import ClientFailed, client
from consumer.kafka.journal import PARTITION, Stretch
from consumer.kafka.journal_format import UnknownFormat, parsed
from consumer.kafka.journal_topic import MISSING, TIMEOUT, JournalTopic, Unreadable, words_of

log = logging.getLogger("consumer.journal")

# Over those of the service's consumer: it never joins the group.
READER: Final[Mapping[str, object]] = {
    "enable.partition.eof": True,
    "isolation.level": "read_uncommitted",
    "fetch.wait.max.ms": 10,
}
SILENCE: Final = 30.0  # without a record the reading begins anew
RETRY_AFTER: Final = 1.0

UNKNOWN: Final = (
    "the record at offset {offset} of the topic {topic} is none that this version can read: run the version that"
    " wrote it, or, if it is nobody's $add, write a record with its key and no value"
)

Wanted = list[tuple[Assignment, int]]


class Reader:
    """One thread asks, and is told; another one reads."""

    def __init__(
        self, config: dict[str, object], topic: str, sources: Sequence[str], *, advice: Callable[[int], str]
    ) -> None:
        """`config` is that of the service's consumer. The topic gets as many replicas as `sources` have.

        `advice` is the command that makes the topic with so many of them, for the log.
        """
        self._config = config
        self._topic = topic
        self._place = JournalTopic(topic, sources, advice)
        self._asked: SimpleQueue[tuple[Assignment, int]] = SimpleQueue()
        self._read: SimpleQueue[Stretch] = SimpleQueue()
        self._exists = False
        self._trouble = ""
        self._closed = threading.Event()
        threading.Thread(target=self._work, name="journal", daemon=True).start()

    def ask(self, assignment: Assignment, start: int) -> None:
        """Read the journal from `start` up to its end as it is then, for this partition."""
        self._asked.put((assignment, start))

    def poll(self) -> list[Stretch]:
        """What was read since the last call."""
        found: list[Stretch] = []
        while not self._read.empty():
            found.append(self._read.get())
        return found

    def exists(self) -> bool:
        """Whether the topic is there."""
        return self._exists

    def look(self) -> None:
        """See whether the topic is still there, and make it anew where it is not."""
        self._exists = False

    def rotate(self, config: dict[str, object], files: Collection[str]) -> None:  # noqa: ARG002  # each client is new
        """Sign in as `config` says. Any thread."""
        self._config = config

    def close(self) -> None:
        """Read nothing more."""
        self._closed.set()

    # On the thread.

    def _work(self) -> None:
        wanted: Wanted = []
        while not self._closed.is_set():
            try:
                if not self._exists:
                    self._place.find(self._config)
                    self._exists = True
                    self._well()
                self._place.look(str(self._config["bootstrap.servers"]))
                wanted += self._next(wait=not wanted)
                if wanted:
                    self._read.put(self._stretch(wanted))
                    wanted = []
                    self._well()
            except (KafkaException, ClientFailed, Unreadable) as failure:
                if isinstance(failure, KafkaException) and failure.args[0].code() in MISSING:
                    self._exists = False  # it was deleted: nobody else finds out where no `$add` is announced
                self._troubled(words_of(failure))
                self._closed.wait(RETRY_AFTER)
            except Exception:
                log.exception("a fault of the service itself: the journal is not read, and it is tried again")
                self._closed.wait(RETRY_AFTER)

    def _next(self, *, wait: bool) -> Wanted:
        """What was asked for."""
        found: Wanted = []
        try:
            if wait:
                found.append(self._asked.get(timeout=0.5))
            while True:
                found.append(self._asked.get_nowait())
        except Empty:
            return found

    def _stretch(self, wanted: Wanted) -> Stretch:
        """Read from the first that is wanted. The end is asked for now: after each of these was assigned."""
        consumer = client(Consumer, {**self._config, **READER, "logger": logging.getLogger("consumer.librdkafka")})
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(self._topic, PARTITION), timeout=TIMEOUT)
            start = min([start for _, start in wanted])
            if not low <= start <= high:
                start = low  # all of it: nothing is known of it, or it was recreated
            gathered = Gathered()
            if start < high:
                self._gather(consumer, start, high, gathered)
        finally:
            consumer.close()
        return Stretch([assignment for assignment, _ in wanted], gathered, high)

    def _gather(self, consumer: Consumer, start: int, end: int, gathered: Gathered) -> None:
        consumer.assign([TopicPartition(self._topic, PARTITION, start)])
        position, until = start, time.monotonic() + SILENCE
        unknown: dict[bytes | None, int] = {}  # by key: what may be an announcement, and cannot be read
        while position < end:
            if time.monotonic() > until or self._closed.is_set():
                raise Unreadable(f"nothing is read of the topic {self._topic} for {SILENCE:g} s")
            for message in consumer.consume(1000, 0.1):
                until = time.monotonic() + SILENCE
                error, offset = message.error(), message.offset()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                if offset is None:
                    continue
                position = offset if error is not None else offset + 1
                if error is None:
                    put(message.key(), message.value(), offset, gathered, unknown)
        for offset in unknown.values():
            raise Unreadable(UNKNOWN.format(offset=offset, topic=self._topic))

    # What is said, once.

    def _troubled(self, words: str) -> None:
        if words != self._trouble:
            self._trouble = words
            words = "the journal of $adds cannot be read: no $add is taken in until it can be"
            log.warning(words, extra={"topic": self._topic, "cause": self._trouble})

    def _well(self) -> None:
        if self._trouble:
            log.info("the journal of $adds is read again", extra={"topic": self._topic, "was": self._trouble})
            self._trouble = ""


def put(
    key: bytes | None, value: bytes | None, offset: int, gathered: Gathered, unknown: dict[bytes | None, int]
) -> None:
    """Take what one record says; with no value it ends what was said under its key."""
    try:
        note, gone = parsed(key, value, offset)
    except UnknownFormat:
        unknown.pop(key, None)
        if value is not None:
            unknown[key] = offset
        return
    unknown.pop(key, None)
    if gone:
        gathered.gone(note.name)
    else:
        gathered.put(note)
