"""Signing in to the registry: by certificate, by token, by secrets and certificates that change while it runs."""

import json
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from consumer.registry.client import RegistryClient
from consumer.registry.configured import access
from consumer.registry.errors import Outage
from consumer.registry.login import ClientCredentials
from consumer.registry.subjects import RegistryApi, RegistryError
from consumer.registry.tls import Tls
from consumer.settings import Settings, load
from consumer.settings.secrets import Secret

TIMEOUT = 20.0


class Both(ThreadingHTTPServer):
    """A registry that knows schema 7, and a provider of tokens beside it at /token."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.server_address[1]}"
        self.socket = context.wrap_socket(self.socket, server_side=True) if context else self.socket
        self.wanted: set[str] = set()  # headers of which a request must have one; none: all may
        self.requests: list[dict[str, str]] = []
        self.forms: list[tuple[str, dict[str, list[str]]]] = []
        self.answers: list[tuple[int, object]] = []
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that are refused are part of the tests."""


class Asked(BaseHTTPRequestHandler):
    """One request."""

    server: Both

    def do_GET(self) -> None:
        self.server.requests.append(dict(self.headers))
        if self.server.wanted and self.headers.get("Authorization") not in self.server.wanted:
            self._answer(401, {"error_code": 401})
        elif self.path == "/schemas/ids/7":
            self._answer(200, {"schema": '"int"'})
        else:
            self._answer(200, [])

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.forms.append((self.headers["Authorization"], form))
        self._answer(*(self.server.answers.pop(0) if self.server.answers else (200, token("t"))))

    def _answer(self, status: int, body: object) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


def token(name: str, **more: object) -> dict[str, object]:
    """A provider's answer."""
    return {"access_token": name, "token_type": "Bearer", "expires_in": 100, **more}


@pytest.fixture
def serve() -> Iterator[Callable[..., Both]]:
    """Starts servers, and stops them at the end."""
    started: list[Both] = []

    def begin(context: ssl.SSLContext | None = None) -> Both:
        started.append(Both(context))
        return started[-1]

    yield begin
    for server in started:
        server.stop()


@pytest.fixture
def server(serve) -> Both:
    """One without TLS."""
    return serve()


def settings(url: str, **given: str) -> Settings:
    """The settings of a registry."""
    environ = {f"SCHEMA_REGISTRY_{name}": value for name, value in given.items()}
    return load(environ | {"SCHEMA_REGISTRY_URL": url}, need=())


def client(url: str, **given: str) -> RegistryClient:
    """A client with these settings."""
    return RegistryClient(access(settings(url, **given)), TIMEOUT)


def oauth(server: Both, **more: str) -> dict[str, str]:
    """The settings of a provider at the server."""
    return {
        "OAUTH_URL": f"{server.url}/token",
        "OAUTH_CLIENT_ID": "me",
        "OAUTH_CLIENT_SECRET": "s3cret",
        **more,
    }


def cause(made: RegistryClient) -> tuple[str, str]:
    """Why the schema cannot be had, and where."""
    with pytest.raises(Outage) as caught:
        made.fetch(7)
    return caught.value.cause, caught.value.url


# RegistryClient credentials.


def test_a_token_is_asked_for_and_used(server):
    """One token for many requests, with what Confluent Cloud wants to know beside it."""
    more = {"OAUTH_SCOPE": "read:schemas", "CLUSTER": "lsrc-1", "IDENTITY_POOL": "pool-2"}
    made = client(server.url, **oauth(server), **more)
    assert made.fetch(7).schema == '"int"'
    assert made.fetch(7).schema == '"int"'
    form = {"grant_type": ["client_credentials"], "scope": ["read:schemas"]}
    assert server.forms == [("Basic " + b64encode(b"me:s3cret").decode(), form)]
    for headers in server.requests:
        assert headers["Authorization"] == "Bearer t"
        assert (headers["target-sr-cluster"], headers["Confluent-Identity-Pool-Id"]) == ("lsrc-1", "pool-2")


def test_the_tools_sign_in_the_same_way(server):
    """`check` and `schema` ask with the same token."""
    server.wanted = {"Bearer t"}
    assert RegistryApi(settings(server.url, **oauth(server))).versions("s") == []
    server.answers = [(401, b"")]
    with pytest.raises(RegistryError, match="SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET"):
        RegistryApi(settings(server.url, **oauth(server))).versions("s")


