"""The journal's writer, and what the broker may say to an announcement: a client stands in for librdkafka's."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumer.kafka import journal_writing
from consumer.kafka.journal_writing import RETRY_AFTER, SERVE_EVERY, SUSPECT_AFTER, Writer
from consumer.kafka.known_brokers import WHY, KnownBrokers
from tests.integration.watching import until
from tests.kafka.forgetting import forget

Reported = Callable[[KafkaError | None, Any], None]
FATAL = KafkaError(KafkaError._FENCED, "fenced", fatal=True)


class Message:
    """What a report is about."""

    def __init__(self, key: bytes, offset: int | None) -> None:
        self._key = key
        self._offset = offset

    def key(self) -> bytes:
        return self._key

    def offset(self) -> int | None:
        return self._offset


class Client:
    """A producer: it keeps what it is given until `reports` says what becomes of it."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, bytes | None, Reported | None]] = []
        self.refuses: Exception | None = None
        self.dies: KafkaException | None = None
        self.known = KnownBrokers()
        self._reports: list[Callable[[], None]] = []

    def produce(
        self, topic: str, value: bytes | None, key: bytes, partition: int, on_delivery: Reported | None = None
    ) -> None:
        assert (topic, partition) == ("journal", 0)
        if self.refuses is not None:
            raise self.refuses
        self.taken.append((key, value, on_delivery))

    def poll(self, timeout: float) -> None:
        assert timeout == 0
        if self.dies is not None:
            raise self.dies
        reports, self._reports = self._reports, []
        for report in reports:
            report()

    def flush(self, timeout: float) -> None:
        assert timeout <= 0.5

    def report(self, error: KafkaError | None, offset: int | None = None) -> None:
        """The broker's word on what was taken first, at the next poll."""
        key, _, reported = self.taken.pop(0)
        assert reported is not None
        self._reports.append(lambda: reported(error, Message(key, offset)))

    def keys(self) -> list[bytes]:
        return [key for key, _, _ in self.taken]


class Case:
    """A writer with its clients and its clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.clients: list[Client] = []
        monkeypatch.setattr(journal_writing, "made", self._made)
        self.writer = Writer({}, "journal", lambda: self.now)
        self.next()

    def _made(self, config: dict[str, object]) -> Client:
        assert config["linger.ms"] == 1
        self.clients.append(Client())
        return self.clients[-1]

    def next(self) -> Client:
        """The client that is made on a thread, once the writer has it."""
        until(lambda: self.writer.poll() == [] and self.writer._next is None, "the client is there")
        return self.clients[-1]


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Case]:
    """With its log."""
    with caplog.at_level(logging.INFO, "consumer.journal"):
        one = Case(monkeypatch)
        yield one
    one.writer.close()


def causes(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Why nothing can be announced, as often as it was said."""
    return [line.cause for line in caplog.records if hasattr(line, "cause")]


def test_an_announcement_is_told_once_with_its_offset(case: Case):
    """What is not waited for is not told."""
    client = case.clients[0]
    case.writer.write(b"a", b"1", confirm=True)
    case.writer.write(b"a", None, confirm=False)
    client.report(None, 7)
    assert client.taken == [(b"a", None, None)]
    assert case.writer.poll() == [(b"a", 7)]
    assert case.writer.poll() == []


@pytest.mark.parametrize(
    "code",
    [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._MSG_TIMED_OUT],
)
def test_what_the_broker_refuses_is_written_again_until_it_is_taken(
    case: Case, caplog: pytest.LogCaptureFixture, code: int
):
    """A right that is missing, a topic that was deleted, a broker that is away: told once, and tried every second."""
    client = case.clients[0]
    case.writer.write(b"a", b"1", confirm=True)
    for _ in range(3):
        client.report(KafkaError(code))
        assert case.writer.poll() == []
        assert case.writer.failing()
        assert client.taken == [], "not at once"
        case.now += RETRY_AFTER
        case.writer.poll()
        assert client.keys() == [b"a"]
    assert causes(caplog) == [KafkaError(code).str()]
    client.report(None, 9)
    assert case.writer.poll() == [(b"a", 9)]
    assert not case.writer.failing()
    assert "announced again" in caplog.text


