"""The Kafka consumer: records in, pauses and commits out, rebalances told from inside `poll` and `close`.

poll -> [Record], each of a live assignment, in the order of its partition
ends -> where a partition was read to its end: before that offset there is no record but those polled
commit(committable), as often as one likes
rotate(config), when what it signs in with has changed
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition

from consumer.core.model import Assignment, Record
from consumer.kafka.asked import ForeignMembers, PausedEnds
from consumer.kafka.assignments import Assignments
from consumer.kafka.beginning import at
from consumer.kafka.commit_places import JournalFloors
from consumer.kafka.commits import Commits
from consumer.kafka.journal import NoJournal
from consumer.kafka.member import Member
from consumer.kafka.pauses import Pauses
from consumer.kafka.reading import RecordReading, SourceFailed
from consumer.kafka.rebalances import Listener, Rebalances

log = logging.getLogger("consumer.source")


class Source:
    """One member of the consumer group. One thread calls, `subscribe` first; every callback comes on that thread."""

    def __init__(
        self,
        config: dict[str, object],
        topics: Sequence[str],
        *,
        clock: Callable[[], float],
        commit_failed: Callable[[], None] = lambda: None,
        journal: JournalFloors | None = None,
    ) -> None:
        """`commit_failed` is called for each commit that fails, but for those that wait for a rebalance.

        `journal` is what is committed beside the offsets; None where no `$add` is announced.
        """
        self._clock = clock
        self._owned = Assignments()
        self._commits = Commits(self._owned, journal if journal is not None else NoJournal(), commit_failed)
        self._pauses = Pauses(self._owned)
        self._member = Member(config, topics, clock=clock)
        self.client_status = self._member.status
        self._paused_ends = PausedEnds()
        self._foreign = ForeignMembers(config)
        self._rebalances = Rebalances(
            config,
            self._member,
            self._owned,
            self._pauses,
            self._commits,
            clock=clock,
            forgotten=self._forgotten,
        )
        self._reading = RecordReading(
            config,
            self._member,
            self._owned,
            clock=clock,
            restart=self._rebalances.restart,
        )
        self._member.begin(self._rebalances, self._commits.on_commit)

    def subscribe(self, listener: Listener) -> None:
        """Before the first poll: who hears of rebalances."""
        self._rebalances.listener = self._reading.listener = listener

    @property
    def _consumer(self) -> Consumer:
        return self._member.consumer

    def poll(self, timeout: float, limit: int = 500) -> list[Record]:
        """Up to `limit` records. Raises `SourceFailed` where there will never be one again."""
        if not self._member.ready(timeout):
            return []
        try:
            messages = self._consumer.consume(limit, timeout)
        except KafkaException as failure:  # raised for a fatal error, sometimes, in the place of a message with it
            raise SourceFailed(f"the Kafka consumer cannot go on: {failure.args[0].str()}") from failure
        self._after_callbacks()
        records = self._reading.taken(messages)
        if self._rebalances.orphans:
            self._rebalances.adopt()  # not before: what was just read is none of the new assignment's
        self._reading.place()
        return records

    def ends(self) -> list[tuple[Assignment, int]]:
        """The partitions of which the last poll reached the end, each with the offset: no record is between.

        What an open transaction holds back is behind the end.
        """
        ends, self._reading.ends = self._reading.ends, {}
        return list(ends.items())

    def unreadable(self) -> Mapping[Assignment, tuple[int, float]]:
        """The partitions whose next batch of records the client cannot read, each with its offset and since when."""
        return self._reading.unreadable.places()

    def rotate(self, config: dict[str, object], files: Collection[str], after: float) -> None:
        """Sign in as `config` and these changed files say; a new client is made after so many seconds. Any thread."""
        self._member.rotate(config, files, after)

    def pause(self, wanted: Mapping[Assignment, str]) -> None:
        """Read nothing of these partitions, and go on with all others; one that is unreadable is tried at times."""
        if not wanted and not self._pauses.places:
            return
        unreadable = self._reading.unreadable
        now = self._clock() if unreadable.found else 0.0
        places = {
            (assignment.topic, assignment.partition)
            for assignment in wanted
            if self._owned.of(assignment) and not unreadable.due(assignment, now)
        }
        self._pauses.set(self._consumer, places)

    def commit(self, offsets: Mapping[Assignment, int]) -> None:
        """Commit what is not committed yet, without waiting; failures are tried again at the next call."""
        if offsets:
            self._commits.send(self._consumer, offsets)

    def commit_without_polling(self, offsets: Mapping[Assignment, int], timeout: float) -> bool:
        """Commit and see that it is done, no longer than `timeout` seconds; whether all is committed.

        Inside a rebalance the client brings no word to wait for: there the group is asked for what it has.
        """
        commit = self._commits.send_and_look if self._rebalances.inside else self._commits.send_and_wait
        return not offsets or commit(self._consumer, offsets, timeout)

    def verify(self, offsets: Mapping[Assignment, int], timeout: float) -> bool:
        """Whether the group has said, to a commit of the last `timeout` seconds, that it still knows us.

        Waits for nothing: to be called again after a poll, which tells what is not ours any more as lost.
        """
        return not offsets or self._commits.verify(self._consumer, offsets, timeout)

    def prove(self, offsets: Mapping[Assignment, int]) -> int:
        """Ask the group by a commit of these whether it still knows us; the stamp by which its word is known."""
        return self._commits.prove(self._consumer, offsets)

    def proven(self, assignment: Assignment) -> int:
        """The stamp of the last commit of this partition that the group has taken; -1 where it is not ours."""
        owned = self._owned.of(assignment)
        return owned.proven if owned is not None else -1

    def look(self, assignments: Collection[Assignment]) -> None:
        """See which commits the group has taken, where no poll brings its word: in a drain."""
        mine = [self._owned.of(assignment) for assignment in assignments]
        self._commits.look(self._consumer, [owned for owned in mine if owned is not None])

    def journal_start(self, assignment: Assignment) -> tuple[int, int]:
        """From where its last owner says that the journal is to be read, and what that owner may have undone.

        -1 where that is not known, or nothing is.
        """
        owned = self._owned.of(assignment)
        return (owned.journal, owned.redone) if owned is not None else (-1, -1)

    def close(self, timeout: float) -> None:
        """Leave the group. The client may hang in rare states, so it is given up after `timeout` seconds."""
        if not self._member.close(timeout):
            log.warning("the consumer did not leave the group in time: the group notices by its session time-out")

    def committed(self) -> dict[Assignment, int]:
        """What the broker confirmed, of the partitions that are ours."""
        return {owned.assignment: owned.committed for owned in self._owned.all() if owned.committed >= 0}

    def lag(self) -> dict[Assignment, int]:
        """How many offsets of each partition are not committed, as far as was heard of the broker."""
        lookups, paused = self._member.lookups, self._pauses.places
        if lookups:
            lookups.poll()  # it reports on itself, whether or not there is anything to ask
        ends = self._paused_ends.look(paused, lookups, self._clock()) if lookups and paused else {}
        behind: dict[Assignment, int] = {}
        for owned in self._owned.all():
            try:
                low, high = self._consumer.get_watermark_offsets(at(owned), cached=True)
            except KafkaException:
                continue
            high = max(high, ends.get((owned.assignment.topic, owned.assignment.partition), -1))
            if high >= 0:
                behind[owned.assignment] = max(0, high - max(owned.committed, low, 0))
        return behind

    def withheld(self) -> dict[Assignment, tuple[int, int]]:
        """Partitions read up to an open transaction: the last stable offset, and how many offsets are behind it."""
        behind_stable: dict[Assignment, tuple[int, int]] = {}
        for owned in self._owned.all():
            stable, end = self.client_status.ends.get((owned.assignment.topic, owned.assignment.partition), (-1, -1))
            if 0 <= stable < end and owned.next >= stable:
                behind_stable[owned.assignment] = (stable, end - stable)
        return behind_stable

    def foreign(self) -> list[str]:
        """Where members of the group run whose updates go to another project, as of the last half minute."""
        lookups = self._member.lookups
        return self._foreign.look(lookups, self._clock()) if lookups else []

    def _forgotten(self, partitions: list[TopicPartition]) -> None:
        self._reading.forget(partitions)

    def _after_callbacks(self) -> None:
        fresh = self._rebalances.fresh()
        if fresh:
            self._reading.check(fresh)
            self._pauses.resumed(self._consumer, fresh)
        self._rebalances.lose_fenced()
