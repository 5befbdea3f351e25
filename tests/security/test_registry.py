"""The registry wants a password or a token, over TLS."""

from base64 import b64encode

import pytest

from tests.integration.events import changed
from tests.integration.registry import Registry
from tests.integration.watching import until

BASIC = "Basic " + b64encode(b"reader:right-password").decode()
BEARER = "Bearer right-token"
USER = {"SCHEMA_REGISTRY_USERNAME": "reader", "SCHEMA_REGISTRY_PASSWORD": "right-password"}
TOKEN = {"SCHEMA_REGISTRY_TOKEN": "right-token"}


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


@pytest.mark.parametrize(("authorization", "settings"), [(BASIC, USER), (BEARER, TOKEN)], ids=["basic", "token"])
def test_the_right_credentials_let_in(world, serving, authorization, settings):
    """Over TLS with a private authority, by password and by token."""
    tls, ca = serving()
    with Registry(tls=tls, authorization=authorization) as registry:
        here = world(registry)
        here.run(SCHEMA_REGISTRY_CA_LOCATION=str(ca), **settings)
        works(here)


@pytest.mark.parametrize(("authorization", "settings"), [(BASIC, USER), (BEARER, TOKEN)], ids=["basic", "token"])
def test_refused_credentials_hold_and_recover(world, serving, authorization, settings):
    """A wrong or rotated secret is an outage and no reject: told, not ready, and over once the registry takes it."""
    tls, ca = serving()
    with Registry(tls=tls, authorization="another one") as registry:
        here = world(registry)
        service = here.run(SCHEMA_REGISTRY_CA_LOCATION=str(ca), **settings)
        held(here, service, "SCHEMA_REGISTRY_PASSWORD")
        registry.authorization = authorization
        here.settled()
        until(service.ready, "it is ready")
        assert service.metric("dead_letters_total") == 0
        assert not service.lines("right-")


def test_a_registry_of_an_unknown_authority_is_refused(world, serving):
    """The password goes to nobody whose certificate is not trusted."""
    (tls, _), (_, other) = serving(), serving()
    with Registry(tls=tls, authorization=BASIC) as registry:
        here = world(registry)
        service = here.run(SCHEMA_REGISTRY_CA_LOCATION=str(other), **USER)
        held(here, service, "SCHEMA_REGISTRY_CA_LOCATION")
        assert registry.asked == []


def test_a_secret_in_a_file_is_read(world, serving, tmp_path):
    """The `_FILE` twin of a secret does the same."""
    tls, ca = serving()
    (tmp_path / "token").write_text("right-token\n")
    with Registry(tls=tls, authorization=BEARER) as registry:
        here = world(registry)
        here.run(SCHEMA_REGISTRY_CA_LOCATION=str(ca), SCHEMA_REGISTRY_TOKEN_FILE=str(tmp_path / "token"))
        works(here)
