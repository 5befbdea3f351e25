"""What the integration tests stand on: a place to run instances of the service, with what it talks to."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)

from tests.integration.service import Service  # noqa: E402
from tests.integration.world import World  # noqa: E402


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
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


@pytest.fixture
def world(broker: Any, new_topic: Any, group_id: str, registry: Any, mixpanel: Any, start: Any) -> World:
    """A topic with 4 partitions, its dead-letter topic, a Mixpanel, a registry, and no instance yet."""
    found = World(broker, new_topic(4), group_id, registry, mixpanel, start)
    broker.create_topic(found.letters_topic, 4)
    return found
