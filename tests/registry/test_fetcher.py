"""The registry client against a scripted server: what it asks, what it believes, and what it goes on waiting for."""

import gzip
import json
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest
import trustme

from consumer.registry.access import Access, Endpoint
from consumer.registry.asks import Patience
from consumer.registry.cache import BUDGET, MAX_FILE, SchemaCache
from consumer.registry.client import MAX_REFERENCES, MAX_TEXT, Fetched
from consumer.registry.facts import SchemaFact, SchemaFailing, SchemaHeld, SchemaKnown, SchemaRefused
from consumer.registry.fetcher import RegistryFetcher
from consumer.registry.login import Login, basic, bearer, nobody
from consumer.registry.tls import Tls

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "group_change.avsc").read_text())
TEXT = json.dumps(SCHEMA)
UNKNOWN = (404, {"error_code": 40403, "message": "Schema not found"})
GUID = "01234567-89ab-cdef-0123-456789abcdef"
PATIENCE = 20.0
QUICK = Patience(unknown_after=0.2, backoff=(0.05, 0.2))
DELETE = b"\2e\0\0\2k\2g\x0c\0\0\0"  # of the group g, as the event schema writes it

Answer = tuple[int, object] | Callable[[BaseHTTPRequestHandler], None]


class Scripted(ThreadingHTTPServer):
    """Answers each path with what is scripted for it, one after the other; the last goes on."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.script: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.scheme = "http"
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def answer(self, path: str, *answers: Answer) -> None:
        with self.lock:
            self.script[path] = list(answers)

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests."""


class Asked(BaseHTTPRequestHandler):
    """One request."""

    server: Scripted

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.asked.append((self.path, self.headers.get("Authorization")))
            answers = self.server.script.get(self.path, [(404, "<html>no such page</html>")])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer(self)
            return
        status, body = answer
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def server() -> Iterator[Scripted]:
    """A registry to be scripted."""
    found = Scripted()
    yield found
    found.stop()


@pytest.fixture
def results() -> "SimpleQueue[SchemaFact]":
    """Where the results go."""
    return SimpleQueue()


@pytest.fixture
def start(results: "SimpleQueue[SchemaFact]") -> Iterator[Callable[..., RegistryFetcher]]:
    """Starts registries, and closes them at the end."""
    started: list[RegistryFetcher] = []

    def begin(*urls: str, login: Login | None = None, ca: str = "", **more: Any) -> RegistryFetcher:
        usual = {"cache_dir": None, "timeout": PATIENCE, "patience": QUICK}
        access = Access(tuple(Endpoint(url, login or nobody()) for url in urls), Tls(ca))
        started.append(RegistryFetcher(access, reader=SCHEMA, results=results, **usual | more))
        return started[-1]

    yield begin
    for registry in started:
        registry.close()


def held(answer: Answer, event: threading.Event) -> Answer:
    """The answer, once the event is set."""

    def wait(request: BaseHTTPRequestHandler) -> None:
        assert event.wait(PATIENCE)
        status, body = answer
        content = json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return wait


def test_a_schema_becomes_a_decoder(server, start, results):
    """An id is fetched once, and what comes back decodes; a missing schemaType means Avro."""
    server.answer("/schemas/ids/7", (200, {"schema": TEXT}))
    start(server.url).fetch(7)
    known = results.get(timeout=PATIENCE)
    assert isinstance(known, SchemaKnown)
    assert known.ref == 7
    assert known.decoder.decode(DELETE, 0).group_id == "g"
    assert server.asked == [("/schemas/ids/7", None)]


def test_a_guid_has_its_own_path(server, start, results):
    """A GUID is asked for where GUIDs are."""
    server.answer(f"/schemas/guids/{GUID}", (200, {"schema": TEXT, "schemaType": "AVRO"}))
    start(server.url).fetch(GUID)
    assert results.get(timeout=PATIENCE).ref == GUID


