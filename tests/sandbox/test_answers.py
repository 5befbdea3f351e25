"""What /groups answers: every dialect, every flag, every limit."""

import json

import pytest

from consumer.sandbox import answers

BAD = "$group_id, starts with reject-: refused on purpose"
FAILED = "some data points in the request failed validation"
FAILED_RECORD = {"index": 1, "$insert_id": "", "field": "$group_id", "message": BAD}


def profile_like(**errors):
    """The keys of a strict answer of the profile endpoints."""
    return {"error": FAILED, **errors, "num_good_events": 2, "status": 0}


def import_like(code, status, records):
    """The keys of a strict answer of /import."""
    return {"code": code, "error": FAILED, "failed_records": records, "num_records_imported": 2, "status": status}


# (dialect, HTTP status, what it says of two good updates around a bad one)
DIALECTS = [
    ("by-index", 200, profile_like(errors={"1": BAD})),
    ("lists", 200, profile_like(errors={"1": [BAD]})),
    ("by-message", 200, profile_like(errors={BAD: ["reject-b"]})),
    ("records", 200, import_like(200, 0, [FAILED_RECORD])),
    ("records", 400, import_like(400, "Bad Request", [FAILED_RECORD])),
    ("strings", 400, import_like(400, "Bad Request", [BAD])),
    ("error", 200, profile_like() | {"error": BAD}),
    ("plain", 200, 0),
    ("out-of-range", 400, profile_like(errors={"1": BAD, "3": FAILED})),
    ("duplicate", 200, import_like(200, 0, [FAILED_RECORD] * 2)),
]


@pytest.mark.parametrize(("dialect", "status", "body"), DIALECTS)
def test_dialects(sandbox, post, update, dialect, status, body):
    """A refusal under strict is told in the dialect that is switched on; the valid updates are applied."""
    sandbox.faults.on("dialect", dialect=dialect, http_status=status)

    answer = post(update("a", set={"x": 1}), update("reject-b", set={"x": 1}), update("c", set={"x": 1}))

    assert answer.status_code == status
    assert answer.json() == body
    assert {profile["group_id"] for profile in sandbox.profiles.snapshot()} == {"a", "c"}


def test_every_dialect_is_tested():
    """No dialect is left out above."""
    assert {name for name, _, _ in DIALECTS} == set(answers.DIALECTS)


def test_refusals_under_a_status_that_says_all_is_well(sandbox, post, update):
    """The body's status can be 1, and its error null, beside refusals."""
    sandbox.faults.on("dialect", status_one=True)

    body = post(update("a", set={"x": 1}), update("reject-b", set={"x": 1})).json()

    assert body == {"error": None, "errors": {"1": BAD}, "num_good_events": 1, "status": 1}


@pytest.mark.parametrize(("count", "told"), [("honest", 1), ("wrong", 2), ("absent", None)])
@pytest.mark.parametrize("dialect", ["by-index", "records", "error"])
def test_counts(sandbox, post, update, dialect, count, told):
    """The number of updates taken can be honest, wrong or absent in each dialect."""
    sandbox.faults.on("dialect", dialect=dialect, count=count)

    body = post(update("a", set={"x": 1}), update("reject-b", set={"x": 1})).json()

    assert body.get("num_good_events", body.get("num_records_imported")) == told


def test_a_wrong_count_without_a_refusal(sandbox, post, update):
    """A request that was taken whole can be answered with a count that does not agree."""
    sandbox.faults.on("dialect", count="wrong")

    assert post(update(set={"x": 1})).json() == {"error": None, "errors": {}, "num_good_events": 2, "status": 1}


def test_none_is_taken(sandbox, post, update):
    """A refusal can take the valid updates of its request with it, and the count says so."""
    sandbox.faults.on("dialect", dialect="error", taken="none")

    body = post(update("a", set={"x": 1}), update("reject-b", set={"x": 1})).json()

    assert body == {"error": BAD, "num_good_events": 0, "status": 0}
    assert sandbox.profiles.snapshot() == []


def test_strict_accepts(post, update):
    """The strict answer to valid updates is the recorded one of the profile endpoints, whatever the token."""
    answer = post(update("a", set={"x": 1}), update("b", delete="") | {"$token": "no such project"}, strict="1")

    assert answer.json() == {"error": None, "errors": {}, "num_good_events": 2, "status": 1}
    assert answer.headers["Content-Type"] == "application/json"


LAX = [
    ({}, ["good"], "1"),
    ({}, ["good", "reject-x"], "1"),
    ({}, ["reject-x"], "0"),
    ({"strict": "0", "verbose": "0"}, ["good"], "1"),
    ({"verbose": "1"}, ["good"], {"error": None, "status": 1}),
    ({"verbose": "2"}, ["good", "reject-x"], {"error": None, "status": 1}),
    ({"verbose": "1"}, ["reject-x"], {"error": "$group_id, starts with reject-: refused on purpose", "status": 0}),
]


