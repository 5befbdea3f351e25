"""The tokens of SASL/OAUTHBEARER, for clients that ask us for them.

librdkafka asks on a thread of its own: when the client is made, and whenever four fifths of a token's life are over,
whether or not anybody polls. Where there is none it asks again in 10 s.
"""

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

log = logging.getLogger("consumer.tokens")


class Token(NamedTuple):
    """What a client shows to the brokers. `expires` is in seconds since the epoch."""

    text: str
    expires: float


class NoToken(Exception):
    """There is no token now; the message says why and what to do, and holds no secret."""


Provider = Callable[[], Token]


class Tokens:
    """What a client is given as `oauth_cb`; any number of them may share it. One line in the log for each change."""

    def __init__(self, provider: Provider) -> None:
        """`provider` is called on the clients' threads. It may block, and raises `NoToken`."""
        self._provider = provider
        self._lock = threading.Lock()
        self.trouble = ""  # why there is none; empty while there is

    def __call__(self, _: str) -> tuple[str, float]:
        """The next token, as the client takes it."""
        try:
            token = self._provider()
        except NoToken as failure:
            self._failed(str(failure))
            raise
        except Exception as failure:  # noqa: BLE001  # the client hears of nothing else
            self._failed(type(failure).__name__)  # whatever its message may hold
            raise NoToken(type(failure).__name__) from None
        with self._lock:
            was, self.trouble = self.trouble, ""
        if was:
            log.info("kafka: there are tokens again", extra={"was": was})
        return token

    def _failed(self, trouble: str) -> None:
        with self._lock:
            was, self.trouble = self.trouble, trouble
        if was != trouble:
            log.warning("kafka: no token to log in with: it is asked for again every 10 s", extra={"cause": trouble})