def test_one_call_for_each_id_at_a_time(server, start, results):
    """However often a schema is asked for, one thread is at it; after that it can be asked for again."""
    arrived, event = threading.Event(), threading.Event()
    answer = held((200, {"schema": TEXT}), event)

    def wait(request: BaseHTTPRequestHandler) -> None:
        arrived.set()
        answer(request)

    server.answer("/schemas/ids/7", wait)
    server.answer("/schemas/ids/8", (200, {"schema": TEXT}))
    registry = start(server.url)
    registry.fetch(7)
    assert arrived.wait(PATIENCE)
    for ref in (7, 7, 8):
        registry.fetch(ref)
    assert results.get(timeout=PATIENCE).ref == 8
    event.set()
    assert results.get(timeout=PATIENCE).ref == 7
    registry.fetch(7)
    assert results.get(timeout=PATIENCE).ref == 7
    assert len(server.asked) == 3


def test_two_ids_do_not_wait_for_each_other(server, start, results):
    """A slow answer for one schema holds no other."""
    event = threading.Event()
    server.answer("/schemas/ids/1", held((200, {"schema": TEXT}), event))
    server.answer("/schemas/ids/2", (200, {"schema": TEXT}))
    registry = start(server.url)
    registry.fetch(1)
    registry.fetch(2)
    assert results.get(timeout=PATIENCE).ref == 2
    event.set()
    assert results.get(timeout=PATIENCE).ref == 1


def test_paths_and_slashes_of_a_url_are_kept_straight(server, start, results):
    """A registry may live below a path; trailing slashes do not matter."""
    server.answer("/apis/ccompat/v7/schemas/ids/7", (200, {"schema": TEXT}))
    start(server.url + "/apis/ccompat/v7//").fetch(7)
    assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)


def test_references_are_followed(server, start, results):
    """Schemas that the schema refers to are fetched too, each once, those that they refer to before them."""
    fields = [{**f, "type": "shared.Operation"} if f["name"] == "operation" else f for f in SCHEMA["fields"]]
    fields.append({"name": "extra", "type": ["null", "shared.Other"]})
    operation = {**SCHEMA["fields"][5]["type"], "namespace": "shared"}
    other = {"type": "record", "name": "shared.Other", "fields": [{"name": "o", "type": "Operation"}]}
    base = {"name": "shared.Operation", "subject": "the/base", "version": 3}
    more = {"name": "shared.Other", "subject": "other", "version": 1}
    server.answer(
        "/schemas/ids/7", (200, {"schema": json.dumps({**SCHEMA, "fields": fields}), "references": [more, base]})
    )
    server.answer("/subjects/the%2Fbase/versions/3?deleted=true", (200, {"schema": json.dumps(operation)}))
    server.answer(
        "/subjects/other/versions/1?deleted=true", (200, {"schema": json.dumps(other), "references": [base]})
    )
    start(server.url).fetch(7)
    assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)
    assert len(server.asked) == 3


def test_references_in_a_circle_come_to_an_end(server, start, results):
    """Schemas that refer to each other are fetched once each, and judged as they are."""
    again = {"name": "x", "subject": "s", "version": 1}
    server.answer("/schemas/ids/7", (200, {"schema": TEXT, "references": [again]}))
    server.answer("/subjects/s/versions/1?deleted=true", (200, {"schema": '"int"', "references": [again]}))
    start(server.url).fetch(7)
    assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)


def test_a_missing_reference_is_an_outage(server, start, results):
    """A reference that the registry cannot find is its fault, not the record's: it is waited for."""
    server.answer("/schemas/ids/7", (200, {"schema": TEXT, "references": [{"subject": "s", "version": 1}]}))
    server.answer("/subjects/s/versions/1?deleted=true", UNKNOWN, (200, {"schema": '"int"'}))
    start(server.url).fetch(7)
    assert results.get(timeout=PATIENCE) == SchemaFailing(7, "status_404")
    assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)


