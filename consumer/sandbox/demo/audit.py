"""Whether every event came to what it should: profiles, dead letters and commits against what the traffic expects."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from consumer.kafka.dead_letter_format import REASON
from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.mixpanel.server import MixpanelSandbox
from consumer.sandbox.mixpanel.updates import Group
from consumer.sandbox.traffic.event import NUMBER_HEADER, Expected

PATIENCE: Final = 30.0


@dataclass
class Audit:
    """What was found. `lost` and `differences` are empty where all is well."""

    committed: int = 0
    consumed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    example: Message | None = None
    lost: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    @property
    def open(self) -> int:
        """Events that are in the topic, and not settled."""
        return self.consumed - self.committed

    @property
    def balanced(self) -> bool:
        """Whether every event came to what it should."""
        return not self.lost and not self.differences and not self.open


def audit(
    broker: Broker, mixpanel: MixpanelSandbox, expected: Expected, *, topic: str, dead_letters: str, group: str
) -> Audit:
    """Compare everything, once the service has stopped."""
    audited = Audit()
    with observer(broker, group) as consumer:
        audited.committed, audited.consumed = offsets(consumer, topic)
    if audited.consumed != expected.events:
        audited.differences.append(f"the topic has {audited.consumed} events, and {expected.events} were produced")
    _compare_dead_letters(audited, broker, dead_letters, expected)
    _compare_profiles(audited, mixpanel, expected)
    return audited


@contextmanager
def observer(broker: Broker, group: str) -> Iterator[Consumer]:
    """A client that may ask what a group has committed, and is no member of it."""
    consumer = Consumer({"bootstrap.servers": broker.internal_bootstrap, "group.id": group, "log_level": 0})
    try:
        yield consumer
    finally:
        consumer.close()


def offsets(consumer: Consumer, topic: str, patience: float = PATIENCE) -> tuple[int, int]:
    """How many records of the topic the group has committed, and how many there are; none was ever removed."""
    partitions = consumer.list_topics(topic, timeout=patience).topics[topic].partitions
    places = [TopicPartition(topic, number) for number in partitions]
    ends = [consumer.get_watermark_offsets(place, timeout=patience)[1] for place in places]
    committed = consumer.committed(places, timeout=patience)
    return sum(max(place.offset, 0) for place in committed), sum(ends)


def dead_letters(broker: Broker, topic: str) -> Iterator[Message]:
    """Every record of the dead-letter topic."""
    with observer(broker, "sandbox-audit") as consumer:
        partitions = consumer.list_topics(topic, timeout=PATIENCE).topics[topic].partitions
        places = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions]
        left = sum(consumer.get_watermark_offsets(place, timeout=PATIENCE)[1] for place in places)
        consumer.assign(places)
        while left:
            records = consumer.consume(min(left, 1000), PATIENCE)
            if not records:
                raise TimeoutError(f"{left} records of {topic} were not had in {PATIENCE:.0f} s")
            left -= len(records)
            yield from records


def headers_of(record: Message) -> dict[str, str]:
    """A record's headers as text; the last of each name."""
    by_name: dict[str, str] = {}
    for name, value in dict(record.headers() or []).items():
        by_name[name] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""
    return by_name


def _compare_dead_letters(audited: Audit, broker: Broker, topic: str, expected: Expected) -> None:
    seen: Counter[int] = Counter()
    for record in dead_letters(broker, topic):
        headers = headers_of(record)
        number, reason = int(headers.get(NUMBER_HEADER, -1)), headers.get(REASON, "none")
        seen[number] += 1
        audited.reasons[reason] += 1
        if audited.example is None or (reason == "rejected" and headers_of(audited.example).get(REASON) != reason):
            audited.example = record
        wanted = expected.reasons.get(number)
        if wanted != reason:
            audited.differences.append(
                f"event {number} is a dead letter for {reason}, expected: {wanted or 'applied'}"
            )
    for number, wanted in expected.reasons.items():
        if not seen[number]:
            audited.lost.append(f"event {number} was to be a dead letter for {wanted}, and there is none")
    audited.differences += [f"event {number} is {count} dead letters" for number, count in seen.items() if count > 1]


def _compare_profiles(audited: Audit, mixpanel: MixpanelSandbox, expected: Expected) -> None:
    actual, wanted = (_by_group(profiles.snapshot()) for profiles in (mixpanel.profiles, expected.profiles))
    for group, properties in wanted.items():
        if group not in actual:
            audited.lost.append(f"the profile of {_named(group)} is missing")
        elif actual[group] != properties:
            names = sorted(
                name
                for name in actual[group].keys() | properties.keys()
                if actual[group].get(name, ...) != properties.get(name, ...)
            )
            audited.lost.append(f"the profile of {_named(group)} differs in {', '.join(names)}")
    audited.differences += [
        f"there is a profile of {_named(group)}, which was to be none" for group in actual.keys() - wanted.keys()
    ]


def _by_group(snapshot: list[dict[str, Any]]) -> dict[Group, dict[str, Any]]:
    by_group: dict[Group, dict[str, Any]] = {}
    for profile in snapshot:
        group = (profile["token"], profile["group_key"], profile["group_id"], profile.get("company_id", ""))
        by_group[group] = profile["properties"]
    return by_group


def _named(group: Group) -> str:
    _, key, name, company = group
    return f"{key} {name} of company {company}" if company else f"{key} {name}"
