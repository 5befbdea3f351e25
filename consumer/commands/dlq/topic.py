"""The dead-letter topic of the settings, open for reading, with a bar on a terminal while it is read."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from confluent_kafka import Message

from consumer.commands.dlq.dead_letter import StoredDeadLetter
from consumer.commands.dlq.receipts import SUFFIX, ReceiptsRead
from consumer.commands.dlq.scan import OffsetSpan, TopicMissing, opened, partitions_of, read, spans_of
from consumer.commands.dlq.selection import Selection
from consumer.kafka.config import consumer_config
from consumer.kafka.headers import headers_of
from consumer.settings import Settings
from consumer.terminal.progress import bar


class Topic:
    """Reads dead letters and the receipts of replays. Joins no group and commits nothing."""

    def __init__(self, settings: Settings) -> None:
        self.name = settings.kafka_dead_letter_topic
        self.consumer = opened(consumer_config(settings))
        self.receipts = ReceiptsRead(self.consumer, self.name + SUFFIX)

    def dead_letters(self, selection: Selection) -> Iterator[StoredDeadLetter]:
        """Every dead letter where the selection may have one, in the order of each partition. Raises `Failed`."""
        spans = [within(span, selection) for span in spans_of(self.consumer, self.name, self._wanted(selection))]
        for message in self._messages(spans):
            yield dead_letter_of(message)

    def at(self, partition: int, offset: int) -> StoredDeadLetter | None:
        """The dead letter at this place; None where there is none."""
        if partition not in self.replicas():
            return None
        for span in spans_of(self.consumer, self.name, {partition: offset}):
            if span.first != offset or span.end <= offset:
                return None
            for messages in read(self.consumer, self.name, [OffsetSpan(partition, offset, offset + 1)]):
                return dead_letter_of(messages[0])
        return None

    def replicas(self) -> dict[int, int]:
        """Its partitions, each with the number of its replicas. Raises `TopicMissing` or `Failed`."""
        try:
            return partitions_of(self.consumer, self.name)
        except TopicMissing as missing:
            advice = "nothing could be dead-lettered yet, or KAFKA_DEAD_LETTER_TOPIC or KAFKA_GROUP_ID name another"
            raise TopicMissing(f"{missing}: {advice}") from missing

    def close(self) -> None:
        """Close the connections."""
        self.consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wanted(self, selection: Selection) -> dict[int, int]:
        first = selection.offsets.first if selection.offsets else 0
        chosen = selection.partition
        return {partition: first for partition in self.replicas() if chosen in (None, partition)}

    def _messages(self, spans: list[OffsetSpan]) -> Iterator[Message]:
        with bar(f"Reading {self.name}", sum(span.end - span.first for span in spans)) as moved:
            for messages in read(self.consumer, self.name, spans, moved):
                yield from messages


def dead_letter_of(message: Message) -> StoredDeadLetter:
    """The dead letter that was read."""
    kind, timestamp = message.timestamp()
    return StoredDeadLetter(
        message.partition(),  # type: ignore[arg-type]  # it is set on what was read
        message.offset(),  # type: ignore[arg-type]
        message.key(),
        message.value(),
        headers_of(message)[0],
        timestamp if kind else -1,
    )


def within(span: OffsetSpan, selection: Selection) -> OffsetSpan:
    """What of the span the selection's offsets leave."""
    if selection.offsets is None:
        return span
    return span._replace(end=max(span.first, min(span.end, selection.offsets.last + 1)))
