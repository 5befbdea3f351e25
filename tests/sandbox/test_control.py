"""What the page and other tools ask the sandbox beside /groups, and the little web server under it."""

import socket
import threading
import time

import pytest
import requests

from consumer.sandbox.mixpanel.fault_kinds import QUERY
from consumer.sandbox.mixpanel.request_log import KEPT_REQUESTS
from consumer.sandbox.mixpanel.server import MixpanelSandbox


@pytest.fixture
def ask(sandbox, session):
    """Asks the sandbox: ask("GET", "/profiles")."""

    def request(method, path, **arguments):
        return session.request(method, sandbox.url + path, timeout=10, **arguments)

    return request


def test_profiles(post, update, ask):
    """GET /profiles is an array of token, group_key, group_id and properties."""
    post(update(set={"x": 1}))

    assert ask("GET", "/profiles").json() == [
        {"token": "token", "group_key": "company", "group_id": "acme", "properties": {"x": 1}}
    ]


def test_profiles_since(post, update, ask):
    """With changed_since it is what changed after that version, and the version now."""
    post(update("a", set={"x": 1}))
    version = ask("GET", "/profiles?changed_since=0").json()["version"]
    post(update("b", set={"x": 1}))

    news = ask("GET", f"/profiles?changed_since={version}&limit=5").json()

    assert [profile["group_id"] for profile in news["profiles"]] == ["b"]
    assert (news["total"], news["deleted"]) == (2, [])


def test_sums_beyond_64_bits(post, update, ask):
    """A sum that no 64-bit integer holds is shown exactly."""
    for _ in range(3):
        post(update(add={"n": 2**63 - 1}))

    assert ask("GET", "/profiles").json()[0]["properties"] == {"n": 3 * (2**63 - 1)}


def test_requests(sandbox, post, update, ask):
    """GET /requests says what arrived and what was answered, newest first."""
    post(update("a", set={"x": 1}))
    sandbox.faults.on("status", status=429, times=1)
    post(update("reject-b", set={"x": 1}))
    post(update("reject-b", set={"x": 1}))

    third, second, first = ask("GET", "/requests").json()

    assert (first["method"], first["updates"], first["applied"], first["answer"]["status"]) == ("POST", 1, 1, 200)
    assert first["sample"] == [update("a", set={"x": 1})]
    assert first["parameters"] == {"ip": "0", "strict": "1", "verbose": "1"}
    assert (second["answer"]["status"], second["faults"], second["applied"]) == (429, ["status"], 0)
    assert third["refused"] == {"0": "$group_id, starts with reject-: refused on purpose"}
    assert [entry["number"] for entry in ask("GET", "/requests?since=1&limit=1").json()] == [3]


def test_requests_take_bounded_memory(sandbox, post, update, ask):
    """Only the newest requests are remembered, and of a large one only a part."""
    for n in range(KEPT_REQUESTS + 5):
        post(update(str(n), set={"x": 1}))
    post(*[update(str(n), set={"x": "y" * 500}) for n in range(2000)])

    entries = ask("GET", "/requests?limit=10000").json()

    assert len(entries) == KEPT_REQUESTS
    assert entries[0]["updates"] == 2000
    assert 1 <= len(entries[0]["sample"]) <= 50
    assert ask("GET", "/stats").json()["requests"] == KEPT_REQUESTS + 6


def test_stats(sandbox, post, update, ask):
    """GET /stats counts requests, updates applied and refused, bytes, profiles, and answers by status."""
    sandbox.faults.on("status", status=500, times=1)
    for _ in range(2):
        post(update("a", set={"x": 1}), update("reject-b", set={"x": 1}))

    stats = ask("GET", "/stats").json()

    assert stats.pop("bytes") > 200
    assert stats.pop("statuses") == {"500": 1, "200": 1}
    assert stats == {"requests": 2, "updates": 1, "refused": 1, "profiles": 1, "queries": 0, "provided": []}


