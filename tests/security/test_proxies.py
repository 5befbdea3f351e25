"""The environment's proxy, for Mixpanel and the registry apart: NO_PROXY says who is asked without it."""

from urllib.parse import urlsplit

import pytest

from tests.integration.events import changed
from tests.integration.watching import until
from tests.security.forwarding import Forwarding


@pytest.mark.parametrize(
    ("none", "through"),
    [("localhost", {"mixpanel"}), ("127.0.0.1", {"registry"}), ("", {"mixpanel", "registry"}), ("*", set())],
)
def test_who_is_asked_through_the_proxy(broker, new_world, mixpanel, registry, none, through):
    """The registry is localhost here, and Mixpanel 127.0.0.1."""
    urls = {"registry": registry.url.replace("127.0.0.1", "localhost"), "mixpanel": mixpanel.url}
    names = {urlsplit(url).netloc: name for name, url in urls.items()}
    world = new_world(broker)
    with Forwarding() as proxy:
        environ = {"HTTP_PROXY": proxy.url, "NO_PROXY": none}
        service = world.run(SCHEMA_REGISTRY_URL=urls["registry"], **environ)
        world.send(changed("a", plan="x"))
        world.settled()
        assert world.profile("a") == {"plan": "x"}
        assert {names[host] for host in proxy.asked} == through
        assert service.stop() == 0


def test_a_proxy_that_does_not_answer_is_waited_for(broker, new_world):
    """Of the registry's and of Mixpanel's: told, held, nothing rejected, and over once it answers."""
    world = new_world(broker)
    proxy = Forwarding()
    service = world.run(HTTP_PROXY=proxy.url)
    world.send(changed("a", plan="x"))
    until(lambda: service.lines("schema registry failing"), "it is told")
    assert service.get("/livez")[0] == 200
    with proxy:
        world.settled()
    assert world.profile("a") == {"plan": "x"}
    assert service.metric("dead_letters_total") == 0
    assert service.stop() == 0
