"""`confluent_kafka.Consumer`, simulated: what the real `consumer.kafka.source` holds of Kafka.

Callbacks come from inside `consume` and `close`, a commit's result too. A partition without a valid offset gives
one error and nothing more until it is assigned again, as with `auto.offset.reset=error`.
"""

from collections.abc import Iterable
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_INVALID, KafkaError

from .broker import Broker
from .traffic import Meant, Partition
from .world import World

COMMIT_TAKES = 0.01
HEARTBEAT = 3.0
SAID = {
    "done": None,
    "failed": KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    "behind": KafkaError.ILLEGAL_GENERATION,
    "fenced": KafkaError.UNKNOWN_MEMBER_ID,
    "unknown": KafkaError.UNKNOWN_MEMBER_ID,
}


class At:
    """A partition with an offset, as `confluent_kafka.TopicPartition`, but that its error can be set."""

    __slots__ = ("error", "leader_epoch", "metadata", "offset", "partition", "topic")

    def __init__(
        self,
        partition: Partition,
        offset: int = OFFSET_INVALID,
        error: KafkaError | None = None,
        metadata: str | None = None,
    ) -> None:
        self.topic, self.partition = partition
        self.offset = offset
        self.error = error
        self.metadata = metadata
        self.leader_epoch = 0 if offset >= 0 else None


class Message:
    """A record, or an error, as `confluent_kafka.Message`."""

    __slots__ = ("_error", "_meant", "_offset", "_partition")

    def __init__(
        self, partition: Partition, offset: int, meant: Meant | None, error: KafkaError | None = None
    ) -> None:
        self._partition = partition
        self._offset = offset
        self._meant = meant
        self._error = error

    def error(self) -> KafkaError | None:
        return self._error

    def topic(self) -> str:
        return self._partition[0]

    def partition(self) -> int:
        return self._partition[1]

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return self._meant.key if self._meant else None

    def value(self) -> bytes | None:
        return self._meant.value if self._meant else None

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return self._meant.headers if self._meant else None

    def leader_epoch(self) -> int | None:
        return 0

    def timestamp(self) -> tuple[int, int]:
        """The record's number: how the oracle knows it again."""
        return 1, self._meant.number if self._meant else -1


