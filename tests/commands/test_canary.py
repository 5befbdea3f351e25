"""`check --canary` against the sandbox: what is proven, what is seen to be wrong, and what stays unknown."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from consumer.commands.check.canary import GROUP_ID, PROPERTY, Canary
from consumer.commands.check.facts import Fact
from consumer.mixpanel.query import MOST_FAULTS
from consumer.sandbox.answers import HttpAnswer
from consumer.sandbox.mixpanel.project import SandboxProject, id_of
from consumer.sandbox.mixpanel.server import MixpanelSandbox
from consumer.settings import load

TOKEN = "0123456789abcdef0123456789abcdef"
OTHER = "00000000000000000000000000000000"


@pytest.fixture
def sandbox() -> Iterator[MixpanelSandbox]:
    """A Mixpanel whose project has the token."""
    with MixpanelSandbox(project=SandboxProject(token=TOKEN)) as running:
        yield running


def environment(sandbox: MixpanelSandbox) -> dict[str, str]:
    """What points the canary at it."""
    return {
        "MIXPANEL_URL": sandbox.url,
        "MIXPANEL_QUERY_URL": sandbox.url,
        "MIXPANEL_TOKEN": TOKEN,
        "MIXPANEL_PROJECT_ID": sandbox.project.id,
        "MIXPANEL_SERVICE_ACCOUNT_USERNAME": sandbox.project.username,
        "MIXPANEL_SERVICE_ACCOUNT_SECRET": sandbox.project.secret,
    }


@pytest.fixture
def fly(sandbox: MixpanelSandbox) -> Callable[..., Fact]:
    """Lets a canary fly, and returns its last fact: fly("company", MIXPANEL_TOKEN="...")."""

    def flown(
        key: str = "company", given: Any = None, slept: Any = None, project: str = "default", **changed: str
    ) -> Fact:
        settings = load(environment(sandbox) | changed, need=())
        sleep = (lambda _: None) if slept is None else slept
        facts = list(Canary(settings, project, key, given or {}, sleep=sleep).facts())
        assert not any(sandbox.project.secret in f"{fact}" or TOKEN in f"{fact}" for fact in facts)
        return facts[-1]

    return flown


def test_all_is_well(sandbox: MixpanelSandbox, fly: Callable[..., Fact]) -> None:
    """It is written as the service writes, seen, and gone afterwards."""
    fact = fly()
    assert (fact.state, fact.detail) == ("ok", "a profile was written, and read back within 2 s")
    assert sandbox.profiles.snapshot() == []
    written, deleted = sandbox.requests.newest()[::-1]
    assert written["sample"][0]["$set"].keys() == {PROPERTY}
    assert written["parameters"] == {"ip": "0", "strict": "1", "verbose": "1"}
    assert deleted["sample"][0]["$delete"] == ""


def test_a_late_profile_is_waited_for(sandbox: MixpanelSandbox, fly: Callable[..., Fact]) -> None:
    """An old canary is not taken for the new one."""
    now = 1000.0
    sandbox.reading._clock = lambda: now
    sandbox.reading.lag = (20.0, 25.0)

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    fact = fly(slept=sleep)
    assert (fact.state, fact.detail) == ("ok", "a profile was written, and read back within 30 s")
    sandbox.reading.lag = (200.0, 250.0)
    assert fly(slept=sleep).state == "fault"


def test_a_token_of_another_project(sandbox: MixpanelSandbox, fly: Callable[..., Fact]) -> None:
    """Nothing is written: it would be a profile in somebody else's project."""
    fact = fly(MIXPANEL_TOKEN=OTHER)
    assert (fact.state, fact.what) == ("fault", "MIXPANEL_TOKEN")
    assert "is not the token of project 1234567" in fact.detail
    assert sandbox.requests.newest() == []


def test_a_named_project(sandbox: MixpanelSandbox, fly: Callable[..., Fact], tmp_path: Path) -> None:
    """Its own token, number and account are used, and its own fields are named where they are wrong."""
    file = tmp_path / "projects.toml"
    project = sandbox.project
    account = f"project_id = '{project.id}'\nservice_account_username = '{project.username}'\n"
    account += f"service_account_secret = '{project.secret}'\n"
    file.write_text(f"[emea]\ntoken = '{TOKEN}'\n{account}[wrong]\ntoken = '{OTHER}'\n{account}")
    given = {"MIXPANEL_PROJECTS_FILE": str(file), "MIXPANEL_TOKEN": "of-the-default", "MIXPANEL_PROJECT_ID": "7"}
    fact = fly(project="emea", **given)
    assert (fact.state, fact.what) == ("ok", "canary company of project emea")
    fact = fly(project="wrong", **given)
    assert (fact.state, fact.what) == ("fault", "token of [wrong] in MIXPANEL_PROJECTS_FILE")
    assert "project_id of [wrong] in MIXPANEL_PROJECTS_FILE" in fact.fix


