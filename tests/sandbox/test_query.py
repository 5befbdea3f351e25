"""The sandbox's Query API: what is read back, when, by whom, and what is refused."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from consumer.sandbox.mixpanel.profiles import Profiles
from consumer.sandbox.mixpanel.project import SandboxProject, id_of
from consumer.sandbox.mixpanel.query_limits import HOUR, QueryLimits
from consumer.sandbox.mixpanel.reading import ReadableProfiles
from consumer.sandbox.mixpanel.server import MixpanelSandbox

Ask = Callable[..., requests.Response]
COMPANY = id_of("company")


@pytest.fixture
def sandbox() -> Iterator[MixpanelSandbox]:
    """One whose project has the token of the tests' updates, and pages of 3."""
    with MixpanelSandbox(project=SandboxProject(token="token"), page_size=3) as running:
        yield running


@pytest.fixture
def engage(sandbox: MixpanelSandbox, session: requests.Session) -> Ask:
    """Reads profiles: engage(distinct_ids='["acme"]')."""

    def ask(auth: Any = None, project: str | None = None, **form: str) -> requests.Response:
        mine = sandbox.project
        url = f"{sandbox.url}/api/query/engage?project_id={project or mine.id}"
        given = {"data_group_id": COMPANY} | form
        return session.post(url, data=given, auth=auth or (mine.username, mine.secret), timeout=10)

    return ask


def test_a_profile_is_read_back(post: Ask, update: Any, engage: Ask) -> None:
    """What was written comes back with the time of the last change; ids that are not there are left out."""
    post(update(set={"plan": "pro", "left": None, "tags": ["b", "a"]}))
    body = engage(distinct_ids='["acme", "none"]').json()
    (row,) = body["results"]
    assert row["$distinct_id"] == "acme"
    seen = row["$properties"].pop("$last_seen")
    assert len(seen) == 19
    assert row["$properties"] == {"plan": "pro", "left": None, "tags": ["b", "a"]}
    assert (body["total"], body["page"], body["page_size"], body["status"]) == (1, 0, 3, "ok")
    assert body["computed_at"]


def test_profiles_of_a_company_are_shown_with_it(
    sandbox: MixpanelSandbox, post: Ask, update: Any, engage: Ask
) -> None:
    """Their ids have that of the company before them, and by these they are asked for."""
    sandbox.project.group_keys += ["$company_id", "$user_id"]
    acme, other = {"$company_id": "acme"}, {"$company_id": "other"}
    post(update("acme", "$company_id", set={"a": 1}) | acme)
    post(update("ann", "$user_id", set={"a": 2}) | acme, update("ann", "$user_id", set={"a": 3}) | other)
    users = engage(data_group_id=id_of("$user_id")).json()["results"]
    found = {row["$distinct_id"]: row["$properties"]["a"] for row in users}
    assert found == {"$company:acme|$user:ann": 2, "$company:other|$user:ann": 3}
    (row,) = engage(data_group_id=id_of("$company_id"), distinct_ids='["$company:acme"]').json()["results"]
    assert row["$properties"]["a"] == 1
    assert engage(data_group_id=id_of("$user_id"), distinct_ids='["ann"]').json()["results"] == []


def test_a_deleted_profile_is_absent(post: Ask, update: Any, engage: Ask) -> None:
    """It is no empty row."""
    post(update(set={"a": 1}))
    post(update(delete=""))
    assert engage().json()["results"] == []


def test_ids_may_come_as_json(sandbox: MixpanelSandbox, session: requests.Session, post: Ask, update: Any) -> None:
    """A JSON body with a real array is understood, too."""
    post(update(set={"a": 1}), update("other", set={"a": 1}))
    url = f"{sandbox.url}/api/2.0/engage?project_id={sandbox.project.id}"
    asked = {"data_group_id": COMPANY, "distinct_ids": ["other"]}
    auth = (sandbox.project.username, sandbox.project.secret)
    rows = session.post(url, json=asked, auth=auth, timeout=10).json()["results"]
    assert [row["$distinct_id"] for row in rows] == ["other"]


def test_pages_go_on_with_their_session(post: Ask, update: Any, engage: Ask) -> None:
    """Every profile is on one page, and what changes meanwhile is not seen."""
    post(*(update(f"g{number}", set={"a": 1}) for number in range(7)))
    first = engage().json()
    post(update("late", set={"a": 1}))
    found = [row["$distinct_id"] for row in first["results"]]
    for page in ("1", "2"):
        found += [row["$distinct_id"] for row in engage(session_id=first["session_id"], page=page).json()["results"]]
    assert sorted(found) == [f"g{number}" for number in range(7)]
    assert engage(session_id="none", page="1").status_code == 400


def test_what_is_of_no_use_is_accepted_and_not_read(post: Ask, update: Any, engage: Ask) -> None:
    """A wrong token and a group key that is not defined cannot be told from an empty project."""
    assert post(update(set={"a": 1}) | {"$token": "other"}).json()["status"] == 1
    assert post(update(group_key="team", set={"a": 1})).json()["status"] == 1
    assert engage().json()["results"] == []
    assert engage(data_group_id=id_of("team")).json()["results"] == []


