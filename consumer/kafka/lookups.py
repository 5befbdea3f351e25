"""What is asked of the brokers beside the consumer: of each partition by itself, so that none waits for another.

lookups.topic_ids(topics, timeout)      waits, no longer than the time-out
question = lookups.about(place, since)  waits for nothing
question.done(), question.answer()
"""

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from confluent_kafka import IsolationLevel, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from consumer.kafka.assignments import Place
from consumer.kafka.clients import Making, client
from consumer.kafka.config import CONSUMER_ONLY
from consumer.kafka.known_brokers import KnownBrokers

log = logging.getLogger("consumer.source")

ASK_FOR: Final = 5.0
NO_ID: Final = "AAAAAAAAAAAAAAAAAAAAAA"  # of a broker that gives its topics none


@dataclass(frozen=True)
class Span:
    """What a partition holds: from `low` up to before `high`, records that are not committed included.

    `since` is the first offset with a timestamp at or after the one that was asked for; `high` where there is none.
    """

    low: int
    high: int
    since: int
    topic_id: str


@dataclass(frozen=True)
class ListedMember:
    """One of a group."""

    client_id: str
    host: str


class Question:
    """One that is under way."""

    def __init__(self, low: "Future[Any]", high: "Future[Any]", since: "Future[Any]", topic: "Future[Any]") -> None:
        self._parts = (low, high, since, topic)

    def done(self) -> bool:
        """Whether it is answered, be it by an error."""
        return all(part.done() for part in self._parts)

    def answer(self) -> Span:
        """The answer, once it is done. Raises KafkaException."""
        low, high, since, topic = [part.result(timeout=0) for part in self._parts]
        return Span(low.offset, high.offset, since.offset if since.offset >= 0 else high.offset, id_of(topic))


class WatchedAdmin(AdminClient):
    """librdkafka's admin client; `known` says whether it still knows of a broker."""

    def __init__(self, config: dict[str, object]) -> None:
        self.known = KnownBrokers()
        super().__init__(self.known.told(config))


class Lookups:
    """A client of its own for questions. One thread calls."""

    def __init__(self, config: Mapping[str, object]) -> None:
        """`config` is that of the consumer. Raises `ClientFailed`."""
        chosen = {name: value for name, value in config.items() if name not in CONSUMER_ONLY}
        self._config = chosen | {"logger": logging.getLogger("consumer.librdkafka")}
        self._admin = client(WatchedAdmin, self._config)
        self._next: Making[WatchedAdmin] | None = None

    def renew(self, user: str, password: str) -> None:
        """Sign in so from now on."""
        self._config |= {"sasl.username": user, "sasl.password": password}
        self._admin.set_sasl_credentials(user, password)

    def topic_ids(self, topics: Iterable[str], timeout: float) -> dict[str, str]:
        """The ids of these topics, as far as the brokers said them in time: a topic that is recreated has another."""
        asked = self._admin.describe_topics(TopicCollection(sorted(topics)), request_timeout=ASK_FOR)
        end = time.monotonic() + timeout
        while not all(future.done() for future in asked.values()) and time.monotonic() < end:
            self._admin.poll(0.01)
        ids: dict[str, str] = {}
        for topic, future in asked.items():
            try:
                ids[topic] = id_of(future.result(timeout=0))
            except (KafkaException, TimeoutError) as failure:
                log.debug("the id of a topic is not known", extra={"topic": topic, "cause": type(failure).__name__})
        return ids

    def about(self, place: Place, since: int) -> Question:
        """Ask what the partition holds, and where its records of the time `since` (ms) and later begin."""
        topic, partition = place
        return Question(
            self._offset(topic, partition, OffsetSpec.earliest()),  # type: ignore[no-untyped-call]
            self._offset(topic, partition, OffsetSpec.latest()),  # type: ignore[no-untyped-call]
            self._offset(topic, partition, OffsetSpec.for_timestamp(max(0, since))),
            self._admin.describe_topics(TopicCollection([topic]), request_timeout=ASK_FOR)[topic],
        )

    def ends(self, places: list[TopicPartition]) -> Mapping[Place, "Future[Any]"]:
        """Ask where each of these ends, records that are not committed included."""
        last = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        return {(place.topic, place.partition): self._offset(place.topic, place.partition, last) for place in places}

    def members(self, group: str) -> Mapping[str, "Future[list[ListedMember]]"]:
        """Ask who is in the group, if its protocol is a classic one.

        Asked by the older call, on a thread that waits: what describes every protocol's groups ends the process where
        a connection to the coordinator drops (librdkafka's issue 4605).
        """
        asked: Future[list[ListedMember]] = Future()
        threading.Thread(target=self._ask_members, args=(group, asked), name="members", daemon=True).start()
        return {group: asked}

    def poll(self) -> None:
        """Serve the client's callbacks; have another one made where this one would never connect again."""
        self._admin.poll(0)
        if self._next is None:
            if self._admin.known.none():
                self._next = Making(partial(client, WatchedAdmin, self._config), "client for questions")
            return
        successor = self._next.take(0.0)
        if successor is not None:
            self._next, self._admin = None, successor

    def _ask_members(self, group: str, asked: "Future[list[ListedMember]]") -> None:
        try:
            groups = self._admin.list_groups(group, timeout=ASK_FOR)
        except (KafkaException, ImportError) as failure:  # the client's own, where warnings are errors
            asked.set_exception(failure)
            return
        members = [member for listed in groups for member in listed.members]
        asked.set_result([ListedMember(str(member.client_id), str(member.client_host)) for member in members])

    def _offset(self, topic: str, partition: int, spec: OffsetSpec) -> "Future[Any]":
        place = TopicPartition(topic, partition)
        level = IsolationLevel.READ_UNCOMMITTED
        asked = self._admin.list_offsets({place: spec}, isolation_level=level, request_timeout=ASK_FOR)
        return next(iter(asked.values()))


def id_of(description: Any) -> str:
    """The topic's id; empty where the broker gives none."""
    topic_id = str(description.topic_id or "")
    return "" if topic_id == NO_ID else topic_id
