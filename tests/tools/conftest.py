"""The command line, called in this process with an environment of its own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from consumer.cli import main
from consumer.sandbox.registry.server import RegistrySandbox
from consumer.settings.declared import NAMES


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
