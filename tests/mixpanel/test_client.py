"""One POST: every way in which it can end, and whether Mixpanel may have applied it."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import trustme

from consumer.commands.check.mixpanel import mixpanel_facts
from consumer.commands.check.registry import registry_facts
from consumer.core.model import NOT_SENT, UNKNOWN
from consumer.event.encode import opening_of, request_json
from consumer.http.deadline import Cut
from consumer.mixpanel.client import MAX_ANSWER, PIECE, Mixpanel, RequestBody, seconds_of
from consumer.mixpanel.lease import Lease, Permit
from consumer.registry.advice import advice
from consumer.registry.client import RegistryClient
from consumer.registry.configured import access
from consumer.registry.errors import Outage
from consumer.settings import load
from tests.integration.watching import until

TAILS = [b'"$group_key":"company","$group_id":"g","$set":{"plan":"x"}}']
BODY = b'[{"$token":"t","$group_key":"company","$group_id":"g","$set":{"plan":"x"}}]'
GOOD = b'{"error":null,"errors":{},"num_good_events":1,"status":1}'
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def always() -> bool:
    """It may begin."""
    return True


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no certificates of the machine that runs the tests."""
    for name in (*PROXIES, *map(str.upper, PROXIES), "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def connect() -> Iterator[Callable[..., Mixpanel]]:
    """Makes endpoints, and closes them at the end."""
    made: list[Mixpanel] = []

    def make(url: str, timeout: float = 10.0) -> Mixpanel:
        made.append(Mixpanel(url, "t", timeout=timeout, connections=2))
        return made[-1]

    yield make
    for endpoint in made:
        endpoint.close()


def answering(answer: bytes, status: str = "200 OK", *headers: str) -> Callable[[socket.socket, bytes], None]:
    """Answers with this."""

    def behave(connection: socket.socket, _: bytes) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(answer)}", "Connection: close", *headers]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + answer)

    return behave


# What is sent.


@pytest.mark.parametrize("sizes", [[0], [1, 1], [PIECE - 100], [PIECE, 0, PIECE, 3], [300] * 5_000, [900_000] * 3])
def test_a_body_is_the_same_in_pieces(sizes):
    """In one where it is small; each is of whole updates, and its length is known before."""
    tails = [b'"$set":{"a":"%s"}}' % (b"x" * size) for size in sizes]
    whole = request_json(opening_of("t"), tails)
    body = RequestBody(opening_of("t"), tails)
    pieces = list(body)
    assert b"".join(pieces) == whole
    assert len(body) == len(whole)
    assert len(pieces) == 1 or len(whole) > PIECE
    assert max(map(len, pieces)) <= max(2 * PIECE, *(size + 100 for size in sizes))


def test_a_large_body_arrives_whole(connect, new_wire):
    """With its length, not in chunks of HTTP."""
    tails = [b'"$set":{"a":"%s"}}' % (b"x" * 1_000)] * 2_000
    wire = new_wire(answering(GOOD))
    assert connect(wire.url).post(tails, always).status == 200
    [request] = wire.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert body == request_json(opening_of("t"), tails)
    assert b"content-length: %d" % len(body) in head.lower()
    assert b"transfer-encoding" not in head.lower()


# What is answered.


def test_an_answer_comes_back_as_it_is(mixpanel, connect):
    """The body goes to /groups as JSON, strict and verbose; status and body of the answer come back."""
    answer = connect(mixpanel.url).post(TAILS, always)
    assert (answer.status, answer.failure, answer.retry_after) == (200, "", None)
    assert b'"status":1' in answer.body
    assert answer.seconds > 0
    (request,) = mixpanel.requests.newest()
    assert request["parameters"] == {"ip": "0", "strict": "1", "verbose": "1"}
    assert request["content_type"] == "application/json"
    assert mixpanel.profiles.snapshot()[0]["properties"] == {"plan": "x"}


def test_a_path_of_the_url_is_kept(new_wire, connect):
    """Behind a proxy with a path of its own the request goes to {MIXPANEL_URL}/groups."""
    wire = new_wire(answering(GOOD))
    assert connect(f"{wire.url}/mixpanel").post(TAILS, always).status == 200
    assert wire.requests[0].startswith(b"POST /mixpanel/groups?ip=0&strict=1&verbose=1 HTTP/1.1\r\n")
    assert wire.requests[0].endswith(b"\r\n\r\n" + BODY)


