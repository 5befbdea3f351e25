"""What people see: a line for each change of state and none for what stays, readiness as the interface words it."""

import json
import logging
from collections.abc import Callable

import pytest

from consumer.core.batch import Batch
from consumer.core.limits import Limits
from consumer.core.model import NOT_SENT, Answer, Assignment, DeadLetter, Record
from consumer.core.pipeline import Pipeline
from consumer.event.decode import resolve
from consumer.event.errors import REJECTED, TASK_PUT
from consumer.kafka.client_status import ClientStatus
from consumer.mixpanel.pool import Response
from consumer.service.health import Health
from consumer.service.memory import Memory
from consumer.service.metrics import Metrics
from consumer.service.observer import Observer
from consumer.service.rejects import TELL_EVERY
from tests.integration.events import SCHEMA, changed

MARK = "marked-payload"


class Kafka:
    """The consumer, as far as the observer asks it."""

    def __init__(self) -> None:
        self.client_status = ClientStatus(tokens=False, clock=lambda: 0.0, patience=360.0)
        self.client_status.joined = self.client_status.broker = True
        self.behind: dict[Assignment, int] = {}
        self.strangers: list[str] = []
        self.transactions: dict[Assignment, tuple[int, int]] = {}

    def withheld(self) -> dict[Assignment, tuple[int, int]]:
        return self.transactions

    def lag(self) -> dict[Assignment, int]:
        return self.behind

    def committed(self) -> dict[Assignment, int]:
        return {}

    def foreign(self) -> list[str]:
        return self.strangers


class DeadLetters:
    """The dead-letter producer, as far as the observer asks it."""

    def blocked(self) -> int:
        return 0

    def oldest(self) -> float:
        return 3.5


class Scene:
    """A real pipeline under a observer; time goes when told."""

    def __init__(self, *projects: str, open_records: int = 50_000) -> None:
        self.now = 0.0
        limits = Limits(linger=0.0, max_in_flight=len(projects), open_records=open_records)
        self.pipeline = Pipeline(dict.fromkeys(projects, 20), limits)
        self.health = Health(lambda: self.now)
        self.metrics = Metrics(projects)
        self.kafka = Kafka()
        memory = Memory(lambda: True)
        self.observer = Observer(
            self.pipeline, self.kafka, DeadLetters(), self.metrics, self.health, lambda: 4096, memory
        )
        self.places = [Assignment("changes", number) for number in range(2)]
        self.pipeline.assigned(self.places)
        self.offset = 0

    def know(self) -> None:
        """The schema comes."""
        self.pipeline.schema_known(1, resolve(SCHEMA, SCHEMA), self.now)

    def read(self, value: bytes = changed("g", text=MARK), place: int = 0) -> None:
        """A record comes."""
        self.offset += 1
        record = Record(self.places[place], self.offset, b"k", value, None, 1, self.now)
        self.observer.read([record])
        self.pipeline.polled([record], self.now)

    def answer(self, *answers: Answer) -> None:
        """What is due is sent, and answered so."""
        for answer in answers:
            self.now += 120.0
            (batch,) = self.pipeline.work(self.now).batches
            self.came(batch, answer)

    def came(self, batch: Batch, answer: Answer) -> None:
        """The answer of one request."""
        delivered = self.pipeline.delivered(batch, answer, self.now, 0.5)
        self.observer.delivered(batch, Response(batch, answer), delivered)
        self.look()

    def look(self) -> None:
        """A second passes."""
        self.now += 1.0
        self.observer.turned(self.now)
        self.observer.observe(self.now, self.pipeline.paused())


@pytest.fixture
def scene() -> Scene:
    """The scene."""
    return Scene("default")


@pytest.fixture
def lines(caplog) -> Callable[[], list[logging.LogRecord]]:
    """What was logged since the last call, batches aside, and records that wait for long: an answer takes minutes."""
    caplog.set_level(logging.INFO, "consumer")

    def since() -> list[logging.LogRecord]:
        found = [line for line in caplog.records if line.module != "heads"]
        caplog.clear()
        return found

    return since