def test_a_token_that_cannot_be_compared(
    sandbox: MixpanelSandbox, fly: Callable[..., Fact], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the project's settings are not told, the profile itself shows it, and the words say what is likely."""
    answer = sandbox.query._answer
    monkeypatch.setattr(
        sandbox.query,
        "_answer",
        lambda path, asked, struck: answer("/none" if "metadata" in path else path, asked, struck),
    )
    fact = fly(MIXPANEL_TOKEN=OTHER)
    assert fact.state == "fault"
    assert "did not show within 120 s" in fact.detail
    assert fact.fix == "likely: MIXPANEL_TOKEN is of another project than MIXPANEL_PROJECT_ID"
    assert sandbox.profiles.snapshot() == []
    assert fly().state == "ok"


def test_a_wrong_region(sandbox: MixpanelSandbox, fly: Callable[..., Fact]) -> None:
    """The account is unknown there; or the project says that it lives elsewhere."""
    sandbox.faults.on("wrong-region")
    fact = fly()
    assert fact.state == "fault"
    assert "MIXPANEL_REGION" in fact.fix
    sandbox.faults.on("wrong-region", domain="eu.mixpanel.com")
    fact = fly()
    assert fact.state == "fault"
    assert "lives at eu.mixpanel.com" in fact.fix
    fact = fly(MIXPANEL_URL="https://api-in.mixpanel.com")
    assert (fact.what, fact.fix) == ("MIXPANEL_REGION", "set it to eu")


def test_a_group_key_that_is_not_defined(sandbox: MixpanelSandbox, fly: Callable[..., Fact]) -> None:
    """By name, with those that are."""
    fact = fly("compnay")
    assert fact.state == "fault"
    assert fact.detail.endswith("does not define this group key; it has: company, workspace")
    assert sandbox.requests.newest() == []


def test_an_id_of_another_group_key(fly: Callable[..., Fact]) -> None:
    """What was given is not proven."""
    fact = fly("company", {"company": id_of("workspace")})
    assert fact.state == "fault"
    assert fact.fix == "likely: the id of --data-group-id is not that of the group key"


def test_lost_updates(sandbox: MixpanelSandbox, fly: Callable[..., Fact]) -> None:
    """Everything else is proven, so they are lost."""
    sandbox.faults.on("lost", group_id=GROUP_ID)
    fact = fly()
    assert fact.state == "fault"
    assert "token, region and group key are right: updates are lost" in fact.detail


@pytest.mark.parametrize("answer", ["hour", "plan", "timeout", "outage"])
def test_what_cannot_be_read_back_is_unknown(sandbox: MixpanelSandbox, fly: Callable[..., Fact], answer: str) -> None:
    """Never ok; and the profile is deleted all the same."""
    query = sandbox.query._answer

    def refuse(path: str, asked: Any, struck: Any) -> Any:
        if "metadata" in path:  # the last question before the profile is written
            sandbox.faults.on("query-refused", answer=answer)
        return query(path, asked, struck)

    sandbox.query._answer = refuse  # type: ignore[method-assign]
    fact = fly()
    assert (fact.state, fact.what) == ("unknown", "canary company")
    assert "cannot be read back" in fact.detail
    assert sandbox.profiles.snapshot() == []


def test_a_look_without_an_answer_is_not_the_last_one(sandbox: MixpanelSandbox, fly: Callable[..., Fact]) -> None:
    """A fault that passes decides nothing."""
    engage = sandbox.query._engage
    looks = 0

    def fail_at_first(asked: dict[str, Any], session: str, struck: dict[str, Any]) -> HttpAnswer:
        nonlocal looks
        looks += 1
        return HttpAnswer(502, b"") if looks <= MOST_FAULTS else engage(asked, session, struck)

    sandbox.query._engage = fail_at_first  # type: ignore[method-assign]
    fact = fly()
    assert (fact.state, fact.detail) == ("ok", "a profile was written, and read back within 15 s")


@pytest.mark.parametrize("text", ["company=-1405", "-", "12a", "\N{ARABIC-INDIC DIGIT ONE}"])
def test_what_is_no_id_of_a_group_key_is_wrong_usage(
    sandbox: MixpanelSandbox, call: Callable[..., Result], text: str
) -> None:
    """Nothing is written."""
    environ = environment(sandbox) | {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "SCHEMA_REGISTRY_URL": "http://a"}
    result = call("check", "--canary", "company", "--data-group-id", text, **environ)
    assert result.exit_code == 2
    assert "is not the number of a group key" in result.output
    assert sandbox.requests.newest() == []


def test_a_refusal_in_mixpanels_words(sandbox: MixpanelSandbox, fly: Callable[..., Fact]) -> None:
    """And an outage is unknown."""
    sandbox.faults.on("refuse", group_id=GROUP_ID, words="no canaries")
    fact = fly()
    assert (fact.state, fact.detail) == ("fault", "Mixpanel refuses the profile: no canaries")
    sandbox.faults.replace([{"kind": "status", "status": 429}])
    assert fly().state == "unknown"


def test_a_profile_of_which_nobody_knows_whether_it_was_written_is_deleted(
    sandbox: MixpanelSandbox, fly: Callable[..., Fact]
) -> None:
    """Else it would stay, where the answer alone was lost. Where the deletion is not accepted either it is said."""
    sandbox.faults.on("reset", at="after-applying", times=1)
    fact = fly()
    assert (fact.state, fact.detail) == ("unknown", "Mixpanel did not accept the profile now: reset")
    assert sandbox.profiles.snapshot() == []
    assert len(sandbox.requests.newest()) == 2
    sandbox.faults.on("reset", at="after-applying")
    assert "may be left over: its deletion was not accepted" in fly().detail


def test_the_command(sandbox: MixpanelSandbox, call: Callable[..., Result]) -> None:
    """It takes the place of what cannot be known; without an account it does not start."""
    others = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1"}
    result = call("check", "--canary", "company", "--output", "json", **environment(sandbox), **others)
    facts = {fact["what"]: fact["state"] for fact in json.loads(result.stdout)["facts"]}
    assert facts["canary company"] == "ok"
    assert "MIXPANEL_TOKEN" not in facts
    bare = {name: text for name, text in environment(sandbox).items() if "ACCOUNT" not in name and "ID" not in name}
    result = call("check", "--canary", "company", **bare, **others)
    assert result.exit_code == 2
    assert "MIXPANEL_PROJECT_ID is not set" in result.stderr
    assert "MIXPANEL_SERVICE_ACCOUNT_SECRET is not set" in result.stderr
