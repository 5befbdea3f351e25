"""Probes and scrapes: what they are answered, also while the loop stands still."""

import json
import socket
import urllib.error
import urllib.request

import pytest

from consumer.sandbox.ports import free_port
from consumer.service.health import STILL_AFTER, Health
from consumer.service.health_server import LONGEST, MOST, HealthServer


class Clock:
    """A clock that goes when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


@pytest.fixture
def health(clock) -> Health:
    """The health of a loop that nobody turns."""
    return Health(clock)


@pytest.fixture
def server(health, clock):
    """The port."""
    found = HealthServer("", 0, health, lambda: (b"metric 1\n", "text/plain; version=0.0.4"), clock)
    yield found
    found.close()


def ask(server: HealthServer, path: str, method: str = "GET", host: str = "127.0.0.1"):
    """Status, content type and body."""
    request = urllib.request.Request(f"http://{host}:{server.port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers["Content-Type"], refused.read()


def test_a_loop_that_turns_lives(server, health, clock):
    """As long as the last turn is young `/livez` answers 200; then 503, and 200 again with the next turn."""
    assert ask(server, "/livez") == (200, "application/json", b'{"status": "alive", "reasons": []}\n')
    clock.now += STILL_AFTER
    assert ask(server, "/livez")[0] == 200
    clock.now += 1
    status, kind, body = ask(server, "/livez")
    assert (status, kind) == (503, "application/json")
    assert json.loads(body) == {"status": "not alive", "reasons": ["the loop has not turned for 61 s"]}
    health.turned(clock.now)
    assert ask(server, "/livez")[0] == 200


def test_readiness_names_every_reason(server, health):
    """`/readyz` answers 503 with the reasons, from the first moment; 200 once there is none."""
    assert json.loads(ask(server, "/readyz")[2]) == {"status": "not ready", "reasons": ["starting"]}
    health.observed(("no broker is connected", "sending is halted: Mixpanel answered 401"), "", {})
    status, kind, body = ask(server, "/readyz")
    assert (status, kind) == (503, "application/json")
    assert json.loads(body)["reasons"] == list(health.unready)
    health.observed((), "", {})
    assert ask(server, "/readyz/?verbose") == (200, "application/json", b'{"status": "ready", "reasons": []}\n')


def test_metrics_come_with_their_content_type(server):
    """A scraper reads the version from it."""
    assert ask(server, "/metrics") == (200, "text/plain; version=0.0.4", b"metric 1\n")


def test_status_is_there_from_the_first_moment(server, health):
    """Before the loop has turned nothing is known but that; then what the loop said last, ready or not."""
    status, kind, body = ask(server, "/status")
    assert (status, kind) == (200, "application/json")
    found = json.loads(body)
    assert found.pop("instance")
    assert found == {"ready": False, "reasons": ["starting"], "requests": [], "projects": [], "partitions": []}
    health.observed((), "", {"ready": True})
    assert json.loads(ask(server, "/status/")[2]) == {"ready": True}


def test_other_paths_say_which_there_are(server):
    """A wrong path is a 404 that helps."""
    status, _, body = ask(server, "/health")
    assert status == 404
    assert b"/livez, /readyz, /status and /metrics" in body


def test_head_has_no_body(server):
    """Probes may ask by HEAD."""
    assert ask(server, "/livez", "HEAD") == (200, "application/json", b"")


def test_nothing_else_is_taken(server):
    """The port changes nothing: other methods are refused."""
    assert ask(server, "/livez", "POST")[0] == 501


def test_a_port_that_is_taken_is_an_error(server, health):
    """The caller hears of it, and says so."""
    with pytest.raises(OSError, match="in use"):
        HealthServer("", server.port, health, lambda: (b"", ""))


def test_a_given_port_is_the_port(health):
    """The port is the one that was asked for, and free again after the close."""
    port = free_port()
    for _ in range(2):
        server = HealthServer("", port, health, lambda: (b"", ""))
        assert ask(server, "/livez")[0] == 200
        server.close()


def test_it_listens_where_it_is_told(health):
    """At one address it is there, and at no other."""
    server = HealthServer("127.0.0.1", 0, health, lambda: (b"", ""))
    assert ask(server, "/livez")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port), 5)
    server.close()


def test_a_host_that_is_not_of_this_machine_is_an_error(health):
    """192.0.2.1 is nobody's address."""
    with pytest.raises(OSError, match="assign"):
        HealthServer("192.0.2.1", 0, health, lambda: (b"", ""))


def test_slow_clients_keep_no_probe_waiting(server):
    """With all connections taken by clients that say nothing a probe is answered, and it is the oldest that goes."""
    idle = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(MOST)]
    for one in idle:
        one.sendall(b"GET /livez HTTP/1.1\r\n")
    assert ask(server, "/livez")[0] == 200
    assert idle[0].recv(1) == b""
    idle[-1].sendall(b"\r\n")
    assert idle[-1].recv(100).startswith(b"HTTP/1.0 200")
    for one in idle:
        one.close()


def test_a_connection_ends_in_time_though_its_client_drips(server, clock):
    """Each byte is in time, and all of them together are not."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as slow:
        slow.sendall(b"GET /livez HT")
        assert ask(server, "/livez")[0] == 200  # so the other is being read
        clock.now += LONGEST
        slow.sendall(b"T")
        assert slow.recv(1) == b""
