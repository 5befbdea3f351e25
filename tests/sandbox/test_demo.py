"""The command `demo`: it runs the whole job, and would say where something was lost."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
import requests
from confluent_kafka import Consumer, Producer, TopicPartition

from consumer.sandbox.demo.audit import audit
from consumer.sandbox.demo.service import Service
from consumer.sandbox.demo.summary import Job, show
from consumer.sandbox.mixpanel.server import MixpanelSandbox
from consumer.sandbox.traffic.event import NUMBER_HEADER, Expected
from consumer.sandbox.traffic.producing import produce
from consumer.sandbox.traffic.schemas import register
from consumer.sandbox.traffic.traffic import Traffic

COMMAND = [sys.executable, "-m", "consumer", "demo"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the command puts its temporary files."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    return place


@pytest.mark.broker
def test_demo(folder):
    """The whole job balances: everything is read, applied or kept, committed, and told in tables of 80 columns."""
    done = subprocess.run([*COMMAND, "--events", "2000"], capture_output=True, text=True, timeout=280)

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^Events in +2,000 ", done.stdout, re.MULTILINE)
    assert re.search(r"^Committed +2,000 += consumed 2,000$", done.stdout, re.MULTILINE)
    assert re.search(r"^Lost +0 ", done.stdout, re.MULTILINE)
    assert re.search(r"^Left open +0 ", done.stdout, re.MULTILINE)
    for reason in ("not_framed", "unknown_schema", "corrupt", "tombstone", "invalid_change", "too_large", "rejected"):
        assert re.search(rf"^{reason} +\d", done.stdout, re.MULTILINE), reason
    assert re.search(r"^mixpanel\.error +", done.stdout, re.MULTILINE)
    assert "It balances" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert "committed 2,000 of 2,000" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.broker
def test_demo_of_a_mapped_table(folder):
    """A table's changes by a mapping file: the profiles end as the table, and what has no form is a dead letter."""
    command = [*COMMAND, "--mapping", "--events", "2000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^Events in +2,000 +changes of a table", done.stdout, re.MULTILINE)
    assert re.search(r"^Committed +2,000 += consumed 2,000$", done.stdout, re.MULTILINE)
    assert re.search(r"^Profiles +[1-9]\d+ +as they should be$", done.stdout, re.MULTILINE)
    assert re.search(r"^invalid_change +[1-9]", done.stdout, re.MULTILINE)
    assert re.search(r"^Group +\$name +Plan +MRR", done.stdout, re.MULTILINE)
    assert "It balances" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert list(folder.iterdir()) == []