@pytest.mark.parametrize(
    ("given", "used_until"),
    [({}, 80.0), ({"expires_in": "100"}, 80.0), ({"expires_in": None}, 240.0), ({"expires_in": "soon"}, 240.0)],
)
def test_a_token_is_renewed_before_it_ends(server, given: dict[str, object], used_until: float):
    """At four fifths of its life; a life that the provider does not say is five minutes."""
    now = [0.0]
    login = credentials(server, lambda: now[0])
    server.answers = [(200, token("one", **given)), (200, token("two"))]
    assert login.headers(TIMEOUT) == {"Authorization": "Bearer one"}
    now[0] = used_until - 0.1
    assert login.headers(TIMEOUT) == {"Authorization": "Bearer one"}
    now[0] = used_until
    assert login.headers(TIMEOUT) == {"Authorization": "Bearer two"}


def test_a_token_that_holds_is_used_while_no_other_is_had(server):
    """A provider that is away does not matter before the token ends."""
    now = [0.0]
    login = credentials(server, lambda: now[0])
    login.headers(TIMEOUT)
    server.answers = [(503, b"")] * 2
    now[0] = 99.0
    assert login.headers(TIMEOUT) == {"Authorization": "Bearer t"}
    now[0] = 100.0
    with pytest.raises(Outage, match="oauth_status_503"):
        login.headers(TIMEOUT)
    assert login.headers(TIMEOUT) == {"Authorization": "Bearer t"}


def credentials(server: Both, clock: Callable[[], float]) -> ClientCredentials:
    """RegistryClient credentials with a clock of their own."""
    return ClientCredentials(f"{server.url}/token", "me", lambda: "s3cret", "", {}, tls=Tls(), clock=clock)


def test_a_token_that_the_registry_refuses_is_not_used_again(server):
    """Revoked before its end: the next request asks for another."""
    made = client(server.url, **oauth(server))
    server.wanted = {"Bearer new"}
    server.answers = [(200, token("old")), (200, token("new"))]
    assert cause(made)[0] == "status_401"
    assert made.fetch(7).schema == '"int"'


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ((401, {"error": "invalid_client"}), "oauth_status_401"),
        ((400, {"error": "invalid_scope"}), "oauth_status_400"),
        ((302, b""), "oauth_status_302"),
        ((200, b"<html>"), "oauth_unreadable"),
        ((200, [1]), "oauth_unreadable"),
        ((200, {"token": "t"}), "oauth_unreadable"),
        ((200, {"access_token": "a\nb"}), "oauth_unreadable"),
    ],
)
def test_a_provider_that_gives_no_token_is_an_outage(server, answer: tuple[int, object], word: str):
    """Its cause says that it is the provider, with the provider's URL; the registry is not asked."""
    made = client(server.url, **oauth(server))
    server.answers = [answer]
    assert cause(made) == (word, f"{server.url}/token")
    assert server.requests == []
    assert made.fetch(7).schema == '"int"'


# Certificates.