@pytest.mark.parametrize("interim", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_an_interim_answer_is_not_the_answer(new_wire, connect, interim):
    """What a proxy says before it is passed over: else the answer would be taken for that of the next request."""
    said = f"HTTP/1.1 {interim}\r\nLink: </x>\r\n\r\n".encode()

    def behave(connection: socket.socket, request: bytes) -> None:
        connection.sendall(said + said)
        answering(GOOD)(connection, request)

    answer = connect(new_wire(behave).url).post(TAILS, always)
    assert (answer.status, answer.body) == (200, GOOD)


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
def test_a_redirect_is_not_followed(new_wire, connect, status):
    """The token goes nowhere but where the settings say."""
    elsewhere = new_wire(answering(GOOD))
    wire = new_wire(answering(b"", status, f"Location: {elsewhere.url}/groups"))
    assert connect(wire.url).post(TAILS, always).status == int(status[:3])
    assert elsewhere.requests == []


def test_no_cookie_is_kept(new_wire, connect):
    """Each request stands alone."""
    wire = new_wire(answering(GOOD, "200 OK", "Set-Cookie: a=b; Path=/"))
    endpoint = connect(wire.url)
    assert [endpoint.post(TAILS, always).status for _ in range(2)] == [200, 200]
    assert not any(b"cookie" in request.lower() for request in wire.requests)


def test_a_connection_that_was_closed_meanwhile_is_made_anew(new_wire, connect):
    """A server may close an idle connection without a word: the next request is no failure, however late it comes."""
    closed = threading.Event()

    def behave(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GOOD) + GOOD)
        connection.close()
        closed.set()

    wire = new_wire(behave)
    endpoint = connect(wire.url, 0.5)
    began = time.monotonic()
    assert endpoint.post(TAILS, always).status == 200
    assert closed.wait(10)
    threading.Event().wait(began + 0.6 - time.monotonic())  # the deadline of the first is over
    assert endpoint.post(TAILS, always).status == 200
    assert len(wire.requests) == 2


def test_connections_are_closed_when_it_hangs_up(new_wire, connect):
    """At once and not with the next request, which makes its own."""
    closed = threading.Event()

    def behave(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GOOD) + GOOD)
        if connection.recv(1) == b"":
            closed.set()

    wire = new_wire(behave)
    endpoint = connect(wire.url)
    assert endpoint.post(TAILS, always).status == 200
    endpoint.hang_up()
    assert closed.wait(10)
    assert endpoint.post(TAILS, always).status == 200
    assert len(wire.requests) == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), (" 0 ", 0.0), ("-1", None), ("1.5", None), ("soon", None), ("", None), ("\u0663", None)],
)
def test_retry_after_is_a_number(header, seconds):
    """Whole seconds are read, and nothing is guessed."""
    assert seconds_of(header) == seconds
    assert seconds_of(None) is None


def test_retry_after_is_a_date(new_wire, connect):
    """A date becomes seconds from now; one in the past becomes none."""
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    answer = connect(new_wire(answering(b"", "429 Too Many Requests", f"Retry-After: {later}")).url).post(
        TAILS, always
    )
    assert answer.status == 429
    assert 50 < answer.retry_after <= 60
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert seconds_of("Wed, 99 Oct 2015 07:28:00 GMT") is None


