"""The dead-letter topic: a record as it came, with headers that say why; settled only when the broker confirms it.

    produce(dead letter)                   hand over; nothing is ever dropped
    poll() -> confirmed, failed            what became of them; a failed one is tried again until it is confirmed

A dead letter that the broker has not confirmed for `SUSPECT_AFTER` counts as failed too, so that its partition stops
reading, while the producer goes on trying. Before each new try the topic's metadata is asked for again. One that the
topic refuses for what it is waits aside, and holds no other.
"""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from consumer.core.model import Assignment, DeadLetter
from consumer.kafka.dead_letter_client import DeadLetterClient
from consumer.kafka.dead_letter_format import headers_of
from consumer.kafka.dead_letter_topic import MISSING, DeadLetterTopic
from consumer.kafka.dead_letter_trouble import REFUSALS, Trouble

# Seconds: until a dead letter counts as failed, and between two tries of one that the topic refuses for what it is.
SUSPECT_AFTER: Final = 5.0
REFUSED_AGAIN_AFTER: Final = 5.0


class DeadLetters:
    """The dead letters of one topic that are not confirmed. One thread calls."""

    def __init__(
        self,
        config: dict[str, object],
        topic: str,
        *,
        group_id: str,
        clock: Callable[[], float],
        advice: str,
        scrub: Callable[[str], str] = str,
        took: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`config` is librdkafka's; `advice` the command that creates the topic, for the log.

        `scrub` takes the secrets out of what others said. `took` is told how many seconds each took to be confirmed.
        """
        self._client = DeadLetterClient(config, clock)
        self._topic = DeadLetterTopic(topic, clock)
        self._trouble = Trouble(topic, advice)
        self._group_id = group_id
        self._clock = clock
        self._scrub = scrub
        self._took = took
        self._since: dict[DeadLetter, float] = {}  # when each that is not confirmed came, the oldest first
        self._waiting: deque[DeadLetter] = deque()  # not with the producer
        self._sent: dict[DeadLetter, float] = {}  # with the producer, and since when
        self._suspected: set[DeadLetter] = set()  # of these, the ones already told as failed
        self._refused: dict[DeadLetter, float] = {}  # by the topic, for what they are, and when they are tried again
        self._timeless: set[DeadLetter] = set()  # go with the time of writing: the topic refused their own
        self._confirmed: list[DeadLetter] = []
        self._failed: list[DeadLetter] = []
        self._suspect_at = 0.0

    def produce(self, dead_letter: DeadLetter) -> None:
        """Take the dead letter: it is written as soon as the topic can take it."""
        self._since[dead_letter] = self._clock()
        self._waiting.append(dead_letter)
        self._hand_over()

    def poll(self) -> tuple[list[DeadLetter], list[DeadLetter]]:
        """The dead letters confirmed since the last call, and those that could not be written so far."""
        self._succeed()
        self._client.hear(0)
        self._client.renew()
        self._learn()
        self._try_refused()
        if self._waiting:
            if not self._topic.partitions and self._topic.due():
                self._topic.ask(self._client.producer)
            self._hand_over()
        self._suspect()
        confirmed, self._confirmed = self._confirmed, []
        failed, self._failed = self._failed, []
        return confirmed, failed

    def pending(self) -> int:
        """How many dead letters are on their way, those that are failing aside."""
        waiting = 0 if self._trouble.cause else len(self._waiting)
        return waiting + len(self._sent) - len(self._suspected)

    def blocked(self) -> int:
        """How many dead letters could not be written so far."""
        return len(self._suspected) + len(self._refused) + (len(self._waiting) if self._trouble.cause else 0)

    def oldest(self) -> float:
        """How many seconds the oldest that is not confirmed has waited; 0 where there is none."""
        return self._clock() - next(iter(self._since.values())) if self._since else 0.0

    def forget(self, assignments: Sequence[Assignment]) -> None:
        """These partitions are gone: what is not with the producer yet is the next owner's to write."""
        gone = set(assignments)

        def stays(dead_letter: DeadLetter) -> bool:
            return dead_letter.record.assignment not in gone

        self._waiting = deque(filter(stays, self._waiting))
        self._refused = {dead_letter: due for dead_letter, due in self._refused.items() if stays(dead_letter)}
        self._timeless = set(filter(stays, self._timeless))
        self._since = {dead_letter: at for dead_letter, at in self._since.items() if stays(dead_letter)}

    def flush(self, timeout: float) -> bool:
        """Wait for what is with the producer; whether all of it was confirmed or failed."""
        self._hand_over()
        self._client.hear(timeout, flush=True)
        return not self._sent

    def rotate(self, config: dict[str, object], files: Collection[str]) -> None:
        """Sign in as `config` and these changed files say. Any thread."""
        self._client.rotate(config, files)

    def close(self) -> None:
        """Give up what is not confirmed: it was not committed, so the next owner writes it."""
        self._client.close()

    def _succeed(self) -> None:
        """Hear of other credentials; take the next producer once it is made, and the one before has nothing left."""
        self._client.hear_rotated()
        if self._sent:
            return
        if self._client.succeed():
            self._topic.ask(self._client.producer)
            return
        trouble = self._client.trouble()
        if trouble and self._waiting and self._topic.due():
            self._topic.put_off()
            self._failed.extend(self._waiting)
            self._trouble.met(trouble, self._waiting[0])

    def _learn(self) -> None:
        """Hear what became of the question for the topic."""
        for trouble in self._topic.learn():
            self._failed.extend(self._waiting)
            if self._waiting or trouble == MISSING:
                self._trouble.met(trouble, self._waiting[0] if self._waiting else None)

    def _hand_over(self) -> None:
        """Give the producer what waits, while the topic is known and the queue has room."""
        if not self._client.takes(empty=not self._sent):
            return
        while self._waiting and self._topic.partitions:
            dead_letter = self._waiting[0]
            if dead_letter.record.assignment.partition >= self._topic.partitions and self._topic.due():
                # The topic may have grown; the dead letter goes where it can until it is known.
                self._topic.ask(self._client.producer)
            try:
                self._give(dead_letter)
            except BufferError:
                return
            except KafkaException as failure:
                error = failure.args[0]
                self._waiting.popleft()
                self._again(dead_letter, error)
                return
            self._waiting.popleft()
            self._sent[dead_letter] = self._clock()

    def _give(self, dead_letter: DeadLetter) -> None:
        record = dead_letter.record
        partition = record.assignment.partition
        producer = self._client.producer
        assert producer is not None, "there is one to hand over to"
        timeless = dead_letter in self._timeless
        appended = headers_of(dead_letter, self._group_id, self._scrub, own_time=timeless)
        producer.produce(
            self._topic.name,
            value=record.value,
            key=record.key,
            headers=[*(record.headers or []), *appended],
            timestamp=0 if timeless else max(0, record.timestamp),  # 0 stands for now
            partition=partition if partition < self._topic.partitions else -1,
            on_delivery=lambda error, _: self._reported(dead_letter, error),
        )

    def _reported(self, dead_letter: DeadLetter, error: KafkaError | None) -> None:
        """The broker's word on one dead letter; called inside `poll` and `flush`."""
        if self._sent.pop(dead_letter, None) is None:
            return
        self._suspected.discard(dead_letter)
        if error is not None:
            self._again(dead_letter, error)
            return
        self._confirmed.append(dead_letter)
        since = self._since.pop(dead_letter, None)
        if since is not None:
            self._took(self._clock() - since)
        self._timeless.discard(dead_letter)
        if not self._waiting and not self._suspected:
            self._trouble.over()
        if not self._refused and not self._waiting and not self._sent:
            self._trouble.none_refused()

    # What was not written.

    def _again(self, dead_letter: DeadLetter, error: KafkaError) -> None:
        """The dead letter failed: keep it, ask for the topic again, and then try again."""
        code = error.code()
        if code in REFUSALS:
            self._refuse(dead_letter, error)
            return
        self._waiting.append(dead_letter)
        if code == KafkaError._INVALID_DIFFERENT_RECORD:
            return  # another one of its batch was refused
        self._failed.append(dead_letter)
        self._topic.doubt()
        self._trouble.met(self._client.fatal or error.str(), dead_letter)

    def _refuse(self, dead_letter: DeadLetter, error: KafkaError) -> None:
        """The topic refuses it for what it is: write it in another way, or else let it wait and hold no other."""
        code = error.code()
        if code == KafkaError.INVALID_TIMESTAMP and dead_letter not in self._timeless:
            self._timeless.add(dead_letter)
            self._waiting.append(dead_letter)
        elif code != KafkaError.INVALID_TIMESTAMP and self._client.batches():
            self._waiting.append(dead_letter)  # it may have been another of its batch
            self._client.send_apart()
        else:
            self._failed.append(dead_letter)
            self._refused[dead_letter] = self._clock() + REFUSED_AGAIN_AFTER
            self._trouble.refused(dead_letter, error)

    def _try_refused(self) -> None:
        """Hand over again what was refused a while ago: the topic may have been changed."""
        now = self._clock()
        for dead_letter in [refused for refused, due in self._refused.items() if due <= now]:
            del self._refused[dead_letter]
            self._waiting.append(dead_letter)

    def _suspect(self) -> None:
        """Tell of dead letters that are with the producer for long; the oldest come first."""
        now = self._clock()
        if now < self._suspect_at:
            return
        self._suspect_at = now + SUSPECT_AFTER / 5
        for dead_letter, since in self._sent.items():
            if now - since < SUSPECT_AFTER:
                return
            if dead_letter not in self._suspected:
                self._suspected.add(dead_letter)
                self._failed.append(dead_letter)
                self._trouble.met("the broker does not confirm it", dead_letter)
