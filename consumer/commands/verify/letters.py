"""What became of the records that are dead letters: not applied, or nobody knows when."""

from dataclasses import dataclass, field

from confluent_kafka import Message

from consumer.commands.dlq.dead_letter import identity_of
from consumer.commands.dlq.receipts import SENDING, SETTLED
from consumer.commands.dlq.scan import Failed
from consumer.commands.dlq.selection import Selection
from consumer.commands.dlq.topic import Topic
from consumer.event.errors import AMBIGUOUS_ADD
from consumer.kafka.dead_letter_format import Origin
from consumer.settings import Settings


@dataclass
class Letters:
    """Reasons and replays, by the name of the record. `missing`: there is no dead-letter topic."""

    reasons: dict[Origin, tuple[str, str]] = field(default_factory=dict)
    replayed: set[str] = field(default_factory=set)
    missing: bool = False

    def doubt(self, message: Message, topic: str) -> tuple[bool, str] | None:
        """None where the record is no dead letter; else whether it was replayed, and why it is in doubt.

        Without a reason to doubt it was not applied.
        """
        origin = Origin(topic, message.partition() or 0, message.offset() or 0)
        found = self.reasons.get(origin)
        if found is None or found[0] != identity_of(origin, message.key(), message.value()):
            return None
        identity, reason = found
        if identity in self.replayed:
            return True, "a dead letter of it was replayed, and nobody knows between which changes"
        if reason == AMBIGUOUS_ADD:
            return False, "an $add of it is in doubt: a dead letter ambiguous_add"
        return False, ""


def read_letters(settings: Settings) -> Letters:
    """Every dead letter, and what replays came to."""
    letters = Letters()
    with Topic(settings) as topic:
        try:
            topic.replicas()
        except Failed:
            letters.missing = True
            return letters
        for letter in topic.letters(Selection()):
            if letter.origin is not None:
                letters.reasons[letter.origin] = (letter.identity, letter.reason)

        def seen(identity: str, mark: object) -> None:
            if getattr(mark, "state", "") in (SETTLED, SENDING):
                letters.replayed.add(identity)

        topic.marks.each(seen)
    return letters