def test_the_first_of_a_name_counts(server, start, results):
    """Two versions, or two subjects, under one name are a diamond: the first that is met stands for both."""
    audit = {"type": "record", "name": "acme.Audit", "fields": [{"name": "by", "type": "string"}]}
    later = {**audit, "fields": [*audit["fields"], {"name": "at", "type": "long", "default": 0}]}
    for name, version in (("Created", 1), ("Changed", 2)):
        part = {"type": "record", "name": f"acme.{name}", "fields": [{"name": "audit", "type": "Audit"}]}
        refers = [{"name": "acme.Audit", "subject": "audit", "version": version}]
        server.answer(
            f"/subjects/{name}/versions/1?deleted=true", (200, {"schema": json.dumps(part), "references": refers})
        )
    server.answer("/subjects/audit/versions/1?deleted=true", (200, {"schema": json.dumps(audit)}))
    server.answer("/subjects/audit/versions/2?deleted=true", (200, {"schema": json.dumps(later)}))
    more = [{"name": name, "type": f"acme.{name}"} for name in ("Created", "Changed")]
    refers = [{"name": f"acme.{name}", "subject": name, "version": 1} for name in ("Created", "Changed")]
    schema = json.dumps({**SCHEMA, "fields": [*more, *SCHEMA["fields"]]})
    server.answer("/schemas/ids/7", (200, {"schema": schema, "references": refers}))
    start(server.url).fetch(7)
    known = results.get(timeout=PATIENCE)
    assert isinstance(known, SchemaKnown)
    assert known.decoder.decode(b"\2a\2b" + DELETE, 0).group_id == "g"
    assert not [path for path, _ in server.asked if path.startswith("/subjects/audit/versions/2")]


# Unknown, and incompatible.


def test_unknown_is_believed_after_a_while(server, start, results):
    """An id that stays unknown is asked for several times before it is said, with the id in the words."""
    server.answer("/schemas/ids/7", UNKNOWN)
    start(server.url).fetch(7)
    assert results.get(timeout=PATIENCE) == SchemaRefused(7, "unknown_schema", "no registry knows the schema 7")
    assert len(server.asked) >= 2
    assert results.empty()


def test_an_id_that_appears_in_time_is_known(server, start, results):
    """A registry that lags behind the producer is given its time."""
    server.answer("/schemas/ids/7", UNKNOWN, UNKNOWN, (200, {"schema": TEXT}))
    start(server.url, patience=replace(QUICK, unknown_after=PATIENCE)).fetch(7)
    assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)


def test_every_registry_must_say_unknown(server, start, results):
    """One registry that knows the schema is enough, and one that is away leaves the question open."""
    other = Scripted()
    try:
        server.answer("/schemas/ids/1", UNKNOWN)
        other.answer("/schemas/ids/1", (200, {"schema": TEXT}))
        server.answer("/schemas/ids/2", UNKNOWN)
        other.answer("/schemas/ids/2", (500, {}), UNKNOWN)
        registry = start(server.url, other.url)
        registry.fetch(1)
        assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)
        registry.fetch(2)
        assert results.get(timeout=PATIENCE) == SchemaFailing(2, "status_500")
        assert results.get(timeout=PATIENCE).reason == "unknown_schema"
    finally:
        other.stop()


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        ({"schema": '"string"'}, "string cannot be read as record mixpanel.groups.GroupChange"),
        ({"schema": "{not json"}, "not an Avro schema: its text is not JSON"),
        ({"schema": "[" * 100_000}, "not an Avro schema: its text is not JSON"),
        ({"schema": '{"type": "nonsense"}'}, "not an Avro schema: the type nonsense is not defined"),
        ({"schema": "syntax", "schemaType": "PROTOBUF"}, "the registry's schema is of type PROTOBUF, not AVRO"),
    ],
)
def test_what_no_record_can_resolve_is_refused(server, start, results, answer: object, detail: str):
    """A schema that was fetched and is of no use refuses its records, with the reason."""
    server.answer("/schemas/ids/7", (200, answer))
    start(server.url).fetch(7)
    assert results.get(timeout=PATIENCE) == SchemaRefused(7, "incompatible_schema", detail)


