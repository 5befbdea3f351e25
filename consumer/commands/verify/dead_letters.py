"""What became of the records that are dead letters: not applied, or nobody knows when."""

from dataclasses import dataclass, field

from confluent_kafka import Message

from consumer.commands.dlq.dead_letter import identity_of
from consumer.commands.dlq.receipts import SENDING, SETTLED, Receipt
from consumer.commands.dlq.scan import TopicMissing
from consumer.commands.dlq.selection import Selection
from consumer.commands.dlq.topic import Topic
from consumer.event.errors import AMBIGUOUS_ADD, QUARANTINED
from consumer.kafka.dead_letter_format import Origin
from consumer.settings import Settings


@dataclass(frozen=True)
class Buried:
    """A record's last dead letter: where it is, and why."""

    identity: str
    reason: str
    place: str
    rules: frozenset[str] = frozenset()  # those of a mapping that refused it; the others' updates were applied


@dataclass
class DeadLettersByRecord:
    """Dead letters by the record's place, and what replays came to. `missing`: there is no dead-letter topic."""

    buried: dict[Origin, Buried] = field(default_factory=dict)
    receipts: dict[str, Receipt] = field(default_factory=dict)
    missing: bool = False

    def of(self, message: Message, topic: str) -> Buried | None:
        """The record's dead letter; None where it has none."""
        origin = Origin(topic, message.partition() or 0, message.offset() or 0)
        buried = self.buried.get(origin)
        return buried if buried and buried.identity == identity_of(origin, message.key(), message.value()) else None

    def doubt(self, message: Message, topic: str, rule: str) -> tuple[bool, str] | None:
        """None where the rule's part of it is no dead letter; else whether it was replayed, and why it is in doubt.

        Without a reason to doubt it was not applied.
        """
        buried = self.of(message, topic)
        if buried is None or (buried.rules and rule not in buried.rules):
            return None
        receipt = self.receipts.get(buried.identity)
        if receipt is not None and receipt.state in (SETTLED, SENDING):
            return True, "a dead letter of it was replayed, and nobody knows between which changes"
        if buried.reason == AMBIGUOUS_ADD:
            return False, "an $add of it is in doubt: a dead letter ambiguous_add"
        if buried.reason == QUARANTINED:
            return False, "it was quarantined, and may have been applied before that"
        return False, ""


def read_dead_letters(settings: Settings) -> DeadLettersByRecord:
    """Every dead letter, and what replays came to. Raises `Failed`."""
    dead_letters = DeadLettersByRecord()
    with Topic(settings) as topic:
        try:
            topic.replicas()
        except TopicMissing:
            dead_letters.missing = True
            return dead_letters
        for dead_letter in topic.dead_letters(Selection()):
            if dead_letter.origin is not None:
                dead_letters.buried[dead_letter.origin] = Buried(
                    dead_letter.identity, dead_letter.reason, dead_letter.place, dead_letter.rules
                )
        topic.receipts.each(dead_letters.receipts.__setitem__)
    return dead_letters
