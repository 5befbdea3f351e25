"""Kafka is away, frozen, or without the topic: waited for, said clearly, and nothing is lost."""

import time

import pytest
from confluent_kafka import TopicPartition

from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.ports import free_port
from tests.integration.events import changed
from tests.integration.watching import BACK_WITHIN, until
from tests.integration.world import QUICK_GROUP, World


@pytest.fixture
def own_world(tmp_path, group_id, registry, mixpanel, start):
    """A world with a broker of its own, not yet started."""
    broker = Broker(tmp_path / "broker", free_port())
    yield World(broker, "group-changes", group_id, registry, mixpanel, start)
    broker.kill()


def test_a_broker_that_is_away_is_waited_for(own_world):
    """Down at the start, and later: not ready, one clear line, no exit, and it goes on when the broker is back."""
    world = own_world
    world.settings["KAFKA_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{world.broker._wanted_port}"
    service = world.run(ready=False)
    line = service.said("no broker can be reached")
    assert "KAFKA_BOOTSTRAP_SERVERS" in line["message"]
    until(lambda: service.reasons() == ["no broker is connected"], "it is not ready")
    assert service.get("/livez")[0] == 200
    world.broker.start()
    world.broker.create_topic(world.topic, 4)
    world.broker.create_topic(world.letters_topic, 4)
    until(service.ready, "it is ready")
    world.send(changed("a", plan="x"), b"garbage")
    world.settled()

    world.stop_broker()
    until(lambda: service.reasons() == ["no broker is connected"], "it is not ready again")
    world.broker.start()
    until(service.ready, "it is ready again", BACK_WITHIN)
    world.send(changed("a", plan="y"))
    world.settled(BACK_WITHIN)
    assert world.profile("a") == {"plan": "y"}
    assert len(world.letters(1)) == 1
    assert service.get("/livez")[0] == 200
    assert service.stop() == 0


def test_a_frozen_broker_is_waited_for(own_world):
    """A broker that answers nothing stops commits and dead letters, not the service: they follow when it thaws."""
    world = own_world
    world.broker.start()
    world.broker.create_topic(world.topic, 4)
    world.broker.create_topic(world.letters_topic, 4)
    world.settings["KAFKA_BOOTSTRAP_SERVERS"] = world.broker.bootstrap
    world.mixpanel.faults.on("slow", milliseconds=1500, times=1)
    service = world.run()
    world.send(changed("a", plan="x"), changed("reject-b", plan="y"))
    until(lambda: service.metric("in_flight") == 1, "the request is under way")
    world.broker.freeze()
    until(lambda: world.profile("a") == {"plan": "x"}, "it is accepted")
    until(lambda: service.metric("dead_letters_blocked") == 1, "the dead letter is not confirmed")
    assert service.get("/livez")[0] == 200
    world.broker.thaw()
    world.settled()
    assert len(world.letters(1)) == 1
    assert world.profile("a") == {"plan": "x"}


def test_a_stop_ends_in_time_though_the_broker_is_frozen(own_world, tmp_path):
    """A stop does not wait for a broker that does not answer; what could not be committed is repeated."""
    world = own_world
    world.broker.start()
    world.broker.create_topic(world.topic, 4)
    world.settings["KAFKA_BOOTSTRAP_SERVERS"] = world.broker.bootstrap
    world.properties(tmp_path, QUICK_GROUP)
    world.mixpanel.faults.on("slow", milliseconds=1500, times=1)
    service = world.run(DRAIN_TIMEOUT="3s")
    world.send(changed("a", plan="x"))
    until(lambda: service.metric("in_flight") == 1, "the request is under way")
    world.broker.freeze()
    began = time.monotonic()
    assert service.stop(20) == 0
    assert time.monotonic() - began < 10
    world.broker.thaw()
    world.run(ready=False)
    world.settled(60)
    assert world.profile("a") == {"plan": "x"}


def test_a_topic_that_does_not_exist_is_waited_for(world):
    """A wrong name in KAFKA_TOPICS is told; once the topic is made it is read, without a restart."""
    later = f"{world.topic}-later"
    service = world.run(ready=False, KAFKA_TOPICS=later)
    line = service.said("a topic of KAFKA_TOPICS does not exist")
    assert line["level"] == "warning"
    assert service.get("/livez")[0] == 200
    world.broker.create_topic(later, 2)
    world.topic = later
    world.send(changed("a", plan="x"))
    world.settled(90)
    assert world.profile("a") == {"plan": "x"}
    until(service.ready, "it is ready")


def test_records_that_retention_removed_are_told_and_counted(world):
    """Where the committed offset is gone it goes on at the earliest record, and says how many it missed."""
    service = world.run()
    world.send(changed("a", n=0))
    world.settled()
    assert service.stop() == 0
    world.send(*[changed("a", n=number) for number in range(1, 10)])
    place = TopicPartition(world.topic, 0, 6)
    world.broker.admin.delete_records([place])[place].result(10)
    service = world.run()
    world.settled()
    line = service.said("retention removed records before they were read")
    assert (line["wanted"], line["earliest"], line["gap"]) == (1, 6, 5)
    assert service.metric("retention_gap_records_total") == 5
    assert world.profile("a") == {"n": 9}
