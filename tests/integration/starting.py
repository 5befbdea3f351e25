"""The fixture that starts instances of the service, for every test that needs some."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.service import Service


@pytest.fixture(name="start")
def instances_of_the_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts instances of the service; at the end each is ended, and its log is looked at."""
    instances: list[Service] = []

    def begin(*environments: dict[str, str], **settings: str) -> Service:
        environ: dict[str, str] = {}
        for environment in environments:
            environ |= environment
        instances.append(Service(tmp_path / f"instance-{len(instances)}", environ | settings))
        return instances[-1]

    yield begin
    for instance in instances:
        instance.kill()
    for instance in instances:
        instance.check_log()
