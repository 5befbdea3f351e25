"""`dlq list` on a real broker: counts, filters, and memory that does not grow with the topic."""

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer

from consumer.commands.dlq.scan import read, spans_of
from consumer.commands.dlq.selection import Selection
from consumer.commands.dlq.summary import DeadLetterSummary
from consumer.commands.dlq.topic import Topic
from consumer.kafka.dead_letter_format import headers_of
from consumer.settings import load
from tests.commands.dlq.conftest import NOON, Board, letter

HOUR = 3_600_000


def few(board: Board) -> None:
    """Seven letters of two topics and three reasons, in both partitions, and one record of somebody else."""
    board.write([letter(offset, timestamp=NOON + offset * HOUR) for offset in range(3)])
    board.write([letter(3, reason="corrupt", partition=1, timestamp=NOON - HOUR)])
    board.write([letter(4, "beta", reason="unknown_schema", topic="more-changes", partition=1, timestamp=NOON - 1)])
    board.write([letter(5, "beta", partition=1, project="emea")])
    board.write([letter(6, "beta", partition=1, project="emea", company="x")])
    producer = Producer({"bootstrap.servers": board.broker.bootstrap})
    producer.produce(board.topic, b"somebody else's", partition=0, timestamp=NOON)
    assert producer.flush(30) == 0


def test_everything_is_counted(board: Board):
    """By reason, source topic, schema and time, newest first; the newest letters one by one."""
    few(board)
    shown = board.json("list", "--limit", "2")
    assert (shown["topic"], shown["letters"], shown["open"]) == (board.topic, 8, 7)
    assert [(row["reason"], row["letters"]) for row in shown["reasons"]] == [
        ("rejected", 5),
        ("(foreign)", 1),
        ("unknown_schema", 1),
        ("corrupt", 1),
    ]
    assert [(row["project"], row["letters"]) for row in shown["projects"]] == [(None, 6), ("emea", 2)]
    assert [(row["company_id"], row["letters"]) for row in shown["companies"]] == [(None, 7), ("x", 1)]
    assert [(row["topic"], row["letters"]) for row in shown["topics"]] == [
        ("changes", 6),
        (None, 1),
        ("more-changes", 1),
    ]
    assert [(row["schema"], row["letters"]) for row in shown["schemas"]] == [("7", 7), (None, 1)]
    assert sum(row["letters"] for row in shown["times"]) == 8
    assert shown["newest"] == "2026-08-17T14:00:00.000Z"
    assert [row["source"] for row in shown["newest_letters"]] == ["changes:0:2", "changes:0:1"]
    assert shown["newest_letters"][0]["words"] == "plan is not what it should be"


@pytest.mark.parametrize(
    ("arguments", "letters"),
    [
        (("--reason", "rejected"), 5),
        (("--reason", "rejected", "--reason", "corrupt"), 6),
        (("--topic", "more-changes"), 1),
        (("--project", "emea"), 2),
        (("--company", "x"), 1),
        (("--project", "emea", "--reason", "corrupt"), 0),
        (("--source-partition", "1"), 4),
        (("--source-offsets", "2-4"), 3),
        (("--since", "2026-08-17T13:00"), 2),
        (("--until", "2026-08-17T12:00"), 2),
        (("--key", "company:beta"), 3),
        (("--partition", "0"), 4),
        (("--partition", "0", "--offsets", "1-2"), 2),
        (("--offsets", "2-"), 4),
        (("--reason", "(foreign)"), 1),
    ],
)
def test_filters(board: Board, arguments: tuple[str, ...], letters: int):
    """Each filter leaves what matches it."""
    few(board)
    assert board.json("list", *arguments)["letters"] == letters


def test_tables_fit_80_columns(board: Board):
    """The tables name the reasons and the next command, and no line is longer than a terminal."""
    few(board)
    result = board.call("list")
    assert result.exit_code == 0
    assert "8 dead letters in" in result.output
    assert "unknown_schema" in result.output
    assert "emea" in result.output
    assert "group-consumer dlq show 0:2" in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_an_empty_topic(board: Board):
    """Nothing is no fault."""
    assert board.json("list")["letters"] == 0
    assert "0 dead letters" in board.call("list").output


def test_a_missing_topic_is_named(board: Board):
    """Without the topic the exit status is 1, and the sentence says which setting names it."""
    result = board.call("list", "--kafka-dead-letter-topic", "nowhere")
    assert result.exit_code == 1
    assert "nowhere does not exist" in result.output
    assert "KAFKA_DEAD_LETTER_TOPIC" in result.output


@pytest.mark.parametrize("arguments", [("--since", "yesterday"), ("--offsets", "x"), ("--reason", "bad")])
def test_wrong_usage_is_status_2(board: Board, arguments: tuple[str, str]):
    """What cannot be read is usage, before anything is asked of Kafka."""
    assert board.call("list", *arguments).exit_code == 2


def test_reading_leaves_no_trace(board: Board):
    """Neither list nor show joins the service's group or commits for it."""
    few(board)
    board.call("list")
    board.call("show", "0:0")
    listed = board.broker.admin.list_consumer_groups().result(30).valid
    assert board.group not in {group.group_id for group in listed}


def test_what_is_written_meanwhile_is_left_for_the_next_time(board: Board):
    """The end is the topic's end as it was at the beginning, also where that is a transaction's marker."""
    few(board)
    producer = Producer({"bootstrap.servers": board.broker.bootstrap, "transactional.id": board.topic})
    producer.init_transactions(30)
    producer.begin_transaction()
    for partition in range(2):
        producer.produce(board.topic, b"in a transaction", partition=partition)
    producer.commit_transaction(30)
    with Topic(load(board.environ, need=())) as topic:
        deadline = time.monotonic() + 30
        while sum(span.end for span in spans_of(topic.consumer, board.topic)) < 12:  # the markers follow the commit
            assert time.monotonic() < deadline
        spans = spans_of(topic.consumer, board.topic)
        board.write([letter(100 + number, partition=number % 2) for number in range(6)])
        assert sum(len(messages) for messages in read(topic.consumer, board.topic, spans)) == 10


def many(board: Board, count: int) -> None:
    """So many letters of 700 topics over 400 days, in 4 partitions, the newest first."""
    headers = headers_of(letter(0), board.group)[3:]
    producer = Producer({"bootstrap.servers": board.broker.bootstrap, "linger.ms": 50, "compression.type": "lz4"})
    spread = 400 * 24 * HOUR // count
    for number in range(count):
        origin = {"topic": f"topic-{number % 700}", "partition": number % 4, "offset": number}
        named: Any = [("__connect.errors." + name, str(value).encode()) for name, value in origin.items()]
        if number % 10_000 == 0:
            producer.flush(60)
        producer.produce(
            board.topic, b"x" * 100, partition=number % 4, headers=named + headers, timestamp=NOON - number * spread
        )
    assert producer.flush(60) == 0


def test_memory_does_not_grow_with_the_topic(new_board: Callable[..., Board]):
    """60,000 letters of many topics, schemas and times are counted in less than 6 MB, and none is missed."""
    board = new_board(partitions=4)
    many(board, 60_000)
    with Topic(load(board.environ, need=())) as topic:
        summary = DeadLetterSummary(10)
        tracemalloc.start()
        for one in topic.dead_letters(Selection()):
            summary.add(one, one.reason, "")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert summary.total.dead_letters == 60_000
    assert len(summary.times.newest_first()) <= 24
    assert [line.origin for line in summary.newest_first()][:2] == ["topic-0:0:0", "topic-1:1:1"]
    assert peak < 6_000_000, peak