GOOD = Answer(200, b'{"error":null,"errors":{},"num_good_events":1,"status":1}')


def test_a_healthy_service_is_ready_and_says_nothing(scene, lines):
    """Good batches are lines at debug alone."""
    scene.know()
    scene.read()
    scene.answer(GOOD)
    scene.look()
    assert scene.health.unready == ()
    assert lines() == []


def test_no_assignment_is_no_reason(scene):
    """A member of the group without a partition is ready."""
    scene.pipeline.revoked(scene.places)
    scene.look()
    assert scene.health.unready == ()


@pytest.mark.parametrize(
    ("broker", "joined", "reason"),
    [(False, False, "no broker is connected"), (True, False, "not yet joined the consumer group")],
)
def test_without_kafka_it_is_not_ready(scene, broker, joined, reason):
    """No broker, or not yet a member: one reason at a time."""
    scene.kafka.client_status.broker, scene.kafka.client_status.joined = broker, joined
    scene.look()
    assert scene.health.unready == (reason,)


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (401, b"", "MIXPANEL_TOKEN"),
        (403, b"", "MIXPANEL_TOKEN"),
        (404, b"", "MIXPANEL_URL"),
        (400, b"<html>", "MIXPANEL_URL"),
        (302, b"", "MIXPANEL_URL"),
    ],
)
def test_a_halt_is_one_line_and_not_ready(scene, lines, status, body, advice):
    """The line says what to look at; its end is a line, too; the probes between are none."""
    scene.know()
    scene.read()
    halt = Answer(status, body)
    scene.answer(halt, halt, halt)
    (line,) = lines()
    assert line.levelno == logging.ERROR
    assert advice in line.message
    assert scene.health.unready == (f"sending is halted: Mixpanel answered {status}",)
    scene.answer(GOOD)
    (line,) = lines()
    assert "sending goes on" in line.message
    assert scene.health.unready == ()


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_fault_that_passes_leaves_it_ready(scene, lines, status):
    """A line when it begins and one when it is over, however often it is tried between."""
    scene.know()
    scene.read()
    fault = Answer(status, b"oh")
    scene.answer(fault, fault, fault)
    assert scene.health.unready == ()
    begin = [line.message for line in lines() if line.levelno >= logging.WARNING]
    assert begin == ["Mixpanel fails: requests are sent again until they succeed"]
    scene.answer(GOOD)
    assert "Mixpanel answers again" in [line.message for line in lines()]


@pytest.mark.parametrize(
    ("cause", "setting"),
    [("tls", "MIXPANEL_URL and REQUESTS_CA_BUNDLE"), ("ca_bundle", "CURL_CA_BUNDLE"), ("socks", "ALL_PROXY")],
)
def test_a_connection_that_must_be_mended_is_not_ready(scene, lines, cause, setting):
    """The line names what to look at; it is over with the first answer."""
    scene.know()
    scene.read()
    fault = Answer(0, failure=NOT_SENT, cause=cause)
    scene.answer(fault, fault)
    assert scene.health.unready == (f"nothing can be sent to Mixpanel: {cause}",)
    (line,) = [line.message for line in lines() if line.levelno >= logging.WARNING]
    assert setting in line
    scene.answer(GOOD)
    assert scene.health.unready == ()


def test_one_project_with_work_that_can_be_sent_is_enough(lines):
    """Each other one is halted or not trusted; when all are, both reasons are told."""
    scene = Scene("default", "other", "third")
    scene.know()
    for project in (None, "other", "third"):
        scene.read(changed("g", project=project, text=MARK))
    told = []
    answers = {"other": Answer(401, b"no"), "third": Answer(0, failure=NOT_SENT, cause="tls")}
    for default in (Answer(503, b"oh"), Answer(403, b"no")):
        scene.now += 120.0
        for batch in scene.pipeline.work(scene.now).batches:
            scene.came(batch, answers.get(batch.destination, default))
        told.append(scene.health.unready)
    assert told == [
        (),
        (
            "sending is halted: Mixpanel answered 401 for other, 403 for default",
            "nothing can be sent to Mixpanel: tls for third",
        ),
    ]


