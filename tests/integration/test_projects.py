"""Many projects in one stream: each event reaches its own, and what one of them answers stops no other."""

import pytest

from consumer.sandbox.mixpanel.server import MixpanelSandbox
from tests.integration.events import changed
from tests.integration.watching import until
from tests.integration.world import TOKEN, headers

OTHER = "token-of-another-project"


@pytest.fixture
def projects(world, tmp_path):
    """The world's settings have a second project, `other`, beside the default one."""
    file = tmp_path / "projects.toml"
    file.write_text(f'[other]\ntoken = "{OTHER}"\n')
    world.settings["MIXPANEL_PROJECTS_FILE"] = str(file)
    return world


@pytest.fixture
def second():
    """Another Mixpanel."""
    with MixpanelSandbox() as found:
        yield found


def plans(mixpanel):
    """The plan of each profile, by its token and group."""
    found = mixpanel.profiles.snapshot()
    return {(one["token"], one["group_id"]): one["properties"]["plan"] for one in found}


def test_each_event_reaches_its_project(projects):
    """One group's changes for two projects stay apart; a project that nobody knows is a dead letter."""
    service = projects.run()
    projects.send(
        changed("a", plan="x"),
        changed("a", project="other", plan="y"),
        changed("a", project="unheard-of", plan="z"),
        changed("b", project="other", plan="y"),
        changed("reject-me", project="other", plan="y"),
    )
    projects.settled()
    assert plans(projects.mixpanel) == {(TOKEN, "a"): "x", (OTHER, "a"): "y", (OTHER, "b"): "y"}
    found = [headers(letter) for letter in projects.letters(2)]
    told = {one["mixpanel.reason"]: one.get("mixpanel.project", "") for one in found}
    assert told == {"unknown_project": "", "rejected": "other"}
    assert service.metric("updates_total", project="other") == 2
    assert service.metric("requests_total", project="default", outcome="accepted") == 1
    until(lambda: service.metric("dead_letters_total", project="other", reason="rejected") == 1, "it is counted")
    assert OTHER not in service.log_file.read_text()


def test_a_halted_project_stops_no_other(projects, tmp_path, second):
    """One answers 401: the other one's events arrive, it is ready while that works, and a gauge says which stands."""
    (tmp_path / "projects.toml").write_text(f'[other]\ntoken = "{OTHER}"\nurl = "{second.url}"\n')
    second.faults.on("status", status=401)
    service = projects.run(MIXPANEL_TIMEOUT="1s")
    projects.send(changed("a", project="other", plan="x"))
    assert service.said("sending is halted")["project"] == "other"
    until(lambda: service.metric("halted", project="other") == 1, "the gauge says it")
    projects.mixpanel.faults.on("hang")
    for number in range(20):
        projects.send(changed(f"b{number}", plan="x"), partition=1)
    until(service.ready, "it is ready while the default project is at work")
    projects.mixpanel.faults.clear()
    until(lambda: len(plans(projects.mixpanel)) == 20, "the default project's events arrive")
    assert service.metric("halted", project="default") == 0
    second.faults.clear()
    projects.settled()
    assert plans(second) == {(OTHER, "a"): "x"}
