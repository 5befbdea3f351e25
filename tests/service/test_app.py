"""How the service ends where it cannot go on."""

import gc
import json
import logging

import pytest

from consumer import app
from consumer.settings import load


@pytest.fixture
def untouched():
    """What the service changes for its whole process is as before."""
    loggers = [logging.getLogger(name) for name in ("", "consumer", "consumer.librdkafka")]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def test_a_fault_of_its_own_is_a_line_in_the_log(untouched, monkeypatch, capfd):
    """Machines read the log, so the traceback is a field of a line, and the exit status says that it failed."""
    monkeypatch.setattr(app, "assemble", lambda *_: 1 / 0)
    needed = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "MIXPANEL_TOKEN": "0123456789abcdef0123456789abcdef"}
    settings = load({**needed, "SCHEMA_REGISTRY_URL": "http://x", "HTTP_PORT": "0", "LOG_FORMAT": "json"})
    assert app.run(settings, {}, lambda: True) == 1
    last = json.loads(capfd.readouterr().err.splitlines()[-1])
    assert (last["level"], last["message"].split(":")[0]) == ("critical", "the service ends by a fault of its own")
    assert "ZeroDivisionError" in last["exception"]