def test_a_halted_project_is_told_with_its_own_settings(lines):
    """Who reads the line knows which token is meant."""
    scene = Scene("default", "other")
    scene.know()
    scene.read(changed("g", project="other", text=MARK))
    scene.answer(Answer(401, b"no"))
    (line,) = [line.getMessage() for line in lines() if "halted" in line.message]
    assert "check token of [other] in MIXPANEL_PROJECTS_FILE" in line


def test_a_project_that_fails_and_has_its_share_is_told(lines):
    """One line says which project holds which partitions; one that answers and waits for its turn is no news."""
    scene = Scene("default", "other", open_records=4)
    scene.know()
    for number in range(3):
        scene.read(changed(f"g{number}", project="other", text=MARK))
    scene.look()
    assert scene.pipeline.paused() == {scene.places[0]: "project"}
    assert not lines()
    scene.answer(Answer(401, b"no"))
    told = [line for line in lines() if "paused" in line.message]
    assert [(line.cause, line.partitions, line.projects) for line in told] == [
        ("project", [repr(scene.places[0])], ["other"])
    ]
    scene.answer(GOOD)
    assert "no partition paused any more" in [line.message for line in lines()]


def test_one_project_fails_while_another_answers(lines):
    """The fault is one line with its project, however often the other one answers between."""
    scene = Scene("default", "other")
    scene.know()
    scene.read(changed("g", project="other", text=MARK))
    for _ in range(3):
        scene.read()
        scene.now += 120.0
        for batch in scene.pipeline.work(scene.now).batches:
            scene.came(batch, GOOD if batch.destination == "default" else Answer(503, b"oh"))
    told = [(line.message, line.project) for line in lines() if "Mixpanel" in line.message]
    assert told == [("Mixpanel fails: requests are sent again until they succeed", "other")]
    assert scene.metrics.retries.labels("other", "503")._value.get() == 3
    assert scene.metrics.requests.labels("default", "accepted")._value.get() == 3


def test_a_held_partition_is_told_and_all_of_them_make_it_unready(scene, lines):
    """One held partition is a line; only when every assigned one is held the service is not ready."""
    scene.read(place=0)
    scene.look()
    (line,) = lines()
    assert (line.cause, line.partitions, line.schemas) == ("schema", ["changes[0]"], ["1"])
    assert scene.health.unready == ()
    scene.read(place=1)
    scene.look()
    assert scene.health.unready == ("every partition is held: schema",)
    scene.know()
    scene.look()
    assert scene.health.unready == ()
    assert lines()[-1].message == "no partition paused any more"


def test_dead_letters_are_one_line_for_a_while(scene, lines):
    """A flood is one line in ten seconds, with how many of each reason, and where the last one came from."""
    scene.look()
    record = Record(scene.places[0], 7, None, b"v", None, 1, 0.0)
    for number in range(100):
        reason = "corrupt" if number else REJECTED
        scene.observer.dead_lettered(DeadLetter(record, reason, TASK_PUT, "why"))
        scene.look() if number % 50 == 0 else None
    scene.now += TELL_EVERY
    scene.look()
    found = [line for line in lines() if line.message == "dead letters written"]
    assert len(found) <= 3
    assert sum(sum(line.reasons.values()) for line in found) == 100
    assert found[-1].last == "changes[0]@7: why"


def test_the_breaker_is_an_error_that_says_what_to_do(scene, lines):
    """One line, not ready, and the way out."""
    for _ in range(1100):
        scene.read(b"garbage")
    scene.look()
    scene.look()
    found = [line for line in lines() if line.levelno == logging.ERROR]
    assert len(found) == 1
    assert "DEAD_LETTER_BREAKER=off" in found[0].message
    assert "the dead-letter breaker is open" in scene.health.unready


