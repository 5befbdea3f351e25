"""What became of a record: applied, a dead letter, replayed, or still waiting, and why."""

from collections.abc import Collection
from typing import Final, TypeAlias

from confluent_kafka import Message

from consumer.commands.dlq.receipts import REFUSED, SENDING, SETTLED
from consumer.commands.dlq.scan import Failed
from consumer.commands.status.instances import Instances
from consumer.commands.verify.dead_letters import Buried, DeadLettersByRecord, read_dead_letters
from consumer.kafka.broker_errors import BrokerError
from consumer.kafka.brokers import Brokers
from consumer.kafka.dead_letter_format import Origin
from consumer.settings import Settings

APPLIED: Final = "applied"
DEAD: Final = "dead letter"
REPLAYED: Final = "replayed"
WAITING: Final = "waiting"
IGNORED: Final = "ignored"
# What became of a dead letter by its last replay, where that did not settle it.
SINCE: Final = {
    REFUSED: "; a replay of it was refused again",
    SENDING: "; a replay of it has begun, and nobody knows whether it was applied",
}

Fate: TypeAlias = tuple[str, str]
"""One of the words above, and more."""


class RecordFates:
    """By what is committed, the dead letters, and what instances say of what waits."""

    def __init__(self, settings: Settings, instances: Instances) -> None:
        self._settings = settings
        self._instances = instances
        self._committed: dict[tuple[str, int], int] = {}
        self._dead_letters = DeadLettersByRecord()

    def ask(self, topics: Collection[str]) -> None:
        """Ask what is committed, then read the dead letters: those of what is committed are there by then.

        Raises `Failed`.
        """
        try:
            with Brokers(self._settings) as brokers:
                for name in topics:
                    for place in brokers.offsets(self._settings.kafka_group_id, brokers.topic(name)):
                        self._committed[name, place.partition] = place.committed
        except BrokerError as failure:
            raise Failed(f"what is committed of {', '.join(topics)} is not told: {failure}") from failure
        self._dead_letters = read_dead_letters(self._settings)

    def committed(self, place: Origin) -> int:
        """What is committed of the record's partition; -1 for nothing."""
        return self._committed.get((place.topic, place.partition), -1)

    def of(self, message: Message, place: Origin, rules: frozenset[str] = frozenset()) -> Fate:
        """What became of the record, or of what these rules of a mapping made of it."""
        buried = self._dead_letters.of(message, place.topic)
        if buried is not None and buried.rules and rules and not buried.rules & rules:
            buried = None
        if buried is not None:
            return self._of_dead_letter(buried, rules)
        if place.offset < self.committed(place):
            return APPLIED, f"committed is {self.committed(place)}, and it has no dead letter"
        return self.of_waiting(place)

    def of_gone(self, place: Origin) -> Fate | None:
        """The same of a record of which its dead letter alone may be left; None where there is none."""
        buried = self._dead_letters.buried.get(place)
        return None if buried is None else self._of_dead_letter(buried, frozenset())

    def of_waiting(self, place: Origin) -> Fate:
        """Why it is not committed, as far as an instance says."""
        committed = self.committed(place)
        begin = f"committed is {committed}" if committed >= 0 else "nothing of the partition is committed"
        if place.topic not in self._settings.kafka_topics:
            return WAITING, f"{begin}; KAFKA_TOPICS does not have the topic"
        return WAITING, f"{begin}; {self._instances.reason(place)}"

    def _of_dead_letter(self, buried: Buried, rules: frozenset[str]) -> Fate:
        receipt = self._dead_letters.receipts.get(buried.identity)
        whose = f" of rule {', '.join(sorted(buried.rules))}" if buried.rules else ""
        where = f"{buried.reason}{whose}, at {buried.place} of {self._settings.kafka_dead_letter_topic}"
        if receipt is not None and receipt.state == SETTLED:
            return REPLAYED, f"was {where}; a replay of it was accepted"
        others = sorted(rules - buried.rules) if buried.rules else []
        rest = f"; what {', '.join(others)} made of it was applied" if others else ""
        return DEAD, where + (SINCE.get(receipt.state, "") if receipt is not None else "") + rest
