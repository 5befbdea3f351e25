"""`dlq replay --skip-newer` on a real broker: what has changed since is left as it is."""

from confluent_kafka import Producer

from consumer.sandbox.broker.broker import Broker
from tests.commands.dlq.conftest import Board, Replays, event, letter


def source(broker: Broker, topic: str, records: list[tuple[int, str | None]]) -> None:
    """Write records with these partitions and groups to a source topic of two partitions."""
    broker.create_topic(topic, 2)
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for partition, group in records:
        key = None if group is None else f"company:{group}".encode()
        producer.produce(topic, event(group or "nobody"), key, partition=partition)
    assert producer.flush(30) == 0


def topic_of(board: Board) -> str:
    """A source topic that only this test has."""
    return f"{board.group}-source"


def test_a_newer_record_in_the_source_skips_the_group(board: Board, replays: Replays):
    """A key with a later record than its last selected letter is left out; all others are sent."""
    topic = topic_of(board)
    source(board.broker, topic, [(0, "acme"), (0, "beta"), (0, "acme"), (1, "gamma"), (1, "gamma"), (0, "delta")])
    board.write([letter(0, "acme", topic=topic), letter(1, "beta", topic=topic), letter(3, "delta", topic=topic)])
    board.write([letter(number, "gamma", topic=topic, partition=1) for number in range(2)])
    shown = replays.json("--yes", "--skip-newer")
    assert (shown["plan"]["left_out"]["newer"], shown["plan"]["left_out"]["newer_keys"]) == (1, 1)
    assert shown["outcome"]["accepted"] == 4  # gamma's last letter is its last record
    assert [len(replays.applied(group)) for group in ("acme", "beta", "delta", "gamma")] == [0, 1, 1, 1]


def test_the_same_id_in_another_company_is_another_group(board: Board, replays: Replays):
    """What is newer there skips nothing here, though its record has the same key."""
    topic = topic_of(board)
    board.write([letter(0, "ann", topic=topic, company="x"), letter(1, "ann", "corrupt", topic=topic, company="y")])
    arguments = ("--dry-run", "--skip-newer", "--reason", "rejected")
    assert replays.json(*arguments)["plan"]["left_out"]["newer"] == 0
    board.write([letter(2, "ann", "corrupt", topic=topic, company="x")])
    assert replays.json(*arguments)["plan"]["left_out"]["newer"] == 1


def test_a_newer_dead_letter_that_is_not_selected_skips_the_group(board: Board, replays: Replays):
    """Also where the source topic is gone; and a letter that a replay has settled counts as newer, too."""
    topic = topic_of(board)
    board.write([letter(0, "acme", topic=topic), letter(5, "acme", "corrupt", topic=topic)])
    board.write([letter(1, "beta", topic=topic), letter(2, "gamma", topic=topic), letter(3, "gamma", topic=topic)])
    shown = replays.json("--dry-run", "--skip-newer", "--reason", "rejected")
    assert shown["plan"]["left_out"]["newer"] == 1
    assert shown["plan"]["letters"] == 3
    assert shown["plan"]["missing_source_topics"] == [topic]
    assert replays.json("--yes", "--source-offsets", "3")["outcome"]["accepted"] == 1
    shown = replays.json("--yes", "--skip-newer", "--reason", "rejected")
    assert (shown["plan"]["left_out"]["newer"], shown["outcome"]["accepted"]) == (2, 1)
    assert replays.applied("gamma") == [{"$set": {"plan": "v3"}}]


def test_a_part_of_the_dead_letters_is_compared_with_all(board: Board, replays: Replays):
    """Selecting by place does not hide the newer letters beyond it."""
    topic = topic_of(board)
    board.write([letter(0, "acme", topic=topic), letter(1, "acme", topic=topic)])
    shown = replays.json("--dry-run", "--skip-newer", "--partition", "0", "--offsets", "0")
    assert (shown["plan"]["letters"], shown["plan"]["left_out"]["newer"]) == (0, 1)


def test_keys_of_other_partitions_and_topics_do_not_count(board: Board, replays: Replays):
    """The same key in another partition or topic is another stream; null keys are taken for one group."""
    topic = topic_of(board)
    source(board.broker, topic, [(0, "acme"), (1, "beta"), (1, "acme"), (0, None), (0, None)])
    board.write([letter(0, "acme", topic=topic)])
    record = letter(1, "nobody", topic=topic)
    record.record.key = None
    board.write([record])
    shown = replays.json("--dry-run", "--skip-newer")
    assert [(row["letters"], row["keys"]) for row in shown["plan"]["rows"]] == [(1, 1)]
    assert shown["plan"]["left_out"]["newer"] == 1


def test_groups_are_compared_not_keys(board: Board, replays: Replays):
    """One key of several groups hides none of them; a group's newer record counts, whatever its key is."""
    topic = topic_of(board)
    board.broker.create_topic(topic, 2)
    producer = Producer({"bootstrap.servers": board.broker.bootstrap})
    for group, key in (("acme", b"shared"), ("beta", b"shared"), ("gamma", b"old"), ("gamma", b"new")):
        producer.produce(topic, event(group), key, partition=0)
    assert producer.flush(30) == 0
    board.write([letter(0, "acme", topic=topic, key=b"shared"), letter(2, "gamma", topic=topic, key=b"old")])
    shown = replays.json("--yes", "--skip-newer")
    assert (shown["plan"]["left_out"]["newer"], shown["outcome"]["accepted"]) == (1, 1)
    assert [len(replays.applied(group)) for group in ("acme", "gamma")] == [1, 0]


def test_what_cannot_be_decoded_goes_by_its_key(board: Board, replays: Replays):
    """A letter without an event is left out where its key has a newer record; that record is decoded or not."""
    topic = topic_of(board)
    source(board.broker, topic, [(0, "acme"), (0, "acme"), (0, "beta")])
    board.write(
        [letter(0, "acme", topic=topic, value=b"no frame"), letter(2, "beta", topic=topic, value=b"no frame")]
    )
    board.write([letter(0, "gamma", topic=topic, partition=1)])
    board.write([letter(1, "gamma", topic=topic, partition=1, value=b"no frame", reason="not_framed")])
    shown = replays.json("--dry-run", "--skip-newer", "--reason", "rejected")
    assert (shown["plan"]["left_out"]["newer"], shown["plan"]["letters"]) == (1, 2)


def test_a_registry_that_does_not_answer_ends_it(board: Board, replays: Replays):
    """Nobody knows then what is newer: nothing is sent."""
    topic = topic_of(board)
    board.write([letter(0, "acme", topic=topic, value=b"\0\0\0\0\x63x")])
    assert "the schema registry cannot be asked for schema 99" in replays.call("--yes", "--skip-newer", status=1)


def test_without_the_option_nothing_is_skipped(board: Board, replays: Replays):
    """It is an offer: the plan names the danger and the option."""
    topic = topic_of(board)
    source(board.broker, topic, [(0, "acme"), (0, "acme")])
    board.write([letter(0, "acme", topic=topic)])
    said = replays.call("--yes")
    assert "--skip-newer" in said
    assert len(replays.applied("acme")) == 1
