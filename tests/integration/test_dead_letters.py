"""The way of a record that cannot be applied: to the dead-letter topic, as it came, with the reason."""

import time

import pytest

import consumer
from tests.integration.events import SCHEMA, change, changed, framed
from tests.integration.watching import until
from tests.integration.world import headers

# Retention goes by it: a record of last month may be gone before it is read.
TIMESTAMP = int(time.time() - 3600) * 1000 + 123
VALUE_CONVERTER, TRANSFORMATION, TASK_PUT = "VALUE_CONVERTER", "TRANSFORMATION", "TASK_PUT"


def test_a_dead_letter_is_the_record_byte_for_byte(world):
    """Key, value, timestamp, partition and headers are as they came; ours are appended behind."""
    own = [("trace", b"\xff\x00"), ("trace", b"again"), ("empty", b""), ("null", None)]
    world.send(b"\xff\x00\x80garbage", key=b"\x00\xfekey", headers=own, timestamp=TIMESTAMP, partition=3)
    service = world.run()
    (letter,) = world.letters(1)
    assert (letter.key(), letter.value()) == (b"\x00\xfekey", b"\xff\x00\x80garbage")
    assert letter.headers()[:4] == own
    assert letter.timestamp()[1] == TIMESTAMP
    assert letter.partition() == 3
    added = {name: value.decode() for name, value in letter.headers()[4:]}
    assert added.pop("__connect.errors.class.name")
    assert added.pop("__connect.errors.exception.class.name")
    assert added.pop("__connect.errors.exception.message") == added.pop("mixpanel.detail")
    assert len(added.pop("mixpanel.topic.id")) == 22  # a UUID, as Kafka writes it
    assert added == {
        "__connect.errors.topic": world.topic,
        "__connect.errors.partition": "3",
        "__connect.errors.offset": "0",
        "__connect.errors.connector.name": world.group,
        "__connect.errors.stage": VALUE_CONVERTER,
        "mixpanel.reason": "not_framed",
        "mixpanel.consumer.version": consumer.__version__,
    }
    world.settled()
    until(lambda: service.metric("dead_letters_total", reason="not_framed") == 1, "the metric has counted it")


def test_every_reason_is_found_and_told(world):
    """Each of the ten reasons comes with its stage; all that is good among them is applied."""
    world.mixpanel.faults.on("status", status=500, times=1)
    service = world.run(AMBIGUOUS_ADD="dead-letter")
    world.send(changed("unsure", "ADD", n=1))
    until(lambda: service.metric("dead_letters_total", reason="ambiguous_add") == 1, "the $add is a dead letter")
    other = world.register("other", {"type": "record", "name": "Other", "fields": []})
    protobuf = world.registry.register("another", 'syntax = "proto3"; message Other {}', kind="PROTOBUF")
    good = [changed(f"good{number}", plan="x") for number in range(3)]
    world.send(
        good[0],
        b"garbage",
        framed(change("a", plan="x"), number=other),
        framed(change("a", plan="x"), number=protobuf),
        changed("a", plan="x") + b"\0",
        changed("a", plan="x")[:-3],
        None,
        changed("a"),
        changed("a", project="elsewhere", plan="x"),
        good[1],
        partition=1,
    )
    world.send(framed(change("a", plan="x"), number=999), good[2], partition=2)
    world.send(changed("a", **{f"p{n}": n for n in range(256)}), changed("reject-me", plan="x"), partition=3)
    expected = {
        (0, 0): ("ambiguous_add", TASK_PUT),
        (1, 1): ("not_framed", VALUE_CONVERTER),
        (1, 2): ("incompatible_schema", VALUE_CONVERTER),
        (1, 3): ("incompatible_schema", VALUE_CONVERTER),
        (1, 4): ("corrupt", VALUE_CONVERTER),
        (1, 5): ("corrupt", VALUE_CONVERTER),
        (1, 6): ("tombstone", VALUE_CONVERTER),
        (1, 7): ("invalid_change", TRANSFORMATION),
        (1, 8): ("unknown_project", TRANSFORMATION),
        (2, 0): ("unknown_schema", VALUE_CONVERTER),
        (3, 0): ("too_large", TRANSFORMATION),
        (3, 1): ("rejected", TASK_PUT),
    }
    found = [headers(letter) for letter in world.letters(len(expected))]
    places = {(int(one[f"{CONNECT}partition"]), int(one[f"{CONNECT}offset"])): one for one in found}
    assert {place: (one["mixpanel.reason"], one[f"{CONNECT}stage"]) for place, one in places.items()} == expected
    refused = places[3, 1]
    assert refused["mixpanel.http.status"] == "200"
    assert "refused on purpose" in refused["mixpanel.error"]
    assert '"$group_id":"reject-me"' in refused["mixpanel.update"]
    assert refused["mixpanel.schema.id"] == "1"
    named = {place for place, one in places.items() if one.get("mixpanel.project") == "default"}
    assert named == {(0, 0), (1, 7), (3, 0), (3, 1)}
    world.settled()
    assert [world.profile(f"good{number}") for number in range(3)] == [{"plan": "x"}] * 3
    assert world.profile("a") is None


CONNECT = "__connect.errors."


