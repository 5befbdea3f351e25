"""What the security tests stand on: a world whose broker, registry and Mixpanel want credentials."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consumer.sandbox.registry.server import RegistrySandbox
from tests.integration.starting import instances_of_the_service  # noqa: F401  # the fixture `start`
from tests.integration.world import World


@pytest.fixture
def new_world(mixpanel: Any, registry: RegistrySandbox, start: Any, group_id: str) -> Callable[..., World]:
    """Makes a world on a broker, with topics of its own: new_world(broker, registry=...)."""

    def make(broker: Any, registry: RegistrySandbox = registry, name: str = "changes") -> World:
        found = World(broker, f"{group_id}-{name}", f"{group_id}-{name}-group", registry, mixpanel, start)
        broker.create_topic(found.topic, 4)
        broker.create_topic(found.letters_topic, 4)
        return found

    return make


@pytest.fixture
def serving(new_certificates: Any) -> Callable[..., tuple[ssl.SSLContext, Path]]:
    """A server's side of TLS on 127.0.0.1, and the file of the authority that signed it."""

    def make() -> tuple[ssl.SSLContext, Path]:
        found = new_certificates()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(found.server_certificate, found.server_key)
        return tls, found.ca

    return make
