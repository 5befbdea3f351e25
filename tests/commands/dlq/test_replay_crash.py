"""`dlq replay` interrupted: killed, stopped, frozen, or met by another one; nothing settled is sent twice."""

import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

from consumer.commands.dlq import lock as locks
from consumer.commands.dlq.lock import Lock
from consumer.commands.dlq.scan import Failed
from consumer.kafka.config import consumer_config
from consumer.settings import load
from tests.commands.dlq.conftest import Board, Replays, letter

COUNT = 600
BATCH: dict[str, Any] = {"BATCH_MAX_UPDATES": "20", "MAX_IN_FLIGHT": "2"}


def write_adds(board: Board) -> None:
    """A refused $add for each of many groups."""
    board.write(letter(number, f"group-{number}", operation="ADD", count=1) for number in range(COUNT))


def counts(replays: Replays) -> dict[str, int]:
    """How often each group's $add was applied."""
    return {f"group-{number}": len(replays.applied(f"group-{number}")) for number in range(COUNT)}


def until(what: Callable[[], bool], process: "subprocess.Popen[str]", patience: float = 60.0) -> None:
    """Wait until it is so, while the process runs."""
    deadline = time.monotonic() + patience
    while not what():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def applied(replays: Replays) -> int:
    """How many updates Mixpanel applied in all."""
    assert replays.mixpanel.applied is not None
    return len(replays.mixpanel.applied.groups())


def all_under_way(replays: Replays) -> bool:
    """Whether both requests wait at Mixpanel, so that none is between its last look and its first byte."""
    assert replays.mixpanel.applied is not None
    return replays.mixpanel.applied.under_way() == 2 * 20


