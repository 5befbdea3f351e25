"""The sandbox's traffic: what each event says of itself is what the service's own core makes of it."""

import itertools
import json
from collections import Counter
from threading import Event
from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer, KafkaException

from consumer.avro.errors import IncompatibleSchema
from consumer.event.convert import convert
from consumer.event.decode import frame, resolve
from consumer.event.encode import bounded_tail, opening_of
from consumer.event.errors import REASONS, UNKNOWN_PROJECT, Reject
from consumer.sandbox.mixpanel.updates import refusal
from consumer.sandbox.registry.models import ApiError
from consumer.sandbox.registry.server import RegistrySandbox
from consumer.sandbox.traffic.event import NUMBER_HEADER, Expected
from consumer.sandbox.traffic.producing import paced, produce
from consumer.sandbox.traffic.schemas import register
from consumer.sandbox.traffic.traffic import Traffic
from consumer.schemas import newest

OPENING = opening_of("sandbox-token")


@pytest.fixture
def writers(registry):
    """Every writer's schema, in the sandbox's registry."""
    return register(registry.register, registry.guid)


def outcome(registry, event, decoders):
    """What core and Mixpanel make of one event: the reason of its dead letter, or the update."""
    try:
        schema, start = frame(event.value, event.headers)
        if schema not in decoders:
            known = registry.subjects
            found = known.schema(schema) if isinstance(schema, int) else known.by_guid(schema)
            decoders[schema] = resolve(json.loads(found.text), json.loads(newest()))
        change = decoders[schema].decode(event.value, start)
        tail = bounded_tail(convert(change), len(OPENING))
    except Reject as reject:
        return reject.reason
    except ApiError:
        return "unknown_schema"
    except IncompatibleSchema:
        return "incompatible_schema"
    if change.project is not None:
        return UNKNOWN_PROJECT
    update = orjson.loads(OPENING + tail)
    words = refusal(update)
    refused = words or "$reject" in str(update) or update["$group_id"].startswith("reject-")
    return "rejected" if refused else update


def test_each_event_knows_its_fate(registry, writers):
    """Every event becomes the update, or the dead letter, that it says; every reason of a record's own occurs."""
    decoders = {}
    seen = Counter()
    for event in Traffic(writers, seed=7, bad=0.3).events(3000):
        assert outcome(registry, event, decoders) == (event.reason or event.update), event.number
        seen[event.reason] += 1

    assert seen.keys() == {None, *REASONS} - {"ambiguous_add", "quarantined", "unmapped"}
    assert 0.25 < 1 - seen[None] / 3000 < 0.35
    assert len([schema for schema in decoders if isinstance(schema, int)]) == 3
    assert len([schema for schema in decoders if isinstance(schema, str)]) >= 3


def test_a_seed_is_a_traffic(writers):
    """The same seed gives the same records, byte for byte; another seed gives others."""

    def records(seed):
        return [(event.key, event.value, event.headers) for event in Traffic(writers, seed=seed).events(500)]

    assert records(1) == records(1)
    assert records(1) != records(2)