@pytest.mark.parametrize(("parameters", "groups", "said"), LAX)
def test_without_strict(sandbox, post, update, parameters, groups, said):
    """Without strict one valid update makes a success, and the others are dropped without a word."""
    answer = post(*[update(group, set={"x": 1}) for group in groups], **({"ip": "1"} | parameters))

    assert answer.status_code == 200
    assert answer.json() == (json.loads(said) if isinstance(said, str) else said)
    assert len(sandbox.profiles) == groups.count("good")


@pytest.mark.parametrize("missing", ["$token", "$group_key", "$group_id"])
def test_identity_is_needed(post, update, missing):
    """Each part of the identity that is missing is named as Mixpanel names it."""
    lacking = {key: value for key, value in update(set={"x": 1}).items() if key != missing}

    assert post(lacking, verbose="1").json() == {"error": f"{missing}, missing or empty", "status": 0}
    assert post(lacking).json()["errors"] == {"0": f"{missing}, missing or empty"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "data, missing or empty"),
        (b"[]", "data, missing or empty"),
        (b"[{]", "data, not JSON"),
        (b'[{"$token": "\xff"}]', "data, not JSON"),
        (b'[{"n": NaN}]', "data, not JSON"),
        (b"data=NDI=", "data, neither an object nor an array"),
    ],
)
def test_malformed(sandbox, session, body, words):
    """A request without a readable update is a 200 that says no, as Mixpanel's is."""
    for parameters, said in (("strict=1", {"error": words, "status": 0}), ("", 0)):
        answer = session.post(f"{sandbox.url}/groups?{parameters}", data=body, timeout=10)

        assert (answer.status_code, answer.json()) == (200, said)


def test_an_update_that_is_none(post, update):
    """A member of the array that is no object is refused alone."""
    assert post(7, update(set={"x": 1})).json()["errors"] == {"0": "update, not an object"}


def test_marks(sandbox, post, update):
    """A property named $reject, and a group id that starts with reject-, are refused on purpose."""
    body = post(
        update("a", set={"$reject": 1, "x": 1}), update("a", unset=["$reject"]), update("reject-", delete="")
    ).json()

    assert body["errors"] == {"0": "$reject, refused on purpose", "2": BAD}
    assert body["num_good_events"] == 1


def test_too_many_updates(sandbox, post, update):
    """2,000 updates are taken, and 2,001 are none."""
    many = [update(str(n), set={"x": 1}) for n in range(2001)]

    assert post(*many[:2000]).json()["num_good_events"] == 2000
    refused = post(*many)
    assert (refused.status_code, refused.json()["error"]) == (413, "request exceeds max limit of 2000 updates")
    assert len(sandbox.profiles) == 2000


def test_body_limit(sandbox, session, update):
    """A body of 2 MiB is taken, and one byte more is a 413 with the body of Mixpanel's documents."""
    body = json.dumps([update(str(n), set={"x": "y" * 900_000}) for n in range(2)]).encode()
    for size, status in ((2097152, 200), (2097153, 413)):
        answer = session.post(f"{sandbox.url}/groups?strict=1", data=body.ljust(size), timeout=10)

        assert answer.status_code == status
    expected = {
        "code": 413,
        "error": "request exceeds max limit of 2097152 bytes",
        "status": "Request Entity Too Large",
    }
    assert answer.json() == expected


def test_updates_of_a_request_are_applied_in_any_order(sandbox, post, update):
    """Two updates of one request that do not commute end both ways round, over enough requests."""
    for n in range(32):
        post(update(str(n), set={"x": 1}), update(str(n), set={"x": 2}))

    assert {profile["properties"]["x"] for profile in sandbox.profiles.snapshot()} == {1, 2}
    assert sandbox.applied is not None
    for profile in sandbox.profiles.snapshot():
        applied = sandbox.applied.of("token", "company", profile["group_id"])
        assert len(applied) == 2
        assert applied[-1]["$set"] == profile["properties"]


def test_the_order_of_the_array_is_the_default(session, update):
    """Without a seed a person's requests do what they seem to do."""
    from consumer.sandbox.mixpanel.server import MixpanelSandbox

    with MixpanelSandbox() as sandbox:
        updates = [update(set={"x": n}) for n in range(100)]
        assert session.post(f"{sandbox.url}/groups?strict=1", json=updates, timeout=10).status_code == 200
        assert sandbox.profiles.get("token", "company", "acme") == {"x": 99}
