"""The registry wants a password or a token, over TLS."""

import json
import ssl
import threading
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from consumer.sandbox.registry.server import RegistrySandbox
from tests.integration.events import SCHEMA, change, changed, framed
from tests.integration.watching import until

USER = {"SCHEMA_REGISTRY_USERNAME": "reader", "SCHEMA_REGISTRY_PASSWORD": "right-password"}
TOKEN = {"SCHEMA_REGISTRY_TOKEN": "right-token"}
USERS: dict[str, Any] = {"users": {"reader": "right-password"}}
TOKENS: dict[str, Any] = {"tokens": ["right-token"]}


def guarded(**more: Any) -> RegistrySandbox:
    """A registry that wants credentials."""
    registry = RegistrySandbox(**more)
    registry.register("group-changes-value", json.dumps(SCHEMA))
    return registry


@pytest.fixture
def world(broker, new_world):
    """A world on the common broker."""
    return lambda registry: new_world(broker, registry)


def works(world) -> None:
    """An event is decoded."""
    world.send(changed("a", plan="x"))
    world.settled()
    assert world.profile("a") == {"plan": "x"}


def held(world, service, setting: str) -> None:
    """Every partition waits for its schema: not ready, alive, and the line names the setting."""
    for partition in range(4):
        world.send(changed("a", plan="x"), partition=partition)
    assert setting in service.said("schema registry failing")["message"]
    until(lambda: service.reasons() == ["every partition is held: schema"], "it is not ready")
    assert service.get("/livez")[0] == 200
    assert world.committed() == {}


@pytest.mark.parametrize(("wants", "settings"), [(USERS, USER), (TOKENS, TOKEN)], ids=["basic", "token"])
def test_the_right_credentials_let_in(world, serving, wants, settings):
    """Over TLS with a private authority, by password and by token."""
    tls, ca = serving()
    with guarded(tls=tls, **wants) as registry:
        here = world(registry)
        here.run(SCHEMA_REGISTRY_CA_LOCATION=str(ca), **settings)
        works(here)


@pytest.mark.parametrize(("wants", "settings"), [(USERS, USER), (TOKENS, TOKEN)], ids=["basic", "token"])
def test_refused_credentials_hold_and_recover(world, serving, wants, settings):
    """A wrong or rotated secret is an outage and no reject: told, not ready, and over once the registry takes it."""
    tls, ca = serving()
    with guarded(tls=tls, users={"reader": "another"}, tokens=["another"]) as registry:
        here = world(registry)
        service = here.run(SCHEMA_REGISTRY_CA_LOCATION=str(ca), **settings)
        held(here, service, "SCHEMA_REGISTRY_PASSWORD")
        registry.users, registry.tokens = wants.get("users", {}), wants.get("tokens", [])
        here.settled()
        until(service.ready, "it is ready")
        assert service.metric("dead_letters_total") == 0
        assert not service.lines("right-")


def test_a_registry_of_an_unknown_authority_is_refused(world, serving, tmp_path):
    """The password goes to nobody whose certificate is not trusted; with the right authority it goes on by itself."""
    (tls, ca), (_, other) = serving(), serving()
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(other.read_bytes())
    with guarded(tls=tls, **USERS) as registry:
        here = world(registry)
        service = here.run(SCHEMA_REGISTRY_CA_LOCATION=str(trusted), **USER)
        held(here, service, "SCHEMA_REGISTRY_CA_LOCATION")
        assert list(registry.asked) == []
        trusted.write_bytes(ca.read_bytes())
        here.settled()
        until(service.ready, "it is ready")
        assert service.metric("dead_letters_total") == 0


def test_a_secret_in_a_file_is_read(world, serving, tmp_path):
    """The `_FILE` twin of a secret does the same."""
    tls, ca = serving()
    (tmp_path / "token").write_text("right-token\n")
    with guarded(tls=tls, **TOKENS) as registry:
        here = world(registry)
        here.run(SCHEMA_REGISTRY_CA_LOCATION=str(ca), SCHEMA_REGISTRY_TOKEN_FILE=str(tmp_path / "token"))
        works(here)


