"""Faults on demand: each does what it says, for as long as it was asked to, and nothing else."""

import json
import socket
import threading
import time

import pytest
import requests

from consumer.sandbox.answers import FAILED
from consumer.sandbox.mixpanel.faults import Faults

STRICT = {"strict": "1"}
TEMPORARY = {"status": 0, "error": "a temporary failure occurred"}
RATE_LIMITED = "Project exceeded rate limits. Please retry the request with exponential backoff."


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, '{"error":"Unauthorized","status":"error"}'),
        (403, '{"error":"Forbidden","status":"error"}'),
        (404, "<html><title>404</title></html>"),
        (400, "<html><title>400 Bad Request</title></html>"),
        (408, "<html><title>408</title></html>"),
        (413, "<html><title>Error 413 (Request Entity Too Large)!!1</title></html>"),
        (429, f'{{"code":429,"error":"{RATE_LIMITED}","status":"Too Many Requests"}}'),
        (503, "upstream connect error or disconnect/reset before headers. reset reason: connection failure"),
        (302, "<html><title>302</title></html>"),
    ],
)
def test_status(sandbox, post, update, status, body):
    """A status is answered with what is known of Mixpanel's body for it, and nothing is applied."""
    sandbox.faults.on("status", status=status)

    answer = post(update(set={"x": 1}))

    assert (answer.status_code, answer.text) == (status, body)
    assert "Retry-After" not in answer.headers
    assert sandbox.profiles.snapshot() == []


def test_retry_after_and_body(sandbox, post, update):
    """Retry-After and the body are sent as they were asked for; the updates can be applied all the same."""
    sandbox.faults.on("status", status=504, retry_after="7", body='{"error": "late"}', applied=True)

    answer = post(update(set={"x": 1}))

    assert (answer.status_code, answer.json(), answer.headers["Retry-After"]) == (504, {"error": "late"}, "7")
    assert len(sandbox.profiles) == 1


def test_times(sandbox, post, update):
    """A fault with a number of times strikes so many requests, and is off after them."""
    sandbox.faults.on("status", status=500, times=2)

    assert [post(update(set={"x": 1})).status_code for _ in range(3)] == [500, 500, 200]
    assert sandbox.faults.as_json() == []


