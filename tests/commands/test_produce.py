"""`produce` on a real broker: what is in the topic afterwards, and what is said of what is not."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import confluent_kafka
import pytest

from consumer.event.decode import frame, resolve
from consumer.schemas import newest

SET = {"group_key": "company", "group_id": "acme", "operation": "SET", "properties": {"plan": "gold"}}


def event(**fields):
    """A line that is a SET, with these fields changed."""
    return json.dumps(SET | fields)


@pytest.fixture
def read(broker):
    """Reads every record of a topic, partition by partition, in order."""

    def end_of(consumer, place):
        """The end of the partition, which a new topic's leader may not know at once."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return consumer.get_watermark_offsets(place, timeout=10)[1]
            except confluent_kafka.KafkaException:
                assert time.monotonic() < deadline

    def all_of(topic):
        consumer = confluent_kafka.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "reader"})
        try:
            found = []
            for partition in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
                place = confluent_kafka.TopicPartition(topic, partition, 0)
                end = end_of(consumer, place)
                consumer.assign([place])
                at = 0
                while at < end:
                    message = consumer.poll(10)
                    assert message is not None
                    assert message.error() is None
                    found.append(message)
                    at = message.offset() + 1
            return found
        finally:
            consumer.close()

    return all_of


@pytest.fixture
def place(broker, schemas, topic):
    """Where to produce to."""
    return {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap, "SCHEMA_REGISTRY_URL": schemas.url, "KAFKA_TOPICS": topic}


def test_records(call, place, topic, read, schemas):
    """Events are in the topic with their key and frame, in order, and decode to what the lines said."""
    lines = [event(properties={"n": number}) for number in range(50)]
    result = call("produce", "-", "--output", "json", stdin="\n".join(lines), **place)

    assert result.exit_code == 0
    assert (
        json.loads(result.stdout).items() >= {"topic": topic, "written": 50, "bad_lines": 0, "schema_id": 1}.items()
    )
    assert "registered the event schema under" in result.stderr
    records = read(topic)
    assert {record.key() for record in records} == {b"company:acme"}
    assert len({record.partition() for record in records}) == 1
    decoder = resolve(json.loads(newest()), json.loads(newest()))
    changes = []
    for record in records:
        ref, start = frame(record.value(), record.headers())
        assert ref == 1
        changes.append(decoder.decode(record.value(), start))
    assert [change.properties["n"] for change in changes] == list(range(50))
    assert {(change.group_key, change.group_id, change.operation) for change in changes} == {
        ("company", "acme", "SET")
    }


def test_schema_is_looked_up(call, place, topic, schemas):
    """Where the subject has the schema, its id is taken, and nothing is registered."""
    schemas.register("other-value", '"string"')
    schemas.register(f"{topic}-value", newest())
    result = call("produce", "-", "--output", "json", stdin=event(), **place)
    assert json.loads(result.stdout)["schema_id"] == 2
    assert f"POST /subjects/{topic}-value/versions" not in schemas.asked


def test_partition_of_a_java_producer(call, place, topic, read):
    """A key goes to the partition where Java's default partitioner puts it: murmur2, as its own tests have it."""
    call("produce", "-", stdin="\n".join(event(group_id=str(number)) for number in range(20)), **place)
    for record in read(topic):
        assert record.partition() == (murmur2(record.key()) & 0x7FFFFFFF) % 4


def test_murmur2():
    """The values of Kafka's own UtilsTest."""
    assert murmur2(b"21") == -973932308
    assert murmur2(b"foobar") == -790332482