def test_faults_over_http(sandbox, post, update, ask):
    """Faults are listed, switched on one by one or all at once, and off, as JSON."""
    assert ask("GET", "/faults").json()["faults"] == []
    assert {kind["kind"] for kind in ask("GET", "/faults").json()["kinds"]} > {"status", "reset", "refuse"}

    on = ask("PUT", "/faults/status", json={"status": 502, "times": 3}).json()["faults"]
    assert [(fault["name"], fault["kind"], fault["status"], fault["times"]) for fault in on] == [
        ("status", "status", 502, 3)
    ]
    assert post(update(set={"x": 1})).status_code == 502
    assert ask("PUT", "/faults", json=ask("GET", "/faults").json()["faults"]).status_code == 200
    assert ask("PUT", "/faults/busy", json={"kind": "status", "status": 503}).status_code == 200
    assert [fault["name"] for fault in sandbox.faults.as_json()] == ["status", "busy"]
    assert ask("DELETE", "/faults/busy").status_code == 200
    assert ask("DELETE", "/faults/busy").status_code == 404
    assert ask("PUT", "/faults", json={"kind": "drip"}).json()["faults"][0]["milliseconds"] == 500
    assert ask("DELETE", "/faults").json() == {"faults": []}


def test_a_fault_for_one_group_over_http(sandbox, post, update, ask):
    """Any kind of fault takes a group; what is listed can be put again, and it strikes until it is lifted."""
    kinds = [kind for kind in ask("GET", "/faults").json()["kinds"] if kind["kind"] not in QUERY]
    assert all({"group_key", "group_id"} <= {option["name"] for option in kind["options"]} for kind in kinds)
    ask("PUT", "/faults/poison", json={"kind": "status", "status": 403, "group_id": "a"})
    assert ask("PUT", "/faults", json=ask("GET", "/faults").json()["faults"]).status_code == 200

    assert post(update("a", set={"x": 1})).status_code == 403
    assert post(update("b", set={"x": 1})).status_code == 200
    assert ask("GET", "/faults").json()["faults"][0]["struck"] == 1
    assert ask("DELETE", "/faults/poison").status_code == 200
    assert post(update("a", set={"x": 1})).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/faults", b"[", "the body is not JSON"),
        (
            "/faults/slow",
            b'{"milliseconds": "1"}',
            "fault slow: milliseconds takes int, not str",
        ),
        ("/faults/fire", b"{}", "a fault is an object whose kind is one of: status"),
        ("/faults/slow", b"[]", "a fault is an object whose kind is one of: status"),
    ],
)
def test_wrong_faults_over_http(sandbox, ask, path, body, words):
    """A fault that cannot be is a 400 that says why, and nothing changes."""
    sandbox.faults.on("temporary")

    answer = ask("PUT", path, data=body)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(words)
    assert len(sandbox.faults.as_json()) == 1


def test_faults_spare_the_rest(sandbox, ask):
    """No fault ever strikes anything but /groups."""
    sandbox.faults.on("reset", at="before-reading")
    sandbox.faults.on("status", status=500)

    assert [ask("GET", path).status_code for path in ("/profiles", "/requests", "/stats", "/faults")] == [200] * 4


def test_providers(sandbox, ask):
    """What is provided is answered under its name; what is not is a 404."""
    assert ask("GET", "/service").status_code == 404
    sandbox.provide("service", lambda: {"lag": 3})

    assert ask("GET", "/service").json() == {"lag": 3}
    assert ask("GET", "/stats").json()["provided"] == ["service"]


def test_a_provider_that_fails(sandbox, ask):
    """A source that cannot answer is a 503 with its words."""

    def fail():
        raise TimeoutError("the broker does not answer")

    sandbox.provide("dead-letters", fail)

    answer = ask("GET", "/dead-letters")

    assert (answer.status_code, answer.json()) == (503, {"error": "dead-letters: the broker does not answer"})


def test_actions(sandbox, ask):
    """An action is a button: listed with its label, done by POST, its failure told."""

    def fail():
        raise RuntimeError("no second instance runs")

    done = []
    sandbox.action("start", "Start a second instance", lambda: done.append(1) or "started")
    sandbox.action("stop", "Stop it", fail)

    assert [action["name"] for action in ask("GET", "/actions").json()] == ["start", "stop"]
    assert ask("POST", "/actions/start").json() == {"said": "started"}
    assert done == [1]
    assert (ask("POST", "/actions/stop").status_code, ask("POST", "/actions/stop").json()["error"]) == (
        500,
        "no second instance runs",
    )
    assert ask("POST", "/actions/none").status_code == 404


