"""What keeps dead letters from being written, each thing told in the log once, with what to do."""

import logging
from typing import Final

from confluent_kafka import KafkaError

from consumer.core.model import DeadLetter
from consumer.kafka.dead_letter_format import ROOM
from consumer.kafka.dead_letter_topic import MISSING

log = logging.getLogger("consumer.dead_letters")

TOO_LARGE: Final = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE)
# What is against one record, not against the topic or the broker.
REFUSALS: Final = (*TOO_LARGE, KafkaError.INVALID_TIMESTAMP, KafkaError.INVALID_RECORD)


class Trouble:
    """What is wrong now: with topic or broker (`cause`, empty while all is well), and with single dead letters."""

    def __init__(self, topic: str, advice: str) -> None:
        """`advice` is the command that creates the topic."""
        self.cause = ""
        self._topic = topic
        self._advice = advice
        self._refusals: set[str] = set()  # causes

    def met(self, cause: str, dead_letter: DeadLetter | None) -> None:
        """None is written, for this cause; `dead_letter` is one of them."""
        if cause == self.cause:
            return
        self.cause = cause
        extra: dict[str, object] = {"topic": self._topic, "cause": cause}
        if dead_letter is not None:
            extra["record"] = repr(dead_letter.record)
        if cause == MISSING:
            extra["create"] = self._advice
            log.warning("dead-letter topic missing: a record that must go there blocks its partition", extra=extra)
        else:
            log.warning("dead letter not written: its partition is blocked until it is", extra=extra)

    def refused(self, dead_letter: DeadLetter, error: KafkaError) -> None:
        """The topic refuses this one for what it is."""
        code = error.code()
        cause = "too large for the topic" if code in TOO_LARGE else error.str()
        if cause in self._refusals:
            return
        self._refusals.add(cause)
        extra: dict[str, object] = {"topic": self._topic, "cause": cause, "record": repr(dead_letter.record)}
        log.warning(
            "dead letter refused by the topic: its partition is blocked, the others go on",
            extra=extra | remedy(dead_letter, code),
        )

    def over(self) -> None:
        """They are written again."""
        if self.cause:
            log.info("dead letters are written again", extra={"topic": self._topic, "was": self.cause})
            self.cause = ""

    def none_refused(self) -> None:
        """The topic has taken all of them."""
        if self._refusals:
            log.info("no dead letter is refused any more", extra={"topic": self._topic})
            self._refusals.clear()


def remedy(dead_letter: DeadLetter, code: int) -> dict[str, object]:
    """What to set the topic to, as fields of the line."""
    record = dead_letter.record
    if code in TOO_LARGE:
        return {"max.message.bytes": record.size + ROOM}
    if code == KafkaError.INVALID_TIMESTAMP:
        return {
            "set": "message.timestamp.before.max.ms and message.timestamp.after.max.ms: this machine's clock is"
            " outside of them"
        }
    if record.key is None:
        return {"set": "cleanup.policy=delete: a compacted topic takes no record without a key"}
    return {"set": "what validates the records of the topic: a dead letter is any bytes"}