def murmur2(key):
    """Kafka's hash of a key, from the specification."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ len(key)) & mask
    whole = len(key) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at : at + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    rest = key[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    h ^= h >> 15
    return h - (1 << 32) if h >> 31 else h


def test_bad_lines(call, place, topic, read):
    """A bad line is named and not written; the others are, and the exit status is 1."""
    lines = [event(), "nope", event(operation="ADD", properties={"a": "x"}), event()]
    result = call("produce", "-", stdin="\n".join(lines), **place)
    assert result.exit_code == 1
    assert "line 2: bad_line: is not JSON" in result.stderr
    assert "line 3: invalid_change: property 1 of 1 is a string" in result.stderr
    assert "2 events written" in result.stdout
    assert "2 bad lines not written" in result.stdout
    assert len(read(topic)) == 2


def test_generated(call, place, topic, read, schemas):
    """Generated events all decode, are the same for the same seed, and register no schema but their own."""
    for _ in range(2):
        result = call("produce", "--generate", "300", "--seed", "7", **place)
        assert result.exit_code == 0
        assert "300 events written" in result.stdout
    decoder = resolve(json.loads(newest()), json.loads(newest()))
    records = read(topic)
    changes = [decoder.decode(record.value(), frame(record.value(), record.headers())[1]) for record in records]
    assert len(changes) == 600
    assert len({change.event_id for change in changes}) == 300
    assert {change.operation for change in changes} >= {"SET", "ADD", "UNION"}
    assert {asked for asked in schemas.asked if asked.endswith("/versions") and asked.startswith("POST")} == {
        f"POST /subjects/{topic}-value/versions"
    }


def test_generated_with_bad_ones(call, place, topic, read):
    """With --bad some of the generated records cannot be applied."""
    result = call("produce", "--generate", "300", "--bad", "0.5", **place)
    assert result.exit_code == 0
    assert any(record.value() is None for record in read(topic))


def test_file_and_generate(call, place):
    """Neither a file nor --generate, or both, is a usage error."""
    assert call("produce", **place).exit_code == 2
    assert call("produce", "-", "--generate", "5", stdin="", **place).exit_code == 2


def test_no_topic(call, place):
    """A topic that is not there is named, with the command that creates it, and it is not created."""
    for _ in range(2):
        result = call("produce", "-", "--topic", "no-such-topic", stdin=event(), **place)
        assert result.exit_code == 1
        assert "no-such-topic: there is no such topic" in result.stderr
        assert "--create --topic no-such-topic" in result.stderr


def test_no_broker(call, place):
    """Brokers that do not answer are an error that says what to check."""
    result = call("produce", "-", stdin=event(), **place | {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    assert result.exit_code == 1
    assert "check KAFKA_BOOTSTRAP_SERVERS" in result.stderr


def test_no_registry(call, place, schemas, topic, read):
    """A registry that does not answer is an error, and nothing is written."""
    schemas.stop()
    result = call("produce", "-", stdin=event(), **place)
    assert result.exit_code == 1
    assert "nothing answers there" in result.stderr
    assert read(topic) == []


@pytest.fixture
def start(place):
    """Starts `produce -` as a process, which gets its lines one by one."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = []

    def process(**environ):
        command = [sys.executable, "-m", "consumer", "produce", "-", "--output", "json"]
        # A shell's background job ignores Ctrl-C, and so would what it starts.
        heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        started.append(
            subprocess.Popen(command, env=os.environ | place | environ, bufsize=0, preexec_fn=heard, **pipes)  # type: ignore[call-overload]  # noqa: PLW1509
        )
        return started[-1]

    yield process
    for one in started:
        with one:
            one.kill()


def test_not_confirmed(start, new_topic):
    """Where the broker refuses a record, its line is named, and the command reads no more and ends with status 1."""
    process = start(KAFKA_TOPICS=new_topic(config={"max.message.bytes": "1000"}))
    process.stdin.write(event(properties={"a": os.urandom(3000).hex()}).encode() + b"\n")
    deadline = time.monotonic() + 60
    with contextlib.suppress(BrokenPipeError):
        while process.poll() is None:
            assert time.monotonic() < deadline, "it goes on reading"
            process.stdin.write(event().encode() + b"\n")
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"line 1: was not confirmed by the brokers" in err
    assert json.loads(out)["unconfirmed"] >= 1


def test_interrupted(start, topic, read):
    """Ctrl-C waits for what is under way and says what was written; nothing confirmed is missing."""
    process = start()
    process.stdin.write("".join(event(properties={"n": number}) + "\n" for number in range(3)).encode())
    deadline = time.monotonic() + 60
    while len(read(topic)) < 3:
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 1  # before its input ends, which would be a reason to stop, too
    out, err = process.communicate(timeout=30)
    assert b"stopped" in err
    assert b"Traceback" not in err
    assert json.loads(out)["written"] == 3