@pytest.mark.parametrize("refusal", [BufferError("full"), KafkaException(KafkaError(KafkaError._UNKNOWN_TOPIC))])
def test_what_the_client_does_not_take_is_tried_again(case: Case, refusal: Exception):
    """Its queue is full, or it knows already that there is no such topic."""
    client = case.clients[0]
    client.refuses = refusal
    case.writer.write(b"a", b"1", confirm=True)
    case.writer.poll()
    case.now += RETRY_AFTER
    client.refuses = None
    case.writer.poll()
    assert client.keys() == [b"a"]


@pytest.mark.parametrize("raised_by", ["poll", "produce"])
def test_a_fatal_error_is_followed_by_another_client(case: Case, raised_by: str):
    """It ends an idempotent producer for good: what was not confirmed goes to the next one, in order."""
    first = case.clients[0]
    case.writer.write(b"a", b"1", confirm=True)
    if raised_by == "poll":
        case.writer.write(b"b", b"2", confirm=True)
        first.dies = KafkaException(FATAL)
    else:
        first.refuses = KafkaException(FATAL)
        case.writer.write(b"b", b"2", confirm=True)
    second = case.next()
    assert second is not first
    assert second.keys() == [b"a", b"b"]
    assert case.writer.failing()
    second.report(None, 1)
    second.report(None, 2)
    assert case.writer.poll() == [(b"a", 1), (b"b", 2)]
    assert not case.writer.failing()


def test_a_client_that_ends_while_nothing_is_waited_for_is_followed_too(case: Case):
    """It is asked then as well, if not at each turn."""
    first = case.clients[0]
    first.dies = KafkaException(FATAL)
    case.writer.poll()
    assert case.writer._next is None
    case.now += SERVE_EVERY
    case.writer.poll()
    assert case.next() is not first


def test_a_client_that_knows_of_no_broker_is_followed_by_another(case: Case, caplog: pytest.LogCaptureFixture):
    """It would never connect again; what it had goes to the next one."""
    first = case.clients[0]
    case.writer.write(b"a", b"1", confirm=True)
    forget(first.known)
    case.writer.poll()
    assert causes(caplog) == [WHY]
    second = case.next()
    assert second is not first
    assert second.keys() == [b"a"]


def test_a_broker_that_says_nothing_is_told(case: Case, caplog: pytest.LogCaptureFixture):
    """Nothing new is announced meanwhile; its word, as late as it may come, ends that."""
    case.writer.write(b"a", b"1", confirm=True)
    case.now += SUSPECT_AFTER
    case.writer.poll()
    assert not case.writer.failing()
    case.now += 0.1
    case.writer.poll()
    assert case.writer.failing()
    assert causes(caplog) == ["the broker does not confirm it"]
    case.clients[0].report(None, 3)
    assert case.writer.poll() == [(b"a", 3)]
    assert not case.writer.failing()


def test_what_was_given_up_is_neither_told_nor_written_again(case: Case):
    """Whatever the broker says of it; and with it the trouble is over, since nothing could end that."""
    client = case.clients[0]
    case.writer.write(b"a", b"1", confirm=True)
    case.writer.write(b"b", b"2", confirm=True)
    client.report(KafkaError(KafkaError._MSG_TIMED_OUT))
    case.writer.poll()
    assert case.writer.failing()
    case.writer.give_up([b"a", b"b", b"never written"])
    client.report(None, 4)
    assert case.writer.poll() == []
    assert not case.writer.failing()
    case.now += RETRY_AFTER
    case.writer.poll()
    assert client.taken == []


def test_other_credentials_are_taken_live_or_by_another_client(case: Case):
    """User and password as it runs; a certificate only when a client is made."""
    client: Any = case.clients[0]
    taken: list[tuple[str, str]] = []
    client.set_sasl_credentials = lambda user, password: taken.append((user, password))
    case.writer.rotate({"sasl.username": "u", "sasl.password": "p"}, [])
    case.writer.poll()
    assert taken == [("u", "p")]
    case.writer.write(b"a", b"1", confirm=True)
    case.writer.rotate({"sasl.username": "u", "sasl.password": "p", "ssl.ca.location": "/ca"}, [])
    until(lambda: case.writer.poll() == [] and len(case.clients) == 2, "another client is made")
    assert case.next().keys() == [b"a"]
