"""Reading a topic once, from its first record to its end as it was at the beginning; no group, no commit.

Memory is what librdkafka prefetches and one batch of records, however long the topic is.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumer.kafka.clients import client
from consumer.kafka.unreadable import CODES, RECEIVE

log = logging.getLogger("consumer.dlq")

BATCH: Final = 500
TIMEOUT: Final = 10.0  # of one question to the brokers, in seconds
SILENCE: Final = 60.0  # without any record the brokers are given up
# Over those of the service's consumer. It never joins the group: the id is there because the client wants one.
READER: Final[Mapping[str, object]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "queued.max.messages.kbytes": 8_192,
    "fetch.wait.max.ms": 100,
}


class Failed(Exception):
    """What was asked for cannot be done; the message says why and what to do."""


class TopicMissing(Failed):
    """The topic does not exist."""


class UnreadableRecords(Failed):
    """The client cannot read the batch of records that holds this offset of a partition, nor what is behind it."""


class OffsetSpan(NamedTuple):
    """Offsets of one partition from `first` up to `end`, which is not part of it."""

    partition: int
    first: int
    end: int


def opened(config: Mapping[str, object]) -> Consumer:
    """A consumer that only reads; `config` is that of the service's consumer. Raises `ClientFailed`."""
    return client(Consumer, {**config, **READER, "logger": logging.getLogger("consumer.librdkafka")})


def partitions_of(consumer: Consumer, topic: str) -> dict[int, int]:
    """The partitions of the topic, each with its number of replicas. Raises `TopicMissing` or `Failed`."""
    try:
        metadata = consumer.list_topics(topic, timeout=TIMEOUT).topics[topic]
    except KafkaException as failure:
        raise Failed(f"no broker answers: {failure.args[0].str()}; check KAFKA_BOOTSTRAP_SERVERS") from failure
    if metadata.error is not None and metadata.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
        raise Failed(f"the topic {topic} cannot be read: {metadata.error.str()}")
    if metadata.error is not None or not metadata.partitions:
        raise TopicMissing(f"the topic {topic} does not exist")
    return {number: len(partition.replicas) for number, partition in sorted(metadata.partitions.items())}


def spans_of(consumer: Consumer, topic: str, wanted: Mapping[int, int] | None = None) -> list[OffsetSpan]:
    """What the partitions hold now; `wanted` has the ones to read, each with the offset to begin at."""
    spans: list[OffsetSpan] = []
    for partition in wanted if wanted is not None else partitions_of(consumer, topic):
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT)
        except KafkaException as failure:
            raise Failed(f"the offsets of {topic}[{partition}] are not told: {failure.args[0].str()}") from failure
        first = max(low, wanted[partition]) if wanted is not None else low
        spans.append(OffsetSpan(partition, first, max(first, high)))
    return spans


def readable(topic: str, message: Message) -> bool:
    """Whether it is a record, or the end of a partition. Raises `UnreadableRecords`, `Failed`."""
    error = message.error()
    if error is None or error.code() == KafkaError._PARTITION_EOF:
        return True
    if error.code() in CODES:
        place = f"{topic}:{message.partition()}:{message.offset()}"
        raise UnreadableRecords(f"{place} cannot be read: {error.str()}; see {RECEIVE} in KAFKA_PROPERTIES_FILE")
    note(topic, error)
    return False


def read(
    consumer: Consumer,
    topic: str,
    spans: list[OffsetSpan],
    moved: Callable[[int], object] = lambda _: None,
    unreadable: Callable[[UnreadableRecords], object] | None = None,
) -> Iterator[list[Message]]:
    """The records of these spans, batch by batch; `moved` is told by how many offsets each batch went on.

    Records of one partition come in order. Raises `Failed` where the brokers fall silent, and `UnreadableRecords`
    unless `unreadable` takes it: then that partition ends there, and the others go on.
    """
    left = SpansLeft(consumer, topic, spans, unreadable)
    if not left.spans:
        return
    consumer.assign([TopicPartition(topic, span.partition, span.first) for span in left.spans.values()])
    while left.spans:
        before = sum(left.at.values())
        batch = [message for message in consumer.consume(BATCH, 0.5) if left.takes(message)]
        moved(sum(left.at.values()) - before)
        if batch:
            yield batch
        if time.monotonic() - left.heard > SILENCE:
            raise Failed(f"the brokers gave no record of {topic} for {SILENCE:.0f} s")
    consumer.unassign()


class SpansLeft:
    """What is left to be read: by partition the `spans`, and the offsets `at` which reading is."""

    def __init__(
        self,
        consumer: Consumer,
        topic: str,
        spans: Sequence[OffsetSpan],
        unreadable: Callable[[UnreadableRecords], object] | None,
    ) -> None:
        self.spans = {span.partition: span for span in spans if span.first < span.end}
        self.at = {span.partition: span.first for span in self.spans.values()}
        self.heard = time.monotonic()  # of any of them, for the last time
        self._consumer = consumer
        self._topic = topic
        self._unreadable = unreadable

    def takes(self, message: Message) -> bool:
        """Go on by what was read; whether it is a record of a span. Raises `UnreadableRecords`, `Failed`."""
        partition: int = message.partition()  # type: ignore[assignment]  # it is set on what was read
        if partition in self.at and partition not in self.spans:
            return False  # read ahead
        try:
            if not readable(self._topic, message):
                return False
        except UnreadableRecords as failed:
            if self._unreadable is None:
                raise
            self._unreadable(failed)
            self._end(partition)
            return False
        self.heard = time.monotonic()
        span = self.spans.get(partition)
        if span is None:
            return False
        at_end = message.error() is not None
        offset: int = message.offset()  # type: ignore[assignment]
        # At the end of the log: what is missing up to the span's end is no record, or was compacted.
        self.at[partition] = span.end if at_end else min(span.end, offset + 1)
        if self.at[partition] >= span.end:
            self._end(partition)
        return not at_end and offset < span.end

    def _end(self, partition: int) -> None:
        self._consumer.incremental_unassign([TopicPartition(self._topic, partition)])
        del self.spans[partition]


def note(topic: str, error: KafkaError) -> None:
    """An error that the client overcomes is a line in the log; one of rights ends the reading."""
    if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        raise Failed(f"no right to read the topic {topic}")
    log.debug("kafka: %s", error.str(), extra={"topic": topic})