def test_texts_are_bounded_in_sum(server, start, results):
    """However many references share it out, a schema has no more text than one may have; nothing more is fetched."""
    refers = [{"name": f"r{number}", "subject": f"s{number}", "version": 1} for number in range(60)]
    server.answer("/schemas/ids/7", (200, {"schema": TEXT, "references": refers}))
    padded = json.dumps({"type": "string", "doc": "." * (MAX_TEXT // 3)})
    for number in range(60):
        server.answer(f"/subjects/s{number}/versions/1?deleted=true", (200, {"schema": padded}))
    start(server.url).fetch(7)
    detail = f"it has more than {MAX_TEXT} characters, with all that it refers to"
    assert results.get(timeout=PATIENCE) == SchemaRefused(7, "incompatible_schema", detail)
    assert len(server.asked) == 4


def test_references_are_bounded_in_number(server, start, results):
    """A schema that refers to too many others is refused; the registry is well."""
    refers = [{"name": f"r{number}", "subject": "s", "version": 1} for number in range(MAX_REFERENCES + 1)]
    server.answer("/schemas/ids/7", (200, {"schema": TEXT, "references": refers}))
    server.answer("/subjects/s/versions/1?deleted=true", (200, {"schema": '"int"'}))
    start(server.url).fetch(7)
    detail = f"it refers to more than {MAX_REFERENCES} schemas"
    assert results.get(timeout=PATIENCE) == SchemaRefused(7, "incompatible_schema", detail)


# Outages.


def drop(request: BaseHTTPRequestHandler) -> None:
    """Close the connection without an answer."""
    request.connection.shutdown(socket.SHUT_RDWR)


def short(request: BaseHTTPRequestHandler) -> None:
    """Promise more bytes than are sent."""
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b"{}")


def bomb(request: BaseHTTPRequestHandler) -> None:
    """A small answer that unpacks to much."""
    content = gzip.compress(b" " * 50_000_000)
    request.send_response(200)
    request.send_header("Content-Encoding", "gzip")
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ((500, {"error_code": 50001}), "status_500"),
        ((503, b""), "status_503"),
        ((401, b""), "status_401"),
        ((403, {"error_code": 40301}), "status_403"),
        ((404, {"error_code": 404, "message": "HTTP 404 Not Found"}), "status_404"),
        ((404, b"<html>"), "status_404"),
        ((302, b""), "status_302"),
        ((200, b"<html>login</html>"), "unreadable"),
        ((200, [1]), "unreadable"),
        ((200, {"schema": 7}), "unreadable"),
        ((200, {"schema": TEXT, "references": [{"subject": 1}]}), "unreadable"),
        ((200, b"[" * 200_000), "unreadable"),
        (drop, "connection"),
        (short, "connection"),
        (bomb, "unreadable"),
    ],
)
def test_an_outage_is_waited_for(server, start, results, answer: Answer, cause: str):
    """Whatever is not an answer is said once for each attempt, and asked again until there is one."""
    server.answer("/schemas/ids/7", answer, answer, (200, {"schema": TEXT}))
    start(server.url).fetch(7)
    assert results.get(timeout=PATIENCE) == SchemaFailing(7, cause)
    assert results.get(timeout=PATIENCE) == SchemaFailing(7, cause)
    assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)


def test_an_outage_between_two_unknowns_starts_the_question_anew(server, start, results):
    """What was unknown before an outage is not held against the registry after it."""
    server.answer("/schemas/ids/7", UNKNOWN, (500, {}), UNKNOWN, (200, {"schema": TEXT}))
    start(server.url, patience=replace(QUICK, unknown_after=0.09, backoff=(0.08, 0.08))).fetch(7)
    assert results.get(timeout=PATIENCE) == SchemaFailing(7, "status_500")
    assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)


def test_redirects_are_not_followed(server, start, results):
    """A redirect would take credentials elsewhere: it is an outage, even where it leads to the schema."""

    def elsewhere(request: BaseHTTPRequestHandler) -> None:
        request.send_response(301)
        request.send_header("Location", "/moved")
        request.send_header("Content-Length", "0")
        request.end_headers()

    server.answer("/schemas/ids/7", elsewhere)
    server.answer("/moved", (200, {"schema": TEXT}))
    start(server.url).fetch(7)
    assert results.get(timeout=PATIENCE) == SchemaFailing(7, "status_301")


