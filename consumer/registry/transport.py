"""One GET of a registry, signed, that ends within its time-out."""

from collections.abc import Callable

import requests

from consumer.http.deadline import FAILURES, Cut, cuttable
from consumer.registry.access import Endpoint
from consumer.registry.errors import Outage
from consumer.registry.login import Headers
from consumer.registry.tls import Tls

ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"


class Transport:
    """One thread uses it, but for `close`."""

    def __init__(self, tls: Tls, timeout: float, max_answer: int) -> None:
        """`timeout` is that of one whole request, in seconds. A longer answer than `max_answer` bytes is none."""
        self._tls = tls
        self._timeout = timeout
        self._max_answer = max_answer
        self._session = cuttable(requests.Session(), context=tls.for_registry)
        self._session.headers.update({"Accept": ACCEPT, "Connection": "close"})
        self._cut: Cut | None = None
        self._closed = False

    def close(self) -> None:
        """Cut what is under way; from any thread."""
        self._closed = True
        if self._cut is not None:
            self._cut.now()

    def get(self, endpoint: Endpoint, path: str) -> tuple[int, bytes]:
        """Status and body of what is at the path. Raises `Outage`."""
        headers = endpoint.login.headers(self._timeout)
        with Cut(self._timeout) as cut:
            self._cut = cut
            try:
                if self._closed:
                    raise Outage("closed", endpoint.url)
                with self._session.get(
                    endpoint.url + path,
                    auth=signed_with(headers),
                    timeout=self._timeout,
                    verify=self._tls.verify,
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    body = b""
                    for piece in response.iter_content(65536):
                        body += piece
                        if len(body) > self._max_answer:
                            raise Outage("unreadable", endpoint.url)
            except FAILURES as failure:
                raise Outage("timeout" if cut.over() else self._tls.word_for(failure), endpoint.url) from None
            finally:
                self._cut = None
        if cut.happened:  # an answer without a length looks whole when it is cut
            raise Outage("timeout", endpoint.url)
        if response.status_code == 401:
            endpoint.login.refused()
        return response.status_code, body


def signed_with(headers: Headers) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Adds the headers to a request; used even where there are none, so that no .netrc is looked at."""

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(headers)
        return request

    return sign
