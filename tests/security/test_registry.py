"""The registry wants a password or a token, over TLS."""

import json
from typing import Any

import pytest

from consumer.sandbox.registry.server import RegistrySandbox
from tests.integration.events import SCHEMA, changed
from tests.integration.watching import until

USER = {"SCHEMA_REGISTRY_USERNAME": "reader", "SCHEMA_REGISTRY_PASSWORD": "right-password"}
TOKEN = {"SCHEMA_REGISTRY_TOKEN": "right-token"}
USERS: dict[str, Any] = {"users": {"reader": "right-password"}}
TOKENS: dict[str, Any] = {"tokens": ["right-token"]}


def guarded(**more: Any) -> RegistrySandbox:
    """A registry that wants credentials."""
    registry = RegistrySandbox(**more)
    registry.register("group-changes-value", json.dumps(SCHEMA))
    return registry


@pytest.fixture
def world(broker, new_world):
    """A world on the common broker."""
    return lambda registry: new_world(broker, registry)


def works(world) -> None:
    """An event is decoded."""
    world.send(changed("a", plan="x"))
    world.settled()
    assert world.profile("a") == {"plan": "x"}


def held(world, service, setting: str) -> None:
    """Every partition waits for its schema: not ready, alive, and the line names the setting."""
    for partition in range(4):
        world.send(changed("a", plan="x"), partition=partition)
    assert setting in service.said("schema registry failing")["message"]
    until(lambda: service.reasons() == ["every partition is held: schema"], "it is not ready")
    assert service.get("/livez")[0] == 200
    assert world.committed() == {}


@pytest.mark.parametrize(("wants", "settings"), [(USERS, USER), (TOKENS, TOKEN)], ids=["basic", "token"])
def test_the_right_credentials_let_in(world, serving, wants, settings):
    """Over TLS with a private authority, by password and by token."""
    tls, ca = serving()
    with guarded(tls=tls, **wants) as registry:
        here = world(registry)
        here.run(SCHEMA_REGISTRY_CA_LOCATION=str(ca), **settings)
        works(here)


@pytest.mark.parametrize(("wants", "settings"), [(USERS, USER), (TOKENS, TOKEN)], ids=["basic", "token"])
def test_refused_credentials_hold_and_recover(world, serving, wants, settings):
    """A wrong or rotated secret is an outage and no reject: told, not ready, and over once the registry takes it."""
    tls, ca = serving()
    with guarded(tls=tls, users={"reader": "another"}, tokens=["another"]) as registry:
        here = world(registry)
        service = here.run(SCHEMA_REGISTRY_CA_LOCATION=str(ca), **settings)
        held(here, service, "SCHEMA_REGISTRY_PASSWORD")
        registry.users, registry.tokens = wants.get("users", {}), wants.get("tokens", [])
        here.settled()
        until(service.ready, "it is ready")
        assert service.metric("dead_letters_total") == 0
        assert not service.lines("right-")


def test_a_registry_of_an_unknown_authority_is_refused(world, serving):
    """The password goes to nobody whose certificate is not trusted."""
    (tls, _), (_, other) = serving(), serving()
    with guarded(tls=tls, **USERS) as registry:
        here = world(registry)
        service = here.run(SCHEMA_REGISTRY_CA_LOCATION=str(other), **USER)
        held(here, service, "SCHEMA_REGISTRY_CA_LOCATION")
        assert list(registry.asked) == []


def test_a_secret_in_a_file_is_read(world, serving, tmp_path):
    """The `_FILE` twin of a secret does the same."""
    tls, ca = serving()
    (tmp_path / "token").write_text("right-token\n")
    with guarded(tls=tls, **TOKENS) as registry:
        here = world(registry)
        here.run(SCHEMA_REGISTRY_CA_LOCATION=str(ca), SCHEMA_REGISTRY_TOKEN_FILE=str(tmp_path / "token"))
        works(here)