def test_nobody_there_is_an_outage(start, results, monkeypatch: pytest.MonkeyPatch):
    """A refused connection and a host without an address are named as such."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        start(f"http://127.0.0.1:{unused.getsockname()[1]}").fetch(7)
        assert results.get(timeout=PATIENCE) == SchemaFailing(7, "connection")

    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    start("http://registry.invalid:8081").fetch(8)
    assert next_of(results, 8) == SchemaFailing(8, "dns")


def next_of(results: "SimpleQueue[SchemaFact]", ref: int) -> Any:
    """The next result about this schema."""
    while True:
        found: Any = results.get(timeout=PATIENCE)
        if found.ref == ref:
            return found


def drip(request: BaseHTTPRequestHandler) -> None:
    """An answer that never ends, one byte at a time, its headers too."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    drip_bytes(request)


def drip_body(request: BaseHTTPRequestHandler) -> None:
    """An answer whose body never ends."""
    request.send_response(200)
    request.end_headers()
    drip_bytes(request)


def drip_bytes(request: BaseHTTPRequestHandler) -> None:
    try:
        while True:
            request.wfile.write(b" ")
            request.wfile.flush()
            time.sleep(0.02)
    except OSError:
        return


def silent(request: BaseHTTPRequestHandler) -> None:
    """No answer, until the client hangs up."""
    request.connection.recv(1)


@pytest.mark.parametrize("slow", [drip, drip_body, silent])
def test_a_request_has_a_hard_end(server, start, results, slow: Answer):
    """An answer that drips or does not come is cut at the time-out, wherever it stands, and asked for again."""
    server.answer("/schemas/ids/7", slow, (200, {"schema": TEXT}))
    start(server.url, timeout=0.3).fetch(7)
    found = results.get(timeout=PATIENCE)
    assert found == SchemaFailing(7, "timeout")
    while found == SchemaFailing(7, "timeout"):
        found = results.get(timeout=PATIENCE)
    assert isinstance(found, SchemaKnown)


def test_close_does_not_wait_for_an_answer(server, start, results):
    """Closing gives up what is under way and ends the threads; nothing is said after."""
    server.answer("/schemas/ids/7", silent)
    before = threading.active_count()
    registry = start(server.url)
    registry.fetch(7)
    deadline = time.monotonic() + PATIENCE
    while not server.asked and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    registry.close()
    registry.fetch(8)
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("registry-")], (before, names)
    with pytest.raises(Empty):
        results.get_nowait()


def test_a_registry_that_is_back_ends_all_waiting(server, start, results):
    """One success wakes whatever waits for its next attempt."""
    server.answer("/schemas/ids/1", (500, {}), (200, {"schema": TEXT}))
    server.answer("/schemas/ids/2", (200, {"schema": TEXT}))
    registry = start(server.url, patience=replace(QUICK, backoff=(3600.0, 3600.0)))
    registry.fetch(1)
    assert results.get(timeout=PATIENCE) == SchemaFailing(1, "status_500")
    registry.fetch(2)
    assert {results.get(timeout=PATIENCE).ref for _ in range(2)} == {1, 2}


# Credentials and certificates.


@pytest.mark.parametrize(
    ("userinfo", "login", "sent"),
    [
        ("", basic("user", lambda: "p:ss"), "Basic dXNlcjpwOnNz"),
        ("", bearer(lambda: "secret", {}), "Bearer secret"),
        ("user:p%3Ass@", None, "Basic dXNlcjpwOnNz"),
        ("user:p%3Ass@", bearer(lambda: "for-the-others", {}), "Basic dXNlcjpwOnNz"),
    ],
)
def test_credentials_are_sent(server, start, results, userinfo: str, login: Login | None, sent: str):
    """User and password, a token, or what the URL itself holds: each reaches the registry."""
    server.answer("/schemas/ids/7", (200, {"schema": TEXT}))
    start(server.url.replace("://", f"://{userinfo}"), login=login).fetch(7)
    assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)
    assert server.asked == [("/schemas/ids/7", sent)]


