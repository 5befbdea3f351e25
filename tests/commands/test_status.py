"""`status` against instances that answer, and against one that does not."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from consumer.commands.status.command import why
from consumer.sandbox.answers import of_json
from consumer.sandbox.ports import free_port
from consumer.sandbox.web import Reply, Web
from consumer.service.health import Health
from consumer.service.health_server import HealthServer

LANE = {"offset": 7, "seconds": 3.0, "cause": "lane", "detail": {"topic": "changes", "partition": 1, "offset": 5}}
SUSPECT = {
    "offset": 5,
    "seconds": 300.0,
    "cause": "suspect",
    "detail": {"answered": "500", "attempts": 6, "next_seconds": 42.5},
}


def instance(name: str, partition: int, blocked: object, halted: str | None = None) -> dict[str, Any]:
    """What an instance with one partition says."""
    return {
        "instance": name,
        "ready": halted is None,
        "reasons": [f"sending is halted: Mixpanel answered {halted}"] if halted else [],
        "requests": [{"project": "default", "age_seconds": 1.5, "updates": 3}],
        "projects": [
            {
                "name": "default",
                "halted": halted,
                "throttled_seconds": 0.0,
                "suspects": 0,
                "in_flight": 1,
                "body_cap_bytes": 65536,
            }
        ],
        "partitions": [
            {
                "topic": "changes",
                "partition": partition,
                "committed": None,
                "read": 9,
                "open": 2,
                "lag_records": 4,
                "lag_seconds": 12.0,
                "blocked": blocked,
            }
        ],
    }


@pytest.fixture
def pods() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Two instances that serve `/status`: the URL of each, and what it says."""
    webs = []
    found = []
    for said in (instance("pod-b", 0, LANE), instance("pod-a", 1, SUSPECT, "401")):
        web = Web(0, lambda _, said=said: Reply(of_json(200, said)))
        web.start()
        webs.append(web)
        found.append((f"http://127.0.0.1:{web.port}", said))
    yield found
    for web in webs:
        web.stop()