def test_probability_is_seeded():
    """A fault with a probability strikes about so often, and the same requests for the same seed."""

    def struck(seed):
        faults = Faults(seed)
        faults.on("temporary", probability=0.3)
        return [bool(faults.strike(0)) for _ in range(1000)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert 250 < sum(struck(1)) < 350


@pytest.mark.parametrize(
    ("at", "arrived", "applied"), [("before-reading", 0, 0), ("before-applying", 1, 0), ("after-applying", 1, 1)]
)
def test_resets(sandbox, post, update, at, arrived, applied):
    """The connection can be reset before the body is read, before it is applied, and after."""
    sandbox.faults.on("reset", at=at, times=1)
    body = json.dumps([update(set={"x": 1})]).encode()

    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=10) as client:
        client.sendall(b"POST /groups HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        with pytest.raises(ConnectionResetError):
            client.recv(1)

    (entry,) = sandbox.requests.newest()
    assert (entry["updates"], entry["applied"]) == (arrived, applied)
    assert (entry["answer"], entry["faults"]) == (None, ("reset",))
    assert len(sandbox.profiles) == applied
    assert post(update(set={"x": 1})).status_code == 200


def test_slow(sandbox, post, update):
    """A late answer is late by what was asked for, and right."""
    sandbox.faults.on("slow", milliseconds=150)

    started = time.monotonic()
    answer = post(update(set={"x": 1}))

    assert time.monotonic() - started >= 0.15
    assert answer.json()["num_good_events"] == 1


def test_drip(sandbox, session, update):
    """An answer that drips keeps its client waiting, byte after byte, and is whole in the end."""
    sandbox.faults.on("drip", milliseconds=3)
    started = time.monotonic()

    answer = session.post(f"{sandbox.url}/groups?strict=1", json=[update(set={"x": 1})], timeout=10)

    assert answer.text == '{"error":null,"errors":{},"num_good_events":1,"status":1}'
    assert time.monotonic() - started >= 0.003 * len(answer.text)


@pytest.mark.parametrize("applied", [True, False])
def test_hang(sandbox, session, update, applied):
    """A request can hang until its client gives up, applied or not."""
    sandbox.faults.on("hang", applied=applied)

    with pytest.raises(requests.ReadTimeout):
        session.post(f"{sandbox.url}/groups", json=[update(set={"x": 1})], timeout=0.2)

    assert len(sandbox.profiles) == applied


def test_stop_ends_what_hangs(sandbox, session, update):
    """A stop ends every request, and no thread is left."""
    sandbox.faults.on("hang")
    failed = []

    def hang():
        with pytest.raises(requests.ConnectionError):
            requests.post(f"{sandbox.url}/groups", json=[update(set={"x": 1})], timeout=30)
        failed.append(True)

    client = threading.Thread(target=hang)
    client.start()
    deadline = time.monotonic() + 10
    while not sandbox.faults.as_json()[0]["struck"] and time.monotonic() < deadline:
        time.sleep(0.005)
    sandbox.stop()
    client.join(10)

    assert failed == [True]
    assert [thread for thread in threading.enumerate() if "sandbox" in thread.name] == []


def test_bodies_that_mislead(sandbox, post, update):
    """A 200 can be unreadable, or hold a temporary failure."""
    sandbox.faults.on("unreadable", body="<html>", times=1)
    assert (post(update(set={"x": 1})).status_code, len(sandbox.profiles)) == (200, 0)
    sandbox.faults.on("unreadable", applied=True, times=1)
    assert (post(update(set={"x": 1})).text[:6], len(sandbox.profiles)) == ("<html>", 1)
    sandbox.faults.on("temporary")
    assert post(update(set={"x": 2})).json() == TEMPORARY
    assert sandbox.profiles.get("token", "company", "acme") == {"x": 1}


def test_too_large(sandbox, post, update):
    """Bodies above a size are refused with 413, others taken."""
    sandbox.faults.on("too-large", bytes=300)

    assert post(update(set={"x": "y"})).status_code == 200
    assert post(update(set={"x": "y" * 300})).status_code == 413


CONDITIONS = [
    ({"property": "bad"}, ["set", "unset"]),
    ({"group_key": "team"}, ["team"]),
    ({"group_id": "b"}, ["b"]),
    ({"group_id": "long*"}, ["long"]),
    ({"operation": "$unset"}, ["unset"]),
    ({"operation": "$set", "property": "bad"}, ["set"]),
    ({"token": "another"}, ["token"]),
    ({}, ["set", "unset", "team", "b", "long", "token"]),
]


@pytest.mark.parametrize(("conditions", "expected"), CONDITIONS)
def test_refuse(sandbox, post, update, conditions, expected):
    """Updates that match every condition are refused with the words asked for, in the dialect asked for."""
    sent = {
        "set": update("a", set={"bad": 1}),
        "unset": update("a", unset=["bad"]),
        "team": update("a", "team", set={"x": 1}),
        "b": update("b", set={"x": 1}),
        "long": update("longer", set={"x": 1}),
        "token": update("a", set={"x": 1}) | {"$token": "another"},
    }
    sandbox.faults.on("refuse", words="no", dialect="records", http_status=400, **conditions)

    answer = post(*sent.values())

    named = {list(sent)[record["index"]]: record["message"] for record in answer.json()["failed_records"]}
    assert answer.status_code == 400
    assert named == dict.fromkeys(expected, "no")
    assert answer.json()["num_records_imported"] == len(sent) - len(expected)


def test_refuse_counts_requests_that_match(sandbox, post, update):
    """A refusal with a number of times counts only requests with an update that matches."""
    sandbox.faults.on("refuse", group_id="a", times=1)

    assert post(update("b", set={"x": 1})).json()["status"] == 1
    assert post(update("a", set={"x": 1})).json()["status"] == 0
    assert post(update("a", set={"x": 1})).json()["status"] == 1


ANSWERS = [
    ("status", {"status": 500}, 500),
    ("status", {"status": 403}, 403),
    ("status", {"status": 422}, 422),
    ("too-large", {"bytes": 0}, 413),
    ("temporary", {}, TEMPORARY),
    ("unreadable", {"body": "<html>"}, "<html>"),
    ("reset", {"at": "before-applying"}, None),
    ("reset", {"at": "after-applying"}, None),
    ("hang", {"milliseconds": 1}, None),
]


@pytest.mark.parametrize(("kind", "options", "told"), ANSWERS)
def test_a_fault_for_one_group(sandbox, session, update, kind, options, told):
    """A request with an update of the group is struck, whatever else is in it; one without is not."""
    sandbox.faults.on(kind, name="poison", group_key="company", group_id="poison-*", times=2, **options)
    healthy, poisoned = update("healthy", set={"x": 1}), update("poison-1", set={"x": 1})
    others = update("poison-1", "team", set={"x": 1})

    assert _told(session, sandbox, [healthy, others]) == 200
    assert _told(session, sandbox, [healthy, poisoned]) == told
    assert _told(session, sandbox, [healthy, 5, "neither"]) == 200
    assert _told(session, sandbox, [poisoned]) == told
    assert sandbox.faults.as_json() == []
    assert _told(session, sandbox, [poisoned]) == 200
    struck = [request["faults"] for request in reversed(sandbox.requests.newest())]
    assert struck == [(), ("poison",), (), ("poison",), ()]


def _told(session, sandbox, updates):
    """The status, the body where it is one of `ANSWERS`; None where there is no answer."""
    try:
        answer = session.post(f"{sandbox.url}/groups", params=STRICT, json=updates, timeout=10)
    except requests.ConnectionError:
        return None
    if answer.status_code != 200 or "num_good_events" in answer.text:
        return answer.status_code
    return answer.json() if answer.text.startswith("{") else answer.text


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({}, {"error": FAILED, "errors": {"1": "no"}, "status": 0, "num_good_events": 1}),
        ({"count": "absent"}, {"error": FAILED, "errors": {"1": "no"}, "status": 0}),
        ({"dialect": "error", "count": "absent"}, {"error": "no", "status": 0}),
        ({"dialect": "plain"}, 0),
    ],
)
def test_a_refusal_for_one_group(sandbox, post, update, options, body):
    """One group's updates are refused in given words, by index with and without a count, or without an index."""
    sandbox.faults.on("refuse", group_id="poison", words="no", **options)

    assert post(update("healthy", set={"x": 1}), update("poison", set={"x": 1})).json() == body
    assert post(update("healthy", set={"x": 2})).json()["status"] == 1
    assert sandbox.profiles.get("token", "company", "poison") is None