def test_other_sites_may_not_change_anything(sandbox, ask):
    """A browser that shows another site's page cannot switch faults or act."""
    foreign = {"Origin": "http://evil.example"}

    assert ask("PUT", "/faults/slow", json={}, headers=foreign).status_code == 403
    assert ask("POST", "/actions/x", headers=foreign).status_code == 403
    assert sandbox.faults.as_json() == []
    assert ask("PUT", "/faults/slow", json={}, headers={"Origin": sandbox.url}).status_code == 200


def test_pages_of_other_sites_may_send_updates(sandbox, ask, update):
    """A page with Mixpanel's browser library in it may post to /groups, as to Mixpanel, and read nothing else."""
    shop = {"Origin": "http://shop.example"}
    allowed = {"Access-Control-Allow-Origin": "http://shop.example", "Access-Control-Allow-Credentials": "true"}

    asked = ask("OPTIONS", "/groups/", headers=shop | {"Access-Control-Request-Headers": "content-type"})
    answer = ask("POST", "/groups/", json=[update(set={"x": 1})], headers=shop)

    assert allowed.items() <= answer.headers.items()
    assert (allowed | {"Access-Control-Allow-Headers": "Content-Type"}).items() <= asked.headers.items()
    assert "Access-Control-Allow-Origin" not in ask("GET", "/profiles", headers=shop).headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("POST", "/track", 404),
        ("PUT", "/groups", 405),
        ("HEAD", "/stats", 200),
        ("GET", "/groups", 200),
    ],
)
def test_places(ask, method, path, status):
    """What is not there is a 404, and a method that means nothing a 405."""
    assert ask(method, path).status_code == status


def test_connections_are_kept(sandbox, post, update):
    """Requests of one client share one connection, refused and malformed ones too."""
    post(update(set={"x": 1}))
    sandbox.faults.on("too-large", bytes=10)
    for _ in range(3):
        post(update(set={"x": "y" * 100_000}))

    assert len(sandbox._web._server._connections) == 1


def test_a_body_without_a_length(sandbox):
    """A chunked body is answered with 411, since nobody sends one to Mixpanel."""
    answer = requests.post(f"{sandbox.url}/groups", data=iter([b"[]"]), timeout=10)

    assert answer.status_code == 411


def test_a_client_that_asks_first(sandbox):
    """A client that waits for 100 Continue, as curl does with large bodies, is told at once."""
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=10) as client:
        client.sendall(b"POST /groups HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"[]")
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")


def test_down_and_back(sandbox, post, update):
    """A sandbox that is stopped refuses connections; started again it is where it was, with what it had."""
    post(update(set={"x": 1}))
    url = sandbox.url
    sandbox.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/stats", timeout=10)
    sandbox.start()

    assert sandbox.url == url
    assert requests.get(f"{url}/stats", timeout=10).json()["profiles"] == 1


def test_a_port_in_use(sandbox):
    """A second sandbox on the same port is an OSError, not a surprise later."""
    with pytest.raises(OSError, match="in use"):
        MixpanelSandbox(sandbox.port).start()


def test_it_keeps_up(sandbox, post, update):
    """Full requests from several clients at once are all applied, each exactly once."""

    def send(client):
        for n in range(5):
            updates = [update(f"{client}-{i}", add={"n": 1}) for i in range(2000)]
            answer = requests.post(f"{sandbox.url}/groups?strict=1", json=updates, timeout=30)
            assert answer.json()["num_good_events"] == 2000, n

    started = time.monotonic()
    clients = [threading.Thread(target=send, args=(client,)) for client in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(60)

    print(f"{20 / (time.monotonic() - started):.0f} requests/s")
    assert {profile["properties"]["n"] for profile in sandbox.profiles.snapshot()} == {5}
    assert len(sandbox.profiles) == 8000
    assert sandbox.applied.overlaps == []