def test_json_is_what_each_said_with_its_url(call, pods):
    """In the order of the URLs, nothing added but where it comes from."""
    result = call("status", "--url", pods[0][0], "--url", pods[1][0], "--output", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == [{"url": url} | said for url, said in pods]


def test_several_instances_make_one_picture(call, pods):
    """Who is not ready and why, what is halted, and every partition in order with what blocks it."""
    result = call("status", "--url", pods[0][0], "--url", pods[1][0])
    assert result.exit_code == 0
    words = " ".join(result.stdout.split())
    for expected in ("pod-a", "pod-b", "Mixpanel", "401", "2 partitions", "lane:", "suspect:"):
        assert expected in words
    assert result.stdout.index("changes:0") < result.stdout.index("changes:1 ")


@pytest.mark.parametrize(
    ("blocked", "words"),
    [
        (
            {"cause": "mapping", "detail": {"id": 7, "rule": "r", "path": "value.n"}},
            "mapping: rule r, path value.n, id 7",
        ),
        ({"cause": "schema", "detail": {"id": 7}}, "schema: id 7"),
        ({"cause": "halted", "detail": {}}, "halted"),
    ],
)
def test_a_cause_is_told_with_what_it_names(blocked, words):
    """Which rule, path and schema it is about."""
    assert why(blocked) == words


def test_one_that_cannot_be_reached_has_an_error(call, pods):
    """The others are shown all the same, and the exit status is 1."""
    url = f"http://127.0.0.1:{free_port()}"
    result = call("status", "--url", url, "--url", pods[0][0], "--output", "json")
    assert result.exit_code == 1
    silent, said = json.loads(result.stdout)
    assert silent == {"url": url, "error": "it cannot be reached: connection"}
    assert said["instance"] == "pod-b"
    shown = call("status", "--url", url)
    assert shown.exit_code == 1
    assert "it cannot be reached" in " ".join(shown.stdout.split())


def test_one_that_does_not_answer_in_time(call, monkeypatch):
    """It is told from one where nothing listens."""
    monkeypatch.setattr("consumer.commands.status.asking.TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = call("status", "--url", f"http://127.0.0.1:{silent.getsockname()[1]}", "--output", "json")
    assert (result.exit_code, json.loads(result.stdout)[0]["error"]) == (1, "it cannot be reached: timeout")


def test_what_is_no_status_is_an_error(call):
    """Another server's answer is told as such."""
    web = Web(0, lambda _: Reply(of_json(404, {"error": "there is nothing"})))
    web.start()
    try:
        result = call("status", "--url", f"http://127.0.0.1:{web.port}", "--output", "json")
    finally:
        web.stop()
    assert result.exit_code == 1
    assert json.loads(result.stdout)[0]["error"] == "its /status answers 404"


def test_another_servers_json_is_an_error(call):
    """It is told what it lacks; the others are shown."""
    web = Web(0, lambda _: Reply(of_json(200, {"instance": "a", "partitions": []})))
    web.start()
    try:
        result = call("status", "--url", f"http://127.0.0.1:{web.port}")
    finally:
        web.stop()
    assert result.exit_code == 1
    assert "lacks ready, reasons, requests, projects" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("requests", {"age_seconds": None}, "lacks age_seconds of requests"),
        ("projects", {"halted": 401}, "lacks halted of projects"),
        ("partitions", {"partition": "zero"}, "lacks partition of partitions"),
        ("partitions", {"blocked": "yes"}, "lacks blocked of partitions"),
        ("partitions", {"blocked": {**LANE, "detail": {}}}, "lacks topic of partitions, partition of partitions,"),
        ("partitions", {"blocked": {**SUSPECT, "detail": {"answered": "500"}}}, "lacks attempts of partitions"),
        ("partitions", {"blocked": {**LANE, "seconds": "long"}}, "lacks seconds of partitions"),
        ("partitions", "a", "lacks topic of partitions"),
    ],
)
@pytest.mark.parametrize("output", ["table", "json"])
def test_an_instance_of_another_version_does_not_hide_the_others(call, pods, name, change, words, output):
    """What it lacks, or has in another form, is its error; the others are shown."""
    said = instance("pod-old", 2, None)
    said[name][0] = said[name][0] | change if isinstance(change, dict) else change
    web = Web(0, lambda _: Reply(of_json(200, said)))
    web.start()
    try:
        url = f"http://127.0.0.1:{web.port}"
        result = call("status", "--url", url, "--url", pods[0][0], "--output", output)
    finally:
        web.stop()
    assert result.exit_code == 1
    assert words in " ".join(result.stdout.split())
    assert "pod-b" in result.stdout


def test_what_a_later_version_adds_is_no_error(call, pods):
    """A cause, a field, a detail that this one does not know: shown as they are."""
    said = instance("pod-new", 2, {"offset": 3, "seconds": None, "cause": "moon", "detail": {"phase": 3}, "more": 1})
    said["partitions"][0]["more"] = said["more"] = {}
    web = Web(0, lambda _: Reply(of_json(200, said)))
    web.start()
    try:
        result = call("status", "--url", f"http://127.0.0.1:{web.port}", "--url", pods[0][0])
    finally:
        web.stop()
    assert result.exit_code == 0
    assert "moon" in result.stdout


@pytest.mark.parametrize("url", ["localhost:8080", "10.0.0.7", "http://", "ftp://a", "http://a:70000"])
def test_what_is_no_url_is_wrong_usage(call, url):
    """Nothing is asked."""
    result = call("status", "--url", url)
    assert result.exit_code == 2
    assert "is no URL such as http://10.0.0.7:8080" in result.output


def test_an_instance_that_starts_is_shown(call):
    """The service's own port, before its loop has turned."""
    server = HealthServer("", 0, Health(time.monotonic), lambda: (b"", ""))
    try:
        result = call("status", "--url", f"http://127.0.0.1:{server.port}")
    finally:
        server.close()
    assert result.exit_code == 0
    assert "not ready: starting" in result.stdout
    assert "0 partitions" in result.stdout


def test_watch_asks_again_until_it_is_interrupted(call, pods, monkeypatch):
    """As JSON each look is a line."""
    naps = iter([None, None])

    def nap(_seconds: float) -> None:
        if next(naps, "over") == "over":
            raise KeyboardInterrupt

    monkeypatch.setattr("consumer.commands.status.command.time.sleep", nap)
    result = call("status", "--url", pods[0][0], "--watch", "--output", "json")
    assert result.exit_code == 0
    assert [json.loads(line)[0]["instance"] for line in result.stdout.splitlines()] == ["pod-b"] * 3
