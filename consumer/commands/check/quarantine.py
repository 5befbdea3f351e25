"""What `check` says of QUARANTINE: which entries can match nothing any more, as far as the brokers know."""

from collections.abc import Iterator, Sequence

from consumer.commands.check.facts import Fact, ok, unknown, warning
from consumer.kafka.broker_errors import BrokerError
from consumer.kafka.brokers import Brokers, ExistingTopic, GroupPlace
from consumer.settings import Settings

WHAT = "quarantine"
DROP = "take the entry out of QUARANTINE"


def quarantine_facts(brokers: Brokers, settings: Settings, sources: Sequence[ExistingTopic]) -> Iterator[Fact]:
    """How much is named, each place that is not read again, each project that is not there.

    Groups and schemas may always come again.
    """
    named = settings.quarantine
    if not named:
        return
    count = len(named.places) + len(named.projects) + len(named.groups) + len(named.schemas)
    yield ok(WHAT, f"{count} named in QUARANTINE: a dead letter each, wherever it is met")
    for project in sorted(named.projects - settings.projects.keys()):
        there = ", ".join(settings.projects) or "none"
        yield warning(WHAT, f"project:{project} matches nothing: the settings have {there}", DROP)
    topics = {topic.name: topic for topic in sources}
    places: dict[str, dict[int, GroupPlace]] = {}
    for name, partition, offset in sorted(named.places):
        entry = f"{name}:{partition}:{offset}"
        if name not in settings.kafka_topics:
            yield warning(WHAT, f"{entry} matches nothing: KAFKA_TOPICS does not have the topic", DROP)
            continue
        if name not in topics:
            continue  # its own line says why nothing is known of it
        try:
            if name not in places:
                offsets = brokers.offsets(settings.kafka_group_id, topics[name])
                places[name] = {place.partition: place for place in offsets}
        except BrokerError as failure:
            yield unknown(WHAT, f"{entry}: {failure}", "try again")
            continue
        yield from place_facts(entry, offset, places[name].get(partition))


def place_facts(entry: str, offset: int, place: GroupPlace | None) -> Iterator[Fact]:
    """A warning where the group does not read this offset again."""
    if place is None:
        yield warning(WHAT, f"{entry} matches nothing: the topic has no such partition", DROP)
    elif offset < place.committed:
        yield warning(WHAT, f"{entry} matches nothing any more: committed is {place.committed}", DROP)
    elif offset < place.earliest:
        yield warning(WHAT, f"{entry} matches nothing any more: the log begins at {place.earliest}", DROP)