@pytest.mark.parametrize("status", [200, 400])
def test_refusals_in_every_dialect_find_their_record(world, status):
    """However Mixpanel tells which updates it refused: those are dead letters, no others, the rest is applied."""
    dialects = ("by-index", "by-message", "records", "strings", "error", "out-of-range", "duplicate")
    world.run(AMBIGUOUS_ADD="dead-letter")
    for number, dialect in enumerate(dialects):
        world.mixpanel.faults.on("refuse", group_id="bad-*", dialect=dialect, http_status=status)
        values = [changed(f"{dialect}-{group}", plan="x") for group in range(5)]
        world.send(*values, changed(f"bad-{dialect}", plan="x"), *values, partition=number % 4)
        world.settled()
    letters = world.letters(len(dialects))
    assert {headers(letter)["mixpanel.reason"] for letter in letters} == {"rejected"}
    updates = [headers(letter)["mixpanel.update"] for letter in letters]
    assert sorted(dialects) == sorted(dialect for dialect in dialects for one in updates if f'"bad-{dialect}"' in one)
    for dialect in dialects:
        assert [world.profile(f"{dialect}-{group}") for group in range(5)] == [{"plan": "x"}] * 5, dialect


def test_an_add_beside_an_opaque_refusal_is_sent_once_or_a_dead_letter(world):
    """Where the answer does not say what was refused, an $add of that request may have been applied."""
    world.mixpanel.faults.on("refuse", group_id="bad", dialect="error", count="absent")
    world.send(changed("a", "ADD", n=1), changed("bad", plan="x"), changed("b", plan="y"))
    world.run(AMBIGUOUS_ADD="dead-letter")
    world.settled()
    reasons = {headers(letter)[f"{CONNECT}offset"]: headers(letter)["mixpanel.reason"] for letter in world.letters(2)}
    assert reasons == {"0": "ambiguous_add", "1": "rejected"}
    assert (world.profile("a"), world.profile("b")) == ({"n": 1}, {"plan": "y"})


def test_a_folded_refusal_blames_one_record_and_loses_nothing(world):
    """Of a run of changes of one group only the refused one is a dead letter; the others count, each once."""
    world.mixpanel.faults.on("refuse", property="poison")
    values = [
        changed("g", "ADD", n=1),
        changed("g", plan="a"),
        changed("g", poison=1, also=2),
        changed("g", plan="b"),
    ]
    world.send(*values, *[changed("g", "ADD", n=1)] * 3)
    world.run()
    world.settled()
    (letter,) = world.letters(1)
    assert headers(letter)["__connect.errors.offset"] == "2"
    assert world.profile("g") == {"n": 4, "plan": "b"}


def test_a_missing_dead_letter_topic_blocks_its_partition_until_it_is_made(world):
    """Without the topic the reject waits and so does its commit; others go on; the log has the command to make it."""
    missing = f"{world.group}.made-later"
    service = world.run(KAFKA_DEAD_LETTER_TOPIC=missing)
    world.send(changed("a", plan="x"), b"garbage", changed("b", plan="y"), partition=0)
    line = service.said("dead-letter topic missing")
    assert f"--create --topic {missing}" in line["create"]
    until(lambda: service.metric("dead_letters_blocked") == 1, "the dead letter is blocked")
    world.send(changed("c", plan="z"), partition=1)
    until(lambda: world.committed() == {0: 1, 1: 1}, "all but the reject and what is behind it is committed")
    assert service.get("/livez")[0] == 200
    assert service.ready(), service.reasons()
    world.broker.create_topic(missing, 4)
    world.settled()
    assert [letter.value() for letter in world.letters(1, missing)] == [b"garbage"]
    assert world.profile("b") == {"plan": "y"}
    service.said("dead letters are written again")


def test_a_dead_letter_that_cannot_be_written_is_the_next_ones_after_a_stop(world):
    """A stop while a dead letter is blocked ends in time with 0; the record is a dead letter after the next start."""
    missing = f"{world.group}.made-later"
    world.send(changed("a", plan="x"), b"garbage")
    service = world.run(KAFKA_DEAD_LETTER_TOPIC=missing, DRAIN_TIMEOUT="2s")
    until(lambda: service.metric("dead_letters_blocked") == 1, "the dead letter is blocked")
    assert service.stop(8) == 0
    assert world.committed() == {0: 1}
    world.broker.create_topic(missing, 1)
    world.run(KAFKA_DEAD_LETTER_TOPIC=missing)
    world.settled()
    assert len(world.letters(1, missing)) == 1


def test_a_flood_of_rejects_pauses_the_service(world):
    """A thousand bad records and hardly a good one: it stops reading, says so, lives, and is not ready."""
    flood = 6000
    for number in range(flood):
        world.producer.produce(world.topic, b"garbage", partition=number % 4)
    world.flush()
    service = world.run(ready=False)
    line = service.said("flood of rejects")
    assert line["level"] == "error"
    assert "DEAD_LETTER_BREAKER=off" in line["message"]
    until(lambda: any("breaker" in reason for reason in service.reasons()), "it is not ready")
    assert service.get("/livez")[0] == 200
    assert service.metric("paused", cause="breaker") == 4
    until(lambda: service.metric("dead_letters_total") >= 1000, "what it had rejected is written")
    assert service.metric("dead_letters_blocked") == 0
    assert service.metric("dead_letters_total") < flood
    assert service.stop() == 0
    assert sum(world.committed().values()) < flood

    again = world.run(DEAD_LETTER_BREAKER="off")
    world.settled()
    assert again.ready()
    assert len(world.letters(flood)) >= flood


def test_an_evolved_writer_is_no_reject(world):
    """A writer with another order, more fields, fewer defaults and narrower numbers is read."""
    fields = {field["name"]: field for field in SCHEMA["fields"]}
    names = ["operation", "group_id", "group_key", "properties", "event_id"]
    more = [{"name": "source", "type": "string"}, {"name": "occurred_at", "type": "int"}]
    writer = {**SCHEMA, "fields": [*(fields[name] for name in names), *more]}
    number = world.register("evolved", writer)
    world.send(framed(change("a", plan="x") | {"source": "crm", "occurred_at": 7}, writer, number))
    world.run()
    world.settled()
    assert world.profile("a") == {"plan": "x"}
