"""Making clients of Kafka. That can fail and take seconds: certificates are read, and a first token is waited for.

client(kind, config) -> a client, or `ClientFailed`
Making(make)         -> a client in the end, made on a thread of its own
"""

import logging
import threading
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar

from confluent_kafka import KafkaException

from consumer.kafka.tokens import NoToken, Tokens
from consumer.settings.properties import SECRET

log = logging.getLogger("consumer.kafka")

Client = TypeVar("Client")
TOKENS: Final = "oauth_cb"
# Seconds from one try to the next.
AGAIN_AFTER: Final = 5.0


class ClientFailed(Exception):
    """The client cannot be made now; the message says why and what to do."""


def client(kind: Callable[[dict[str, Any]], Client], config: Mapping[str, object]) -> Client:
    """A client. Waits for its first token, where it needs one, up to 10 s. Raises `ClientFailed`."""
    tokens = config.get(TOKENS)
    try:
        if isinstance(tokens, Tokens):
            tokens("")  # the client itself would only say after 10 s that there is none
        return kind(dict(config))
    except NoToken as failure:
        raise ClientFailed(f"no token to log in with: {failure}; see KAFKA_SASL_MECHANISM") from None
    except (KafkaException, SystemError) as failure:
        # A callback that runs while the client gives up makes a SystemError of what it raises.
        error = failure if isinstance(failure, KafkaException) else failure.__cause__
        if not isinstance(error, KafkaException):
            raise
        raise ClientFailed(f"the Kafka client refuses the settings: {without_secrets(error, config)}") from None


def without_secrets(failure: KafkaException, config: Mapping[str, object]) -> str:
    """librdkafka's words, on one line, without the value of any secret."""
    text = " ".join(str(failure.args[0].str()).split()).removeprefix("Failed to create consumer: ")
    text = text.removeprefix("Failed to create producer: ")
    for name, value in config.items():
        if SECRET.search(name) and len(str(value)) > 2:
            text = text.replace(str(value), "********")
    return text


class Making(Generic[Client]):
    """Tries until there is a client, and says once why there is none. One thread asks."""

    def __init__(self, make: Callable[[], Client], what: str, after: float = 0.0) -> None:
        """Begins after so many seconds. `make` raises `ClientFailed`; `what` is the client's name in the log."""
        self._make = make
        self._what = what
        self._after = after
        self._made: SimpleQueue[Client] = SimpleQueue()
        self._stopped = threading.Event()
        self.trouble = ""
        threading.Thread(target=self._try, name=f"make-{what}", daemon=True).start()

    def take(self, timeout: float) -> Client | None:
        """The client, once; None where there is none by then."""
        try:
            return self._made.get(timeout=timeout) if timeout > 0 else self._made.get_nowait()
        except Empty:
            return None

    def ready(self) -> bool:
        """Whether there is one to be taken."""
        return not self._made.empty()

    def stop(self) -> None:
        """No client is wanted any more."""
        self._stopped.set()

    def _try(self) -> None:
        self._stopped.wait(self._after)
        while not self._stopped.is_set():
            try:
                self._made.put(self._make())
                return
            except ClientFailed as failure:
                if str(failure) != self.trouble:
                    self.trouble = str(failure)
                    log.warning("kafka: no %s yet: %s", self._what, failure)
            self._stopped.wait(AGAIN_AFTER)
