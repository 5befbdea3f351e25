"""Members that stop while others join, on a real broker: what a stopping member has read is committed."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer

from consumer.core.model import Assignment
from consumer.kafka.config import CONSUMER
from tests.integration.watching import until
from tests.kafka.members import PROTOCOLS, Member

ROUNDS = 6
COMMIT_EVERY = 10  # polls


class Running(Member):
    """A member on a thread of its own, that commits as it reads."""

    def __init__(self, config: dict[str, object], topic: str) -> None:
        super().__init__(config, topic)
        self.unconfirmed = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """Drain and leave; returns at once."""
        self._stopping.set()

    def join(self) -> None:
        """Wait for its end."""
        self.stop()
        self._thread.join()

    def _run(self) -> None:
        polls = 0
        while not self._stopping.is_set():
            self.poll()
            polls += 1
            if polls % COMMIT_EVERY == 0:
                self.source.commit(self._mine())
        self.unconfirmed += not self.source.commit_without_polling(self._mine(), 20)
        self.settled.clear()
        self.source.close(20)
        self.unconfirmed += sum(not done for done, _ in self.committed_at_revoke)

    def _mine(self) -> dict[Assignment, int]:
        return {one: offset for one, offset in self.settled.items() if self.mine.get(one.partition) is one}


@pytest.fixture
def stream(broker, topic) -> Iterator[Callable[[], int]]:
    """Numbers go on being written to every partition; called, it ends that, and says how many there are in each."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 1})
    stopping = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not stopping.wait(0.005):
            for partition in range(4):
                producer.produce(topic, str(written), partition=partition)
            producer.poll(0)
            written += 1
        assert producer.flush(30) == 0

    thread = threading.Thread(target=write)

    def end() -> int:
        stopping.set()
        thread.join()
        return written

    thread.start()
    yield end
    end()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_member_that_stops_while_another_joins_repeats_nothing(broker, topic, group_id, stream, protocol):
    """Its last commit waits behind the join that is under way, and is made again when that is over."""
    config = {**CONSUMER, **PROTOCOLS[protocol], "bootstrap.servers": broker.bootstrap, "group.id": group_id}
    members = [Running(config, topic)]
    try:
        for _ in range(ROUNDS):
            oldest = members[-1]
            until(lambda oldest=oldest: len(oldest.read) > 100, "it reads")
            members.append(Running(config, topic))
            until(lambda: members[-1].told, "the next one is a member")
            members.append(Running(config, topic))
            oldest.stop()
            members[-2].stop()
        written = stream()
        until(lambda: len(found(members)) == 4 * written, "all is read")
    finally:
        for member in members:
            member.join()
    assert set(found(members).values()) == {1}
    assert [member.unconfirmed for member in members] == [0] * len(members)


def found(members: list[Running]) -> Counter[tuple[int, int]]:
    """How often each number of each partition was read."""
    return Counter(
        (record.assignment.partition, int(record.value or b"")) for member in members for record in member.read
    )