def test_a_group_key_can_be_defined(sandbox: MixpanelSandbox, session: requests.Session, engage: Ask) -> None:
    """On the control, as in Project Settings."""
    session.put(f"{sandbox.url}/group-keys/team", timeout=10)
    assert "team" in sandbox.project.group_keys
    session.delete(f"{sandbox.url}/group-keys/team", timeout=10)
    assert "team" not in sandbox.project.group_keys


def test_only_the_account_of_the_project_reads(engage: Ask) -> None:
    """A wrong secret and another project are refused, each in its way."""
    assert engage(auth=("sandbox.reader", "wrong")).status_code == 401
    assert "did not match project_id" in engage(project="2").json()["error"]


def test_the_application_tells_of_the_project(sandbox: MixpanelSandbox, session: requests.Session) -> None:
    """Which projects the account has and where, the group keys with ids, the token."""
    session.auth = (sandbox.project.username, sandbox.project.secret)
    me = session.get(f"{sandbox.url}/api/app/me", timeout=10).json()["results"]
    assert me["projects"]["1234567"]["domain"] == "mixpanel.com"
    rows = session.get(f"{sandbox.url}/api/app/projects/1234567/data-groups/", timeout=10).json()["results"]
    assert {row["property_name"]: row["data_group_id"] for row in rows}["company"] == COMPANY
    token = session.get(f"{sandbox.url}/settings/project/1234567/metadata", timeout=10).json()["results"]["token"]
    assert token == "token"


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("hour", 429, "61/60 queries running in the last hour"),
        ("concurrency", 429, "6/5 queries running concurrently"),
        ("load", 429, "project_id: 1234567 For more"),
        ("plan", 402, "Your plan does not allow API calls"),
        ("login", 401, "Invalid service account credentials"),
        ("denied", 403, "not a project member"),
        ("outage", 503, "upstream"),
        ("page", 200, "<html>"),
    ],
)
def test_refusals(sandbox: MixpanelSandbox, engage: Ask, kind: str, status: int, words: str) -> None:
    """Each is answered as it was seen, and strikes no request to /groups."""
    sandbox.faults.on("query-refused", answer=kind, times=1)
    answer = engage()
    assert answer.status_code == status
    assert words in answer.text
    assert engage().status_code == 200


def test_faults_of_reading_leave_writing_alone(sandbox: MixpanelSandbox, post: Ask, update: Any, engage: Ask) -> None:
    """A token of another project, another region: updates are accepted all the same."""
    sandbox.faults.on("other-token")
    assert post(update(set={"a": 1})).json()["status"] == 1
    assert engage().json()["total"] == 0
    sandbox.faults.replace([{"kind": "wrong-region"}])
    assert engage().status_code == 401
    sandbox.faults.replace([{"kind": "wrong-region", "domain": "eu.mixpanel.com"}])
    assert engage().json()["total"] == 0
    sandbox.faults.clear()
    assert engage().json()["total"] == 1


def test_updates_are_lost(sandbox: MixpanelSandbox, post: Ask, update: Any, engage: Ask) -> None:
    """Accepted, and gone: only those that the fault means."""
    sandbox.faults.on("lost", group_id="acme")
    assert post(update(set={"a": 1}), update("other", set={"a": 1})).json()["num_good_events"] == 2
    assert [row["$distinct_id"] for row in engage().json()["results"]] == ["other"]


def test_the_control_lists_what_was_asked(sandbox: MixpanelSandbox, session: requests.Session, engage: Ask) -> None:
    """The newest first."""
    engage(distinct_ids='["acme"]')
    (query,) = session.get(f"{sandbox.url}/queries", timeout=10).json()
    assert query["parameters"]["distinct_ids"] == ["acme"]
    assert session.get(f"{sandbox.url}/stats", timeout=10).json()["queries"] == 1


def test_writes_are_seen_late_each_in_its_turn() -> None:
    """Nothing is seen before its time, and a group's changes are seen in their order."""
    now = 100.0
    profiles = Profiles()
    reading = ReadableProfiles(profiles, (2.0, 30.0), lambda: now)
    for value in (1, 2):
        update = {"$token": "t", "$group_key": "k", "$group_id": "g", "$set": {"a": value}}
        profiles.change([update])
        reading.note([update], placed=True)
    seen = []
    for _ in range(40):
        row = reading.rows("t", "k", 0).get("g")
        seen.append(row and row["a"])
        now += 1.0
    assert seen[:2] == [None, None]
    assert seen[-1] == 2
    assert seen == sorted(seen, key=lambda value: value or 0)
    assert reading.rows("t", "k", 0)["g"]["$city"]


def test_the_hour_and_the_five_at_once() -> None:
    """The 61st query of an hour is refused, and the sixth at once; later pages are not counted."""
    now = 0.0
    limits = QueryLimits(lambda: now)
    for _ in range(60):
        with limits.query("1", "/", counted=True) as refused:
            assert refused is None
    with limits.query("1", "/", counted=True) as refused:
        assert refused is not None
        assert dict(refused.headers)["Retry-After"] == "3600"
    with limits.query("1", "/", counted=False) as refused:
        assert refused is None
    now = HOUR + 1
    with limits.query("1", "/", counted=True) as refused:
        assert refused is None
    running = [limits.query("1", "/", counted=False) for _ in range(6)]
    answers = [one.__enter__() for one in running]
    assert [answer is None for answer in answers] == [True] * 5 + [False]
