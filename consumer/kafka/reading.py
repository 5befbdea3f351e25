"""What was polled: records of what is ours, ends of partitions, and partitions that cannot be read on as they are.

unplaced     the client knows no valid offset: it is told where to read on
unchecked    assigned where the log may have been cut: read from the start until the client asks
unreadable   the client cannot read the next batch
"""

import logging
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from consumer.core.model import Assignment, Record
from consumer.kafka.assignments import Assignments, Owned, Place
from consumer.kafka.beginning import at
from consumer.kafka.member import Member
from consumer.kafka.placing import GAP, RECREATED, TRUNCATED, Placing, Start
from consumer.kafka.rebalances import Listener
from consumer.kafka.records import records_of
from consumer.kafka.unreadable import CODES, UnreadableBatches

log = logging.getLogger("consumer.source")

# Errors that only a partition has which is being read.
BEGUN = CODES | {KafkaError._PARTITION_EOF}
WORDS = {
    TRUNCATED: "the log was cut (an unclean election?): what was written since is read, some of it perhaps again",
    RECREATED: "the topic was recreated: it is read from its start",
}


class SourceFailed(Exception):
    """The consumer is of no more use; the message says why and what to do."""


class RecordReading:
    """From messages to records. One thread calls."""

    listener: Listener

    def __init__(
        self,
        config: Mapping[str, object],
        member: Member,
        owned: Assignments,
        *,
        clock: Callable[[], float],
        restart: Callable[[list[TopicPartition]], None],
    ) -> None:
        """`restart` has the client read partitions from where they say."""
        self._member = member
        self._owned = owned
        self._clock = clock
        self._restart = restart
        self._placing = Placing()
        self._unchecked: set[Place] = set()
        self.unreadable = UnreadableBatches(config)
        self.ends: dict[Assignment, int] = {}  # not told yet

    def taken(self, messages: list[Message]) -> list[Record]:
        """The records of what is ours. Raises `SourceFailed`."""
        if self._unchecked and messages:
            messages = self._checked(messages)
        if not messages:
            return []
        records, errors = records_of(messages, self._owned, self._clock())
        for record in records if self.unreadable.found else ():
            self.unreadable.read(record.assignment)
        for message in errors:
            self._on_error(message, message.error())
        return records

    def check(self, fresh: list[TopicPartition]) -> None:
        """Of what was just assigned, have the client ask where the log may have been cut."""
        for place in fresh:
            owned = self._owned.get(place)
            if owned is not None and owned.leader_epoch >= 0:
                self._unchecked.add((place.topic, place.partition))

    def forget(self, partitions: list[TopicPartition]) -> None:
        """These are about to be ours no more."""
        for owned in self._owned.those(partitions):
            self.unreadable.forget(owned.assignment)
        for place in partitions:
            self._placing.forget((place.topic, place.partition))
            self._unchecked.discard((place.topic, place.partition))

    def place(self) -> None:
        """Where the client knows no valid offset, say where to read from: it tells of each such partition once."""
        if not self._placing.unplaced:
            return
        starts: list[TopicPartition] = []
        for name in list(self._placing.unplaced):
            owned = self._owned.get(TopicPartition(*name))
            if owned is None:
                self._placing.forget(name)
                continue
            try:
                start = self._placing.answered(name, owned, self._member.lookups, self._clock())
            except KafkaException as failure:
                self._member.status.error(failure.args[0])
                continue
            if start is not None:
                starts.append(self._placed(owned, start))
        if starts:
            self._restart(starts)

    def _placed(self, owned: Owned, start: Start) -> TopicPartition:
        """Tell what was lost; where the log is another one a new epoch begins."""
        place = owned.assignment
        fields: dict[str, object] = {"partition": repr(place), "wanted": start.wanted, "begins_at": start.offset}
        fields |= {"earliest": start.span.low, "latest": start.span.high}
        if start.why == GAP:
            gap = start.span.low - start.wanted
            self.listener.gap(place.topic, place.partition, gap)
            message = "retention removed records before they were read: reading goes on at the earliest"
            log.error(message, extra=fields | {"gap": gap})
        elif start.why in WORDS:
            repeated = start.doubtful > start.offset
            log.error(WORDS[start.why], extra=fields | ({"may_repeat_before": start.doubtful} if repeated else {}))
            if start.why == TRUNCATED:
                self.listener.truncated(place.topic, place.partition)
            self.listener.lost([place])
            self.unreadable.forget(place)
            owned = self._owned.add(place, start.span.topic_id, start.doubtful)
            self.listener.assigned([owned.assignment])
            if repeated:
                self.ends[owned.assignment] = start.offset  # committed, so that a restart knows what is doubtful
        owned.next = start.offset
        return TopicPartition(place.topic, place.partition, start.offset)

    def _checked(self, messages: list[Message]) -> list[Message]:
        """Send the client to where the new assignments go on: only then does it ask whether the log was cut.

        It can be sent once it has begun, as the first message shows. What it read until then is left out.
        """
        others: list[Message] = []
        begun: set[Place] = set()
        for message in messages:
            error, place = message.error(), (str(message.topic()), int(message.partition() or 0))
            if place not in self._unchecked or (error is not None and error.code() not in BEGUN):
                others.append(message)
            else:
                begun.add(place)
        for place in begun:
            owned = self._owned.get(TopicPartition(*place))
            if owned is not None:
                try:
                    self._member.consumer.seek(at(owned))
                except KafkaException as failure:
                    fields = {"partition": repr(owned.assignment), "cause": failure.args[0].name()}
                    log.debug("not sought", extra=fields)
                    continue  # it is at its next message
            self._unchecked.discard(place)
        return others

    def _on_error(self, message: Message, error: KafkaError) -> None:
        code = error.code()
        place = of(message)
        if code == KafkaError._AUTO_OFFSET_RESET:
            invalid = message.offset()
            name = (place.topic, place.partition)
            self._placing.refused(name, invalid if invalid is not None else -1, error.str())
        elif code == KafkaError._PARTITION_EOF:
            self._ended(place, int(message.offset() or 0))
        elif code in CODES and (owned := self._owned.get(place)) is not None:
            offset = max(owned.next, int(message.offset() or 0))  # it may begin before what was committed
            self.unreadable.refused(owned.assignment, offset, error, self._clock())
        elif code == KafkaError._FATAL or error.fatal():
            raise SourceFailed(f"the Kafka consumer cannot go on: {error.str()}")
        elif code != KafkaError._MAX_POLL_EXCEEDED:
            self._member.status.error(error, str(message.topic() or ""))

    def _ended(self, place: TopicPartition, end: int) -> None:
        """The partition was read up to the offset."""
        owned = self._owned.get(place)
        if owned is not None and end >= owned.next:
            self.unreadable.read(owned.assignment)
            owned.next = end
            self.ends[owned.assignment] = end


def of(message: Message) -> TopicPartition:
    """The partition that the message is of, or tells of."""
    return TopicPartition(str(message.topic()), int(message.partition() or 0))
