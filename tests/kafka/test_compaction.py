"""Whether topics are compacted: asked again until it is known, and told to the mapping."""

from collections.abc import Mapping
from queue import SimpleQueue
from typing import Any, Self

import pytest

from consumer.kafka.broker_errors import BrokerError, Denied
from consumer.kafka.compaction import Asking, Compaction


class Brokers:
    """What the brokers say of each topic's policy: a text, or what is raised."""

    def __init__(self, policies: Mapping[str, str | Exception]) -> None:
        self._policies = policies

    def __call__(self, _: Any) -> "Brokers":
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def config(self, topic: str) -> Mapping[str, str]:
        policy = self._policies[topic]
        if isinstance(policy, Exception):
            raise policy
        return {"cleanup.policy": policy}


def asked(policies: Mapping[str, str | Exception]) -> tuple[bool, list[Compaction]]:
    """Whether all was answered, and what came of it."""
    results: SimpleQueue[Any] = SimpleQueue()
    answered = Asking(None, policies, results, Brokers(policies)).ask()  # type: ignore[arg-type]
    return answered, [results.get() for _ in range(results.qsize())]


def test_each_topic_is_told() -> None:
    found = asked({"a": "delete", "b": "compact,delete"})
    assert found == (True, [Compaction("a", False), Compaction("b", True)])


def test_brokers_that_are_away_are_asked_again() -> None:
    assert asked({"a": BrokerError("no broker answers")}) == (False, [])


def test_what_may_not_be_read_stays_compacted_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    assert asked({"a": Denied("DESCRIBE_CONFIGS"), "b": "delete"}) == (True, [Compaction("b", False)])
    assert [record.topic for record in caplog.records] == ["a"]  # type: ignore[attr-defined]