def test_a_request_that_was_given_up_is_counted_and_told(scene, lines):
    """What Mixpanel may apply late is seen in a metric and a warning."""
    scene.observer.drained(scene.places, 2.0, 3, clean=False)
    assert lines()[-1].levelno == logging.WARNING
    assert b"group_consumer_given_up_requests_total 3.0" in scene.metrics.exposition()[0]


def test_no_line_has_a_payload(scene, caplog):
    """Not at debug either, whatever becomes of the record."""
    caplog.set_level(logging.DEBUG)
    scene.know()
    scene.read()
    scene.answer(Answer(500, b"oh"), Answer(401, b""), Answer(429, b"", 1.0), Answer(0, failure="unknown"))
    scene.answer(Answer(200, b'{"status":0,"error":"bad","errors":{"0":"refused"},"num_good_events":0}'))
    for letter in scene.pipeline.work(scene.now).dead_letters:
        scene.observer.dead_lettered(letter)
        scene.pipeline.dead_lettered(letter)
    scene.now += TELL_EVERY
    scene.look()
    assert "dead letters written" in caplog.text
    assert MARK not in caplog.text
    assert all(MARK not in repr(vars(line)) for line in caplog.records)
    assert MARK.encode() not in scene.metrics.exposition()[0]


def test_an_open_transaction_is_told_once_it_has_lasted(scene, lines):
    """Transactions come and go; one that holds a partition for a while is a line and a gauge, until it is over."""
    place = scene.places[1]
    for _ in range(60):  # each of them another one
        scene.kafka.transactions = {place: (int(scene.now), 4)}
        scene.look()
    assert lines() == []
    for _ in range(32):
        scene.kafka.transactions = {place: (100, 7)}
        scene.look()
    (told,) = lines()
    assert told.getMessage().startswith("an open transaction")
    assert (told.partition, told.last_stable_offset, told.waiting) == ("changes[1]", 100, 7)
    gauge = 'group_consumer_open_transaction_offsets{partition="1",topic="changes"} 7.0'
    assert gauge in scene.metrics.exposition()[0].decode()
    scene.kafka.transactions = {}
    scene.look()
    assert [line.getMessage() for line in lines()] == ["the transaction is over: its partition is read on"]
    assert gauge not in scene.metrics.exposition()[0].decode()


def test_what_is_written_known_and_foreign_is_on_the_gauges(scene, lines):
    """The oldest dead letter that waits, schemas, the cache; and strangers in the group, with readiness untouched."""
    scene.know()
    scene.look()
    assert lines() == []
    scene.kafka.strangers = ["10.0.0.9"]
    scene.look()
    text = scene.metrics.exposition()[0].decode()
    expected = (
        "oldest_dead_letter_seconds 3.5",
        "schemas_known 1.0",
        "schema_cache_bytes 4096.0",
        "foreign_members 1.0",
    )
    for line in expected:
        assert f"group_consumer_{line}\n" in text
    (told,) = lines()
    assert (told.levelname, told.members) == ("ERROR", ["10.0.0.9"])
    assert scene.health.unready == ()


def test_a_group_that_stays_in_one_state_of_joining_is_not_alive(scene):
    """For longer than a join may take, and while there is a broker; steady, or without a coordinator, it may stay."""
    status = scene.kafka.client_status
    now = [0.0]
    status._clock = lambda: now[0]

    def report(join_state: str, *, up: bool = True, coordinator: str = "up") -> None:
        brokers = {"b": {"state": "UP" if up else "DOWN", "nodeid": 1, "source": "learned"}}
        group = {"state": coordinator, "join_state": join_state}
        status.statistics(json.dumps({"brokers": brokers, "topics": {}, "cgrp": group}))
        scene.look()

    for state, up, coordinator in (
        ("steady", True, "up"),
        ("init", True, "up"),
        ("wait-sync", False, "up"),
        ("wait-sync", True, "query-coord"),
    ):
        report(state, up=up, coordinator=coordinator)
        now[0] += 3600
        report(state, up=up, coordinator=coordinator)
        assert scene.health.still() == ()
    report("wait-unassign-call")
    now[0] += 359
    report("wait-unassign-call")
    assert scene.health.still() == ()
    now[0] += 1
    report("wait-unassign-call")
    (reason,) = scene.health.still()
    assert "wait-unassign-call for 360 s" in reason
    report("wait-join")
    assert scene.health.still() == ()


