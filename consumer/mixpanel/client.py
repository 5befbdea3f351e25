"""One POST to Mixpanel: updates in, an answer out. No retry and no decision: `core/verdict.py` says what it means.

    mixpanel.post(tails, may_begin) -> Answer(status, body, retry_after) or Answer(0, failure=..., cause=...)

What is known here and nowhere else is whether anything was sent: a request that failed before that was surely
not applied.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy

import requests

import consumer
from consumer.core.model import NOT_SENT, UNKNOWN, Answer
from consumer.core.verdict import WITHHELD
from consumer.event.encode import opening_of, request_json
from consumer.http.deadline import FAILURES, Cut, Withheld, cuttable, word_for

# An answer names every refused update of 2,000; what is longer is none of Mixpanel's.
MAX_ANSWER = 4 * 1024 * 1024
# strict: refusals are told one by one; verbose: as JSON; ip=0: the profile is not placed where this service runs.
PARAMETERS = "ip=0&strict=1&verbose=1"
# So many bytes of a body are made at a time, about: each is written by a call that lets go of the interpreter.
PIECE = 512 * 1024


class RequestBody:
    """What is posted, made while it is written: none of it is kept while the answer is waited for."""

    def __init__(self, opening: bytes, tails: Sequence[bytes]) -> None:
        """`opening` is what each update begins with."""
        self._opening = opening
        self._tails = tails
        self._size = 1 + sum(map(len, tails)) + len(tails) * (len(opening) + 1)

    def __len__(self) -> int:
        """In bytes."""
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """In pieces, each of whole updates."""
        count = len(self._tails)
        each = max(1, count * PIECE // self._size)
        for start in range(0, count, each):
            piece = request_json(self._opening, self._tails[start : start + each])
            if start:
                piece = b"," + piece[1:]
            yield piece if start + each >= count else piece[:-1]


class Mixpanel:
    """`/groups` of one project. `post` is for any thread, up to `connections` at once."""

    def __init__(self, url: str, token: str, *, timeout: float, connections: int) -> None:
        """`url` is without the path; `timeout` is of one request as a whole, in seconds."""
        self._opening = opening_of(token)
        self._timeout = timeout
        self._under_way: set[Cut] = set()
        self._lock = threading.Lock()
        self._closed = False
        session = session_for(url, connections)
        # All of a request but its body is made once, and what a session does for each is left out.
        self._request = session.prepare_request(requests.Request("POST", f"{url}/groups?{PARAMETERS}"))
        self._adapter = session.get_adapter(url)
        self._proxies = session.proxies
        self._verify = session.verify if session.verify is not None else True

    def use_token(self, token: str) -> int:
        """Send every request from now on with this token, which begins each update by so many bytes; any thread."""
        self._opening = opening_of(token)
        return len(self._opening)

    def post(self, tails: Sequence[bytes], may_begin: Callable[[], bool]) -> Answer:
        """What came back for these updates, or why nothing did; never later than the time-out.

        `may_begin` is asked once there is a connection, just before the first byte is written.
        """
        body = RequestBody(self._opening, tails)
        began = time.monotonic()
        with Cut(self._timeout, may_begin) as cut:
            with self._lock:
                if self._closed:
                    return Answer(0, failure=NOT_SENT, cause="closed")
                self._under_way.add(cut)
            try:
                answer = self._ask(body, cut)
            except Withheld:
                answer = Answer(0, failure=NOT_SENT, cause=WITHHELD)
            except FAILURES as failure:
                failed = UNKNOWN if cut.sent else NOT_SENT
                answer = Answer(0, failure=failed, cause=cause_of(failure, cut))
            finally:
                with self._lock:
                    self._under_way.discard(cut)
        answer.seconds = time.monotonic() - began
        return answer

    def close(self) -> None:
        """Cut off what is under way, and post nothing more; from any thread."""
        with self._lock:
            self._closed = True
            for cut in self._under_way:
                cut.now()

    def hang_up(self) -> None:
        """Close the connections; the next requests make their own. Not while one is under way."""
        self._adapter.close()

    def _ask(self, body: RequestBody, cut: Cut) -> Answer:
        request = self._request.copy()
        request.body = body  # type: ignore[assignment]  # any iterable is written
        request.headers["Content-Length"] = str(len(body))
        with self._adapter.send(
            request, stream=True, timeout=self._timeout, verify=self._verify, proxies=self._proxies
        ) as response:
            status = response.status_code
            retry_after = seconds_of(response.headers.get("Retry-After"))
            try:
                read = read_body(response)
            except requests.RequestException:
                read = None
            if read is None or cut.happened:  # an answer without a length looks whole when it is cut
                if 200 <= status < 300 or status == 400:
                    return Answer(0, failure=UNKNOWN, cause="timeout" if cut.over() else "unreadable")
                read = b""  # any other status decides without a body
            return Answer(status, read, retry_after)


def session_for(url: str, connections: int) -> requests.Session:
    """A session with what the environment says of proxies and certificates, which is read once and not each time."""
    session = cuttable(requests.Session(), connections)
    environment = session.merge_environment_settings(url, {}, False, None, None)
    session.proxies, session.verify, session.trust_env = environment["proxies"], environment["verify"], False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update(
        {
            "Content-Type": "application/json",
            "Accept": "application/json, text/plain",
            "User-Agent": f"mixpanel-group-consumer/{consumer.__version__}",
        }
    )
    return session


def read_body(response: requests.Response) -> bytes | None:
    """The body; None where it is longer than an answer can be."""
    body = b""
    for piece in response.iter_content(65536):
        body += piece
        if len(body) > MAX_ANSWER:
            return None
    return body


def seconds_of(header: str | None) -> float | None:
    """Retry-After in seconds from now, whether it is a number or a date; None where it is neither."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def cause_of(failure: Exception, cut: Cut) -> str:
    """One word for what went wrong, for logs and metrics."""
    if cut.over():
        return "timeout"
    word = word_for(failure)
    if word == "connection":
        return "reset" if cut.sent else "refused"
    return word
