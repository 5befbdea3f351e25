"""Every answer that is known of Mixpanel, of any endpoint, can be had from the sandbox byte for byte."""

import json
from typing import Any

import pytest

UPSTREAM = "upstream connect error or disconnect/reset before headers. reset reason: connection failure"
RATE = "Project exceeded rate limits. Please retry the request with exponential backoff."
FAILED = "some data points in the request failed validation"
BLOCKED = "<html><title>403 Forbidden</title></html>"
GOOD, BAD = {"$group_id": "a", "$set": {"x": 1}}, {"$group_id": "reject-a", "$set": {"x": 1}}
BAD_WORDS = "$group_id, starts with reject-: refused on purpose"
NO_TOKEN = {"$token": "", "$group_id": "a", "$set": {"x": 1}}


def fault(kind, **options):
    """A fault to switch on."""
    return {"kind": kind, **options}


def exact(status, body, **options):
    """A fault that answers just this, whatever was sent."""
    return fault("status", status=status, body=body if isinstance(body, str) else json.dumps(body), **options)


# case: (fault, query, updates, status, body)
ANSWERS: dict[str, tuple[Any, ...]] = {
    "no flags, ok": (None, "", [GOOD], 200, 1),
    "no flags, none valid": (None, "", [BAD], 200, 0),
    "verbose ok": (None, "verbose=1", [GOOD], 200, {"error": None, "status": 1}),
    "bogus token": (
        None,
        "verbose=1",
        [GOOD | {"$token": "mixpanel-project-token"}],
        200,
        {"error": None, "status": 1},
    ),
    "strict, all valid": (
        None,
        "ip=0&strict=1&verbose=1",
        [GOOD],
        200,
        {"error": None, "errors": {}, "num_good_events": 1, "status": 1},
    ),
    "strict, all valid, no count": (
        fault("dialect", count="absent"),
        "strict=1",
        [GOOD],
        200,
        {"error": None, "errors": {}, "status": 1},
    ),
    "strict, some invalid": (
        None,
        "strict=1",
        [GOOD, BAD],
        200,
        {"error": FAILED, "errors": {"1": BAD_WORDS}, "num_good_events": 1, "status": 0},
    ),
    "missing token": (None, "verbose=1", [NO_TOKEN], 200, {"error": "$token, missing or empty", "status": 0}),
    "missing identity, verbose=2": (
        None,
        "verbose=2",
        [GOOD | {"$group_id": ""}],
        200,
        {"error": "$group_id, missing or empty", "status": 0},
    ),
    "empty data": (None, "verbose=1", [], 200, {"error": "data, missing or empty", "status": 0}),
    "structural error": (
        None,
        "verbose=1",
        [{"$token": "t", "$group_key": "k", "$group_id": "a"}],
        200,
        {"error": "operation, missing", "status": 0},
    ),
    "transient, inside 200": (
        fault("temporary"),
        "strict=1",
        [GOOD],
        200,
        {"status": 0, "error": "a temporary failure occurred"},
    ),
    "/import, some invalid": (
        fault("dialect", dialect="records", http_status=400),
        "strict=1",
        [GOOD, BAD],
        400,
        {
            "code": 400,
            "error": FAILED,
            "failed_records": [{"index": 1, "$insert_id": "", "field": "$group_id", "message": BAD_WORDS}],
            "num_records_imported": 1,
            "status": "Bad Request",
        },
    ),
    "/import, some invalid, as strings": (
        fault("dialect", dialect="strings", http_status=400, taken="none"),
        "strict=1",
        [GOOD, BAD],
        400,
        {
            "code": 400,
            "error": FAILED,
            "failed_records": [BAD_WORDS],
            "num_records_imported": 0,
            "status": "Bad Request",
        },
    ),
    "/import, all valid": (
        fault("dialect", dialect="records"),
        "strict=1",
        [GOOD],
        200,
        {"code": 200, "num_records_imported": 1, "status": "OK"},
    ),
    "/import, all valid, verbose": (
        fault("dialect", dialect="records"),
        "strict=1&verbose=1",
        [GOOD],
        200,
        {"code": 200, "error": None, "num_records_imported": 1, "status": 1},
    ),
    "bad credentials": (
        exact(401, {"code": 401, "error": "Invalid credentials", "status": "Unauthorized"}),
        "strict=1",
        [GOOD],
        401,
        {"code": 401, "error": "Invalid credentials", "status": "Unauthorized"},
    ),
    "401": (fault("status", status=401), "", [GOOD], 401, {"error": "Unauthorized", "status": "error"}),
    "403": (fault("status", status=403), "", [GOOD], 403, {"error": "Forbidden", "status": "error"}),
    "403 by the network": (exact(403, BLOCKED), "", [GOOD], 403, BLOCKED),
    "too large, application": (
        fault("too-large", bytes=10),
        "",
        [GOOD],
        413,
        {"code": 413, "error": "request exceeds max limit of 10 bytes", "status": "Request Entity Too Large"},
    ),
    "too large, edge": (
        fault("status", status=413),
        "",
        [GOOD],
        413,
        "<html><title>Error 413 (Request Entity Too Large)!!1</title></html>",
    ),
    "rate limited": (
        fault("status", status=429),
        "strict=1",
        [GOOD],
        429,
        {"code": 429, "error": RATE, "status": "Too Many Requests"},
    ),
    "rate limited, not strict": (fault("status", status=429), "", [GOOD], 429, {"error": RATE, "status": 0}),
    "500": (exact(500, "Internal server error"), "", [GOOD], 500, "Internal server error"),
    "502": (fault("status", status=502), "", [GOOD], 502, UPSTREAM),
    "503": (fault("status", status=503), "", [GOOD], 503, UPSTREAM),
    "timeout": (fault("status", status=408), "", [GOOD], 408, "<html><title>408</title></html>"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_known(sandbox, session, case: str):
    """The answer to a request of this case is the one that is known."""
    fault, query, updates, status, body = ANSWERS[case]
    if fault:
        sandbox.faults.on(fault)

    envelope = {"$token": "token", "$group_key": "company"}
    sent = [envelope | update for update in updates]
    answer = session.post(f"{sandbox.url}/groups?{query}", json=sent, timeout=10)

    assert answer.status_code == status
    assert (answer.text if isinstance(body, str) else answer.json()) == body
    kind = (
        "text/html" if answer.text.startswith("<") else "text/plain" if isinstance(body, str) else "application/json"
    )
    assert answer.headers["Content-Type"].startswith(kind)


def test_an_update_over_a_megabyte(post, update):
    """One update over 1,000,000 bytes is refused alone, or on demand the whole request with 413."""
    answer = post(update("a", set={"x": "y" * 1_000_000}), update("b", set={"x": 1}))

    assert answer.json()["errors"] == {"0": "update, exceeds 1000000 bytes"}


def test_a_get_that_is_too_long(session, sandbox):
    """A GET whose query is longer than a server takes is a 414 in HTML, and the sandbox goes on."""
    answer = session.get(f"{sandbox.url}/groups", params={"data": "x" * 70_000}, timeout=10)

    assert answer.status_code == 414
    assert answer.headers["Content-Type"].startswith("text/html")
    assert session.get(f"{sandbox.url}/groups", timeout=10).status_code == 200


def test_compressed_bodies(session, sandbox):
    """A body in gzip is not read, as Mixpanel says of the profile endpoints."""
    import gzip

    body = gzip.compress(b"[]")
    answer = session.post(
        f"{sandbox.url}/groups?verbose=1", data=body, headers={"Content-Encoding": "gzip"}, timeout=10
    )

    assert answer.json() == {"error": "data, not JSON", "status": 0}


@pytest.mark.parametrize("modifier", [{"$time": 1}, {"$ignore_time": True}, {"$ip": "0"}])
def test_modifiers(sandbox, post, update, modifier):
    """What libraries put beside the operation is taken and changes nothing."""
    assert post(update(set={"x": 1}) | modifier).json()["num_good_events"] == 1
    assert sandbox.profiles.get("token", "company", "acme") == {"x": 1}


@pytest.mark.parametrize(
    ("company", "error"), [("", "missing or empty"), (None, "missing or empty"), (7, "not a string")]
)
def test_a_company_has_an_id(sandbox, post, update, company, error):
    """A `$company_id` that is there names a company, as the other two keys name a group."""
    answer = post(update(set={"x": 1}) | {"$company_id": company}, verbose="1").json()
    assert answer == {"error": f"$company_id, {error}", "status": 0}
    assert sandbox.profiles.snapshot() == []
