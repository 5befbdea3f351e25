"""How a request to the registry is signed: with a user and a password, a token, or one that a provider gives.

A `Login` gives the headers of one request. Secrets that come from files are read again for each.
"""

import json
import math
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import requests

from consumer.http.deadline import FAILURES, Cut, cuttable, word_for
from consumer.registry.errors import Outage
from consumer.registry.tls import Tls

Headers = Mapping[str, str]
Text = Callable[[], str]

# Of a token's life, how much is used: then the next is asked for, while the old one still holds.
USED: Final = 0.8
# What a token lives where the provider does not say, in seconds.
LIFE: Final = 300.0
MAX_ANSWER: Final = 256 * 1024


class Login(Protocol):
    """Signs requests."""

    def headers(self, timeout: float) -> Headers:
        """The headers of one request. What has to be asked for takes no longer than that; raises `Outage`."""

    def refused(self) -> None:
        """The registry did not take the last headers (status 401)."""


class Fixed:
    """Headers that are made again for each request from texts that may change."""

    def __init__(self, made: Callable[[], Headers]) -> None:
        self._made = made

    def headers(self, timeout: float) -> Headers:  # noqa: ARG002  # nothing is asked for
        """The headers of one request."""
        return self._made()

    def refused(self) -> None:
        """Nothing is kept that could be wrong."""


def nobody() -> Fixed:
    """No credentials."""
    return Fixed(dict)


def basic(user: str, password: Text) -> Fixed:
    """A user and a password."""
    return Fixed(lambda: {"Authorization": basic_header(user, password())})


def bearer(token: Text, more: Headers) -> Fixed:
    """A token, and what the registry wants to know beside it."""
    return Fixed(lambda: {"Authorization": f"Bearer {token()}", **more})


def basic_header(user: str, password: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


class ClientCredentials:
    """Tokens of an OAuth provider (client credentials), each used until four fifths of its life are over.

    For any thread. Its outages have causes with `oauth_` before them, and the provider's URL.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: Text,
        scope: str,
        more: Headers,
        *,
        tls: Tls,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`more` are headers beside the token."""
        self._url = url
        self._client_id = client_id
        self._client_secret = client_secret
        self._scope = scope
        self._more = more
        self._tls = tls
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = 0.0
        self._ends_at = 0.0

    def headers(self, timeout: float) -> Headers:
        """The headers of one request, with a token that holds. Raises `Outage` where none can be had."""
        with self._lock:
            now = self._clock()
            if not self._token or now >= self._renew_at:
                try:
                    self._renew(now, timeout)
                except Outage:
                    if not self._token or now >= self._ends_at:
                        self._token = ""
                        raise  # else the old one still holds, and the next request asks again
            return {"Authorization": f"Bearer {self._token}", **self._more}

    def refused(self) -> None:
        """Forget the token: it may have been revoked."""
        with self._lock:
            self._token = ""

    def _renew(self, now: float, timeout: float) -> None:
        answer = self._ask(timeout)
        token = answer.get("access_token")
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise Outage("oauth_unreadable", self._url)
        life = seconds(answer.get("expires_in"))
        self._token = token
        self._renew_at = now + life * USED
        self._ends_at = now + life

    def _ask(self, timeout: float) -> dict[str, object]:
        """The provider's answer."""
        form = {"grant_type": "client_credentials"} | ({"scope": self._scope} if self._scope else {})
        authorization = basic_header(self._client_id, self._client_secret())

        def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = authorization
            return request

        with cuttable(requests.Session(), context=self._tls.for_provider) as session, Cut(timeout) as cut:
            try:
                with session.post(
                    self._url,
                    data=form,
                    auth=sign,
                    headers={"Accept": "application/json", "Connection": "close"},
                    timeout=timeout,
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    body = response.raw.read(MAX_ANSWER, decode_content=True)
            except FAILURES as failure:
                raise Outage("oauth_" + ("timeout" if cut.over() else word_for(failure)), self._url) from None
        if response.status_code != 200:
            raise Outage(f"oauth_status_{response.status_code}", self._url)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise Outage("oauth_unreadable", self._url)
        return answer


def seconds(given: object) -> float:
    """How long a token lives: some providers say it as text, some not at all."""
    try:
        seconds_left = float(given) if isinstance(given, (int, float, str)) else LIFE
    except ValueError:
        return LIFE
    return min(max(seconds_left, 0.0), 86_400.0) if not math.isnan(seconds_left) else LIFE
