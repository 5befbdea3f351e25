"""The dead-letter topic: a record as it came, with headers that say why; settled only when the broker confirms it.

    produce(dead letter)                        hand over; nothing is ever dropped
    poll() -> confirmed, failed            what became of them; a failed one is tried again until it is confirmed

A dead letter that the broker has not confirmed for `SUSPECT_AFTER` counts as failed too, so that its partition stops
reading, while the producer goes on trying. Before each new try the topic's metadata is asked for again. One that the
topic refuses for what it is waits aside, and holds no other.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from functools import partial
from queue import SimpleQueue

from confluent_kafka import KafkaError, KafkaException, Producer

from consumer.core.model import Assignment, DeadLetter
from consumer.kafka.clients import Making, client
from consumer.kafka.dead_letter_format import ROOM, headers_of
from consumer.kafka.rotation import rotation

log = logging.getLogger("consumer.dead_letters")

# Seconds: until a dead letter counts as failed, between two tries, and of one question for metadata.
SUSPECT_AFTER = 5.0
RETRY_AFTER = 1.0
METADATA_TIMEOUT = 5.0
# Seconds between two producers, where what has ended the first ends the second.
RENEW_AFTER = 10.0
# Seconds between two tries of one that the topic refuses for what it is.
REFUSED_AGAIN_AFTER = 5.0
TOO_LARGE = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE)
# What is against one record, not against the topic or the broker.
REFUSALS = (*TOO_LARGE, KafkaError.INVALID_TIMESTAMP, KafkaError.INVALID_RECORD)
# A partition beyond the known ones may be new: ask again, but not for every dead letter.
ASK_AGAIN_AFTER = 30.0
BATCH = "batch.num.messages"
WHAT = "dead-letter producer"


class DeadLetters:
    """The producer of one dead-letter topic. One thread calls; metadata is asked for on a thread of its own."""

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
        self._config = config
        self._rotated: SimpleQueue[tuple[dict[str, object], Collection[str], float]] = SimpleQueue()
        self._topic = topic
        self._group_id = group_id
        self._clock = clock
        self._advice = advice
        self._producer: Producer | None = None  # none before there is a token to make the first with
        self._next: Making[Producer] | None = Making(partial(made, config), WHAT)
        self._scrub = scrub
        self._took = took
        self._since: dict[DeadLetter, float] = {}  # when each that is not confirmed came, the oldest first
        self._waiting: deque[DeadLetter] = deque()  # not with the producer
        self._sent: dict[DeadLetter, float] = {}  # with the producer, and since when
        self._suspected: set[DeadLetter] = set()  # of these, the ones already told as failed
        self._refused: dict[DeadLetter, float] = {}  # by the topic, for what they are, and when they are tried again
        self._refusals: set[str] = set()  # the causes of these, as logged
        self._timeless: set[DeadLetter] = set()  # go with the time of writing: the topic refused their own
        self._confirmed: list[DeadLetter] = []
        self._failed: list[DeadLetter] = []
        self._fatal = ""  # the error that has ended the producer
        self._renew_at = 0.0
        self._apart = False  # whether a batch was too large for the topic: its dead letters may not be
        self._partitions = 0  # of the topic; 0 while it is not known to exist
        self._answers: deque[tuple[int, str]] = deque()  # of the metadata thread
        self._asking = False
        self._ask_at = 0.0
        self._suspect_at = 0.0
        self._trouble = ""  # what was logged last; empty while all is well

    def produce(self, letter: DeadLetter) -> None:
        """Take the dead letter: it is written as soon as the topic can take it."""
        self._since[letter] = self._clock()
        self._waiting.append(letter)
        self._hand_over()

    def poll(self) -> tuple[list[DeadLetter], list[DeadLetter]]:
        """The dead letters confirmed since the last call, and those that could not be written so far."""
        self._succeed()
        self._hear(0)
        if self._fatal and self._clock() >= self._renew_at:
            self._renew()
        self._learn()
        self._try_refused()
        if self._waiting:
            if not self._partitions and self._clock() >= self._ask_at:
                self._ask()
            self._hand_over()
        self._suspect()
        confirmed, self._confirmed = self._confirmed, []
        failed, self._failed = self._failed, []
        return confirmed, failed

    def pending(self) -> int:
        """How many dead letters are on their way, those that are failing aside."""
        waiting = 0 if self._trouble else len(self._waiting)
        return waiting + len(self._sent) - len(self._suspected)

    def blocked(self) -> int:
        """How many dead letters could not be written so far."""
        return len(self._suspected) + len(self._refused) + (len(self._waiting) if self._trouble else 0)

    def oldest(self) -> float:
        """How many seconds the oldest that is not confirmed has waited; 0 where there is none."""
        return self._clock() - next(iter(self._since.values())) if self._since else 0.0

    def forget(self, assignments: Sequence[Assignment]) -> None:
        """These partitions are gone: what is not with the producer yet is the next owner's to write."""
        gone = set(assignments)
        self._waiting = deque([letter for letter in self._waiting if letter.record.assignment not in gone])
        for letter in [letter for letter in self._refused if letter.record.assignment in gone]:
            del self._refused[letter]
        self._timeless = {letter for letter in self._timeless if letter.record.assignment not in gone}
        self._since = {letter: at for letter, at in self._since.items() if letter.record.assignment not in gone}

    def flush(self, timeout: float) -> bool:
        """Wait for what is with the producer; whether all of it was confirmed or failed."""
        self._hand_over()
        self._hear(timeout, flush=True)
        return not self._sent

    def rotate(self, config: dict[str, object], files: Collection[str]) -> None:
        """Sign in as `config` and these changed files say. Any thread."""
        self._rotated.put((config, files, 0.0))

    def close(self) -> None:
        """Give up what is not confirmed: it was not committed, so the next owner writes it."""
        if self._next is not None:
            self._next.stop()
        self._give_up()

    # The producer: the first, and those that follow it.

    def _succeed(self) -> None:
        """Hear of other credentials; take the next producer once it is made, and the one before has nothing left."""
        while not self._rotated.empty():
            self._rotate(*self._rotated.get())
        if self._next is None or self._sent:
            return
        found = self._next.take(0.0)
        if found is not None:
            self._next, self._producer = None, found
            self._ask()
        elif self._producer is None and self._waiting and self._next.trouble and self._clock() >= self._ask_at:
            self._ask_at = self._clock() + RETRY_AFTER
            self._failed.extend(self._waiting)
            self._troubled(self._next.trouble, self._waiting[0])

    def _rotate(self, config: dict[str, object], files: Collection[str], after: float) -> None:
        due = rotation(self._config, config, files)
        if due is None:
            return
        self._config = due.config
        if due.live and self._producer is not None and self._next is None:
            self._producer.set_sasl_credentials(*due.live)
            return
        self._replace(after)

    def _replace(self, after: float = 0.0) -> None:
        """Have another producer made."""
        if self._next is not None:
            self._next.stop()
        self._next = Making(partial(made, self._config), WHAT, after)

    def _give_up(self) -> None:
        """Have all that is with the producer come back as failed."""
        if self._producer is not None:
            self._producer.purge()
            self._hear(0)

    # To the producer.

    def _hand_over(self) -> None:
        """Give the producer what waits, while the topic is known and the queue has room."""
        if self._apart and not self._part():
            return
        coming = self._next is not None and (self._next.ready() or self._config.get(BATCH) == 1)
        if self._producer is None or coming:
            return
        while self._waiting and self._partitions:
            letter = self._waiting[0]
            if letter.record.assignment.partition >= self._partitions and self._clock() >= self._ask_at:
                self._ask()  # the topic may have grown; the dead letter goes where it can until it is known
            try:
                self._give(letter)
            except BufferError:
                return
            except KafkaException as failure:
                error = failure.args[0]
                self._waiting.popleft()
                self._again(letter, error)
                return
            self._waiting.popleft()
            self._sent[letter] = self._clock()

    def _part(self) -> bool:
        """Have each letter sent in a batch of its own, by a new producer once this one is empty; whether it is so."""
        if self._config.get(BATCH) != 1:
            if self._sent:
                return False
            self._config = {**self._config, BATCH: 1}
            self._replace()
        return True

    def _give(self, letter: DeadLetter) -> None:
        record = letter.record
        partition = record.assignment.partition
        assert self._producer is not None, "there is one to hand over to"
        timeless = letter in self._timeless
        appended = headers_of(letter, self._group_id, self._scrub, own_time=timeless)
        self._producer.produce(
            self._topic,
            value=record.value,
            key=record.key,
            headers=[*(record.headers or []), *appended],
            timestamp=0 if timeless else max(0, record.timestamp),  # 0 stands for now
            partition=partition if partition < self._partitions else -1,
            on_delivery=lambda error, _: self._reported(letter, error),
        )

    def _reported(self, letter: DeadLetter, error: KafkaError | None) -> None:
        """The broker's word on one dead letter; called inside `poll` and `flush`."""
        if self._sent.pop(letter, None) is None:
            return
        self._suspected.discard(letter)
        if error is None:
            self._confirmed.append(letter)
            since = self._since.pop(letter, None)
            if since is not None:
                self._took(self._clock() - since)
            self._timeless.discard(letter)
            self._well()
        else:
            self._again(letter, error)

    def _again(self, letter: DeadLetter, error: KafkaError) -> None:
        """The dead letter failed: keep it, ask for the topic again, and then try again."""
        code = error.code()
        if code in REFUSALS:
            self._refuse(letter, error)
            return
        self._waiting.append(letter)
        if code == KafkaError._INVALID_DIFFERENT_RECORD:
            return  # another one of its batch was refused
        self._failed.append(letter)
        self._partitions = 0
        self._ask_at = self._clock() + RETRY_AFTER
        self._troubled(self._fatal or error.str(), letter)

    def _refuse(self, letter: DeadLetter, error: KafkaError) -> None:
        """The topic refuses it for what it is: write it in another way, or else let it wait and hold no other."""
        code = error.code()
        if code == KafkaError.INVALID_TIMESTAMP and letter not in self._timeless:
            self._timeless.add(letter)
            self._waiting.append(letter)
        elif code != KafkaError.INVALID_TIMESTAMP and self._config.get(BATCH) != 1:
            self._waiting.append(letter)  # it may have been another of its batch
            self._apart = True
        else:
            self._failed.append(letter)
            self._refused[letter] = self._clock() + REFUSED_AGAIN_AFTER
            cause = "too large for the topic" if code in TOO_LARGE else error.str()
            if cause not in self._refusals:
                self._refusals.add(cause)
                extra: dict[str, object] = {"topic": self._topic, "cause": cause, "record": repr(letter.record)}
                log.warning(
                    "dead letter refused by the topic: its partition is blocked, the others go on",
                    extra=extra | remedy(letter, code),
                )

    def _try_refused(self) -> None:
        """Hand over again what was refused a while ago: the topic may have been changed."""
        now = self._clock()
        for letter in [letter for letter, due in self._refused.items() if due <= now]:
            del self._refused[letter]
            self._waiting.append(letter)

    def _suspect(self) -> None:
        """Tell of dead letters that are with the producer for long; the oldest come first."""
        now = self._clock()
        if now < self._suspect_at:
            return
        self._suspect_at = now + SUSPECT_AFTER / 5
        for letter, since in self._sent.items():
            if now - since < SUSPECT_AFTER:
                return
            if letter not in self._suspected:
                self._suspected.add(letter)
                self._failed.append(letter)
                self._troubled("the broker does not confirm it", letter)

    def _renew(self) -> None:
        """A fatal error ends an idempotent producer: what it had comes back, and goes to a new one."""
        self._renew_at = self._clock() + RENEW_AFTER
        self._give_up()
        self._fatal, self._producer = "", None
        self._replace()

    def _hear(self, seconds: float, *, flush: bool = False) -> None:
        """Let the client bring its words; it raises the fatal error that has ended it."""
        if self._producer is None:
            return
        try:
            _ = self._producer.flush(seconds) if flush else self._producer.poll(seconds)
        except KafkaException as failure:
            self._fatal = failure.args[0].str()

    # About the topic.

    def _ask(self) -> None:
        """Ask for the topic's partitions, on another thread: a broker that is away must not stop the loop."""
        if self._asking or self._producer is None:
            return
        self._asking = True
        self._ask_at = self._clock() + ASK_AGAIN_AFTER
        thread = threading.Thread(target=self._find, args=(self._producer,), name="dead-letter-topic", daemon=True)
        thread.start()

    def _find(self, producer: Producer) -> None:
        try:
            topic = producer.list_topics(self._topic, METADATA_TIMEOUT).topics[self._topic]
        except KafkaException as failure:
            self._answers.append((0, failure.args[0].str()))
            return
        except Exception as failure:  # noqa: BLE001  # whatever it is, the loop has to hear of it
            self._answers.append((0, type(failure).__name__))
            return
        if topic.error is not None or not topic.partitions:
            missing = topic.error is None or topic.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
            self._answers.append((0, "missing" if missing else topic.error.str()))
            return
        self._answers.append((len(topic.partitions), ""))

    def _learn(self) -> None:
        """Hear what the metadata thread found."""
        while self._answers:
            partitions, trouble = self._answers.popleft()
            self._asking = False
            if partitions:
                self._partitions = partitions
                continue
            self._ask_at = self._clock() + RETRY_AFTER
            self._failed.extend(self._waiting)
            if self._waiting or trouble == "missing":
                self._troubled(trouble, self._waiting[0] if self._waiting else None)

    def _troubled(self, words: str, letter: DeadLetter | None) -> None:
        """Say it once."""
        if words == self._trouble:
            return
        self._trouble = words
        extra: dict[str, object] = {"topic": self._topic, "cause": words}
        if letter is not None:
            extra["record"] = repr(letter.record)
        if words == "missing":
            extra["create"] = self._advice
            log.warning("dead-letter topic missing: a record that must go there blocks its partition", extra=extra)
        else:
            log.warning("dead letter not written: its partition is blocked until it is", extra=extra)

    def _well(self) -> None:
        if self._trouble and not self._waiting and not self._suspected:
            log.info("dead letters are written again", extra={"topic": self._topic, "was": self._trouble})
            self._trouble = ""
        if self._refusals and not self._refused and not self._waiting and not self._sent:
            log.info("no dead letter is refused any more", extra={"topic": self._topic})
            self._refusals.clear()


def remedy(letter: DeadLetter, code: int) -> dict[str, object]:
    """What to set the topic to, as fields of the line."""
    record = letter.record
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


def made(config: dict[str, object]) -> Producer:
    """A producer. Raises `ClientFailed`."""
    return client(Producer, {**config, "logger": logging.getLogger("consumer.librdkafka")})
