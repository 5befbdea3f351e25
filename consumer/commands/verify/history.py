"""The topics read from their first record to their end, and what they make of the groups that are asked for."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from confluent_kafka import Message

from consumer.commands.dlq.scan import Failed, OffsetSpan, opened, read, spans_of
from consumer.commands.verify.dead_letters import DeadLettersByRecord, read_dead_letters
from consumer.commands.verify.decoding import Decoding
from consumer.commands.verify.model import Group, Name, Place
from consumer.event.model import Operation
from consumer.kafka.broker_errors import BrokerError
from consumer.kafka.brokers import Brokers
from consumer.kafka.config import consumer_config
from consumer.kafka.dead_letter_format import Origin
from consumer.mapping.mapper import TopicMap
from consumer.settings import Settings
from consumer.terminal.progress import bar

RETENTION: Final = "the topic's earlier records are gone"
COMPACTED: Final = "the topic is compacted: earlier changes of the group may be gone"
UNSEEN: Final = "this user may not see whether the topic is compacted"
# Records at the end of each partition that are looked at first for a sample of so many groups.
FIRST_LOOK: Final = 500


class TopicHistory:
    """What the topics say. Joins no group and commits nothing. `close` ends the connections."""

    def __init__(
        self, settings: Settings, project: str, mapped: Mapping[str, TopicMap], company: str | None = None
    ) -> None:
        """Asks what is committed, and reads the dead letters, which are older than that. Raises `Failed`.

        `project` is the one whose groups are worked out, those of `company` alone where it is given; `mapped` are the
        topics of a mapping file.
        """
        self._project = project
        self._company = company
        self._settings = settings
        self.groups: dict[Name, Group] = {}
        self.first_waiting: dict[Name, Origin] = {}  # of each group that waits, the first record that does
        self._committed: dict[Place, int] = {}
        self._gaps: dict[Place, str] = {}
        self._ends: dict[Place, int] = {}
        self._compaction: dict[str, str] = {}
        try:
            self._ask_brokers()
        except BrokerError as failure:
            raise Failed(str(failure)) from failure
        self.dead_letters: DeadLettersByRecord = read_dead_letters(settings)
        self._decoding = Decoding(settings, mapped)
        self._consumer = opened(consumer_config(settings))

    def sample(self, count: int) -> list[tuple[str, str]]:
        """Key and id of the groups that were changed last, by the time of their records."""
        look = max(FIRST_LOOK, count * 2)
        while True:
            last: dict[tuple[str, str], int] = {}
            whole = True
            for topic in self._settings.kafka_topics:
                spans = spans_of(self._consumer, topic)
                tails = [span._replace(first=max(span.first, span.end - look)) for span in spans]
                whole = whole and tails == spans
                for message, operation, _ in self._operations(topic, tails):
                    name = operation.group_key, operation.group_id
                    last[name] = max(last.get(name, -1), message.timestamp()[1])
            if len(last) >= count or whole:
                return sorted(last, key=lambda name: -last[name])[:count]
            look *= 4

    def read(self, wanted: Collection[tuple[str, str]] | None) -> None:
        """Work out the groups of the wanted keys and ids, None for all, from everything that the topics hold."""
        for topic in self._settings.kafka_topics:
            spans = spans_of(self._consumer, topic)
            for span in spans:
                gap = self._compaction[topic] or (RETENTION if span.first > 0 else "")
                self._gaps[topic, span.partition] = gap
            self._take(topic, spans, lambda name: wanted is None or name[:2] in wanted)

    def go_on(self, wanted: Collection[Name]) -> None:
        """Read what came since: a profile may have it already."""
        for topic in self._settings.kafka_topics:
            begin = {partition: end for (name, partition), end in self._ends.items() if name == topic}
            self._take(topic, spans_of(self._consumer, topic, begin), wanted.__contains__)

    def close(self) -> None:
        """End the connections."""
        self._decoding.close()
        self._consumer.close()

    def _ask_brokers(self) -> None:
        with Brokers(self._settings) as brokers:
            for name in self._settings.kafka_topics:
                try:
                    for place in brokers.offsets(self._settings.kafka_group_id, brokers.topic(name)):
                        self._committed[name, place.partition] = place.committed
                except BrokerError as failure:
                    raise Failed(f"what is committed of {name} is not told: {failure}") from failure
                try:
                    policy = brokers.config(name).get("cleanup.policy", "")
                except BrokerError:
                    self._compaction[name] = UNSEEN
                else:
                    self._compaction[name] = COMPACTED if "compact" in policy else ""

    def _take(self, topic: str, spans: list[OffsetSpan], wanted: Callable[[Name], bool]) -> None:
        for message, operation, rule in self._operations(topic, spans):
            name = operation.group_key, operation.group_id, operation.company_id
            if wanted(name):
                group = self.groups.setdefault(name, Group(*name))
                self._apply(group, topic, message, operation, rule)
        self._ends |= {(topic, span.partition): span.end for span in spans}

    def _apply(self, group: Group, topic: str, message: Message, operation: Operation, rule: str) -> None:
        place = topic, message.partition() or 0
        gap = self._gaps.get(place, "")
        doubt = self.dead_letters.doubt(message, topic, rule)
        if doubt is None:
            waiting = (message.offset() or 0) >= self._committed.get(place, -1)
            group.apply(operation.verb, operation.values, place, gap=gap, waiting=waiting)
            if waiting:
                self.first_waiting.setdefault(group.name, Origin(*place, message.offset() or 0))
        elif doubt[1]:
            sticky, why = doubt
            group.doubt(operation.verb, operation.values, place, why, gap=gap, sticky=sticky)

    def _operations(self, topic: str, spans: list[OffsetSpan]) -> Iterator[tuple[Message, Operation, str]]:
        """Each change that the records of the spans ask for, with its rule; a bar shows how far it is."""
        with bar(f"Reading {topic}", sum(span.end - span.first for span in spans)) as moved:
            for messages in read(self._consumer, topic, spans, moved):
                for message in messages:
                    for operation, rule in self._decoding.operations(message, topic, self._project):
                        if self._company in (None, operation.company_id):
                            yield message, operation, rule
