"""What the brokers are asked again and again beside the consumer, and nobody waits for."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final, Generic, TypeVar

from confluent_kafka import TopicPartition

from consumer.kafka.assignments import Place
from consumer.kafka.lookups import ListedMember, Lookups
from consumer.kafka.project_mark import marked

Key = TypeVar("Key")

# Seconds from one question to the next.
ENDS_EVERY: Final = 10.0
MEMBERS_EVERY: Final = 30.0


class Asked(Generic[Key]):
    """One question; `answers` has what was answered last, by what was asked about."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._open: Mapping[Key, Future[Any]] = {}
        self._ask_at = 0.0
        self.answers: dict[Key, Any] = {}

    def look(self, now: float, ask: Callable[[], Mapping[Key, "Future[Any]"]]) -> None:
        """Take what was answered, and ask again where it is time."""
        if self._open and all(answer.done() for answer in self._open.values()):
            self.answers = {key: answer.result() for key, answer in self._open.items() if answer.exception() is None}
            self._open = {}
        if not self._open and now >= self._ask_at:
            self._ask_at = now + self._every
            self._open = ask()


class PausedEnds:
    """The ends of paused partitions: the client hears of an end only with what it fetches."""

    def __init__(self) -> None:
        self._asked: Asked[Place] = Asked(ENDS_EVERY)

    def look(self, paused: set[Place], lookups: Lookups, now: float) -> Mapping[Place, int]:
        """The ends of these, as far as they are known."""
        self._asked.look(now, lambda: lookups.ends([TopicPartition(*place) for place in paused]))
        return {place: found.offset for place, found in self._asked.answers.items() if place in paused}


class ForeignMembers:
    """Members of the group whose updates go to another project than ours: they share the partitions, and mix data."""

    def __init__(self, config: Mapping[str, object]) -> None:
        """`config` is that of the consumer; with a `client.id` of the user's there is nothing to compare."""
        self._group = str(config.get("group.id", ""))
        self._own = marked(str(config.get("client.id", "")))
        self._asked: Asked[str] = Asked(MEMBERS_EVERY)

    def look(self, lookups: Lookups, now: float) -> list[str]:
        """Where they run, as of the last answer."""
        if not self._own:
            return []
        self._asked.look(now, lambda: lookups.members(self._group))
        return [where for found in self._asked.answers.values() for where in strangers(self._own, found)]


def strangers(own: str, members: list[ListedMember]) -> list[str]:
    """Where those of the members run that have the mark of another project."""
    others = [member for member in members if marked(member.client_id) not in ("", own)]
    return sorted(str(member.host).lstrip("/") for member in others)