def killed_in_the_middle(replays: Replays, **environ: Any) -> set[str]:
    """Kill a replay once a part is applied; the groups with a receipt that they are settled by then."""
    replays.mixpanel.faults.on("slow", milliseconds=50)
    process = replays.start("--yes", **BATCH, **environ)
    until(lambda: applied(replays) >= COUNT // 4, process)
    process.kill()
    process.communicate()
    replays.mixpanel.faults.clear()
    settled = {key for key, state in replays.receipts().items() if state == "settled"}
    assert 0 < len(settled) < COUNT
    return {f"group-{identity.split(':')[2]}" for identity in settled}


def test_a_killed_replay_goes_on_where_it_was(board: Board, replays: Replays):
    """After kill -9 the next replay sends nothing that was settled, and all the rest; only the window repeats."""
    write_adds(board)
    settled = killed_in_the_middle(replays)
    shown = replays.json("--yes", **BATCH)
    assert shown["plan"]["left_out"]["settled"] == len(settled)
    assert shown["outcome"]["complete"]
    found = counts(replays)
    assert all(found[group] == 1 for group in settled)
    assert all(count >= 1 for count in found.values())
    twice = [group for group, count in found.items() if count > 1]
    assert len(twice) <= 2 * 20  # what two requests hold: accepted, and without a receipt
    assert replays.json("--yes")["plan"]["letters"] == 0


def test_a_killed_replay_repeats_no_add_where_that_is_asked(board: Board, replays: Replays):
    """With AMBIGUOUS_ADD=dead-letter no $add is applied twice, kill -9 included: what is unclear is ambiguous_add."""
    write_adds(board)
    killed_in_the_middle(replays, AMBIGUOUS_ADD="dead-letter")
    shown = replays.json("--yes", **BATCH, AMBIGUOUS_ADD="dead-letter")
    assert shown["outcome"]["complete"]
    found = counts(replays)
    assert max(found.values()) == 1
    missing = sum(count == 0 for count in found.values())
    assert missing <= shown["plan"]["left_out"]["ambiguous_add"] <= 2 * 20
    listed = board.json("list", "--reason", "ambiguous_add")
    assert listed["letters"] == shown["plan"]["left_out"]["ambiguous_add"]


def test_a_stopped_replay_leaves_a_clean_state(board: Board, replays: Replays):
    """Ctrl-C settles what is under way, says how far it came, and exits 1; together all is applied exactly once."""
    write_adds(board)
    replays.mixpanel.faults.on("slow", milliseconds=50)
    process = replays.start("--yes", **BATCH)
    until(lambda: applied(replays) >= COUNT // 4, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, (out, err)
    assert "Stopping" in err
    assert "run the same command again" in " ".join(out.split())
    done = applied(replays)
    assert COUNT // 4 <= done < COUNT
    replays.mixpanel.faults.clear()
    shown = replays.json("--yes", **BATCH)
    assert (shown["plan"]["left_out"]["settled"], shown["outcome"]["accepted"]) == (done, COUNT - done)
    assert set(counts(replays).values()) == {1}


def test_two_replays_lock_each_other_out(board: Board, replays: Replays, monkeypatch):
    """While one replay has the lock another one waits, says so, and sends nothing; after that it goes on."""
    board.write([letter(0)])
    replays.json("--dry-run")
    settings = load(board.environ, need=())
    board.broker.create_topic(f"{board.topic}.replays", 1, {"cleanup.policy": "compact"})
    held = Lock(consumer_config(settings), f"{board.topic}.replays")
    assert held.acquire(lambda: None, lambda: False)
    process = replays.start("--yes")
    until_said(process, "Waiting for another replay")
    for _ in range(20):
        held.poll(0.05)
        assert held.held
    assert not replays.applied("acme")
    held.release()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, (out, err)
    assert len(replays.applied("acme")) == 1


def until_said(process: "subprocess.Popen[str]", words: str) -> None:
    """Read what the process says until it says this."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"it ended without saying {words}")


def test_a_lock_that_is_held_is_given_up(board: Board, monkeypatch):
    """A replay that waits in vain says who to look for."""
    monkeypatch.setattr(locks, "PATIENCE", 2.0)
    topic = f"{board.topic}.replays"
    board.broker.create_topic(topic, 1, {"cleanup.policy": "compact"})
    config = consumer_config(load(board.environ, need=()))
    first, second = Lock(config, topic), Lock(config, topic)
    assert first.acquire(lambda: None, lambda: False)
    try:
        second.acquire(lambda: first.poll(0.0), lambda: bool(first.poll(0.05)))
    except Failed as failed:
        assert f"members of the consumer group {topic}" in str(failed)  # noqa: PT017  # it must be raised
    else:
        raise AssertionError("two hold one lock")
    assert first.held
    second.release()
    first.release()


def test_a_replay_that_was_frozen_sends_nothing_more(board: Board, replays: Replays):
    """One that stood still past its session loses the lock, and stops before it sends what another has taken over."""
    write_adds(board)
    replays.mixpanel.faults.on("slow", milliseconds=1000)
    process = replays.start("--yes", **BATCH)
    until(lambda: applied(replays) >= COUNT // 4 and all_under_way(replays), process)
    process.send_signal(signal.SIGSTOP)
    replays.mixpanel.faults.clear()
    other = replays.json("--yes", **BATCH)
    assert other["outcome"]["complete"]
    before = counts(replays)
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, (out, err)
    assert "another replay has taken over" in " ".join(out.split())
    assert counts(replays) == before
    assert sum(count > 1 for count in before.values()) <= 2 * 20


def test_a_broker_that_is_away_sends_nothing_that_cannot_be_noted(new_broker, replays: Replays, board: Board):
    """While receipts cannot be written no request starts; once they can, it goes on and ends well."""
    from consumer.sandbox.broker.broker import Broker

    own: Broker = new_broker()
    mine = Board(own, "own")
    own.create_topic(mine.topic, 1, {"retention.ms": "-1"})
    mine.write(letter(number, f"group-{number}", operation="ADD", count=1) for number in range(COUNT))
    away = Replays(mine, replays.mixpanel, replays.environ)
    away.mixpanel.faults.on("slow", milliseconds=200)
    process = away.start("--yes", **BATCH)
    until(lambda: applied(away) >= COUNT // 10, process)
    own.freeze()
    until(lambda: settled_down(away), process)
    stood = applied(away)
    assert stood < COUNT
    own.thaw()
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, (out, err)
    assert set(counts(away).values()) == {1}


def settled_down(replays: Replays) -> bool:
    """Whether nothing arrived at Mixpanel for three seconds."""
    before = applied(replays)
    time.sleep(3.0)
    return applied(replays) == before