def test_logs_tell_changes_of_state_and_no_secret(server, start, results, caplog):
    """An outage is logged when it begins, changes and ends, not with each attempt, and never with credentials."""
    caplog.set_level(logging.DEBUG, "consumer.registry")
    server.answer("/schemas/ids/7", (401, b""), (401, b""), (401, b""), (500, b""), (200, {"schema": TEXT}))
    start(server.url.replace("://", "://someone:hidden@"), login=bearer(lambda: "hidden-too", {})).fetch(7)
    while not isinstance(results.get(timeout=PATIENCE), SchemaKnown):
        pass
    lines = [(line.levelname, line.getMessage().partition(":")[0]) for line in caplog.records]
    failing = ("WARNING", "schema registry failing")
    assert lines == [failing, failing, ("INFO", "schema registry back")]
    assert "SCHEMA_REGISTRY_PASSWORD" in caplog.records[0].getMessage()
    assert caplog.records[0].url == server.url
    for line in caplog.records:
        assert "hidden" not in str(line.__dict__)
        assert "someone" not in str(line.__dict__)


def test_certificates_are_checked(server, start, results, tmp_path: Path):
    """A registry with TLS is believed with the certificate authority of the settings, and not without."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.scheme = "https"
    server.answer("/schemas/ids/7", (200, {"schema": TEXT}))
    start(server.url).fetch(7)
    assert results.get(timeout=PATIENCE) == SchemaFailing(7, "tls")
    start(server.url, ca=str(tmp_path / "ca.pem")).fetch(8)
    server.answer("/schemas/ids/8", (200, {"schema": TEXT}))
    assert isinstance(next_of(results, 8), SchemaKnown)


# The cache.


def test_schemas_survive_an_outage_and_a_restart(server, start, results, tmp_path: Path):
    """What was fetched once is used where the registry is away, references included."""
    reference = {"subject": "s", "version": 1}
    server.answer("/schemas/ids/7", (200, {"schema": TEXT, "references": [reference]}))
    server.answer("/subjects/s/versions/1?deleted=true", (200, {"schema": '"int"'}))
    server.answer(f"/schemas/guids/{GUID}", (200, {"schema": TEXT}))
    first = start(server.url, cache_dir=tmp_path)
    first.fetch(7)
    first.fetch(GUID)
    assert {results.get(timeout=PATIENCE).ref for _ in range(2)} == {7, GUID}
    for path in (*server.script,):
        server.answer(path, (503, b""))
    second = start(server.url, cache_dir=tmp_path)
    for ref in (7, GUID):
        second.fetch(ref)
        assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)


def test_two_registries_do_not_share_a_cache(server, start, results, tmp_path: Path):
    """An id of one registry is never read as another's."""
    server.answer("/schemas/ids/7", (200, {"schema": TEXT}))
    start(server.url, cache_dir=tmp_path).fetch(7)
    assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)
    server.answer("/other/schemas/ids/7", (503, b""))
    start(server.url + "/other", cache_dir=tmp_path).fetch(7)
    assert results.get(timeout=PATIENCE) == SchemaFailing(7, "status_503")


def test_a_file_of_another_registry_is_ignored(server, start, results, tmp_path: Path):
    """A file that was copied from another registry's folder is not believed."""
    for path in ("/a", "/b"):
        server.answer(f"{path}/schemas/ids/7", (200, {"schema": TEXT}))
        start(server.url + path, cache_dir=tmp_path / path[1:]).fetch(7)
        results.get(timeout=PATIENCE)
    (other,), (own,) = tmp_path.glob("a/*/*"), tmp_path.glob("b/*/*")
    own.write_bytes(other.read_bytes())
    server.answer("/b/schemas/ids/7", (503, b""))
    start(server.url + "/b", cache_dir=tmp_path / "b").fetch(7)
    assert results.get(timeout=PATIENCE) == SchemaFailing(7, "status_503")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b'{"urls": [], "ref": 7}'])
def test_a_broken_cache_file_is_ignored(server, start, results, tmp_path: Path, caplog, content: bytes):
    """A file that is not what it should be is logged by its name, and the registry is waited for."""
    server.answer("/schemas/ids/7", (200, {"schema": TEXT}))
    start(server.url, cache_dir=tmp_path).fetch(7)
    results.get(timeout=PATIENCE)
    (kept,) = tmp_path.glob("*/*")
    kept.write_bytes(content)
    server.answer("/schemas/ids/7", (503, b""), (200, {"schema": TEXT}))
    start(server.url, cache_dir=tmp_path).fetch(7)
    assert results.get(timeout=PATIENCE) == SchemaFailing(7, "status_503")
    assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)
    assert [line.file for line in caplog.records if "cached schema" in line.getMessage()] == [str(kept)]