def test_a_status_that_decides_needs_no_body(new_wire, connect):
    """A 401 whose body breaks off is a 401 all the same."""

    def behave(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\n{")

    answer = connect(new_wire(behave).url).post(TAILS, always)
    assert (answer.status, answer.body, answer.failure) == (401, b"", "")


# What may have been applied.


def test_a_dripping_answer_is_cut_at_the_deadline(mixpanel, connect):
    """The time-out is of the whole request: bytes that go on coming do not prolong it, and the outcome is unknown."""
    mixpanel.faults.on("drip", milliseconds=100)
    began = time.monotonic()
    answer = connect(mixpanel.url, 0.5).post(TAILS, always)
    assert (answer.status, answer.failure, answer.cause) == (0, UNKNOWN, "timeout")
    assert 0.4 < time.monotonic() - began < 3


def test_dripping_headers_are_cut_at_the_deadline(new_wire, connect):
    """An answer whose head never ends is cut as well."""

    def behave(connection: socket.socket, _: bytes) -> None:
        while True:
            connection.sendall(b"H")
            time.sleep(0.05)

    began = time.monotonic()
    answer = connect(new_wire(behave).url, 0.5).post(TAILS, always)
    assert (answer.failure, answer.cause) == (UNKNOWN, "timeout")
    assert time.monotonic() - began < 3


def test_no_answer_in_time_is_unknown(mixpanel, connect):
    """Mixpanel may have applied it, and here it has."""
    mixpanel.faults.on("hang", applied=True)
    answer = connect(mixpanel.url, 0.3).post(TAILS, always)
    assert (answer.failure, answer.cause) == (UNKNOWN, "timeout")
    assert len(mixpanel.profiles) == 1


def test_an_answer_without_a_length_is_not_whole_when_it_is_cut(new_wire, connect):
    """A body that ends with the connection looks whole when we cut it: it is not believed."""

    def behave(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n1")
        endpoint.close()  # as the deadline does it
        connection.recv(1)

    endpoint = connect(new_wire(behave).url)
    answer = endpoint.post(TAILS, always)
    assert (answer.failure, answer.cause) == (UNKNOWN, "timeout")


def test_a_time_out_is_told_as_one_though_its_timer_is_late(new_wire, connect, monkeypatch):
    """The read may end by its own time-out, on a machine that is busy."""
    monkeypatch.setattr(Cut, "now", lambda _: None)

    def behave(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n1")
        connection.recv(1)

    answer = connect(new_wire(behave).url, 1.0).post(TAILS, always)
    assert (answer.failure, answer.cause) == (UNKNOWN, "timeout")


@pytest.mark.parametrize("at", ["before-reading", "before-applying", "after-applying"])
def test_a_reset_once_sent_is_unknown(mixpanel, connect, at):
    """From outside it cannot be seen whether it was applied before."""
    mixpanel.faults.on("reset", at=at)
    answer = connect(mixpanel.url).post(TAILS, always)
    assert (answer.status, answer.failure, answer.cause) == (0, UNKNOWN, "reset")


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
def test_an_answer_that_breaks_off_is_unknown(new_wire, connect, status):
    """Where the body decides, half a body decides nothing."""

    def behave(connection: socket.socket, _: bytes) -> None:
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 100\r\n\r\n".encode() + GOOD)

    answer = connect(new_wire(behave).url).post(TAILS, always)
    assert (answer.failure, answer.cause) == (UNKNOWN, "unreadable")


@pytest.mark.parametrize("told", [True, False])
def test_an_endless_answer_is_not_read_to_its_end(new_wire, connect, told):
    """What is longer than any answer of Mixpanel is none: memory is bounded, the outcome unknown."""

    def behave(connection: socket.socket, _: bytes) -> None:
        length = f"Content-Length: {MAX_ANSWER * 64}\r\n" if told else ""
        connection.sendall(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode())
        for _block in range(MAX_ANSWER * 64 // 65536):
            connection.sendall(b" " * 65536)

    answer = connect(new_wire(behave).url).post(TAILS, always)
    assert (answer.failure, answer.cause) == (UNKNOWN, "unreadable")


def test_no_http_at_all_is_unknown(new_wire, connect):
    """Something else listens there; it has read the request all the same."""
    answer = connect(new_wire(lambda connection, _: connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")).url).post(
        TAILS, always
    )
    assert (answer.status, answer.failure) == (0, UNKNOWN)


def test_a_broken_compression_is_unknown(new_wire, connect):
    """A body that does not unpack is unreadable."""
    wire = new_wire(answering(b"not gzip", "200 OK", "Content-Encoding: gzip"))
    answer = connect(wire.url).post(TAILS, always)
    assert (answer.failure, answer.cause) == (UNKNOWN, "unreadable")


# What was surely not applied.


def test_a_refused_connection_was_not_sent(connect):
    """Nobody listens: known not applied."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = connect(f"http://127.0.0.1:{port}").post(TAILS, always)
    assert (answer.status, answer.failure, answer.cause) == (0, NOT_SENT, "refused")


def test_a_host_without_address_was_not_sent(connect, monkeypatch):
    """No name, no connection: known not applied."""

    def resolve(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    answer = connect("http://mixpanel.invalid").post(TAILS, always)
    assert (answer.failure, answer.cause) == (NOT_SENT, "dns")


def test_a_connection_that_is_never_accepted_was_not_sent(connect):
    """A host that takes no connection costs the time-out, and nothing was sent."""
    with full_listener() as port:
        began = time.monotonic()
        answer = connect(f"http://127.0.0.1:{port}", 0.5).post(TAILS, always)
        assert (answer.failure, answer.cause) == (NOT_SENT, "timeout")
        assert time.monotonic() - began < 3


def test_many_addresses_do_not_prolong_the_deadline(connect, monkeypatch):
    """A host with many addresses, none of which answers, costs one time-out and not one for each."""
    with full_listener() as port:
        address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address] * 8)
        began = time.monotonic()
        answer = connect(f"http://mixpanel.invalid:{port}", 0.5).post(TAILS, always)
        assert (answer.failure, answer.cause) == (NOT_SENT, "timeout")
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("tls", [False, True])
def test_whether_it_may_begin_is_asked_once_the_connection_is_there(
    new_wire, connect, monkeypatch, authority, tmp_path, tls
):
    """While a host's name is looked up the partitions may go to another: nothing is written after."""
    if tls:
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    wire = new_wire(answering(GOOD), serving(authority, "localhost") if tls else None)
    endpoint = connect(wire.url.replace("127.0.0.1", "localhost"))
    looking, found = threading.Event(), threading.Event()
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", wire.port))

    def slow(*_: object, **__: object) -> list[object]:
        looking.set()
        assert found.wait(10)
        return [address]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    lease = Lease(lambda: 0.0, 1.0)
    permit, answers = Permit(lease), []
    thread = threading.Thread(target=lambda: answers.append(endpoint.post(TAILS, permit.begin)))
    thread.start()
    assert looking.wait(10)
    assert permit.withdraw()
    found.set()
    thread.join(10)
    assert [(answer.status, answer.failure, answer.cause) for answer in answers] == [(0, NOT_SENT, "lease")]
    assert wire.requests == []
    again = Permit(lease)
    assert endpoint.post(TAILS, again.begin).status == 200
    assert not again.withdraw()  # it is too late for that


class full_listener:  # noqa: N801  # used as a function
    """A port whose queue of connections is full: a further one is never answered."""

    def __enter__(self) -> int:
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.pending = []
        for _ in range(4):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(self.listener.getsockname())
            self.pending.append(waiting)
        return self.listener.getsockname()[1]

    def __exit__(self, *_: object) -> None:
        for waiting in (*self.pending, self.listener):
            waiting.close()


# TLS.


@pytest.fixture
def authority() -> trustme.CA:
    """An authority that no system trusts."""
    return trustme.CA()


def serving(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate for these names."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(tls)
    return tls


def test_a_certificate_of_a_private_authority_is_taken_where_it_is_told(
    new_wire, connect, authority, monkeypatch, tmp_path
):
    """REQUESTS_CA_BUNDLE names the authorities that are trusted."""
    wire = new_wire(answering(GOOD), serving(authority, "127.0.0.1"))
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    assert connect(wire.url).post(TAILS, always).status == 200


def test_a_certificate_of_an_unknown_authority_is_refused(new_wire, connect, authority):
    """Nothing is sent to a stranger."""
    wire = new_wire(answering(GOOD), serving(authority, "127.0.0.1"))
    answer = connect(wire.url).post(TAILS, always)
    assert (answer.failure, answer.cause) == (NOT_SENT, "tls")
    assert wire.requests == []


def test_a_certificate_of_another_host_is_refused(new_wire, connect, authority, monkeypatch, tmp_path):
    """The authority is right, the name is not: nothing is sent."""
    wire = new_wire(answering(GOOD), serving(authority, "elsewhere.example"))
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    answer = connect(wire.url).post(TAILS, always)
    assert (answer.failure, answer.cause) == (NOT_SENT, "tls")
    assert wire.requests == []


def test_a_server_without_tls_is_refused(new_wire, connect):
    """A plain server on an https URL gets nothing but a handshake."""
    wire = new_wire(answering(GOOD))
    answer = connect(wire.url.replace("http://", "https://"), 5).post(TAILS, always)
    assert answer.failure == NOT_SENT


def test_a_handshake_that_hangs_was_not_sent(connect):
    """A server that takes the connection and says nothing costs the time-out, and nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        answer = connect(f"https://127.0.0.1:{silent.getsockname()[1]}", 0.5).post(TAILS, always)
    assert (answer.failure, answer.cause) == (NOT_SENT, "timeout")
    assert time.monotonic() - began < 3


def test_a_dripping_answer_over_tls_is_cut_at_the_deadline(new_wire, connect, authority, monkeypatch, tmp_path):
    """The deadline holds under TLS, too."""

    def behave(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.05)

    wire = new_wire(behave, serving(authority, "127.0.0.1"))
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    began = time.monotonic()
    answer = connect(wire.url, 1.0).post(TAILS, always)
    assert (answer.failure, answer.cause) == (UNKNOWN, "timeout")
    assert time.monotonic() - began < 4


# Proxies.


def test_a_proxy_of_the_environment_is_used(new_wire, connect, monkeypatch):
    """HTTP_PROXY gets the whole URL; NO_PROXY is respected."""
    proxy, direct = new_wire(answering(GOOD)), new_wire(answering(GOOD))
    monkeypatch.setenv("http_proxy", proxy.url)
    assert connect("http://mixpanel.example").post(TAILS, always).status == 200
    assert proxy.requests[0].startswith(b"POST http://mixpanel.example/groups?")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert connect(direct.url).post(TAILS, always).status == 200
    assert len(direct.requests) == 1


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "503 Service Unavailable"])
def test_a_proxy_that_refuses_the_tunnel_was_sent_nothing(new_wire, connect, monkeypatch, status):
    """Without a tunnel the request never left; and the proxy's password is in no word of the failure."""
    proxy = new_wire(answering(b"", status))
    monkeypatch.setenv("https_proxy", f"http://user:marked-secret@127.0.0.1:{proxy.port}")
    answer = connect("https://mixpanel.example").post(TAILS, always)
    assert (answer.failure, answer.cause) == (NOT_SENT, "proxy")
    assert BODY not in b"".join(proxy.requests)


def test_a_proxy_that_is_away_was_sent_nothing(connect, monkeypatch):
    """A refused connection to the proxy is known not applied."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    answer = connect("http://mixpanel.example").post(TAILS, always)
    assert (answer.failure, answer.cause) == (NOT_SENT, "proxy")


# The end.


def test_close_cuts_what_is_under_way(mixpanel, connect):
    """A request that waits for its answer ends at once, with an unknown outcome; after that nothing is sent."""
    mixpanel.faults.on("hang")
    endpoint = connect(mixpanel.url, 30)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(endpoint.post(TAILS, always)))
    thread.start()
    until(lambda: mixpanel.faults.as_json()[0]["struck"], "the request has arrived")
    began = time.monotonic()
    endpoint.close()
    thread.join(5)
    assert answers[0].failure == UNKNOWN
    assert time.monotonic() - began < 3
    assert endpoint.post(TAILS, always).failure == NOT_SENT


def test_deadlines_leave_no_thread_behind(mixpanel, connect):
    """A request that is answered takes its deadline with it."""
    endpoint = connect(mixpanel.url, 600)
    for _ in range(5):
        assert endpoint.post(TAILS, always).status == 200
    until(lambda: "deadline" not in [thread.name for thread in threading.enumerate()], "no deadline is left")


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [("REQUESTS_CA_BUNDLE", "/nonexistent/ca.pem", "ca_bundle"), ("ALL_PROXY", "socks5h://127.0.0.1:9", "socks")],
)
def test_what_the_environment_says_wrongly_has_a_cause_for_the_registry_too(monkeypatch, name, value, cause):
    """`run` calls an outage so, and its line, `check` and the provider of tokens name the variable and the path."""
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "")
    settings = load(
        {"KAFKA_BOOTSTRAP_SERVERS": "k:1", "SCHEMA_REGISTRY_URL": "https://localhost:9", "MIXPANEL_TOKEN": "t"}
    )
    client = RegistryClient(access(settings), timeout=5.0)
    with pytest.raises(Outage) as outage:
        client.fetch(1)
    assert outage.value.cause == cause
    for words in (advice(cause), advice(f"oauth_{cause}")):
        assert f"{name} is {value}" in words
    fact = next(iter(registry_facts(settings, [])))
    assert (fact.state, f"{name} is {value}" in fact.fix + fact.detail) == ("fault", True)


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [("REQUESTS_CA_BUNDLE", "/nonexistent/ca.pem", "ca_bundle"), ("ALL_PROXY", "socks5h://127.0.0.1:9", "socks")],
)
def test_what_the_environment_says_wrongly_has_a_cause(monkeypatch, name, value, cause):
    """Certificates that are not there, a proxy of another kind: nothing was sent, and `check` names it."""
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "")
    answer = Mixpanel("https://localhost:9", "t", timeout=5.0, connections=1).post(TAILS, always)
    assert (answer.failure, answer.cause) == (NOT_SENT, cause)
    settings = load(
        {"KAFKA_BOOTSTRAP_SERVERS": "k:1", "SCHEMA_REGISTRY_URL": "http://r", "MIXPANEL_TOKEN": "t"}
        | {"MIXPANEL_URL": "https://localhost:9"}
    )
    fact = next(iter(mixpanel_facts(settings, [], proven=())))
    assert (fact.state, f"{name} is {value}" in fact.detail) == ("fault", True)
