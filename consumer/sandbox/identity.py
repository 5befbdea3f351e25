"""An identity provider on loopback: client credentials in, a token out, which the sandbox's broker takes.

    with IdentitySandbox({"service": "its-secret"}) as identity:     # identity.url is the token endpoint
        identity.life = 6.0
        identity.stop()                                              # and start() again, on the same port

Tokens are not signed: they are for brokers that look at scope and expiry alone.
"""

import json
import time
from base64 import b64decode, urlsafe_b64encode
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs, unquote_plus

from consumer.sandbox.answers import HttpAnswer
from consumer.sandbox.web import Arrived, Reply, Web

KEPT: Final = 10_000


class IdentitySandbox:
    """`clients` are ids and secrets, and may be changed while it runs; `life` is of each token, in seconds."""

    def __init__(self, clients: Mapping[str, str], *, life: float = 3600.0, scope: str = "") -> None:
        self.clients = dict(clients)
        self.life = life
        self.scope = scope
        """What every token has, whatever was asked for; empty for what was."""
        self.given: deque[str] = deque(maxlen=KEPT)
        """The client of each token, newest last; `refused` where there was none."""
        self._web = Web(0, self._route)

    @property
    def url(self) -> str:
        """What `sasl.oauthbearer.token.endpoint.url` is set to."""
        return f"http://127.0.0.1:{self._web.port}/token"

    def start(self) -> None:
        """Listen; after a stop on the same port."""
        self._web.start()

    def stop(self) -> None:
        """Close the port and every connection."""
        self._web.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _route(self, arrived: Arrived) -> Reply:
        asked = parse_qs(arrived.read().decode())
        client = self._client(arrived.header("Authorization"))
        if arrived.path != "/token" or asked.get("grant_type") != ["client_credentials"] or not client:
            self.given.append("refused")
            return answer(401, {"error": "invalid_client"})
        self.given.append(client)
        scope = self.scope or asked.get("scope", [""])[0]
        body = {"access_token": token(client, self.life, scope), "token_type": "Bearer", "expires_in": int(self.life)}
        return answer(200, body)

    def _client(self, authorization: str) -> str:
        """The client that showed its secret; empty where nobody did."""
        kind, _, encoded = authorization.partition(" ")
        if kind != "Basic":
            return ""
        name, _, secret = map(unquote_plus, b64decode(encoded).decode().partition(":"))
        return name if name in self.clients and self.clients[name] == secret else ""


def token(subject: str, life: float, scope: str = "") -> str:
    """A token that nobody has signed; a negative life makes one that has expired."""
    now = time.time()
    claims: dict[str, object] = {"sub": subject, "iat": now, "exp": now + life}
    return f"{part({'alg': 'none'})}.{part(claims | ({'scope': scope} if scope else {}))}."


def part(content: Mapping[str, object]) -> str:
    """One part of a token."""
    return urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def answer(status: int, body: Mapping[str, object]) -> Reply:
    """JSON, as every token endpoint answers."""
    return Reply(HttpAnswer(status, json.dumps(body).encode(), "application/json"))