def test_a_request_that_was_withheld_is_no_sign_of_mixpanel(scene, lines):
    """It has an outcome of its own, ends no failure, and its time is none of a request."""
    scene.know()
    scene.read()
    scene.answer(Answer(503, b"oh"))
    lines()
    scene.answer(Answer(0, failure=NOT_SENT, cause="lease"))
    text = scene.metrics.exposition()[0].decode()
    assert lines() == []
    assert 'group_consumer_requests_total{outcome="withheld",project="default"} 1.0' in text
    assert "group_consumer_request_seconds_count 1.0" in text


def test_status_has_every_field(scene):
    """What `/status` says is taken once a second; what is unknown is None, and nothing tells what was read."""
    scene.kafka.behind = {scene.places[0]: 5}
    scene.know()
    scene.look()
    scene.read(place=0)
    (batch,) = scene.pipeline.work(scene.now).batches
    scene.now += 2.0
    scene.look()
    status = dict(scene.health.status)
    assert MARK not in json.dumps(status)
    assert status.pop("instance")
    first, second = status.pop("partitions")
    assert isinstance(first.pop("lag_seconds"), float)
    assert first == {
        "topic": "changes",
        "partition": 0,
        "committed": None,
        "read": 2,
        "open": 1,
        "lag_records": 5,
        "blocked": {"offset": 1, "seconds": 3.0, "cause": "in_flight", "detail": {}},
    }
    unknown = dict.fromkeys(("committed", "read", "lag_records", "lag_seconds", "blocked"))
    assert second == {"topic": "changes", "partition": 1, "open": 0} | unknown
    assert status == {
        "ready": True,
        "reasons": [],
        "requests": [{"project": "default", "age_seconds": 3.0, "updates": 1}],
        "projects": [
            {
                "name": "default",
                "halted": None,
                "throttled_seconds": 0.0,
                "suspects": 0,
                "in_flight": 1,
                "body_cap_bytes": Limits().batch_bytes,
            }
        ],
    }
    scene.pipeline.delivered(batch, Answer(401), scene.now, 0.5)
    scene.look()
    assert scene.health.status["ready"] is False
    assert scene.health.status["projects"][0]["halted"] == "401"
    assert scene.health.status["partitions"][0]["blocked"]["cause"] == "halted"


def test_a_record_that_blocks_its_partition_is_told_after_a_minute(scene, caplog):
    """Once with its cause, and once when it is through; not what is shorter, nor when the partition is gone."""
    caplog.set_level(logging.INFO, "consumer")

    def told() -> list[logging.LogRecord]:
        found = [line for line in caplog.records if line.module == "heads"]
        caplog.clear()
        return found

    scene.read()
    scene.now += 50.0
    scene.look()
    assert told() == []
    scene.now += 10.0
    for _ in range(3):
        scene.look()
    assert scene.metrics.gauges.blocked[scene.places[0]] == ("schema", 64.0)
    (line,) = told()
    assert (line.record, line.cause, line.detail, line.seconds) == ("changes[0]@1", "schema", {"id": 1}, 62.0)  # type: ignore[attr-defined]
    scene.read(place=1)
    scene.know()
    for _ in range(2):
        for batch in scene.pipeline.work(scene.now).batches:
            scene.pipeline.delivered(batch, GOOD, scene.now, 0.5)
    scene.look()
    scene.look()
    (line,) = told()
    assert (line.record, line.levelname) == ("changes[0]@1", "INFO")  # type: ignore[attr-defined]
    assert scene.metrics.gauges.blocked == {}
    scene.read()
    scene.now += 60.0
    scene.look()
    assert len(told()) == 1
    scene.pipeline.revoked(scene.places)
    scene.look()
    assert told() == []