def guarded(authority: trustme.CA, wants: trustme.CA | None = None) -> ssl.SSLContext:
    """TLS of a server at 127.0.0.1 that wants a client certificate of this authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    if wants is not None:
        wants.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # where a refusal is part of the handshake
    return context


def written(path: Path, *blobs: trustme.Blob) -> str:
    """The path of a file with these."""
    path.write_bytes(b"".join(blob.bytes() for blob in blobs))
    return str(path)


def encrypted(blob: trustme.Blob, password: bytes) -> bytes:
    """The private key, with a password."""
    key = serialization.load_pem_private_key(blob.bytes(), None)
    kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(*kinds, serialization.BestAvailableEncryption(password))


def test_a_client_certificate_lets_in(serve, tmp_path: Path):
    """With its key in a file of its own, with a password, or in the same file."""
    authority = trustme.CA()
    server = serve(guarded(authority, authority))
    ours = authority.issue_cert("group-consumer")
    ca = {"CA_LOCATION": written(tmp_path / "ca.pem", authority.cert_pem)}
    whole = {"CERTIFICATE_LOCATION": written(tmp_path / "whole.pem", ours.private_key_pem, ours.cert_chain_pems[0])}
    assert client(server.url, **ca, **whole).fetch(7).schema == '"int"'
    assert RegistryApi(settings(server.url, **ca, **whole)).versions("s") == []
    parts = {
        "CERTIFICATE_LOCATION": written(tmp_path / "cert.pem", ours.cert_chain_pems[0]),
        "KEY_LOCATION": str(tmp_path / "key.pem"),
    }
    (tmp_path / "key.pem").write_bytes(encrypted(ours.private_key_pem, b"word"))
    assert client(server.url, **ca, **parts, KEY_PASSWORD="word").fetch(7).schema == '"int"'
    assert cause(client(server.url, **ca, **parts, KEY_PASSWORD="another")) == (
        "certificate",
        str(tmp_path / "cert.pem"),
    )
    assert cause(client(server.url, **ca, **parts)) == ("certificate", str(tmp_path / "cert.pem"))
    assert cause(client(server.url, **ca))[0] in ("tls", "connection")


def test_certificates_are_read_again_when_they_change(serve, tmp_path: Path):
    """What we show, and whom we believe: without a restart, with the next request."""
    authority, other = trustme.CA(), trustme.CA()
    server = serve(guarded(authority, authority))
    ca, ours = tmp_path / "ca.pem", tmp_path / "ours.pem"
    given = {
        "CA_LOCATION": written(ca, other.cert_pem),
        "CERTIFICATE_LOCATION": written(ours, other.issue_cert("x").private_key_and_cert_chain_pem),
    }
    made = client(server.url, **given)
    assert cause(made)[0] == "tls"
    written(ca, authority.cert_pem)
    assert cause(made)[0] in ("tls", "connection")
    written(ours, authority.issue_cert("x").private_key_and_cert_chain_pem)
    assert made.fetch(7).schema == '"int"'
    ours.write_bytes(b"half")
    assert cause(made) == ("certificate", str(ours))
    ca.unlink()
    written(ours, authority.issue_cert("x").private_key_and_cert_chain_pem)
    assert cause(made)[0] == "tls"


def test_a_provider_may_have_a_certificate_of_the_registrys_authority(serve, tmp_path: Path):
    """Who runs a private registry often runs a private provider; a stranger gets no client secret."""
    authority = trustme.CA()
    server, stranger = serve(guarded(authority)), serve(guarded(trustme.CA()))
    ca = {"CA_LOCATION": written(tmp_path / "ca.pem", authority.cert_pem)}
    assert client(server.url, **ca, **oauth(server)).fetch(7).schema == '"int"'
    assert cause(client(server.url, **ca, **oauth(stranger))) == ("oauth_tls", f"{stranger.url}/token")
    assert stranger.forms == []


# Secrets in files.


@pytest.mark.parametrize("name", ["PASSWORD", "TOKEN", "OAUTH_CLIENT_SECRET"])
def test_a_secret_from_a_file_is_read_again(server, tmp_path: Path, name: str, caplog):
    """Rotated in the file, it is used with the next request, and one line says so without it."""
    caplog.set_level("INFO", "consumer.settings")
    file = tmp_path / "secret"
    file.write_text("first\n")
    given = {f"{name}_FILE": str(file)}
    if name == "PASSWORD":
        given["USERNAME"] = "me"
    if name == "OAUTH_CLIENT_SECRET":
        given |= {"OAUTH_URL": f"{server.url}/token", "OAUTH_CLIENT_ID": "me"}
        server.answers = [(200, token("t", expires_in=0))] * 3
    made = client(server.url, **given)
    made.fetch(7)
    file.write_text("second\n")
    made.fetch(7)
    made.fetch(7)
    sent = [request["Authorization"] for request in server.requests]
    if name == "OAUTH_CLIENT_SECRET":
        sent = [authorization for authorization, _ in server.forms]
    kind = {"TOKEN": "Bearer {}"}.get(name, "Basic {}")
    texts = [text if name == "TOKEN" else b64encode(f"me:{text}".encode()).decode() for text in ("first", "second")]
    assert sent == [kind.format(texts[0]), kind.format(texts[1]), kind.format(texts[1])]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == f"SCHEMA_REGISTRY_{name}_FILE has changed, and is used from now on"


@pytest.mark.parametrize("content", [b"", b"\xff", b"two words", None])
def test_a_file_that_cannot_be_read_leaves_the_last_secret(tmp_path: Path, content: bytes | None, caplog):
    """It may be half written: the last good one stays, which is said once."""
    file = tmp_path / "secret"
    file.write_text("first")
    secret = Secret(settings("http://r", TOKEN_FILE=str(file)), "SCHEMA_REGISTRY_TOKEN")
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    assert [secret.text() for _ in range(3)] == ["first"] * 3
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("SCHEMA_REGISTRY_TOKEN")
    assert line.endswith("the last one that could be read stays in force")
    assert "two words" not in line
    file.write_text("second")
    assert secret.text() == "second"


def test_a_secret_of_the_environment_stays_as_it_is():
    """Nothing is read for it."""
    assert Secret(settings("http://r", TOKEN="here"), "SCHEMA_REGISTRY_TOKEN").text() == "here"
    assert Secret(settings("http://r"), "SCHEMA_REGISTRY_TOKEN").text() == ""
