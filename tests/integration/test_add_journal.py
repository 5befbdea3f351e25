"""At most once through a crash: an instance ends at its worst moment, and another one takes over."""

import signal

import pytest
from confluent_kafka import Consumer, TopicPartition

from consumer.kafka.journal_format import parsed
from tests.integration.events import changed
from tests.integration.watching import until
from tests.integration.world import PROTOCOLS, headers, read

STRICT = {"AMBIGUOUS_ADD": "dead-letter", "MIXPANEL_TIMEOUT": "20s"}


@pytest.fixture(autouse=True)
def quick(world, tmp_path):
    """A member that dies is missed soon."""
    world.properties(tmp_path, PROTOCOLS["cooperative"])


def adds(world, group: str) -> int:
    """How often an $add was applied to the group."""
    return sum("$add" in update for update in world.applied(group))


def test_an_add_that_was_applied_as_the_instance_ended_is_a_dead_letter(world):
    """Killed once it was applied, before the answer: it is named and not repeated; all else is sent again."""
    world.mixpanel.faults.on("hang", applied=True, times=1)
    first = world.run(**STRICT)
    world.send(changed("a", plan="x"), changed("a", "ADD", n=1), changed("b", "ADD", n=1))
    until(lambda: adds(world, "a") + adds(world, "b") == 2, "both are applied")
    first.kill()
    world.run(**STRICT)
    world.settled()
    assert (world.profile("a"), world.profile("b")) == ({"plan": "x", "n": 1}, {"n": 1})
    assert (adds(world, "a"), adds(world, "b")) == (1, 1)
    letters = {headers(letter)["__connect.errors.offset"]: headers(letter) for letter in world.letters(2)}
    assert {offset: letter["mixpanel.reason"] for offset, letter in letters.items()} == {
        "1": "ambiguous_add",
        "2": "ambiguous_add",
    }
    assert "an instance ended" in letters["1"]["mixpanel.detail"]
    assert '"$add"' in letters["1"]["mixpanel.update"]


def test_an_add_that_is_known_to_be_applied_is_neither_repeated_nor_named(world):
    """A record that always fails holds the commit up; what was applied behind it is left out after the crash."""
    world.mixpanel.faults.on("status", status=422, group_id="poison")
    first = world.run(**STRICT)
    world.send(changed("poison", plan="x"))
    until(lambda: world.mixpanel.requests.counts()["requests"] >= 1, "it has failed")
    world.send(changed("a", "ADD", n=1), changed("b", plan="y"))
    until(lambda: adds(world, "a") == 1 and world.profile("b"), "what is behind the poison is applied", 60)
    until(lambda: known_applied(world) == 1, "the journal has it")
    first.kill()
    second = world.run(**STRICT)
    until(lambda: second.metric("suspects") == 1, "all but the poison is settled", 60)
    world.mixpanel.faults.clear()
    world.settled(60)
    assert adds(world, "a") == 1
    assert second.metric("dead_letters_total") == 0


def test_a_stop_leaves_nothing_in_doubt(world):
    """A stop in order drains: the next instance has no dead letter, and nothing is repeated."""
    groups = [f"g{number}" for number in range(8)]
    for turn in range(3):
        service = world.run(**STRICT)
        world.count(groups, range(turn * 50, turn * 50 + 50))
        until(lambda: world.profile("g0"), "it has begun")
        assert service.stop() == 0
    service = world.run(**STRICT)
    world.settled()
    assert [world.profile(group)["count"] for group in groups] == [150] * 8
    assert service.metric("dead_letters_total") == 0


def test_a_journal_that_was_taken_away_is_made_again(world):
    """An $add waits until it is announced in the new one; it is applied once, and is no dead letter."""
    service = world.run(**STRICT)
    world.send(changed("a", "ADD", n=1))
    world.settled()
    topic = f"{world.group}.journal"
    world.broker.admin.delete_topics([topic])[topic].result(20)
    world.send(changed("a", "ADD", n=1))
    world.settled(60)
    assert (world.profile("a"), adds(world, "a")) == ({"n": 2}, 2)
    assert service.metric("dead_letters_total") == 0


def test_an_instance_that_stood_still_sends_no_add(world):
    """Frozen with an $add in hand while another takes over: it is applied once, and is no dead letter."""
    world.mixpanel.faults.on("status", status=429, retry_after="2", times=1)
    first = world.run(**STRICT)
    world.send(changed("a", "ADD", n=1))
    until(lambda: first.metric("retries_total", cause="429") == 1, "it waits for its second try")
    first.signal(signal.SIGSTOP)
    world.run(**STRICT)
    world.settled(60)
    first.signal(signal.SIGCONT)
    until(lambda: first.lines("stood still") or first.lines("lost"), "it has woken")
    assert adds(world, "a") == 1
    assert first.metric("dead_letters_total") == 0


@pytest.mark.parametrize(
    ("settings", "repeated", "letters"),
    [
        (STRICT, 0, (0, 1)),  # the journal may still know that it was applied
        (STRICT | {"ADD_JOURNAL": "off"}, 0, (1,)),
        ({"AMBIGUOUS_ADD": "resend"}, 1, (0,)),
    ],
)
def test_after_a_cut_that_nobody_can_place_an_add_goes_by_its_policy(world, settings, repeated, letters):
    """The log ends before the commit, which has no epoch: what it has is read again, and what comes later is new."""
    first = world.run(**settings)
    world.send(changed("a", plan="x"), changed("a", "ADD", n=1))
    world.settled()
    assert first.stop() == 0
    commit_beyond_the_end(world)
    second = world.run(**settings)
    until(lambda: second.metric("log_truncations_total") == 1, "it is told")
    world.settled()
    world.send(changed("a", "ADD", n=1))
    world.settled()
    assert (world.profile("a"), adds(world, "a")) == ({"plan": "x", "n": 2 + repeated}, 2 + repeated)
    assert second.metric("dead_letters_total", reason="ambiguous_add") in letters
    assert sum("$set" in update for update in world.applied("a")) == 2
    if letters == (1,):
        assert "the log was cut" in headers(world.letters(1)[0])["mixpanel.detail"]


def commit_beyond_the_end(world) -> None:
    """As if the log had lost its end, and the commit were another tool's."""
    client = Consumer({"bootstrap.servers": world.broker.bootstrap, "group.id": world.group})
    (found,) = client.committed([TopicPartition(world.topic, 0)], timeout=10)
    client.commit(offsets=[TopicPartition(world.topic, 0, 50, found.metadata)], asynchronous=False)
    client.close()


def known_applied(world) -> int:
    """How many `$add`s the journal calls applied."""
    found = [parsed(one.key(), one.value(), 0) for one in read(world.broker, f"{world.group}.journal", 1)]
    return sum(len(note.applied) for note, _ in found)