def test_a_file_of_another_schema_is_ignored(server, start, results, tmp_path: Path):
    """A file that was copied to another id's name is not believed."""
    server.answer("/schemas/ids/7", (200, {"schema": TEXT}))
    start(server.url, cache_dir=tmp_path).fetch(7)
    results.get(timeout=PATIENCE)
    (kept,) = tmp_path.glob("*/*")
    kept.rename(kept.with_name(kept.name.replace("7", "8")))
    server.answer("/schemas/ids/8", (503, b""))
    start(server.url, cache_dir=tmp_path).fetch(8)
    assert results.get(timeout=PATIENCE) == SchemaFailing(8, "status_503")


def test_refused_schemas_do_not_enter_the_cache(server, start, results, tmp_path: Path):
    """What can decode no record takes no room from what can."""
    server.answer("/schemas/ids/1", (200, {"schema": '"string"'}))
    server.answer("/schemas/ids/2", (200, {"schema": TEXT}))
    registry = start(server.url, cache_dir=tmp_path)
    for ref in (1, 2):
        registry.fetch(ref)
        results.get(timeout=PATIENCE)
    assert [path.name for path in tmp_path.glob("*/*")] == ["id-2.json"]


def test_a_file_of_an_older_format_is_not_believed(tmp_path: Path):
    """It may not say every rule that counts today."""
    cache = SchemaCache(tmp_path, ["http://one"])
    fetched = Fetched('"string"', (), ("hide (ENCRYPT)",))
    cache.write(7, fetched)
    assert cache.read(7) == fetched
    (file,) = tmp_path.glob("*/*.json")
    content = json.loads(file.read_text())
    del content["format"]
    file.write_text(json.dumps(content))
    assert cache.read(7) is None


def test_the_cache_has_a_budget(tmp_path: Path, caplog):
    """All files together stay within it, the oldest go first, another registry's too; one too large is not kept."""
    other, own = SchemaCache(tmp_path, ["http://old"]), SchemaCache(tmp_path, ["http://new"])
    large = Fetched("." * (MAX_FILE - 1000), ())
    for number in range(6):
        cache = other if number < 2 else own
        cache.write(number, large)
        for path in tmp_path.glob("*/*"):  # older by a second with each that comes after
            os.utime(path, (path.stat().st_mtime - 1, path.stat().st_mtime - 1))
        assert cache.bytes == sum(path.stat().st_size for path in tmp_path.glob("*/*")) <= BUDGET
    assert [other.read(number) for number in range(2)] == [None, None]
    assert [own.read(number) == large for number in range(2, 6)] == [True] * 4
    own.write(5, Fetched("." * 10, ()))
    assert own.read(2) == large
    own.write(9, Fetched("." * MAX_FILE, ()))
    assert own.read(9) is None
    assert not [line for line in caplog.records if line.levelname == "WARNING"]


def test_what_is_left_of_a_write_is_removed(tmp_path: Path):
    """A process that ended while it wrote leaves a file that nobody reads: it goes before a schema does."""
    cache = SchemaCache(tmp_path, ["http://one"])
    cache.write(1, Fetched("{}", ()))
    (kept,) = tmp_path.glob("*/*")
    left, fresh = kept.with_name(".new-left"), kept.with_name(".new-fresh")
    for path in (left, fresh):
        path.write_bytes(b"." * BUDGET)
    os.utime(left, (1, 1))
    cache.write(2, Fetched("{}", ()))
    assert sorted(path.name for path in tmp_path.glob("*/*")) == [".new-fresh", "id-1.json", "id-2.json"]


def test_a_cache_that_cannot_be_written_does_no_harm(server, start, results, tmp_path: Path, caplog):
    """A folder that is none costs one line in the log, and no schema."""
    (tmp_path / "file").write_text("")
    server.answer("/schemas/ids/1", (200, {"schema": TEXT}))
    server.answer("/schemas/ids/2", (200, {"schema": TEXT}))
    registry = start(server.url, cache_dir=tmp_path / "file")
    for ref in (1, 2):
        registry.fetch(ref)
        assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)
    assert [line.levelname for line in caplog.records] == ["WARNING"]
    assert "SCHEMA_CACHE_DIR" in caplog.records[0].getMessage()


