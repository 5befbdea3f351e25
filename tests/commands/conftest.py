"""The command line, called in this process with an environment of its own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from consumer.cli import main
from consumer.sandbox.broker.broker import Broker
from consumer.sandbox.mixpanel.project import SandboxProject
from consumer.sandbox.mixpanel.server import MixpanelSandbox
from consumer.sandbox.registry.server import RegistrySandbox
from consumer.settings.declared import NAMES
from tests.commands.scene import TOKEN, Scene


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Calls a command: call("check", "--output", "json", KAFKA_TOPICS="a")."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, stdin: str | bytes | None = None, **environ: Any) -> Result:
        given = {name: str(value) for name, value in environ.items()}
        result = CliRunner().invoke(main, arguments, input=stdin, env=given, prog_name="group-consumer")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def schemas() -> Iterator[RegistrySandbox]:
    """A schema registry of this test alone."""
    with RegistrySandbox() as running:
        yield running


@pytest.fixture
def scene(
    broker: Broker,
    new_topic: Callable[..., str],
    group_id: str,
    registry: RegistrySandbox,
    call: Callable[..., Result],
) -> Iterator[Scene]:
    """A scene with one partition, and nothing in it."""
    topic = new_topic(1)
    broker.create_topic(f"{group_id}.dead-letters", 1, {"retention.ms": "-1"})
    with MixpanelSandbox(project=SandboxProject(token=TOKEN)) as mixpanel:
        mine = mixpanel.project
        environ = {
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
            "KAFKA_TOPICS": topic,
            "KAFKA_GROUP_ID": group_id,
            "SCHEMA_REGISTRY_URL": registry.url,
            "MIXPANEL_QUERY_URL": mixpanel.url,
            "MIXPANEL_PROJECT_ID": mine.id,
            "MIXPANEL_SERVICE_ACCOUNT_USERNAME": mine.username,
            "MIXPANEL_SERVICE_ACCOUNT_SECRET": mine.secret,
        }
        yield Scene(broker, topic, group_id, mixpanel, environ, call)
