"""What replays have settled, for ever: one record for each dead letter in the topic `{dead-letter topic}.replays`.

The topic is compacted: the key names the record that was replayed, the value says what became of it, and the last
one counts. It has one partition, so that the receipts are read in the order in which they were written.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from consumer.commands.dlq.index import Index
from consumer.commands.dlq.scan import Failed, TopicMissing, partitions_of, read, spans_of
from consumer.kafka.clients import client

log = logging.getLogger("consumer.dlq")

SUFFIX: Final = ".replays"
# What became of a record.
SETTLED: Final = "settled"  # Mixpanel accepted it
REFUSED: Final = "refused"  # it was refused again; the dead letter stays open
BEGUN: Final = "begun"  # a replay, and no record
SENDING: Final = "sending"  # an $add that may be sent at most once is about to be, and nothing was heard since
# Seconds until a receipt that is not confirmed holds back everything else.
SUSPECT_AFTER: Final = 5.0


class RecordIdentity(NamedTuple):
    """A record by name, and the id of its topic, empty where that is not known."""

    name: str
    topic_id: str


@dataclass(frozen=True)
class Receipt:
    """What the last replay of a record came to. `at` is in milliseconds."""

    state: str
    at: int
    reason: str = ""
    detail: str = ""
    error: str = ""
    status: int = 0
    topic_id: str = ""  # of the source, where it is known; part of the key

    def encoded(self) -> bytes:
        """The value of the receipt's record: JSON, without what is empty."""
        return json.dumps({name: value for name, value in vars(self).items() if value}, ensure_ascii=False).encode()


def decoded(value: bytes | None) -> Receipt | None:
    """The receipt that the value is; None where it is none of ours."""
    try:
        fields: Any = json.loads(value or b"")
        return Receipt(**{name: fields[name] for name in Receipt.__dataclass_fields__ if name in fields})
    except (ValueError, TypeError):
        return None


def suffix(receipt: Receipt) -> str:
    """What follows the identity in the key of a receipt: each topic of one name has receipts of its own."""
    return f":{receipt.topic_id}" if receipt.topic_id else ""


class ReceiptsRead:
    """The receipts topic, read up to its end each time it is asked; what is not there has no receipts."""

    def __init__(self, consumer: Consumer, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic
        self._next: dict[int, int] = {}

    def into(self, index: Index) -> None:
        """Put the receipts that came since the last time into the index."""

        def put(key: str, receipt: Receipt) -> None:
            index.put_receipt(key, receipt.topic_id, receipt.state, receipt.reason)

        self.each(put)

    def each(self, seen: Callable[[str, Receipt], None]) -> None:
        """Call `seen` with the identity and the receipt of each since the last time, in order."""
        try:
            partitions = partitions_of(self._consumer, self._topic)
        except TopicMissing:
            return
        wanted = {partition: self._next.get(partition, 0) for partition in partitions}
        spans = spans_of(self._consumer, self._topic, wanted)
        for messages in read(self._consumer, self._topic, spans):
            for message in messages:
                key, receipt = message.key(), decoded(message.value())
                if key is not None and receipt is not None:
                    seen(key.decode("utf-8", "replace").removesuffix(suffix(receipt)), receipt)
        self._next = {span.partition: span.end for span in spans}


class Receipts:
    """Writes receipts. `write` returns at once; what was confirmed is told by a call, inside `poll` and `flush`."""

    def __init__(self, config: Mapping[str, object], topic: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._producer = client(Producer, {**config, "logger": logging.getLogger("consumer.librdkafka")})
        self._topic = topic
        self._clock = clock
        self.last = 0
        self._open: dict[int, float] = {}  # receipts without the broker's word, and since when
        self._again: list[Callable[[], None]] = []
        self._trouble = ""

    def prove(self, timeout: float) -> None:
        """Write a first receipt, of no record: what cannot be noted must not be sent. Raises `Failed`."""
        self.write(BEGUN, Receipt(BEGUN, time.time_ns() // 1_000_000))
        if not self.flush(timeout):
            raise Failed(
                f"the topic {self._topic}, which remembers what replays have settled, cannot be written:"
                f" {self._trouble or 'the broker does not confirm it'}"
            )

    def write(self, identity: str, receipt: Receipt, confirmed: Callable[[], None] = lambda: None) -> None:
        """Have the receipt written, however long that takes; then `confirmed` is called."""
        self.last += 1
        self._open[self.last] = self._clock()
        self._produce(self.last, identity, receipt, confirmed)

    @property
    def confirmed(self) -> int:
        """Up to which number every receipt is confirmed; `last` is the number of the last one written."""
        for number in self._open:
            return number - 1
        return self.last

    def poll(self) -> None:
        """Hear what the broker said, and try again what failed."""
        self._producer.poll(0)
        again, self._again = self._again, []
        for produce in again:
            produce()

    def pending(self) -> int:
        """How many receipts are not confirmed."""
        return len(self._open)

    def failing(self) -> bool:
        """Whether a receipt has waited for its confirmation for so long that nothing more may be sent."""
        for since in self._open.values():
            return self._clock() - since > SUSPECT_AFTER
        return False

    def flush(self, timeout: float) -> bool:
        """Wait for the broker's word; whether every receipt is confirmed."""
        deadline = self._clock() + timeout
        while self._open and self._clock() < deadline:
            self.poll()
            self._producer.flush(min(0.2, max(0.0, deadline - self._clock())))
        return not self._open

    def _produce(self, number: int, identity: str, receipt: Receipt, confirmed: Callable[[], None]) -> None:
        def reported(error: KafkaError | None, _: Message) -> None:
            if error is None:
                del self._open[number]
                self._trouble = ""
                confirmed()
                return
            self._troubled(error)
            self._again.append(lambda: self._produce(number, identity, receipt, confirmed))

        try:
            self._producer.produce(
                self._topic,
                key=(identity + suffix(receipt)).encode(),
                value=receipt.encoded(),
                partition=0,
                on_delivery=reported,
            )
        except BufferError:
            self._again.append(lambda: self._produce(number, identity, receipt, confirmed))
        except KafkaException as failure:
            self._troubled(failure.args[0])
            self._again.append(lambda: self._produce(number, identity, receipt, confirmed))

    def _troubled(self, error: KafkaError) -> None:
        if error.str() != self._trouble:
            self._trouble = error.str()
            extra = {"topic": self._topic, "cause": self._trouble}
            log.warning("what was replayed cannot be noted: nothing more is sent until it can", extra=extra)