def test_a_mapped_table_is_not_served(folder):
    done = subprocess.run([*COMMAND, "--mapping", "--serve"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "without --mapping" in done.stderr) == (2, True)


@pytest.mark.broker
def test_demo_of_two_projects():
    """Groups of one id in two projects: each project's profiles are as they should be, and told apart."""
    done = subprocess.run(
        [*COMMAND, "--events", "1000", "--projects", "2"], capture_output=True, text=True, timeout=280, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^ +\d+ +of project default$", done.stdout, re.MULTILINE)
    assert re.search(r"^ +\d+ +of project project-2$", done.stdout, re.MULTILINE)
    assert "It balances" in done.stdout


@pytest.mark.broker
def test_demo_stopped(folder):
    """Ctrl-C in the middle ends it without a trace; it has shown nothing, so the exit status is 1."""
    with subprocess.Popen([*COMMAND, "--events", "1000000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as demo:
        while not re.search(rb"read [1-9]", demo.stderr.readline()):
            assert demo.poll() is None
        demo.send_signal(signal.SIGINT)
        output, told = demo.communicate(timeout=100)

    assert (demo.returncode, output) == (1, b"")
    assert b"Traceback" not in told
    assert list(folder.iterdir()) == []


@pytest.mark.broker
def test_serve(folder):
    """With --serve it goes on, the page's buttons work, and Ctrl-C leaves nothing behind."""
    with subprocess.Popen([*COMMAND, "--serve"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as demo:
        text = b""
        while b"export" not in text:
            more = os.read(demo.stdout.fileno(), 4096)
            assert more, demo.communicate()
            text += more
        url = re.search(rb"Open (http://\S+)/", text).group(1).decode()

        def seen(path, wanted):
            deadline = time.monotonic() + 100
            while not wanted(requests.get(url + path, timeout=10).json()):
                assert time.monotonic() < deadline, requests.get(url + path, timeout=10).text
                time.sleep(0.1)

        def press(name):
            answer = requests.post(f"{url}/actions/{name}", timeout=100)
            assert answer.status_code == 200, answer.text
            return answer.json()["said"]

        seen("/service", lambda now: now["events_read"] > 0 and now["committed"] > 0)
        press("bad")
        press("add-instance")
        seen("/dead-letters", lambda letters: {"rejected", "tombstone"} <= {one["reason"] for one in letters})
        seen("/service", lambda now: [len(one["assigned"]) for one in now["instances"]] == [2, 2])
        assert "status 0" in press("stop-instance")
        assert press("stop-instance") == "one instance has to stay"
        seen("/service", lambda now: [len(one["assigned"]) for one in now["instances"]] == [4])
        assert "down" in press("registry")
        assert "back" in press("registry")
        assert {one["name"] for one in requests.get(f"{url}/actions", timeout=10).json()} >= {
            "burst",
            "freeze",
            "rate",
        }
        demo.send_signal(signal.SIGINT)
        _, told = demo.communicate(timeout=100)

    assert demo.returncode == 0, told
    assert b"Traceback" not in told
    assert list(folder.iterdir()) == []


def test_wrong_usage():
    """A number of events that is none is exit status 2."""
    done = subprocess.run([*COMMAND, "--events", "0"], capture_output=True, text=True, timeout=60)

    assert done.returncode == 2
    assert "--events" in done.stderr


# The audit.


class Settled:
    """A topic whose events are settled as they should be, by hand; a test then spoils one thing."""

    def __init__(self, broker, new_topic, registry, group):
        self.broker, self.group = broker, group
        self.topic, self.dead_letters = new_topic(partitions=2), new_topic(partitions=2)
        self.mixpanel = MixpanelSandbox()
        self.expected = Expected()
        self.letters = []
        events = list(Traffic(register(registry.register, registry.guid), seed=3, bad=0.2).events(60))
        produce(broker.bootstrap, self.topic, events, expected=self.expected)
        for event in events:
            if event.update:
                self.mixpanel.profiles.apply(event.update)
            else:
                self.letters.append((event.number, event.reason))

    def audit(self, committed=None):
        """What the audit finds; `committed` of the first partition, by default all."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap})
        for number, reason in self.letters:
            headers: Any = [(NUMBER_HEADER, str(number)), ("mixpanel.reason", reason)]
            producer.produce(self.dead_letters, b"as it came", headers=headers)
        producer.flush(30)
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": self.group})
        places = [TopicPartition(self.topic, one) for one in range(2)]
        for place in places:
            place.offset = consumer.get_watermark_offsets(place, timeout=30)[1]
        if committed is not None:
            places[0].offset = committed
        consumer.commit(offsets=places, asynchronous=False)
        consumer.close()
        names = {"topic": self.topic, "dead_letters": self.dead_letters, "group": self.group}
        return audit(self.broker, self.mixpanel, self.expected, **names)


@pytest.fixture
def settled(broker, new_topic, registry, group_id):
    """Events that are settled as they should be."""
    return Settled(broker, new_topic, registry, group_id)


def test_audit(settled):
    """Where everything came to what it should it balances."""
    found = settled.audit()

    assert found.balanced, found
    assert found.committed == found.consumed == 60
    assert found.reasons.total() == len(settled.letters) > 3


def test_audit_of_a_lost_letter(settled):
    """A bad event without its dead letter is lost."""
    number, reason = settled.letters.pop()

    found = settled.audit()

    assert found.lost == [f"event {number} was to be a dead letter for {reason}, and there is none"]
    assert not found.balanced


def test_audit_of_letters(settled):
    """A dead letter for a good event, one for another reason, and one too many are all found."""
    (first, reason), (second, _) = settled.letters[:2]
    settled.letters.append((first, reason))
    settled.letters[1] = (second, "other")
    good = next(number for number in range(1, 61) if number not in settled.expected.reasons)
    settled.letters.append((good, "corrupt"))

    told = "\n".join(settled.audit().differences)

    assert f"event {first} is 2 dead letters" in told
    assert f"event {second} is a dead letter for other, expected: " in told
    assert f"event {good} is a dead letter for corrupt, expected: applied" in told


def test_audit_of_profiles(settled):
    """A profile that lacks a change, one that is missing, and one that nobody asked for are all found."""
    groups = [
        tuple(one[name] for name in ("token", "group_key", "group_id"))
        for one in settled.mixpanel.profiles.snapshot()
        if "company_id" not in one
    ]
    for (token, key, name), operation in ((groups[0], {"$set": {"more": 1}}), (groups[1], {"$delete": ""})):
        settled.mixpanel.profiles.apply({"$token": token, "$group_key": key, "$group_id": name, **operation})
    settled.mixpanel.profiles.apply({"$token": "t", "$group_key": "company", "$group_id": "nobody", "$set": {"a": 1}})

    found = settled.audit()

    assert f"the profile of {groups[0][1]} {groups[0][2]} differs in more" in found.lost
    assert f"the profile of {groups[1][1]} {groups[1][2]} is missing" in found.lost
    assert found.differences == ["there is a profile of company nobody, which was to be none"]


def test_audit_of_what_is_open(settled, capsys):
    """What is consumed and not committed is open, and the summary says so."""
    found = settled.audit(committed=1)
    show(
        Job(
            events=60,
            read="read",
            updates=1,
            by_project={"default": 1},
            requests=1,
            profiles=1,
            seconds=1.0,
            all_seconds=2.0,
        ),
        found,
    )

    assert found.open > 0
    assert not found.balanced
    told = capsys.readouterr().out
    assert "It does not balance:" in told
    assert f"{found.open} events consumed and not committed" in told


def test_service_that_does_not_start(tmp_path):
    """Where the service ends at once the error has what it said."""
    from consumer.sandbox.errors import SandboxError

    service = Service("broken", tmp_path, {"KAFKA_TOPICS": ""})
    with pytest.raises(SandboxError, match="KAFKA_BOOTSTRAP_SERVERS"):
        service.wait_until_ready(60)
    assert service.stop() == 2
    assert dataclasses.asdict(service.scrape()) == {"values": {}}
