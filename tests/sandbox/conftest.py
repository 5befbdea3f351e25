"""A sandbox's Mixpanel for each test, and a client that speaks plain HTTP to it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from consumer.sandbox.mixpanel.server import MixpanelSandbox

Update = dict[str, Any]
STRICT = {"ip": "0", "strict": "1", "verbose": "1"}


@pytest.fixture
def sandbox() -> Iterator[MixpanelSandbox]:
    """A sandbox that applies the updates of a request in a random order, and remembers them all."""
    with MixpanelSandbox(shuffle=1, keep_applied=True) as running:
        yield running


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """One HTTP client, closed after the test."""
    with requests.Session() as open_session:
        yield open_session


@pytest.fixture
def update() -> Callable[..., Update]:
    """Builds an update: update("acme", set={"a": 1}) has `$group_id` acme and `$set`."""

    def build(group_id: str = "acme", group_key: str = "company", **operations: Any) -> Update:
        envelope = {"$token": "token", "$group_key": group_key, "$group_id": group_id}
        return envelope | {f"${verb}": value for verb, value in operations.items()}

    return build


@pytest.fixture
def post(sandbox: MixpanelSandbox, session: requests.Session) -> Callable[..., requests.Response]:
    """Posts updates to /groups as the service does: strict, verbose, a JSON array."""

    def send(*updates: Any, **parameters: str) -> requests.Response:
        return session.post(f"{sandbox.url}/groups", params=parameters or STRICT, json=list(updates), timeout=10)

    return send
