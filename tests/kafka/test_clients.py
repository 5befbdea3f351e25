"""Clients that cannot be made yet: said once, tried again, and nobody waits for them but who wants them."""

import threading
import time

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from consumer.kafka.clients import ClientFailed, Making, client
from consumer.kafka.source import Source
from consumer.kafka.tokens import NoToken, Token, Tokens
from tests.integration.watching import until

OAUTH = {"bootstrap.servers": "127.0.0.1:9", "security.protocol": "sasl_plaintext", "sasl.mechanisms": "OAUTHBEARER"}


def none() -> Token:
    """A provider without tokens."""
    raise NoToken("there is none")


def test_without_a_token_no_client_is_waited_for():
    """The client itself would need ten seconds to say less."""
    began = time.monotonic()
    with pytest.raises(ClientFailed, match="no token to log in with: there is none; see KAFKA_SASL_MECHANISM"):
        client(Producer, OAUTH | {"oauth_cb": Tokens(none)})
    assert time.monotonic() - began < 5


def test_what_the_client_says_has_no_secret():
    """Its words repeat values."""
    with pytest.raises(ClientFailed) as failed:
        client(Producer, {"ssl.key.pem": "a-secret", "security.protocol": "ssl", "bootstrap.servers": "127.0.0.1:9"})
    assert "a-secret" not in str(failed.value)
    assert "the Kafka client refuses the settings" in str(failed.value)


def test_a_failure_behind_a_callback_is_still_one():
    """A callback that runs while the client gives up turns its exception into a SystemError."""

    def kind(_: dict[str, object]) -> object:
        raise SystemError("returned a result with an exception set") from KafkaException(KafkaError(KafkaError._FAIL))

    with pytest.raises(ClientFailed):
        client(kind, {})
    with pytest.raises(SystemError):
        client(lambda _: (_ for _ in ()).throw(SystemError("of another kind")), {})


def test_a_client_is_made_in_the_end_and_its_trouble_said_once(monkeypatch, caplog):
    """Tried again and again, on a thread of its own."""
    monkeypatch.setattr("consumer.kafka.clients.AGAIN_AFTER", 0.01)
    tries = iter(range(10))

    def make() -> str:
        if next(tries) < 3:
            raise ClientFailed("not yet")
        return threading.current_thread().name

    making = Making(make, "client")
    assert until(lambda: making.take(0.1), "it is made") == "make-client"
    assert making.take(0.0) is None
    assert caplog.text.count("no client yet: not yet") == 1


def test_one_that_is_not_wanted_any_more_is_not_made():
    """It ends while it still waits for its turn."""
    made: list[int] = []
    making = Making(lambda: made.append(1), "client", after=30.0)
    making.stop()
    for thread in [one for one in threading.enumerate() if one.name == "make-client"]:
        thread.join(5)
        assert not thread.is_alive()
    assert made == []


def test_a_source_without_a_client_reads_nothing_and_stops_at_once():
    """The loop turns as ever: no call waits for longer than it may, and none fails."""
    config = OAUTH | {"group.id": "g", "oauth_cb": Tokens(none)}
    source = Source(config, ["topic"], clock=time.monotonic)
    began = time.monotonic()
    for _ in range(3):
        assert source.poll(0.05) == []
        source.pause({})
        source.commit({})
    assert source.commit_without_polling({}, 1.0)
    assert source.verify({}, 1.0)
    assert source.lag() == source.committed() == {}
    source.close(1.0)
    assert time.monotonic() - began < 3