def test_a_fault_for_one_group_beside_one_for_all(sandbox, post, update):
    """Of one kind a fault for all requests goes first, and a fault for some then counts nothing."""
    sandbox.faults.on("status", name="poison", status=403, group_id="a", times=1)
    sandbox.faults.on("status", name="all", status=500, times=1)
    sandbox.faults.on("slow", milliseconds=1, group_id="a")

    answers = [post(update("a", set={"x": 1})).status_code for _ in range(3)]

    assert answers == [500, 403, 200]
    struck = [request["faults"] for request in reversed(sandbox.requests.newest())]
    assert struck == [("all", "slow"), ("poison", "slow"), ("slow",)]


def test_several_faults(sandbox, post, update):
    """Faults of different kinds strike together; one name is one fault."""
    sandbox.faults.on("slow", milliseconds=1)
    sandbox.faults.on("status", status=500)
    sandbox.faults.on("status", status=502)
    sandbox.faults.on("refuse", name="second", group_id="a")

    assert post(update("a", set={"x": 1})).status_code == 502
    assert [fault["name"] for fault in sandbox.faults.as_json()] == ["slow", "status", "second"]
    assert sandbox.requests.newest()[0]["faults"] == ("slow", "status")
    assert sandbox.faults.off("status")
    assert not sandbox.faults.off("status")
    assert post(update("a", set={"x": 1})).json()["errors"] == {"0": "refused by a fault of the sandbox"}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"kind": "fire"}, "a fault is an object whose kind is one of: status, "),
        ({"kind": "status", "code": 5}, "fault status: status has no option code; it has: status, retry_after"),
        ({"kind": "status", "status": "500"}, "fault status: status takes int, not str (the status)"),
        ({"kind": "slow", "milliseconds": -1}, "fault slow: milliseconds is not negative"),
        ({"kind": "slow", "times": 0}, "fault slow: times is a whole number from 1, or null"),
        ({"kind": "slow", "probability": 2}, "fault slow: probability is a number from 0 to 1"),
        ({"kind": "reset", "at": "noon"}, "fault reset: at is one of: before-reading, "),
        ({"kind": "temporary", "x": 1}, "fault temporary: temporary has no option x; it has: group_key, group_id"),
        ({"kind": "reset", "at": "before-reading", "group_id": "a"}, "fault reset: before-reading is before any"),
    ],
)
def test_wrong_faults(asked, words):
    """A fault that does not exist says what is wrong and what there is, and nothing changes."""
    faults = Faults()
    faults.on("drip")

    with pytest.raises(ValueError) as failed:
        faults.replace([asked])

    assert str(failed.value).startswith(words)
    assert [fault["kind"] for fault in faults.as_json()] == ["drip"]


def test_overlaps(sandbox, update):
    """The ledger sees when two requests hold the same group at once, and only then."""
    sandbox.faults.on("slow", milliseconds=5000, times=1)
    url = f"{sandbox.url}/groups"
    first = threading.Thread(target=lambda: _quietly(url, [update("a", set={"x": 1}), update("b", set={"x": 1})]))
    first.start()
    deadline = time.monotonic() + 10
    while not sandbox.applied._held and time.monotonic() < deadline:
        time.sleep(0.005)
    requests.post(url, json=[update("b", set={"x": 2})], timeout=10)
    requests.post(url, json=[update("c", set={"x": 2})], timeout=10)
    sandbox.stop()
    first.join(10)

    assert sandbox.applied.overlaps == [("token", "company", "b", "")]
    assert sandbox.applied.groups() == [("token", "company", "b", ""), ("token", "company", "c", "")]


def _quietly(url, updates):
    """Post, and do not mind that nobody answers."""
    try:
        requests.post(url, json=updates, timeout=30)
    except requests.ConnectionError:
        return