# Rules for reading.


def ruled(*rules: object, kind: str = "domainRules") -> dict[str, object]:
    """The registry's answer for a schema with these rules."""
    return {"schema": TEXT, "ruleSet": {kind: list(rules)}}


def rule(**more: object) -> dict[str, object]:
    """One rule."""
    return {
        "name": "hide-owner",
        "kind": "TRANSFORM",
        "type": "ENCRYPT",
        "mode": "WRITEREAD",
        "tags": ["PII"],
        **more,
    }


@pytest.mark.parametrize(
    ("answer", "rules"),
    [
        (ruled(rule()), ("hide-owner (ENCRYPT)",)),
        (ruled(rule(mode="READ", type="CEL")), ("hide-owner (CEL)",)),
        (ruled(rule(mode="UPGRADE", type="JSONATA"), kind="migrationRules"), ("hide-owner (JSONATA)",)),
        (ruled(rule(type="ENCRYPT_PAYLOAD"), kind="encodingRules"), ("hide-owner (ENCRYPT_PAYLOAD)",)),
        (ruled(rule(mode=None)), ("hide-owner (ENCRYPT)",)),
        (ruled(rule(mode="WRITE", type="CEL"), rule(name="second")), ("second (ENCRYPT)",)),
        (ruled(rule(mode="WRITE")), ("hide-owner (ENCRYPT)",)),
        (ruled(7), ("unnamed",)),
    ],
)
def test_a_schema_with_rules_for_reading_is_held(
    server, start, results, answer: object, rules: tuple[str, ...], caplog
):
    """What a rule encrypted decodes as text: the schema is not read, which is said once in the log."""
    server.answer("/schemas/ids/7", (200, answer))
    start(server.url, patience=replace(QUICK, held_for=0.01)).fetch(7)
    for _ in range(3):
        assert results.get(timeout=PATIENCE) == SchemaHeld(7, rules)
    lines = [line for line in caplog.records if "SCHEMA_RULES" in line.getMessage()]
    assert [line.levelname for line in lines] == ["ERROR"]
    assert lines[0].rules == rules[0]


@pytest.mark.parametrize(
    "answer",
    [
        ruled(rule(mode="WRITE", type="CEL")),
        ruled(rule(disabled=True)),
        ruled(),
        {"schema": TEXT, "ruleSet": None},
        {"schema": TEXT, "ruleSet": {"domainRules": None}},
    ],
)
def test_rules_that_do_not_concern_reading_hold_nothing(server, start, results, answer: object):
    """Rules for writing alone, disabled ones and empty sets are as good as none."""
    server.answer("/schemas/ids/7", (200, answer))
    start(server.url).fetch(7)
    assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)


def test_rules_are_ignored_where_the_settings_say_so(server, start, results):
    """Then the schema is read as it is."""
    server.answer("/schemas/ids/7", (200, ruled(rule())))
    start(server.url, hold_rules=False).fetch(7)
    assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)


def test_a_schema_whose_rules_are_gone_is_known(server, start, results):
    """A held schema is asked for again, by itself."""
    server.answer("/schemas/ids/7", (200, ruled(rule())), (200, {"schema": TEXT}))
    start(server.url, patience=replace(QUICK, held_for=0.01)).fetch(7)
    assert isinstance(results.get(timeout=PATIENCE), SchemaHeld)
    assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)


def test_the_cache_remembers_rules(server, start, results, tmp_path: Path):
    """What was read with the rules ignored is held from the cache where they are not."""
    server.answer("/schemas/ids/7", (200, ruled(rule())), (503, b""))
    start(server.url, cache_dir=tmp_path, hold_rules=False).fetch(7)
    assert isinstance(results.get(timeout=PATIENCE), SchemaKnown)
    start(server.url, cache_dir=tmp_path).fetch(7)
    assert isinstance(results.get(timeout=PATIENCE), SchemaHeld)