class Client:
    """One member of the group, as far as the client library goes."""

    def __init__(self, world: World, broker: Broker, instance: Any, config: dict[str, Any]) -> None:
        self._world = world
        self._broker = broker
        self._instance = instance
        self._on_commit = config["on_commit"]
        self._positions: dict[Partition, int] = {}  # what is assigned, and where it is read next; -1: nowhere
        self._paused: set[Partition] = set()
        self._told_end: dict[Partition, int] = {}
        self._committed: list[tuple[KafkaError | None, list[At]]] = []  # to be told
        self._member = False
        self._out_at = -1.0  # when the client hears that it was thrown out
        self.stranger = False  # the broker called us one, and the loop has not lost what it had
        self.fenced: set[Partition] = set()  # the next commit of these is refused as a stranger's

    def subscribe(self, topics: list[str], *, on_assign: Any, on_revoke: Any, on_lost: Any) -> None:
        """Whom to tell of rebalances."""
        self._on_assign, self._on_revoke, self._on_lost = on_assign, on_revoke, on_lost

    def consume(self, count: int, timeout: float) -> list[Message]:
        """Callbacks first, then what there is to read."""
        self._instance.polled()
        self._serve()
        messages = self._fetch(count)
        if not messages and timeout > 0:
            self._instance.process.wait(timeout, "records")
            self._serve()
            messages = self._fetch(count)
        return messages

    def close(self) -> None:
        """Give everything back, and leave."""
        if self._positions:
            self._revoke(list(self._positions))
        self._broker.leave(self._instance)

    # What is assigned, and read.

    def assignment(self) -> list[At]:
        return [At(partition) for partition in self._positions]

    def assign(self, places: Iterable[Any]) -> None:
        self._positions = {}
        self.incremental_assign(places)

    def incremental_assign(self, places: Iterable[Any]) -> None:
        for place in places:
            partition = (place.topic, place.partition)
            log = self._broker.logs[partition]
            if place.offset == OFFSET_BEGINNING:
                self._positions[partition] = log.start
            else:
                known = place.offset if place.offset >= 0 else log.committed
                self._positions[partition] = known if known >= 0 else -2
            self._told_end.pop(partition, None)

    def incremental_unassign(self, places: Iterable[Any]) -> None:
        for place in places:
            del self._positions[place.topic, place.partition]

    def seek(self, place: Any) -> None:
        self._positions[place.topic, place.partition] = place.offset
        self._told_end.pop((place.topic, place.partition), None)

    def pause(self, places: Iterable[Any]) -> None:
        self._paused.update((place.topic, place.partition) for place in places)

    def resume(self, places: Iterable[Any]) -> None:
        self._paused.difference_update((place.topic, place.partition) for place in places)

    def get_watermark_offsets(self, place: Any, timeout: float = 0.0, cached: bool = False) -> tuple[int, int]:
        log = self._broker.logs[place.topic, place.partition]
        return log.start, log.end

    def committed(self, places: Iterable[Any], timeout: float) -> list[At]:
        """Also inside a callback."""
        self._instance.process.wait(min(timeout, self._world.between(0.001, 0.03)), "committed")
        logs = {(place.topic, place.partition): self._broker.logs[place.topic, place.partition] for place in places}
        return [At(name, log.committed, metadata=log.metadata) for name, log in logs.items()]

    def _fetch(self, count: int) -> list[Message]:
        ready = [partition for partition, position in self._positions.items() if self._has_more(partition, position)]
        if len(ready) > 1:
            self._world.random.shuffle(ready)
        messages: list[Message] = []
        for partition in ready:
            position, log = self._positions[partition], self._broker.logs[partition]
            if not log.start <= position <= log.end:
                error = KafkaError(KafkaError._AUTO_OFFSET_RESET)
                messages.append(Message(partition, OFFSET_INVALID if position == -2 else position, None, error))
                self._positions[partition] = -1
                continue
            for meant in log.records[place_of(log.records, position) :]:
                if len(messages) == count:
                    return messages
                messages.append(Message(partition, meant.offset, meant))
                self._positions[partition] = meant.offset + 1
            if len(messages) == count:
                return messages
            end = self._positions[partition] = self._told_end[partition] = log.end
            messages.append(Message(partition, end, None, KafkaError(KafkaError._PARTITION_EOF)))
        return messages

    def _has_more(self, partition: Partition, position: int) -> bool:
        end = self._broker.logs[partition].end
        more = position < end or self._told_end.get(partition) != end
        return position != -1 and more and partition not in self._paused

    # Commits.

    def commit(self, *, offsets: list[Any], asynchronous: bool) -> None:
        """Response now; the broker's word comes inside a poll."""
        assert asynchronous
        self._world.after(COMMIT_TAKES, lambda: self._arrived(list(offsets)))

    def ask(self, offsets: list[Any], timeout: float) -> list[At] | KafkaError | None:
        """Commit and wait for the word, which may not come."""
        took = self._world.between(0.001, 0.05)
        self._instance.process.wait(min(took, timeout), "commit")
        if took > timeout or self._world.chance(self._broker.commit_faults / 2):
            return None
        if self._world.chance(self._broker.commit_faults):
            return KafkaError(KafkaError._TIMED_OUT)
        return [self._one(place) for place in offsets]

    def _arrived(self, wanted: list[Any]) -> None:
        if not self._instance.process.dead:
            self._committed.append((None, [self._one(place) for place in wanted]))

    def _one(self, place: Any) -> At:
        partition = (place.topic, place.partition)
        if partition in self.fenced:
            self.fenced.discard(partition)
            self.stranger = True
            return At(partition, place.offset, KafkaError(KafkaError.UNKNOWN_MEMBER_ID))
        code = SAID[self._broker.commit(self._instance, partition, place.offset, place.metadata)]
        self.stranger |= code == KafkaError.UNKNOWN_MEMBER_ID
        return At(partition, place.offset, None if code is None else KafkaError(code), place.metadata)

    # Callbacks.

    def _serve(self) -> None:
        """Tell what there is to tell."""
        while self._committed:
            self._on_commit(*self._committed.pop(0))
        news = self._broker.news(self._instance)
        while news is not None:
            what, partitions = news
            if what == "out":
                if not self._heard_of_it():
                    return
                self._thrown_out()
            elif what == "assign":
                places = [At(partition) for partition in partitions]
                self._on_assign(self, places)
            else:
                self._revoke(partitions)
            news = self._broker.news(self._instance)

    def _heard_of_it(self) -> bool:
        """The next heartbeat tells a member that it is none any more."""
        if self._member and self._out_at < 0:
            self._out_at = self._world.now + self._world.between(0.0, HEARTBEAT)
        return not self._member or self._world.now >= self._out_at

    def _thrown_out(self) -> None:
        """The coordinator does not know this member: what it had is lost, and it joins again."""
        if self._member and self._positions:
            self.stranger = True
            self._on_lost(self, [At(partition) for partition in self._positions])
            self._positions = {}
        self._member = True
        self._out_at = -1.0
        self._broker.join(self._instance)

    def _revoke(self, partitions: list[Partition]) -> None:
        self._on_revoke(self, [At(partition) for partition in partitions])
        for partition in partitions:
            self._positions.pop(partition, None)
        self._broker.gave_up(self._instance, partitions)


def place_of(records: list[Meant], offset: int) -> int:
    """The index of the first record at the offset or after it."""
    low, high = 0, len(records)
    while low < high:
        middle = (low + high) // 2
        if records[middle].offset < offset:
            low = middle + 1
        else:
            high = middle
    return low
