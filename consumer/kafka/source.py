"""The Kafka consumer: records in, pauses and commits out, rebalances told from inside `poll` and `close`.

    poll -> [Record], each of a live assignment, in the order of its partition
    ends -> where a partition was read to its end: before that offset there is no record but those polled
    commit(committable), as often as one likes
    rotate(config), when what it signs in with has changed

A commit that the group refuses as that of a stranger means that the partitions are another's: they are lost at
once. Where the group never takes them away after all, they are adopted again at their committed offset.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumer.core.model import Assignment, Record
from consumer.kafka.assignments import Assignments, Owned, Place
from consumer.kafka.beginning import at, begin
from consumer.kafka.client_status import ClientStatus
from consumer.kafka.clients import TOKENS, client
from consumer.kafka.commits import Commits
from consumer.kafka.lookups import Lookups
from consumer.kafka.placing import GAP, RECREATED, TRUNCATED, Placing, Start
from consumer.kafka.records import records_of
from consumer.kafka.succession import Succession
from consumer.kafka.unreadable import CODES, Unreadable

log = logging.getLogger("consumer.source")

ADOPT_AFTER = 10.0
STATISTICS_MS = 2000
# Errors that only a partition has which is being read.
BEGUN = CODES | {KafkaError._PARTITION_EOF}
WORDS = {
    TRUNCATED: "the log was cut (an unclean election?): what was written since is read, some of it perhaps again",
    RECREATED: "the topic was recreated: it is read from its start",
}


class Listener(Protocol):
    """Who hears of rebalances and of losses: the loop."""

    def assigned(self, assignments: list[Assignment]) -> None: ...
    def revoked(self, assignments: list[Assignment]) -> None: ...
    def lost(self, assignments: list[Assignment]) -> None: ...

    def gap(self, topic: str, partition: int, records: int) -> None:
        """Retention removed so many records before they were read."""

    def truncated(self, topic: str, partition: int) -> None:
        """The log lost what was read of it."""


class SourceFailed(Exception):
    """The consumer is of no more use; the message says why and what to do."""


class Source:
    """One member of the consumer group. One thread calls, `subscribe` first; every callback comes on that thread."""

    _listener: Listener

    def __init__(self, config: dict[str, object], topics: Sequence[str], *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lookups: list[Lookups] = []  # of the client that is the member; and of the next one, once it is made
        self._placing = Placing()
        self._unreadable = Unreadable(config)
        self._owned = Assignments()
        self._commits = Commits(self._owned)
        self._incremental = incremental(config)
        self._paused: set[Place] = set()
        self._ends: dict[Assignment, int] = {}  # not told yet
        self._fresh: list[TopicPartition] = []  # assigned since the last poll
        self._unchecked: set[Place] = set()  # read from the start until the client asks whether the log was cut
        self._orphans: dict[Place, float] = {}  # lost by a refused commit, and when
        self._inside = False  # a callback that may commit
        self._topics = list(topics)
        self.client_status = ClientStatus(
            tokens=TOKENS in config or "oauth" in str(config.get("sasl.mechanisms")).lower()
        )
        self._succession = Succession(
            config, self._made, drain=self._drain, join=self._join, clock=clock, renew=self._renew
        )

    def subscribe(self, listener: Listener) -> None:
        """Before the first poll: who hears of rebalances."""
        self._listener = listener

    def poll(self, timeout: float, limit: int = 500) -> list[Record]:
        """Up to `limit` records. Raises `SourceFailed` where there will never be one again."""
        if not self._succession.ready(timeout):
            return []
        try:
            messages = self._consumer.consume(limit, timeout)
        except KafkaException as failure:  # raised for a fatal error, sometimes, in the place of a message with it
            raise SourceFailed(f"the Kafka consumer cannot go on: {failure.args[0].str()}") from failure
        self._after_callbacks()
        if self._unchecked and messages:
            messages = self._checked(messages)
        records = self._taken(messages) if messages else []
        if self._orphans:
            self._adopt()  # not before: what was just read is none of the new assignment's
        if self._placing.unplaced:
            self._place()
        return records

    def ends(self) -> list[tuple[Assignment, int]]:
        """The partitions of which the last poll reached the end, each with the offset: no record is between.

        What an open transaction holds back is behind the end.
        """
        ends, self._ends = self._ends, {}
        return list(ends.items())

    def unreadable(self) -> Collection[Assignment]:
        """The partitions whose next batch of records the client cannot read."""
        return self._unreadable.found.keys()

    def rotate(self, config: dict[str, object], files: Collection[str], after: float) -> None:
        """Sign in as `config` and these changed files say; a new client is made after so many seconds. Any thread."""
        self._succession.rotate(config, files, after)

    def pause(self, wanted: Mapping[Assignment, str]) -> None:
        """Read nothing of these partitions, and go on with all others; one that is unreadable is tried at times."""
        if not wanted and not self._paused:
            return
        now = self._clock() if self._unreadable.found else 0.0
        places = {
            (assignment.topic, assignment.partition)
            for assignment in wanted
            if self._owned.of(assignment) and not self._unreadable.due(assignment, now)
        }
        pause = [TopicPartition(*place) for place in places - self._paused]
        resume = [place for place in map(_named, self._paused - places) if self._owned.get(place)]
        if pause:
            self._consumer.pause(pause)
        if resume:
            self._consumer.resume(resume)
        self._paused = places

    def commit(self, offsets: Mapping[Assignment, int]) -> None:
        """Commit what is not committed yet, without waiting; failures are tried again at the next call."""
        if offsets:
            self._commits.send(self._consumer, offsets)

    def commit_now(self, offsets: Mapping[Assignment, int], timeout: float) -> bool:
        """Commit and wait for the broker's word, no longer than `timeout` seconds; whether all is committed."""
        commit = self._commits.send_and_look if self._inside else self._commits.send_and_wait
        return not offsets or commit(self._consumer, offsets, timeout)

    def verify(self, offsets: Mapping[Assignment, int], timeout: float) -> bool:
        """Whether the group said, to a commit, if it still knows us; what is not ours any more was told as lost."""
        known = not offsets or self._commits.verify(self._consumer, offsets, timeout)
        fenced = bool(self._commits.fenced)
        self._after_callbacks()
        return known or fenced

    def close(self, timeout: float) -> None:
        """Leave the group. The client may hang in rare states, so it is given up after `timeout` seconds."""
        if not self._succession.close(timeout):
            log.warning("the consumer did not leave the group in time: the group notices by its session time-out")

    def committed(self) -> dict[Assignment, int]:
        """What the broker confirmed, of the partitions that are ours."""
        return {one.assignment: one.committed for one in self._owned.all() if one.committed >= 0}

    def lag(self) -> dict[Assignment, int]:
        """How many offsets of each partition are not committed, as far as was heard of the broker."""
        found: dict[Assignment, int] = {}
        for one in self._owned.all():
            try:
                low, high = self._consumer.get_watermark_offsets(at(one), cached=True)
            except KafkaException:
                continue
            if high >= 0:
                found[one.assignment] = max(0, high - max(one.committed, low, 0))
        return found

    def withheld(self) -> dict[Assignment, tuple[int, int]]:
        """Partitions read up to an open transaction: the last stable offset, and how many offsets are behind it."""
        found: dict[Assignment, tuple[int, int]] = {}
        for one in self._owned.all():
            stable, end = self.client_status.ends.get((one.assignment.topic, one.assignment.partition), (-1, -1))
            if 0 <= stable < end and one.next >= stable:
                found[one.assignment] = (stable, end - stable)
        return found

    # The client, which another one may follow.

    @property
    def _consumer(self) -> Consumer:
        client = self._succession.client
        assert client is not None, "what is ours came from a client"
        return client

    def _made(self, config: dict[str, object]) -> Consumer:
        own = {
            "on_commit": self._commits.on_commit,
            "error_cb": self.client_status.error,
            "stats_cb": self.client_status.statistics,
            "enable.partition.eof": True,
            "statistics.interval.ms": STATISTICS_MS,
            "logger": logging.getLogger("consumer.librdkafka"),
        }
        made = client(Consumer, config | own)
        self._lookups.append(Lookups(config))
        return made

    def _join(self, consumer: Consumer) -> None:
        del self._lookups[:-1]
        self._placing.lookups = self._lookups[-1]
        consumer.subscribe(self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def _renew(self, user: str, password: str) -> None:
        for lookups in self._lookups:
            lookups.renew(user, password)

    def _drain(self) -> None:
        """Settle and forget all that is ours, before the client leaves the group."""
        mine = self._owned.all()
        self._listener.revoked([one.assignment for one in mine])
        self._forget([at(one) for one in mine])
        self._orphans.clear()
        self._fresh.clear()
        self.client_status.joined = False

    # What was polled.

    def _taken(self, messages: list[Message]) -> list[Record]:
        records, errors = records_of(messages, self._owned, self._clock())
        for record in records if self._unreadable.found else ():
            self._unreadable.read(record.assignment)
        for message in errors:
            self._on_error(message, message.error())
        return records

    def _on_error(self, message: Message, error: KafkaError) -> None:
        code = error.code()
        if code == KafkaError._AUTO_OFFSET_RESET:
            invalid = message.offset()
            place = (str(message.topic()), int(message.partition() or 0))
            self._placing.refused(place, invalid if invalid is not None else -1, error.str())
        elif code == KafkaError._PARTITION_EOF:
            self._ended(message)
        elif code in CODES and (one := self._owned.get(_of(message))) is not None:
            self._unreadable.refused(one.assignment, int(message.offset() or 0), error, self._clock())
        elif code == KafkaError._FATAL or error.fatal():
            raise SourceFailed(f"the Kafka consumer cannot go on: {error.str()}")
        elif code != KafkaError._MAX_POLL_EXCEEDED:
            self.client_status.error(error)

    def _ended(self, message: Message) -> None:
        """The partition was read up to the message's offset."""
        one = self._owned.get(_of(message))
        end = int(message.offset() or 0)
        if one is not None and end >= one.next:
            self._unreadable.read(one.assignment)
            one.next = end
            self._ends[one.assignment] = end

    def _place(self) -> None:
        """Where the client knows no valid offset, say where to read from: it tells of each such partition once."""
        starts: list[TopicPartition] = []
        for name in list(self._placing.unplaced):
            one = self._owned.get(_named(name))
            if one is None:
                self._placing.forget(name)
                continue
            try:
                found = self._placing.answered(name, one, self._clock())
            except KafkaException as failure:
                self.client_status.error(failure.args[0])
                continue
            if found is not None:
                starts.append(self._placed(one, found))
        if starts:
            self._restart(starts)

    def _placed(self, one: Owned, start: Start) -> TopicPartition:
        """Tell what was lost; where the log is another one a new epoch begins."""
        place = one.assignment
        fields: dict[str, object] = {"partition": repr(place), "wanted": start.wanted, "begins_at": start.offset}
        fields |= {"earliest": start.span.low, "latest": start.span.high}
        if start.why == GAP:
            gap = start.span.low - start.wanted
            self._listener.gap(place.topic, place.partition, gap)
            words = "retention removed records before they were read: reading goes on at the earliest"
            log.error(words, extra=fields | {"gap": gap})
        elif start.why in WORDS:
            log.error(WORDS[start.why], extra=fields)
            if start.why == TRUNCATED:
                self._listener.truncated(place.topic, place.partition)
            self._listener.lost([place])
            self._unreadable.forget(place)
            one = self._owned.add(place, start.span.topic_id)
            self._listener.assigned([one.assignment])
        one.next = start.offset
        return TopicPartition(place.topic, place.partition, start.offset)

    # What the client calls, from inside `poll` and `close`.

    def _on_assign(self, caller: Consumer, partitions: list[TopicPartition]) -> None:
        if caller is not self._succession.client:
            return  # it is leaving
        self.client_status.assigned(len(partitions))
        starts = self._begin(partitions)
        if self._incremental:
            self._consumer.incremental_assign(starts)
        else:
            self._consumer.assign(starts)
        self._fresh.extend(partitions)

    def _on_revoke(self, caller: Consumer, partitions: list[TopicPartition]) -> None:
        if caller is not self._succession.client:
            return
        self._inside = True
        self._listener.revoked([one.assignment for one in self._owned.those(partitions)])
        self._inside = False
        self._forget(partitions)

    def _on_lost(self, caller: Consumer, partitions: list[TopicPartition]) -> None:
        if caller is not self._succession.client:
            return
        self._listener.lost([one.assignment for one in self._owned.those(partitions)])
        self._forget(partitions)

    def _begin(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """New epochs begin; returned is where each is to be read from."""
        for place in partitions:
            self._orphans.pop((place.topic, place.partition), None)
        starts = begin(self._consumer, self._lookups[0], self._owned, partitions)
        self._listener.assigned([one.assignment for one in self._owned.those(partitions)])
        return starts

    def _forget(self, partitions: list[TopicPartition]) -> None:
        for one in self._owned.those(partitions):
            self._unreadable.forget(one.assignment)
        self._owned.forget(partitions)
        for place in partitions:
            self._orphans.pop((place.topic, place.partition), None)
            self._paused.discard((place.topic, place.partition))
            self._placing.forget((place.topic, place.partition))
            self._unchecked.discard((place.topic, place.partition))

    # What cannot be done inside a callback.

    def _after_callbacks(self) -> None:
        if self._fresh:
            fresh, self._fresh = [place for place in self._fresh if self._owned.get(place)], []
            self._let_go_on(fresh)
        if self._commits.fenced:
            self._lose()

    def _let_go_on(self, fresh: list[TopicPartition]) -> None:
        """Read these; but first send the client to where one goes on that is to be checked."""
        for place in fresh:
            one = self._owned.get(place)
            if one is not None and one.leader_epoch >= 0:
                self._unchecked.add((place.topic, place.partition))
        # A pause may outlive its assignment inside the client.
        self._paused.difference_update((place.topic, place.partition) for place in fresh)
        self._consumer.resume([TopicPartition(place.topic, place.partition) for place in fresh])

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
            one = self._owned.get(_named(place))
            if one is not None:
                try:
                    self._consumer.seek(at(one))
                except KafkaException as failure:
                    log.debug(
                        "not sought", extra={"partition": repr(one.assignment), "cause": failure.args[0].name()}
                    )
                    continue  # it is at its next message
            self._unchecked.discard(place)
        return others

    def _lose(self) -> None:
        """The group does not know us: whatever is ours is another's by now, not only what it refused."""
        fenced, self._commits.fenced = self._commits.fenced, []
        if not any(self._owned.of(one.assignment) is one for one in fenced):
            return
        still = {one.assignment: one for one in self._owned.all()}
        self._listener.lost(list(still))
        self._forget([at(one) for one in still.values()])
        for assignment in still:
            self._orphans[assignment.topic, assignment.partition] = self._clock()

    def _adopt(self) -> None:
        """What was lost by a refused commit, and is still assigned after a while, is ours after all."""
        now = self._clock()
        due = [_named(place) for place, since in self._orphans.items() if now - since >= ADOPT_AFTER]
        if not due:
            return
        for place in due:
            self._orphans[place.topic, place.partition] = now
        assigned = {(place.topic, place.partition) for place in self._consumer.assignment()}
        mine = [place for place in due if (place.topic, place.partition) in assigned]
        if mine:
            log.info("partitions adopted again: the group never took them away", extra={"partitions": len(mine)})
            self._restart(self._begin(mine))
            self._fresh.extend(mine)

    def _restart(self, places: list[TopicPartition]) -> None:
        """Read each of these from the offset that it names."""
        if self._incremental:
            self._consumer.incremental_unassign(places)
            self._consumer.incremental_assign(places)
        else:
            # The older protocol assigns as a whole: the others go on where they are.
            every = {(place.topic, place.partition): place for place in self._consumer.assignment()}
            every |= {(one.assignment.topic, one.assignment.partition): at(one) for one in self._owned.all()}
            every |= {(place.topic, place.partition): place for place in places}
            self._consumer.assign(list(every.values()))
            self._paused.clear()
        self._paused.difference_update((place.topic, place.partition) for place in places)
        self._consumer.resume(places)


def incremental(config: Mapping[str, object]) -> bool:
    """Whether the group's protocol moves single partitions; the older one takes all of them away each time."""
    strategy = str(config.get("partition.assignment.strategy", "range,roundrobin"))
    return config.get("group.protocol") == "consumer" or "cooperative" in strategy


def _of(message: Message) -> TopicPartition:
    return TopicPartition(str(message.topic()), int(message.partition() or 0))


def _named(place: Place) -> TopicPartition:
    return TopicPartition(place[0], place[1])
