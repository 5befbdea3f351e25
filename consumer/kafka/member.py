"""The client that is the member of the group, and what is told of it; another one may follow it.

member.consumer, member.lookups    of the client that is the member now
"""

import logging
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from confluent_kafka import Consumer, KafkaError, TopicPartition

from consumer.kafka.client_status import ClientStatus
from consumer.kafka.clients import TOKENS, client
from consumer.kafka.known_brokers import REPORT_MS, WHY
from consumer.kafka.lookups import Lookups
from consumer.kafka.succession import Succession

# A join may wait for another member as long as that one may poll nothing; so many seconds more, and it hangs.
SLACK = 60.0


class Rebalanced(Protocol):
    """Who is told what the group gives and takes, from inside `poll` and `close`."""

    def assigned(self, partitions: list[TopicPartition]) -> None: ...
    def revoked(self, partitions: list[TopicPartition]) -> None: ...
    def lost(self, partitions: list[TopicPartition]) -> None: ...
    def drain(self) -> None: ...


class Member:
    """One member of the consumer group, by one client after the other. One thread calls, but for `rotate`."""

    def __init__(self, config: dict[str, object], topics: Sequence[str], *, clock: Callable[[], float]) -> None:
        self.status = ClientStatus(
            tokens=TOKENS in config or "oauth" in str(config.get("sasl.mechanisms")).lower(),
            clock=clock,
            patience=float(str(config.get("max.poll.interval.ms", 300_000))) / 1000 + SLACK,
        )
        self._config = config
        self._topics = list(topics)
        self._clock = clock
        self._lookups: list[Lookups] = []  # of the client that is the member; and of the next one, once it is made
        self._succession: Succession | None = None

    def begin(
        self, rebalanced: Rebalanced, on_commit: Callable[[KafkaError | None, list[TopicPartition]], None]
    ) -> None:
        """Have the first client made; it joins with the first `ready` after that."""
        self._rebalanced = rebalanced
        self._on_commit = on_commit
        self._succession = Succession(
            self._config, self._made, drain=self._drain, join=self._join, clock=self._clock, renew=self._renew
        )

    @property
    def consumer(self) -> Consumer:
        """The client."""
        client = self.succession.client
        assert client is not None, "what is ours came from a client"
        return client

    @property
    def lookups(self) -> Lookups | None:
        """What the brokers are asked with; None before there is a client."""
        return self._lookups[0] if self._lookups and self.succession.client is not None else None

    @property
    def succession(self) -> Succession:
        """Which client it is."""
        assert self._succession is not None, "it has begun"
        return self._succession

    def ready(self, timeout: float) -> bool:
        """Whether there is a client to read with; what is due to have one is done, or waited for so long."""
        if self.status.known.none():
            self.succession.replace(WHY)
        return self.succession.ready(timeout)

    def rotate(self, config: dict[str, object], files: Collection[str], after: float) -> None:
        """Sign in as `config` and these changed files say; a new client is made after so many seconds. Any thread."""
        self.succession.rotate(config, files, after)

    def close(self, timeout: float) -> bool:
        """Leave the group for good; whether that was done in time."""
        return self.succession.close(timeout)

    # What the succession calls.

    def _made(self, config: dict[str, object]) -> Consumer:
        made: list[Consumer] = []  # one, but for a report before it is

        def report(text: str) -> None:
            """Those of a client that leaves say nothing of the member."""
            if made and made[0] is self.succession.client:
                self.status.statistics(text)

        own = {
            "on_commit": self._on_commit,
            "error_cb": self.status.error,
            "stats_cb": report,
            "enable.partition.eof": True,
            "statistics.interval.ms": REPORT_MS,
            "logger": logging.getLogger("consumer.librdkafka"),
        }
        made.append(client(Consumer, config | own))
        self._lookups.append(Lookups(config))
        return made[0]

    def _join(self, consumer: Consumer) -> None:
        del self._lookups[:-1]
        consumer.subscribe(
            self._topics,
            on_assign=self._only_of_member(self._assigned),
            on_revoke=self._only_of_member(self._rebalanced.revoked),
            on_lost=self._only_of_member(self._rebalanced.lost),
        )

    def _assigned(self, partitions: list[TopicPartition]) -> None:
        self.status.assigned(len(partitions))
        self._rebalanced.assigned(partitions)

    def _only_of_member(
        self, told: Callable[[list[TopicPartition]], None]
    ) -> Callable[[Consumer, list[TopicPartition]], None]:
        """The callback of a client; one that is leaving has nothing to say."""

        def callback(caller: Consumer, partitions: list[TopicPartition]) -> None:
            if caller is self.succession.client:
                told(partitions)

        return callback

    def _drain(self) -> None:
        self._rebalanced.drain()
        self.status.left()

    def _renew(self, user: str, password: str) -> None:
        for lookups in self._lookups:
            lookups.renew(user, password)