def test_a_rotated_secret_is_used_without_a_restart(world, serving, tmp_path):
    """The registry takes another password, the file gets it: one line without it, no restart, no dead letter."""
    tls, ca = serving()
    file = tmp_path / "password"
    file.write_text("right-password\n")
    with guarded(tls=tls, **USERS) as registry:
        here = world(registry)
        service = here.run(
            SCHEMA_REGISTRY_CA_LOCATION=str(ca),
            SCHEMA_REGISTRY_USERNAME="reader",
            SCHEMA_REGISTRY_PASSWORD_FILE=str(file),
        )
        registry.users = {"reader": "rotated-password"}
        held(here, service, "SCHEMA_REGISTRY_PASSWORD")
        file.write_text("rotated-password\n")
        here.settled()
        until(service.ready, "it is ready")
        assert len(service.lines("SCHEMA_REGISTRY_PASSWORD_FILE has changed")) == 1
        assert not service.lines("right-password")
        assert not service.lines("rotated-password")
        assert service.metric("dead_letters_total") == 0


def test_mutual_tls(world, new_certificates, tmp_path):
    """A registry that wants a certificate lets in whoever has one of its authority, also one that comes later."""
    ours, strangers = new_certificates(), new_certificates()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(ours.server_certificate, ours.server_key)
    tls.load_verify_locations(ours.ca)
    tls.verify_mode = ssl.CERT_REQUIRED
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    certificate.write_bytes(strangers.client_certificate.read_bytes())
    key.write_bytes(strangers.client_key.read_bytes())
    with guarded(tls=tls) as registry:
        here = world(registry)
        service = here.run(
            SCHEMA_REGISTRY_CA_LOCATION=str(ours.ca),
            SCHEMA_REGISTRY_CERTIFICATE_LOCATION=str(certificate),
            SCHEMA_REGISTRY_KEY_LOCATION=str(key),
        )
        held(here, service, "SCHEMA_REGISTRY")
        key.write_bytes(ours.client_key.read_bytes())
        certificate.write_bytes(ours.client_certificate.read_bytes())
        here.settled()
        assert service.metric("dead_letters_total") == 0


class Provider(BaseHTTPRequestHandler):
    """Gives tokens to whoever knows the client secret."""

    secret = "right-secret"
    token = "token-1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        wanted = "Basic " + b64encode(f"me:{self.secret}".encode()).decode()
        let_in = self.headers["Authorization"] == wanted
        body = json.dumps({"access_token": self.token, "expires_in": 3600} if let_in else {"error": "invalid_client"})
        self.send_response(200 if let_in else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def provider():
    """A provider of tokens."""
    handler: Any = type("OwnProvider", (Provider,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    handler.url = f"http://127.0.0.1:{server.server_address[1]}/token"
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


def test_client_credentials(world, provider):
    """Tokens of a provider; one that refuses is told as such, and a token that was revoked is asked for again."""
    provider.secret = "another-secret"
    with guarded(tokens=["token-1"]) as registry:
        here = world(registry)
        service = here.run(
            SCHEMA_REGISTRY_OAUTH_URL=provider.url,
            SCHEMA_REGISTRY_OAUTH_CLIENT_ID="me",
            SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET="right-secret",
        )
        held(here, service, "SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET")
        line = service.said("schema registry failing")
        assert (line["cause"], line["url"]) == ("oauth_status_401", provider.url)
        assert list(registry.asked) == []
        provider.secret = "right-secret"
        here.settled()
        registry.tokens, provider.token = ["token-2"], "token-2"
        number = here.register("other", {**SCHEMA, "doc": "Another."})
        here.send(framed(change("b", plan="y"), number=number))
        here.settled()
        for mark in ("right-secret", "token-1", "token-2"):
            assert not service.lines(mark)
        assert service.metric("dead_letters_total") == 0