def test_the_mix(writers):
    """Seven in ten set three to eight properties; few groups have most of the events; keys name the group."""
    events = list(Traffic(writers, bad=0).events(5000))
    named = {"$token", "$group_key", "$group_id", "$company_id"}
    verbs = Counter(verb for event in events for verb in event.update.keys() - named)
    groups = Counter(event.key for event in events)

    assert 0.66 < verbs["$set"] / 5000 < 0.75
    assert set(verbs) == {"$set", "$set_once", "$add", "$union", "$remove", "$unset", "$delete"}
    assert all(3 <= len(event.update["$set"]) <= 8 for event in events if "$set" in event.update)
    assert sum(count for _, count in groups.most_common(len(groups) // 10)) > 5000 / 4
    assert all(event.key.decode() == f"{event.update['$group_key']}:{event.update['$group_id']}" for event in events)


def test_groups_of_several_projects(writers):
    """Of each project as many, and of the same ids; an event names its project, and its update has that token."""
    events = list(Traffic(writers, bad=0, groups=40, projects={"other": "other-token"}).events(2000))
    groups = {}
    for event in events:
        groups.setdefault(event.update["$token"], set()).add(event.key)

    assert groups.keys() == {"sandbox-token", "other-token"}
    assert groups["sandbox-token"] == groups["other-token"]
    assert len(groups["other-token"]) > 10


def test_some_groups_are_of_a_company(writers):
    """One in eight; two of them with the same id, which is a profile in each company."""
    events = list(Traffic(writers, bad=0, groups=400).events(5000))
    companies = {}
    for event in events:
        companies.setdefault(event.key, set()).add(event.update.get("$company_id"))
    shared = [key for key, found in companies.items() if len(found) == 2]

    assert len(shared) == 400 // 16
    assert 0.05 < sum("$company_id" in event.update for event in events) / 5000 < 0.2
    assert None not in set.union(*(companies[key] for key in shared))


def test_no_refusal_is_overwritten(writers):
    """A refused update keeps what only it has: no later change of its group has it, and none deletes the group."""
    events = list(Traffic(writers, bad={"rejected": 0.2}).events(5000))
    refused = [event.key for event in events if event.reason]
    deleted = {event.key for event in events if event.update and "$delete" in event.update}

    assert len(refused) == len(set(refused)) > 500
    assert not deleted & set(refused)
    assert deleted


def test_shares(writers):
    """The bad share is one number or one by reason; a reason that there is not is refused."""
    only = Traffic(writers, bad={"tombstone": 1.0}).events(10)
    assert [event.reason for event in only] == ["tombstone"] * 10
    with pytest.raises(ValueError, match="not_framed"):
        Traffic(writers, bad={"ambiguous_add": 0.1})


def test_without_guids():
    """Where the registry gives no GUIDs every schema is named by its id."""
    registry = RegistrySandbox()
    events = Traffic(register(registry.register), bad=0.1).events(500)

    assert {name for event in events for name, _ in event.headers} == {NUMBER_HEADER}


def test_expected(writers):
    """What is noted adds up: profiles as applied in order, and a reason for each bad event."""
    expected = Expected()
    for event in Traffic(writers, bad=0.1).events(2000):
        expected.note(event)

    assert expected.events == 2000
    assert 100 < len(expected.reasons) < 300
    assert 0 < len(expected.profiles) < 2000


def test_produce(broker, new_topic, writers, group_id):
    """All of it arrives, each group in one partition and in its order, with the progress told."""
    topic = new_topic(partitions=4)
    expected, told = Expected(), []
    count = produce(broker.bootstrap, topic, Traffic(writers).events(5000), expected=expected, progress=told.append)
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": group_id, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    found = []
    while len(found) < 5000:
        found += consumer.consume(1000, timeout=30)
    consumer.close()

    assert count == expected.events == told[-1] == 5000
    numbers = {}
    for record in found:
        headers: Any = record.headers()
        number = int(dict(headers)[NUMBER_HEADER])
        numbers.setdefault((record.key(), record.partition()), []).append(number)
    assert sorted(itertools.chain(*numbers.values())) == list(range(1, 5001))
    assert all(run == sorted(run) for run in numbers.values())
    assert len({key for key, _ in numbers}) == len(numbers)


def test_produce_fails_loudly(broker, writers):
    """Where the topic is missing it raises; nothing is taken for written that is not."""
    with pytest.raises(KafkaException):
        produce(broker.bootstrap, "no-such-topic", Traffic(writers).events(10), config={"message.timeout.ms": 1000})


def test_paced(writers):
    """A rate slows the events down, and ends when it is told to."""
    stopping = Event()
    slow = paced(Traffic(writers).events(1000), lambda: 0.5, stopping)
    next(slow)
    stopping.set()

    assert list(slow) == []
    assert len(list(paced(Traffic(writers).events(50), lambda: 1e6, Event()))) == 50
