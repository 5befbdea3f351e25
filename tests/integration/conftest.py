"""What the integration tests stand on: a place to run instances of the service, with what it talks to."""

from typing import Any

import pytest

from tests.integration.starting import instances_of_the_service  # noqa: F401  # the fixture `start`
from tests.integration.world import World


@pytest.fixture
def world(broker: Any, new_topic: Any, group_id: str, registry: Any, mixpanel: Any, start: Any) -> World:
    """A topic with 4 partitions, its dead-letter topic, a Mixpanel, a registry, and no instance yet."""
    found = World(broker, new_topic(4), group_id, registry, mixpanel, start)
    broker.create_topic(found.letters_topic, 4)
    return found
